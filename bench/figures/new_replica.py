"""`new_replica`: how long until a new replica of a large space shows its documents, with and without history?"""

import http.client
from pathlib import Path

from bench import processes
from bench.load.beginning import Task
from bench.peers import SYNCLINE
from bench.peers.syncline import SPACE
from bench.plan import Contender, Plan, Skipped, interleave, say, skipped_rows
from bench.results import Figure, Goal, Sample
from bench.servers import Server, running

UNIT = "s"
SNAPSHOT, HISTORY = "snapshot and tail", "all history"
LONGEST_SECONDS = 3_600
TAIL = 1_000


def measure(plan: Plan) -> Figure:
    events, documents = plan.size(1_000_000, 20_000), plan.size(10_000, 1_000)
    figure = Figure("new_replica", "A new replica of a space with a long history")
    work = f"{events:,} events of {documents:,} documents"
    with plan.folder("new_replica") as folder, running([SYNCLINE], folder) as (servers, reasons):
        for server in servers:
            grow(server, documents, events)
            contenders = [begun(folder, server, documents, history=history) for history in (False, True)]
            figure.rows += interleave(plan, work, UNIT, contenders)
        figure.rows += skipped_rows([work], UNIT, reasons)
    figure.goals = [
        Goal("s from a snapshot", figure.value(work, SNAPSHOT), 3.0, at_most=True),
        Goal("of the time of all history", figure.ratio(work, SNAPSHOT, HISTORY), 0.1, at_most=True),
    ]
    return figure


def grow(server: Server, documents: int, events: int) -> None:
    """The history, a snapshot at its end, and a tail after that."""
    say(f"{events:,} events of {documents:,} documents")
    push(server, documents, events - documents, made=False)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONGEST_SECONDS)
    connection.request("POST", f"/v1/spaces/{SPACE}/history")
    answer = connection.getresponse()
    if answer.status != 200:
        raise Skipped(f"no snapshot was made: {answer.read()[:200]!r}")
    push(server, documents, TAIL, made=True)


def push(server: Server, documents: int, edits: int, *, made: bool) -> None:
    task: processes.Task = {"port": server.port, "documents": documents, "edits": edits, "made": made}
    processes.run("bench.load.grown", task)


def begun(folder: Path, server: Server, documents: int, *, history: bool) -> Contender:
    rounds = iter(range(1_000_000))

    def run(_: bool) -> Sample:
        file = folder / f"{history}-{next(rounds)}.db"
        task = Task(str(file), f"http://127.0.0.1:{server.port}", history, documents)
        seen = processes.run("bench.load.beginning", vars(task))
        for left in folder.glob(f"{file.name}*"):
            left.unlink()
        return Sample(seen.pop("seconds"), seen)

    return Contender(HISTORY if history else SNAPSHOT, run, "a replica in a file, synced, one document shown")
