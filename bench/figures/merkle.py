"""`merkle`: the tree of a large set, what it takes to find a hundred differences, and a root beside pushes."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

from bench import processes
from bench.peers import SYNCLINE
from bench.plan import Contender, Plan, interleave
from bench.results import Figure, Goal, Sample

BUILD = "the tree of a set in memory"
PAIRS = "hashing in pairs"
FIND = "100 differing events found"
EXCHANGE = "all ids and digests sent"
PUSH = "append in batches of 1,000, in process"
ASKED, NEVER = "root every 10,000 events", "no root"

Measured = Callable[[processes.Answer], Sample]


def measure(plan: Plan) -> Figure:
    figure = Figure("merkle", "Merkle trees: built, walked, and brought up to date")
    entries = plan.size(1_000_000, 50_000)
    built, found = (lambda seen: Sample(entries / seen["seconds"], details(seen))), in_milliseconds
    figure.rows = interleave(
        plan,
        BUILD,
        "events/s",
        [
            contender(SYNCLINE.name, {"work": "build", "entries": entries}, built),
            contender(PAIRS, {"work": "hash_pairs", "entries": entries}, built, "a limit: binary, of no shape by ids"),
        ],
    )
    figure.rows += interleave(
        plan,
        FIND,
        "ms",
        [
            contender(SYNCLINE.name, {"work": "walk", "entries": entries}, found, "computing at both ends"),
            contender(EXCHANGE, {"work": "exchange", "entries": entries}, found, "computing at both ends"),
        ],
    )
    with plan.folder("merkle") as folder:
        figure.rows += interleave(plan, PUSH, "events/s", pushes(folder, plan.size(200_000, 30_000)))
    figure.goals = [
        Goal("a tree built: events/s", figure.value(BUILD, SYNCLINE.name), 200_000),
        Goal("100 differing found: round trips", figure.detail(FIND, SYNCLINE.name, "round_trips"), 7, at_most=True),
        Goal("100 differing found: kB", figure.detail(FIND, SYNCLINE.name, "kb"), 300, at_most=True),
        Goal("100 differing found: ms", figure.value(FIND, SYNCLINE.name), 1_000, at_most=True),
        Goal("share of a push that a root every 10,000 takes", share(figure), 0.1, at_most=True),
    ]
    return figure


def contender(name: str, task: processes.Task, measured: Measured, note: str = "") -> Contender:
    return Contender(name, lambda warm_up: measured(processes.run("bench.load.merkle", task)), note)


def pushes(folder: Path, events: int) -> list[Contender]:
    numbers = count()

    def variant(name: str, asked_every: int) -> Contender:
        def run(warm_up: bool) -> Sample:
            file = str(folder / f"{next(numbers)}.db")
            task: processes.Task = {"work": "push", "entries": events, "file": file, "asked_every": asked_every}
            return Sample(events / processes.run("bench.load.merkle", task)["seconds"])

        return Contender(name, run)

    return [variant(ASKED, 10_000), variant(NEVER, 0)]


def in_milliseconds(seen: processes.Answer) -> Sample:
    return Sample(seen["seconds"] * 1_000, details(seen))


def details(seen: processes.Answer) -> dict[str, float]:
    return {name: value for name, value in seen.items() if name != "seconds"}


def share(figure: Figure) -> float | None:
    ratio = figure.ratio(PUSH, ASKED, NEVER)
    return None if ratio is None else 1 - ratio
