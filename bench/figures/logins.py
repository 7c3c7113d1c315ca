"""`logins`: pushes beside logins, and how long a login takes that fails for one reason or the other."""

from bench import processes
from bench.peers import SYNCLINE
from bench.plan import Contender, Plan, interleave
from bench.results import Figure, Goal, Sample

PUSHES, GUESSES = "single pushes: p99", "a login that fails: median"
IDLE, BUSY = "no logins", "20 logins at a time"
UNKNOWN, WRONG = "a name that nobody has", "a wrong password"
WANTED_TIMES, WANTED_SHARE = 2.0, 0.05


def measure(plan: Plan) -> Figure:
    figure = Figure("logins", f"Logins: {SYNCLINE.name} in process, Argon2id in a process that stands back")
    pushes = [pushing(plan, IDLE, 0), pushing(plan, BUSY, 20)]
    figure.rows += interleave(plan, PUSHES, "ms", pushes)
    figure.rows += interleave(plan, GUESSES, "ms", failing(plan.size(200, 20)))
    figure.goals = [
        Goal("beside 20 logins, times idle", figure.ratio(PUSHES, BUSY, IDLE), WANTED_TIMES, at_most=True),
        Goal("share by which the two medians differ", difference(figure), WANTED_SHARE, at_most=True),
    ]
    return figure


def difference(figure: Figure) -> float | None:
    ratio = figure.ratio(GUESSES, UNKNOWN, WRONG)
    return None if ratio is None else abs(ratio - 1)


def pushing(plan: Plan, name: str, logins: int) -> Contender:
    def run(warm_up: bool) -> Sample:
        task: processes.Task = {"what": "push", "logins": logins, "seconds": plan.size(4.0, 1.0)}
        seen = processes.run("bench.load.logins", task)
        return Sample(seen["p99_ms"], {"p50_ms": seen["p50_ms"], "logins": seen["logins"]})

    return Contender(name, run)


def failing(tries: int) -> list[Contender]:
    """Both are measured at once, in turns: the second tells what was seen beside the first."""
    seen: processes.Answer = {}

    def unknown(warm_up: bool) -> Sample:
        seen.update(processes.run("bench.load.logins", {"what": "guess", "tries": 2 if warm_up else tries}))
        return Sample(seen["unknown_ms"])

    def wrong(warm_up: bool) -> Sample:
        return Sample(seen["wrong_ms"])

    return [Contender(UNKNOWN, unknown), Contender(WRONG, wrong)]
