"""`initial_sync`: a new Python replica takes in a space of 100,000 events, durably."""

from pathlib import Path

from bench import processes
from bench.filling import fill
from bench.peers import SYNCLINE
from bench.plan import Contender, Plan, interleave, skipped_rows
from bench.results import Figure, Goal, Sample
from bench.servers import Server, running

UNIT = "events/s"


def measure(plan: Plan) -> Figure:
    figure = Figure("initial_sync", "Initial sync of an empty Python replica")
    events = plan.size(100_000, 20_000)
    work = f"{events:,} events"
    with plan.folder("initial_sync") as folder, running([SYNCLINE], folder) as (servers, reasons):
        contenders = [replica(folder, server, events) for server in servers]
        figure.rows += interleave(plan, work, UNIT, contenders)
        figure.rows += skipped_rows([work], UNIT, reasons)
    figure.goals = [Goal("events/s, durable", figure.value(work, SYNCLINE.name), 100_000)]
    return figure


def replica(folder: Path, server: Server, events: int) -> Contender:
    rounds = iter(range(1_000_000))

    def run(warm_up: bool) -> Sample:
        if warm_up:
            fill(server, events)
        file = folder / f"replica-{next(rounds)}.db"
        task: processes.Task = {"file": str(file), "server": f"http://127.0.0.1:{server.port}", "wanted": events}
        seen = processes.run("bench.load.replica", task)
        return Sample(seen["events"] / seen["seconds"])

    return Contender(SYNCLINE.name, run, "its default transport, into a SQLite file, each page committed")
