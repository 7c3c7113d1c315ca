"""`documents`: a real paper typed into a text, taken in elsewhere, saved and loaded, beside the CRDT libraries."""

import sys
from collections.abc import Callable
from pathlib import Path

from bench import processes
from bench.editing import PAPER
from bench.install import NotInstalled, newer_node, node_peers, python_peers
from bench.paths import BENCH, PEER_PYTHON
from bench.peers import SYNCLINE
from bench.plan import Contender, Plan, Skipped, interleave
from bench.results import Figure, Goal, Sample

UNIT = "keystrokes/s"
SDK = f"{SYNCLINE.name} in JavaScript"
MODULE = "bench.inprocess.documents"
SCRIPT = BENCH / "inprocess" / "documents.mjs"

Run = Callable[[processes.Task], processes.Answer]


def measure(plan: Plan) -> Figure:
    figure = Figure("documents", "Text: typed here, taken in elsewhere, saved and loaded, in process")
    whole, part = plan.size(0, 5_000), plan.size(50_000, 2_000)  # 0: all 259,778
    works = {
        "a paper, an event for 100 keystrokes": (whole, 100),
        f"its first {part:,} keystrokes, an event for each": (part, 1),
    }
    with plan.folder("documents") as folder:
        for work, (keystrokes, together) in works.items():
            figure.rows += interleave(plan, work, UNIT, contenders(folder, keystrokes, together))
    figure.goals = goals(figure, *works)
    return figure


def goals(figure: Figure, work: str, single: str) -> list[Goal]:
    seen = {name: figure.detail(work, SYNCLINE.name, name) for name in ("remote/s", "snapshot kB", "load ms")}
    return [
        Goal("keystrokes/s typed", figure.value(work, SYNCLINE.name), 200_000),
        Goal("keystrokes/s taken in", seen["remote/s"], 100_000),
        Goal("keystrokes/s typed in JavaScript, an event for each", figure.value(single, SDK), 100_000),
        Goal("snapshot, kB", seen["snapshot kB"], 400, at_most=True),
        Goal("loading it, ms", seen["load ms"], 100, at_most=True),
    ]


def contenders(folder: Path, keystrokes: int, together: int) -> list[Contender]:
    def one(name: str, library: str, run: Run, note: str) -> Contender:
        task: processes.Task = {
            "library": library,
            "keystrokes": keystrokes,
            "together": together,
            "file": str(folder / library),
            "paper": str(PAPER),
        }
        return Contender(name, lambda warm_up: sample(run, task), note)

    return [
        one(SYNCLINE.name, "syncline", syncline, "pure Python; events as canonical JSON"),
        one("pycrdt", "pycrdt", in_python, "Yjs in Rust (yrs), from Python; keeps no deleted text"),
        one("Loro", "loro", in_python, "Rust, from Python; a snapshot is loaded as far as it is looked at"),
        one(SDK, "syncline-js", on_node, "the browser SDK; events as canonical JSON; the snapshot is not compressed"),
        one("Yjs", "yjs", on_node, "JavaScript; keeps no deleted text"),
        one("Automerge", "automerge", on_node, "Rust in WebAssembly; takes in all changes at once"),
    ]


def sample(run: Run, task: processes.Task) -> Sample:
    """Two processes, so that what is loaded is measured where nothing was typed."""
    seen = {**run({**task, "work": "replay"}), **run({**task, "work": "load"})}
    details = {
        "remote/s": seen["keystrokes"] / seen["remote"],
        "snapshot kB": seen["bytes"] / 1_000,
        "load ms": seen["load"] * 1_000,
        "memory MB": seen["memory"] / 1_000_000,
    }
    return Sample(seen["keystrokes"] / seen["local"], details)


def syncline(task: processes.Task) -> processes.Answer:
    return processes.run(MODULE, task, sys.executable)


def in_python(task: processes.Task) -> processes.Answer:
    installed(python_peers)
    return processes.run(MODULE, task, PEER_PYTHON)


def on_node(task: processes.Task) -> processes.Answer:
    installed(python_peers)  # which bring Node
    installed(node_peers)
    return processes.run_script(SCRIPT, task, newer_node(), "--expose-gc")


def installed(install: Callable[[], None]) -> None:
    try:
        install()
    except NotInstalled as problem:
        raise Skipped(str(problem)) from None
