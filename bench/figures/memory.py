"""`memory`: what a subscriber that hears nothing costs a server, in resident memory."""

import time

from bench import processes
from bench.peers import NATS_CORE, NODE_WS, SYNCLINE
from bench.peers.peer import Peer
from bench.plan import Contender, Plan, interleave, skipped_rows
from bench.results import Figure, Goal, Sample
from bench.servers import Server, running

PEERS: list[Peer] = [SYNCLINE, NODE_WS, NATS_CORE]
UNIT = "kB/subscriber"
SETTLE_SECONDS = 2.0


def measure(plan: Plan) -> Figure:
    figure = Figure("memory", "Memory of the server for each idle subscriber")
    subscribers = plan.size(1_000, 200)
    work = f"{subscribers:,} idle subscribers"
    with plan.folder("memory") as folder:
        for _ in range(plan.rounds):
            with running(PEERS, folder) as (servers, reasons):
                take_round(figure, work, servers, subscribers)
        figure.rows += skipped_rows([work], UNIT, reasons)
    figure.goals = [Goal("kB a subscriber", figure.value(work, SYNCLINE.name), 40, at_most=True)]
    return figure


def take_round(figure: Figure, work: str, servers: list[Server], subscribers: int) -> None:
    """Each round has fresh servers: what a process has once taken, it seldom gives back."""
    single = Plan(rounds=1, quick=True)
    contenders = [holding(server, subscribers) for server in servers]
    for row in interleave(single, work, UNIT, contenders):
        known = figure.row(work, row.contender)
        if known is None:
            figure.rows.append(row)
        else:
            known.samples += row.samples


def holding(server: Server, subscribers: int) -> Contender:
    return Contender(server.peer.name, lambda warm_up: hold(server, 1 if warm_up else subscribers))


def hold(server: Server, subscribers: int) -> Sample:
    before = processes.resident_kilobytes(server.process.pid)
    task: processes.Task = {"peer": server.peer.name, "port": server.port, "subscribers": subscribers}
    with processes.held("bench.load.idle", task):
        time.sleep(SETTLE_SECONDS)
        after = processes.resident_kilobytes(server.process.pid)
    return Sample((after - before) / subscribers, {"before_mb": before / 1024, "after_mb": after / 1024})
