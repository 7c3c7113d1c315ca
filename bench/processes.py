"""Run the load generators and the in-process peers, each in a process of its own, and read their answers.

A load generator does not share the interpreter (nor its lock) with anything that is measured. It takes its
task as one JSON argument and prints one JSON line.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.paths import ROOT
from bench.plan import Skipped

Task = Mapping[str, str | int | float]
Answer = dict[str, float]

LONGEST_SECONDS = 900


def run(module: str, task: Task, python: Path | str = sys.executable) -> Answer:
    """Run `module` with `task` and return what it measured."""
    return answer(module, [str(python), "-m", module, json.dumps(task)])


def run_script(script: Path, task: Task, *node: str) -> Answer:
    """The same for a script on Node: the command and its options."""
    return answer(script.name, [*node, str(script), json.dumps(task)])


def answer(name: str, command: list[str]) -> Answer:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        raise Skipped(f"{name} was not done after {LONGEST_SECONDS} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise Skipped(f"{name} failed: {lines[-1] if lines else done.returncode}")
    seen: Answer = json.loads(done.stdout)
    return seen


@contextmanager
def held(module: str, task: Task) -> Iterator[None]:
    """Run `module` until it says `ready`, and end it afterwards by closing its stdin."""
    command = [sys.executable, "-m", module, json.dumps(task)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline().strip() != "ready":
            raise Skipped(f"{module} did not get ready")
        yield
    finally:
        process.stdin.close()
        process.wait(30)


def resident_kilobytes(pid: int) -> float:
    """Resident memory of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return float(own.split()[1]) + sum(resident_kilobytes(int(child)) for child in children)
