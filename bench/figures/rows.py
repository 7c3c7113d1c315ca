"""`rows`: what the proofs (digest, tail, receipt) and the item index cost a push, in process and durably."""

from pathlib import Path

from bench import processes
from bench.plan import Contender, Plan, interleave
from bench.results import Figure, Goal, Sample

WORK = "append in batches of 1,000, in process"
WHOLE, NO_PROOFS, NO_INDEX = "whole", "without digest, tail, receipt", "without item index"
VARIANTS = {WHOLE: "", NO_PROOFS: "proofs", NO_INDEX: "index"}


def measure(plan: Plan) -> Figure:
    figure = Figure("rows", "Cost of digest, tail, receipt and item index in a push")
    with plan.folder("rows") as folder:
        contenders = [variant(folder, name, plan.size(100_000, 20_000)) for name in VARIANTS]
        figure.rows = interleave(plan, WORK, "events/s", contenders)
    figure.goals = [
        Goal("share of a push that digest, tail and receipt take", share(figure, NO_PROOFS), 0.25, at_most=True),
        Goal("share of a push that the item index takes", share(figure, NO_INDEX), 0.25, at_most=True),
    ]
    return figure


def share(figure: Figure, variant: str) -> float | None:
    """The part of a push's time that is saved without something."""
    ratio = figure.ratio(WORK, WHOLE, variant)
    return None if ratio is None else 1 - ratio


def variant(folder: Path, name: str, events: int) -> Contender:
    rounds = iter(range(1_000_000))

    def run(warm_up: bool) -> Sample:
        file = folder / f"{VARIANTS[name] or WHOLE}-{next(rounds)}.db"
        task: processes.Task = {"file": str(file), "events": events, "without": VARIANTS[name]}
        seen = processes.run("bench.load.rows", task)
        return Sample(seen["events"] / seen["seconds"])

    return Contender(name, run)
