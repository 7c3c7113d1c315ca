"""`stores`: a log on each kind of store, in process and behind a server, each beside the bare rows on the same disk."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import NamedTuple

from bench import backing, processes
from bench.figures.push import ROUND_SECONDS, THOUSANDS, details
from bench.peers import SYNCLINE
from bench.peers.syncline import SynclineWith
from bench.plan import Contender, Plan, Skipped, interleave, say
from bench.results import Figure, Goal, Row, Sample
from bench.servers import Server, running
from tests.postgres import Cluster

UNIT = "events/s"
APPEND = "append in batches of 1,000; then read in slices of 1,000; then append one by one"
PUSH = "push over HTTP, batches of 1,000, 8 connections"
LONGEST_SECONDS = 20

POSTGRES = "PostgreSQL"
INSERT = "bare INSERT, same indexes"


class Side(NamedTuple):
    """A store of Syncline's, or what it is compared with."""

    name: str
    kind: str
    note: str = ""
    is_bare: bool = False
    needs_database: bool = False

    @property
    def module(self) -> str:
        return "bench.load.bare_stores" if self.is_bare else "bench.load.stores"


SIDES = [
    Side("memory", "memory", "keeps nothing"),
    Side("SQLite", "sqlite"),
    Side("bare apsw", "apsw", "one unique index; synchronous=FULL", is_bare=True),
    Side("LMDB", "lmdb"),
    Side("bare LMDB", "lmdb", "entries by seq, seqs by id", is_bare=True),
    Side("JSON Lines", "jsonl"),
    Side("bare lines", "lines", "one write and fsync a batch", is_bare=True),
    Side(POSTGRES, "postgresql", needs_database=True),
    Side(INSERT, "insert", "arrays unnested into Syncline's own table", is_bare=True, needs_database=True),
    Side("bare COPY, same indexes", "copy", "binary", is_bare=True, needs_database=True),
    Side("bare COPY", "copy of rows alone", "binary; primary key alone", is_bare=True, needs_database=True),
]

Place = Callable[[Side], str]


def measure(plan: Plan) -> Figure:
    figure = Figure("stores", "Stores: a log on each of them, and the same rows with nothing around them")
    with plan.folder("stores") as folder:
        try:
            with backing.postgres(folder) as cluster:
                take_part(plan, figure, folder, cluster)
        except Skipped as problem:
            say(f"without PostgreSQL: {problem}")
            take_part(plan, figure, folder, None)
    figure.goals = [
        Goal("PostgreSQL, batches of 1,000: events/s", figure.value(APPEND, POSTGRES), 40_000),
        Goal("… share of bare INSERT with the same indexes", figure.ratio(APPEND, POSTGRES, INSERT), 0.6),
        Goal("pushed over HTTP to PostgreSQL: events/s", figure.value(PUSH, server_name(POSTGRES)), 40_000),
        Goal("… share of bare INSERT with the same indexes", pushed_share(figure), 0.6),
    ]
    return figure


def take_part(plan: Plan, figure: Figure, folder: Path, cluster: Cluster | None) -> None:
    place = places(folder, cluster)
    figure.rows = interleave(plan, APPEND, UNIT, [contender(plan, side, place) for side in SIDES])
    figure.rows += pushed(plan, folder, cluster)


def places(folder: Path, cluster: Cluster | None) -> Place:
    """Where a side begins anew: a folder, or the address of a database."""
    numbers = count()

    def place(side: Side) -> str:
        if not side.needs_database:
            return str(folder / f"{side.module}-{side.kind}-{next(numbers)}")
        if cluster is None:
            raise Skipped("there is no PostgreSQL here")
        return cluster.new_database()

    return place


def contender(plan: Plan, side: Side, place: Place) -> Contender:
    size = {"batches": plan.size(100, 10), "singles": plan.size(1_000, 50), "seconds": LONGEST_SECONDS}

    def run(warm_up: bool) -> Sample:
        seen = processes.run(side.module, {"store": side.kind, "place": place(side), **size})
        return Sample(seen["append"], {"read": seen["read"], "one_by_one": seen["single"]})

    return Contender(side.name, run, side.note)


# Behind a server


def server_name(side: str) -> str:
    return f"Syncline on {side}"


def pushed(plan: Plan, folder: Path, cluster: Cluster | None) -> list[Row]:
    flags = {"SQLite": "sqlite", "LMDB": "lmdb", "JSON Lines": "jsonl"}
    if cluster is not None:
        flags[POSTGRES] = cluster.new_database()
    peers = [SynclineWith(server_name(name), "", "--store", flag) for name, flag in flags.items()]
    with running(peers, folder) as (servers, _):
        return interleave(plan, PUSH, UNIT, [over_http(plan, server) for server in servers])


def over_http(plan: Plan, server: Server) -> Contender:
    requests = THOUSANDS.events // plan.size(1, 5) // THOUSANDS.batch // THOUSANDS.connections
    shape = {"connections": THOUSANDS.connections, "batch": THOUSANDS.batch, "requests": requests}
    task: processes.Task = {"peer": SYNCLINE.name, "port": server.port, "seconds": plan.size(*ROUND_SECONDS), **shape}

    def run(warm_up: bool) -> Sample:
        seen = processes.run("bench.load.push", task)
        return Sample(seen["events"] / seen["seconds"], details(seen))

    return Contender(server.peer.name, run)


def pushed_share(figure: Figure) -> float | None:
    above, below = figure.value(PUSH, server_name(POSTGRES)), figure.value(APPEND, INSERT)
    return above / below if above and below else None
