"""Give a server or a library a history, before something is measured on it."""

from pathlib import Path

from bench import processes
from bench.install import NotInstalled, python_peers
from bench.paths import PEER_PYTHON
from bench.plan import Skipped, say
from bench.servers import Server

CONNECTIONS = 4
BATCH = 500  # so a history is a multiple of 2,000 events
LONGEST_SECONDS = 600


def fill(server: Server, events: int) -> None:
    """Push `events` events, all of which must be acknowledged."""
    say(f"filling {server.peer.name} with {events:,} events")
    shape = {"connections": CONNECTIONS, "batch": BATCH, "requests": events // CONNECTIONS // BATCH}
    task: processes.Task = {"peer": server.peer.name, "port": server.port, "seconds": LONGEST_SECONDS, **shape}
    stored = processes.run("bench.load.push", task)["events"]
    if stored != events:
        raise Skipped(f"took in {stored:,.0f} of {events:,} events within {LONGEST_SECONDS} s")


def fill_library(module: str, file: Path, events: int) -> None:
    """The same for a library that is measured in process."""
    try:
        python_peers()
    except NotInstalled as problem:
        raise Skipped(str(problem)) from problem
    say(f"filling {file.name} with {events:,} events")
    task: processes.Task = {"file": str(file), "batch": 1000, "batches": events // 1000, "seconds": LONGEST_SECONDS}
    processes.run(module, task, PEER_PYTHON)
