"""`pull`: reading a whole log. How many events a second reach a reader, of 100,000 and of a million."""

from collections.abc import Callable
from pathlib import Path

from bench import processes
from bench.filling import fill, fill_library
from bench.paths import PEER_PYTHON
from bench.peers import CEILING, POUCHDB, REDIS, SYNCLINE
from bench.peers.peer import Peer
from bench.plan import Contender, Plan, Skipped, interleave, skipped_rows
from bench.results import Figure, Goal, Sample
from bench.servers import Server, running

PEERS: list[Peer] = [SYNCLINE, REDIS, POUCHDB, CEILING]
UNIT = "events/s"
PAGE = 10_000
ROUND_SECONDS = (10.0, 3.0)

#: It takes in some 8,000 a second, so it gets fewer and is read at the smaller size only: a rate is a rate.
POUCHDB_EVENTS = (50_000, 10_000)

SQLITE, EVENTSOURCING = "raw apsw", "eventsourcing"
LIBRARIES = {SQLITE: "bench.inprocess.raw_sqlite", EVENTSOURCING: "bench.inprocess.event_sourcing"}

Read = Callable[[], processes.Answer]


def measure(plan: Plan) -> Figure:
    figure = Figure("pull", "Pull: a whole log read over one connection, in pages of 10,000")
    sizes = [plan.size(100_000, 20_000), plan.size(1_000_000, 100_000)]
    with plan.folder("pull") as folder, running(PEERS, folder) as (servers, reasons):
        held = 0
        for events in sizes:
            contenders = [reader(plan, server, held, events) for server in servers]
            contenders += [library(folder, name, held, events) for name in LIBRARIES]
            if events == sizes[0]:
                contenders += [all_docs(plan, server) for server in servers if server.peer is POUCHDB]
            figure.rows += interleave(plan, title(events), UNIT, contenders)
            held = events
        figure.rows += skipped_rows([title(events) for events in sizes], UNIT, reasons)
    figure.goals = [goal for events in sizes for goal in goals(figure, title(events), title(sizes[0]))]
    return figure


def title(events: int) -> str:
    return f"{events:,} events"


def reader(plan: Plan, server: Server, held: int, events: int) -> Contender:
    """A server that holds `held` events already; it is filled up to `events` in the round that warms up."""
    if server.peer is REDIS:
        return rounds(REDIS.name, "redis-py", lambda: fill(server, events - held), lambda: redis_py(server, events))
    if server.peer is POUCHDB:
        return pouchdb(plan, server, held)
    return rounds(
        server.peer.name,
        "HTTP, entries counted, not decoded",
        lambda: fill(server, events - held),
        lambda: pull(server, server.peer.name, events, plan.size(*ROUND_SECONDS)),
    )


def pouchdb(plan: Plan, server: Server, held: int) -> Contender:
    events = plan.size(*POUCHDB_EVENTS)
    if held:
        return Contender(POUCHDB.name, too_many)
    return rounds(
        POUCHDB.name,
        f"_changes?include_docs=true over {events:,}",
        lambda: fill(server, events),
        lambda: pull(server, POUCHDB.name, events, plan.size(*ROUND_SECONDS)),
    )


def too_many(warm_up: bool) -> Sample:
    raise Skipped("read at the smaller size only: filling it takes minutes")


def all_docs(plan: Plan, server: Server) -> Contender:
    """pouchdb-server's other way to read all; comes after it, so the documents are there."""
    events = plan.size(*POUCHDB_EVENTS)
    read: Read = lambda: pull(server, "_all_docs", events, plan.size(*ROUND_SECONDS))  # noqa: E731
    return rounds("pouchdb-server _all_docs", f"include_docs=true over {events:,}", lambda: None, read)


def library(folder: Path, name: str, held: int, events: int) -> Contender:
    file = folder / f"{name.replace(' ', '-')}.db"
    task: processes.Task = {"file": str(file), "wanted": events, "limit": PAGE}
    return rounds(
        name,
        "in process, no server",
        lambda: fill_library(LIBRARIES[name], file, events - held),
        lambda: processes.run(LIBRARIES[name], task, PEER_PYTHON),
    )


def rounds(name: str, note: str, prepare: Callable[[], None], read: Read) -> Contender:
    def run(warm_up: bool) -> Sample:
        if warm_up:
            prepare()
        seen = read()
        details = {"load_cpu": seen["load_cpu"]} if "load_cpu" in seen else {}
        return Sample(seen["events"] / seen["seconds"], details)

    return Contender(name, run, note)


def pull(server: Server, peer: str, events: int, seconds: float) -> processes.Answer:
    task: processes.Task = {"peer": peer, "port": server.port, "wanted": events, "limit": PAGE, "seconds": seconds}
    return processes.run("bench.load.pull", task)


def redis_py(server: Server, events: int) -> processes.Answer:
    task: processes.Task = {"port": server.port, "wanted": events, "limit": PAGE}
    return processes.run("bench.inprocess.redis_pull", task, PEER_PYTHON)


def goals(figure: Figure, work: str, small: str) -> list[Goal]:
    mine, pouchdb = figure.value(work, SYNCLINE.name), figure.value(small, POUCHDB.name)
    over_pouchdb = mine / pouchdb if mine is not None and pouchdb is not None else None
    return [
        Goal(f"{work}: events/s", mine, 1_200_000),
        Goal("… times pouchdb-server", over_pouchdb, 100),
        Goal("… times redis-py", figure.ratio(work, SYNCLINE.name, REDIS.name), 3),
    ]
