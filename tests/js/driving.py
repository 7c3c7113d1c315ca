"""The core in JavaScript, as a process of Node that answers commands: see js/test/driver.js."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DRIVER = Path(__file__).parents[2] / "js" / "test" / "driver.js"
NODE = shutil.which("node")

BLOCKS = 20
"""The seeds of one test are shared out to so many, for several processors."""
COUNT = int(os.environ.get("HISTORIES", "2000" if "PYTEST_XDIST_WORKER" in os.environ else "100"))


class Driver:
    """Asks, one command at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, command: str, **members: Any) -> Any:
        stdin: Any = self._process.stdin
        stdout: Any = self._process.stdout
        stdin.write(json.dumps({"command": command, **members}) + "\n")
        stdin.flush()
        line = stdout.readline()
        assert line, "Node has ended; what it said is above."
        answer = json.loads(line)
        assert not isinstance(answer, dict) or "error" not in answer, answer["error"]
        return answer


@contextmanager
def driver() -> Iterator[Driver]:
    """A driver, until the block ends."""
    assert NODE
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([NODE, str(DRIVER)], text=True, encoding="utf-8", **pipes) as process:  # type: ignore[call-overload]
        yield Driver(process)
        process.stdin.close()


def each_seed(block: int, check: Callable[[int], None]) -> None:
    """Checks the seeds of a block, or the one that ``HISTORY`` names; what fails says which it was."""
    chosen = os.environ.get("HISTORY")
    seeds = range(block * COUNT // BLOCKS, (block + 1) * COUNT // BLOCKS)
    for seed in seeds if chosen is None else [int(chosen)] * (block == 0):
        try:
            check(seed)
        except Exception as error:
            error.add_note(f"Again: HISTORY={seed}")
            raise
