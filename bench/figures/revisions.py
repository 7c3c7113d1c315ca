"""`revisions`: a document with a long history in a replica's file, opened, looked back on and undone."""

import sys
from collections.abc import Callable
from pathlib import Path

from bench import processes
from bench.install import NotInstalled, newer_node, node_peers, python_peers
from bench.paths import BENCH
from bench.peers import SYNCLINE
from bench.plan import Contender, Plan, Skipped, interleave
from bench.results import Figure, Goal, Sample

UNIT = "open, ms"
MODULE = "bench.load.revisions"
SCRIPT = BENCH / "inprocess" / "revisions.mjs"
REPLAY = "a replay of the log"
REVISIONS, LOOKS = 10_000, (200, 40)
GOALS = {"at": 50, "at worst": 50, "undo": 5}
STATES = "confirmed", "pending"

Run = Callable[[processes.Task], processes.Answer]


def measure(plan: Plan) -> Figure:
    figure = Figure("revisions", "A document with a long history, in a replica's file")
    with plan.folder("revisions") as folder:
        for is_pending, state in enumerate(STATES):
            work = title(state)
            figure.rows += interleave(plan, work, UNIT, contenders(plan, folder / state, is_pending))
            figure.goals += goals(figure, work, state)
    return figure


def goals(figure: Figure, work: str, state: str) -> list[Goal]:
    opened = Goal(f"{state}: {UNIT}", figure.value(work, SYNCLINE.name), 20, at_most=True)
    seen = {name: figure.detail(work, SYNCLINE.name, name) for name in GOALS}
    return [opened, *(Goal(f"{state}: {name}, ms", seen[name], GOALS[name], at_most=True) for name in GOALS)]


def title(state: str) -> str:
    return f"{REVISIONS:,} revisions, all {state}"


def contenders(plan: Plan, folder: Path, is_pending: int) -> list[Contender]:
    def one(name: str, run: Run, kept: str, work: str, note: str) -> Contender:
        place: processes.Task = {"folder": str(folder.with_name(f"{folder.name}-{kept}")), "pending": is_pending}
        task: processes.Task = {**place, "revisions": REVISIONS, "looks": plan.size(*LOOKS)}
        return Contender(name, lambda warm_up: sample(run, task, work, is_made=not warm_up or work == "replay"), note)

    found = [
        one(SYNCLINE.name, syncline, "files", "measure", "a program that has just started; an undo is on the disk"),
        one(REPLAY, syncline, "files", "replay", "all events from the same file, folded for each answer"),
    ]
    if not is_pending:
        note = "Rust in WebAssembly, in memory; its history lies in the document, and it has no undo"
        found.append(one("Automerge", automerge, "automerge", "measure", note))
    return found


def sample(run: Run, task: processes.Task, work: str, *, is_made: bool) -> Sample:
    if not is_made:
        run({**task, "work": "make"})
    seen = run({**task, "work": work})
    return Sample(seen.pop("open"), seen)


def syncline(task: processes.Task) -> processes.Answer:
    return processes.run(MODULE, task, sys.executable)


def automerge(task: processes.Task) -> processes.Answer:
    try:
        python_peers()  # which bring Node
        node_peers()
        return processes.run_script(SCRIPT, task, newer_node())
    except NotInstalled as problem:
        raise Skipped(str(problem)) from None
