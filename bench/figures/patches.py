"""`patches`: a JSON Patch made and applied, beside PyPI's `jsonpatch`, on documents of 2 and of 50 KB."""

import sys
from pathlib import Path

from bench import processes
from bench.edits import TASKS
from bench.install import NotInstalled, python_peers
from bench.paths import PEER_PYTHON
from bench.peers import SYNCLINE
from bench.plan import Contender, Plan, Skipped, interleave
from bench.results import Figure, Goal, Sample

UNIT = "patches/s"
JSONPATCH = "jsonpatch"
GOALS = {"diff": 25, "apply": 8}  # times jsonpatch


def measure(plan: Plan) -> Figure:
    figure = Figure("patches", "JSON Patch: three changes of a document found, or made, in process")
    for work, wanted in GOALS.items():
        for size, tasks in TASKS.items():
            name = f"{work}, {size}"
            figure.rows += interleave(plan, name, UNIT, [syncline(work, tasks), jsonpatch(work, tasks)])
            ratio = figure.ratio(name, SYNCLINE.name, JSONPATCH)
            figure.goals.append(Goal(f"{name}: times jsonpatch", ratio, wanted))
    return figure


def syncline(work: str, tasks: int) -> Contender:
    return Contender(SYNCLINE.name, lambda warm_up: rate("syncline", work, tasks, sys.executable))


def jsonpatch(work: str, tasks: int) -> Contender:
    def run(warm_up: bool) -> Sample:
        try:
            python_peers()
        except NotInstalled as problem:
            raise Skipped(str(problem)) from None
        return rate("jsonpatch", work, tasks, PEER_PYTHON)

    note = "copies the whole document before it changes it" if work == "apply" else ""
    return Contender(JSONPATCH, run, note)


def rate(library: str, work: str, tasks: int, python: Path | str) -> Sample:
    task: processes.Task = {"library": library, "work": work, "tasks": tasks}
    seen = processes.run("bench.inprocess.json_patch", task, python)
    return Sample(seen["times"] / seen["seconds"])
