"""`push`: durable push. How many events a second are acknowledged, in batches and one at a time."""

from dataclasses import dataclass
from pathlib import Path

from bench import processes
from bench.install import NotInstalled, python_peers
from bench.paths import PEER_PYTHON
from bench.peers import CEILING, JETSTREAM, JETSTREAM_BATCHES, POUCHDB, REDIS, SYNCLINE
from bench.peers.peer import Peer
from bench.plan import Contender, Plan, Skipped, interleave, skipped_rows
from bench.results import Figure, Goal, Sample
from bench.servers import Server, running

PEERS: list[Peer] = [SYNCLINE, POUCHDB, JETSTREAM, JETSTREAM_BATCHES, REDIS, CEILING]
UNIT = "events/s"
RAW_SQLITE, EVENTSOURCING = "raw apsw", "eventsourcing"


@dataclass(frozen=True)
class Work:
    """One shape of load: `events` at most in a round, and `seconds` at most."""

    title: str
    connections: int
    batch: int
    events: int


SINGLES = Work("single events, 50 connections", 50, 1, 20_000)
HUNDREDS = Work("batches of 100, 8 connections", 8, 100, 160_000)
THOUSANDS = Work("batches of 1,000, 8 connections", 8, 1000, 240_000)
WORKS = [THOUSANDS, HUNDREDS, SINGLES]

ROUND_SECONDS = (2.0, 1.0)


def measure(plan: Plan) -> Figure:
    figure = Figure("push", "Durable push: events acknowledged a second")
    with plan.folder("push") as folder, running(PEERS, folder) as (servers, reasons):
        for work in WORKS:
            contenders = [over_network(plan, server, work) for server in servers if fits(server, work)]
            contenders += in_process(plan, folder, work)
            figure.rows += interleave(plan, work.title, UNIT, contenders)
        figure.rows += skipped_rows([work.title for work in WORKS], UNIT, reasons)
    figure.goals = goals(figure)
    return figure


def fits(server: Server, work: Work) -> bool:
    """A batch of one would be JetStream's batches at what they are not for."""
    return work.batch > 1 or server.peer is not JETSTREAM_BATCHES


def over_network(plan: Plan, server: Server, work: Work) -> Contender:
    def run(warm_up: bool) -> Sample:
        return push(server, work, plan.size(*ROUND_SECONDS), work.events // plan.size(1, 10))

    return Contender(server.peer.name, run, server.peer.note)


def push(server: Server, work: Work, seconds: float, events: int) -> Sample:
    """One run of the load generator against a server."""
    shape = {"connections": work.connections, "batch": work.batch, "seconds": seconds}
    requests = max(1, events // work.connections // work.batch)
    task: processes.Task = {"peer": server.peer.name, "port": server.port, "requests": requests, **shape}
    seen = processes.run("bench.load.push", task)
    return Sample(seen["events"] / seen["seconds"], details(seen))


def details(seen: processes.Answer) -> dict[str, float]:
    return {name: seen[name] for name in ("p50_ms", "p99_ms", "load_cpu")}


def in_process(plan: Plan, folder: Path, work: Work) -> list[Contender]:
    libraries = {RAW_SQLITE: "bench.inprocess.raw_sqlite", EVENTSOURCING: "bench.inprocess.event_sourcing"}
    note = "in process, one thread, no server, fsync"
    return [library(plan, folder, work, name, module, note) for name, module in libraries.items()]


def library(plan: Plan, folder: Path, work: Work, name: str, module: str, note: str) -> Contender:
    def run(warm_up: bool) -> Sample:
        try:
            python_peers()
        except NotInstalled as problem:
            raise Skipped(str(problem)) from problem
        events = work.events // plan.size(1, 10)
        file = str(folder / f"{name.replace(' ', '-')}.db")
        size = {"batch": work.batch, "batches": max(1, events // work.batch), "seconds": plan.size(*ROUND_SECONDS)}
        seen = processes.run(module, {"file": file, **size}, PEER_PYTHON)
        return Sample(seen["events"] / seen["seconds"])

    return Contender(name, run, note)


def goals(figure: Figure) -> list[Goal]:
    mine, pouchdb = SYNCLINE.name, POUCHDB.name
    thousands, singles = THOUSANDS.title, SINGLES.title
    return [
        Goal("events/s in 1,000s at 8 connections", figure.value(thousands, mine), 90_000),
        Goal("… times pouchdb-server", figure.ratio(thousands, mine, pouchdb), 12),
        Goal("… times Redis with fsync always", figure.ratio(thousands, mine, REDIS.name), 1.5),
        Goal("… share of raw apsw", figure.ratio(thousands, mine, RAW_SQLITE), 0.6),
        Goal("single events/s at 50 connections", figure.value(singles, mine), 8_000),
        Goal("… times pouchdb-server", figure.ratio(singles, mine, pouchdb), 15),
        Goal("… p99 in ms", figure.detail(singles, mine, "p99_ms"), 20, at_most=True),
    ]
