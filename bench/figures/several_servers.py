"""`several_servers`: three servers on one PostgreSQL, hinting over NATS or over LISTEN/NOTIFY, beside one alone."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import backing, processes
from bench.figures.push import ROUND_SECONDS, details
from bench.peers.syncline import SynclineWith
from bench.plan import Contender, Plan, Skipped, interleave, skipped_rows
from bench.results import Figure, Goal, Sample
from bench.servers import Server, start

COUNT, CONNECTIONS, BATCH = 3, 6, 1_000
LATE = "one event, from a push at one server to a follower at the next"
SPREAD = f"push in batches of 1,000, {CONNECTIONS} connections, a space each"
SHARED = f"push in batches of 1,000, {CONNECTIONS} connections, all to one space"
SPACES = {SPREAD: CONNECTIONS, SHARED: 1}
MILLISECONDS, EVENTS = "ms (median)", "events/s"

ALONE, OVER_NATS, OVER_NOTIFY = "one server", "three, bus on NATS", "three, bus on LISTEN/NOTIFY"

Groups = dict[str, list[Server]]


def measure(plan: Plan) -> Figure:
    figure = Figure("several_servers", "Several servers on one PostgreSQL: hints, and pushes, beside one alone")
    try:
        with plan.folder("several_servers") as folder, running(folder) as groups:
            figure.rows = interleave(plan, LATE, MILLISECONDS, [late(plan, name, groups[name]) for name in groups])
            for work in SPACES:
                contenders = [pushed(plan, work, name, groups[name]) for name in groups]
                figure.rows += interleave(plan, work, EVENTS, contenders)
    except Skipped as problem:
        figure.rows = skipped_rows([LATE], MILLISECONDS, {ALONE: str(problem)})
    figure.goals = goals(figure)
    return figure


@contextmanager
def running(folder: Path) -> Iterator[Groups]:
    """The servers, by the name of the contender; each group has a database of its own."""
    with ExitStack() as stack:
        cluster, nats = stack.enter_context(backing.postgres(folder)), stack.enter_context(backing.nats())
        groups: Groups = {}
        for name, size, bus in ((ALONE, 1, ""), (OVER_NATS, COUNT, nats.url), (OVER_NOTIFY, COUNT, "postgres")):
            flags = ["--store", cluster.new_database(), *(["--bus", bus] if bus else [])]
            groups[name] = [stack.enter_context(one(folder / f"{name}-{number}", *flags)) for number in range(size)]
        yield groups


@contextmanager
def one(folder: Path, *flags: str) -> Iterator[Server]:
    server = start(SynclineWith("Syncline", "", *flags), folder)
    try:
        yield server
    finally:
        server.stop()


def ports(servers: list[Server]) -> str:
    return ",".join(str(server.port) for server in servers)


def late(plan: Plan, name: str, servers: list[Server]) -> Contender:
    def run(warm_up: bool) -> Sample:
        task = {"what": "late", "ports": ports(servers), "events": plan.size(1_000, 100)}
        seen = processes.run("bench.load.several_servers", task)
        return Sample(seen["p50_ms"], {"p99_ms": seen["p99_ms"]})

    return Contender(name, run)


def pushed(plan: Plan, work: str, name: str, servers: list[Server]) -> Contender:
    shape = {
        "connections": CONNECTIONS,
        "batch": BATCH,
        "requests": plan.size(40, 5),
        "seconds": plan.size(*ROUND_SECONDS),
    }

    def run(warm_up: bool) -> Sample:
        task = {"what": "push", "ports": ports(servers), "spaces": SPACES[work], **shape}
        seen = processes.run("bench.load.several_servers", task)
        return Sample(seen["events"] / seen["seconds"], details(seen))

    return Contender(name, run, "PostgreSQL, fsync before the answer")


def goals(figure: Figure) -> list[Goal]:
    return [
        Goal(f"{name}: p99 in ms", figure.detail(LATE, name, "p99_ms"), 50, at_most=True)
        for name in (OVER_NATS, OVER_NOTIFY)
    ]
