"""`push_access`: what judging by rules costs a push, in process and durably, beside a space without any."""

from itertools import count
from pathlib import Path

from bench import processes
from bench.plan import Contender, Plan, interleave
from bench.results import Figure, Goal, Sample

FEW, MANY = "items that come again", "every item another one"
WORKS = {FEW: 1, MANY: 1_000_000}
RULES = 10_000
BARE, JUDGED = "no rules", f"{RULES:,} rules"
WANTED = 0.8


def measure(plan: Plan) -> Figure:
    figure = Figure("push_access", "Push with rules: events stored a second, in batches of 1,000")
    with plan.folder("push_access") as folder:
        for work, items in WORKS.items():
            figure.rows += interleave(plan, work, "events/s", contenders(folder, items, plan.size(100_000, 20_000)))
            share = figure.ratio(work, JUDGED, BARE)
            figure.goals.append(Goal(f"{work}: share of a push without rules", share, WANTED))
    return figure


def contenders(folder: Path, items: int, events: int) -> list[Contender]:
    """Both are measured at once, in turns: the second tells what was seen beside the first."""
    rounds = count()
    seen: processes.Answer = {}

    def bare(warm_up: bool) -> Sample:
        file = folder / f"{items}-{next(rounds)}.db"
        task: processes.Task = {"file": str(file), "events": events, "rules": RULES, "items": items}
        seen.update(processes.run("bench.load.push_access", task))
        return Sample(seen["bare"])

    def judged(warm_up: bool) -> Sample:
        return Sample(seen["judged"])

    return [Contender(BARE, bare), Contender(JUDGED, judged)]
