"""`many_spaces`: a thousand spaces in one server. Open files, memory and commits a second, beside one space."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from bench import processes
from bench.peers.syncline import Syncline
from bench.plan import Contender, Plan, Skipped, interleave, say
from bench.results import Figure, Goal, Sample
from bench.servers import Server, running

UNIT = "commits/s"
CONNECTIONS, BATCH = 16, 10
REQUESTS = 1_000
"""On each connection, at most."""
LONGEST_SECONDS = 600.0


class Hosting(Syncline):
    """A server that holds so many spaces open at a time."""

    def __init__(self, name: str, spaces: int, max_open: int) -> None:
        self.name, self.spaces, self.max_open = name, spaces, max_open

    def command(self, port: int, folder: Path) -> list[str]:
        return [*super().command(port, folder), "--max-open-spaces", str(self.max_open)]


def measure(plan: Plan) -> Figure:
    figure = Figure("many_spaces", "Many spaces in one server: pushes that go to all of them in turn")
    spaces, few = plan.size(1_000, 100), plan.size(256, 25)
    work = f"pushes of {BATCH} events, {CONNECTIONS} connections"
    every = Hosting(f"Syncline, {spaces:,} open", spaces, spaces)
    some = Hosting(f"Syncline, {few} of {spaces:,} open", spaces, few)
    peers = [Hosting(f"Syncline, {CONNECTIONS} open", CONNECTIONS, few), every, some]
    with plan.folder("many_spaces") as folder, ready(peers, folder) as (servers, reasons):
        figure.rows = interleave(plan, work, UNIT, [contender(plan, peer, servers, reasons) for peer in peers])
    figure.goals = [
        Goal(
            f"{spaces:,} open: share of the commits of {CONNECTIONS}",
            figure.ratio(work, every.name, peers[0].name),
            0.5,
        ),
        Goal("open files a space that is open", per_space(figure, work, every), 8, at_most=True),
    ]
    return figure


@contextmanager
def ready(peers: list[Hosting], folder: Path) -> Iterator[tuple[dict[str, Server], dict[str, str]]]:
    """The servers, in which every space has been made and written to."""
    with ExitStack() as stack:
        servers, reasons = stack.enter_context(running(peers, folder))
        for server in servers:
            assert isinstance(server.peer, Hosting)
            say(f"making spaces: {server.peer.name}")
            push(server, server.peer.spaces, 0, -(-server.peer.spaces // CONNECTIONS), LONGEST_SECONDS)
        yield {server.peer.name: server for server in servers}, reasons


def contender(plan: Plan, peer: Hosting, servers: dict[str, Server], reasons: dict[str, str]) -> Contender:
    turns = count()

    def run(warm_up: bool) -> Sample:
        if peer.name not in servers:
            raise Skipped(reasons[peer.name])
        server = servers[peer.name]
        first = next(turns) * (peer.spaces // 3 + 1)  # not where the last round began: those may be open still
        seen = push(server, peer.spaces, first, REQUESTS // plan.size(1, 10), plan.size(4.0, 1.0))
        return Sample(seen["events"] / BATCH / seen["seconds"], details(server, seen))

    return Contender(peer.name, run, "SQLite, fsync before the answer")


def push(server: Server, spaces: int, first: int, requests: int, seconds: float) -> processes.Answer:
    task: processes.Task = {"port": server.port, "spaces": spaces, "first": first, "requests": requests}
    shape = {"connections": CONNECTIONS, "batch": BATCH, "seconds": seconds}
    return processes.run("bench.load.many_spaces", {**task, **shape})


def details(server: Server, seen: processes.Answer) -> dict[str, float]:
    return {
        "events_s": seen["events"] / seen["seconds"],
        "p99_ms": seen["p99_ms"],
        "open_files": len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())),
        "memory_mb": processes.resident_kilobytes(server.process.pid) / 1024,
    }


def per_space(figure: Figure, work: str, peer: Hosting) -> float | None:
    seen = figure.detail(work, peer.name, "open_files")
    return None if seen is None else seen / peer.spaces
