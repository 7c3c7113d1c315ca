"""`history`: does a push cost more the longer the history? Batches of 1,000 at three lengths of it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.figures.push import Work, push
from bench.filling import fill
from bench.peers import SYNCLINE
from bench.plan import Contender, Plan, Skipped, interleave
from bench.results import Figure, Goal, Row, Sample
from bench.servers import Server, running

UNIT = "events/s"
TITLE = "batches of 1,000, 8 connections"
WINDOW = Work(TITLE, 8, 1000, 24_000)
LONGEST_SECONDS = 60.0


def measure(plan: Plan) -> Figure:
    figure = Figure("history", "Push after a history of that many events")
    lengths = plan.size(10_000, 2_000), plan.size(100_000, 20_000), plan.size(1_000_000, 100_000)
    longest = lengths[-1]
    with plan.folder("history") as folder, kept(folder / "kept", longest) as server:
        contenders = [fresh(folder, length) for length in lengths[:-1]] + [old(server, longest)]
        figure.rows = interleave(plan, TITLE, UNIT, contenders)
    figure.goals = goals(figure.rows)
    return figure


@contextmanager
def kept(folder: Path, length: int) -> Iterator[Server | str]:
    """The server with the longest history is filled once; what the rounds add to it is little beside that."""
    with ExitStack() as stack:
        servers, reasons = stack.enter_context(running([SYNCLINE], folder))
        try:
            for server in servers:
                fill(server, length)
        except Skipped as problem:
            yield str(problem)
            return
        yield servers[0] if servers else reasons[SYNCLINE.name]


def old(server: Server | str, length: int) -> Contender:
    def run(warm_up: bool) -> Sample:
        if isinstance(server, str):
            raise Skipped(server)
        return push(server, WINDOW, LONGEST_SECONDS, WINDOW.events)

    return Contender(f"Syncline, {length:,} events", run, f"{WINDOW.events:,} more each round")


def fresh(folder: Path, length: int) -> Contender:
    """Each round a fresh server, so that the history is as long as it says; 8,000 events warm it up."""

    def run(warm_up: bool) -> Sample:
        with running([SYNCLINE], folder / f"{length}") as (servers, reasons):
            if not servers:
                raise Skipped(reasons[SYNCLINE.name])
            fill(servers[0], length)
            return push(servers[0], WINDOW, LONGEST_SECONDS, WINDOW.events)

    return Contender(f"Syncline, {length:,} events", run, f"{WINDOW.events:,} more")


def goals(rows: list[Row]) -> list[Goal]:
    values = [row.value for row in rows if row.value is not None]
    slowest = min(values) / max(values) if len(values) == len(rows) else None
    return [Goal("slowest length as a share of the fastest", slowest, 0.8)]
