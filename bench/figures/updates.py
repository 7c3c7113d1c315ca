"""`updates`: small changes, as users of a Yjs server make them: how many it takes in, and how it hands them on.

Every turn has a fresh server, which is warmed up, measured and ended: what a server writes after it has answered
would otherwise fall on whoever comes next.
"""

from collections.abc import Callable

from bench.figures import live, push
from bench.peers import SYNCLINE, YJS
from bench.peers.peer import Peer
from bench.plan import Contender, Plan, Skipped, interleave
from bench.results import Figure, Sample
from bench.servers import Server, running

PEERS: list[Peer] = [SYNCLINE, *YJS]
ACCEPTED = "single updates, 50 connections, for Yjs a document each"
SINGLE = "one update at a time, 100 subscribers"
LOADED = "32 updates in flight, 100 subscribers"

ROUND_SECONDS = (2.0, 1.0)
WARM_UP_SECONDS = 0.5

Run = Callable[[Server, float], Sample]


def measure(plan: Plan) -> Figure:
    figure = Figure("updates", "Small updates: Syncline's events beside the updates of Yjs servers")
    works: list[tuple[str, str, Run]] = [
        (ACCEPTED, "updates/s", accept),
        (SINGLE, live.UNIT, lambda server, seconds: fan_out(server, live.SINGLE_100, seconds)),
        (LOADED, live.UNIT, lambda server, seconds: fan_out(server, live.LOADED_100, seconds)),
    ]
    for title, unit, run in works:
        figure.rows += interleave(plan, title, unit, [fresh(plan, peer, run) for peer in PEERS])
    return figure


def fresh(plan: Plan, peer: Peer, measured: Run) -> Contender:
    def run(warm_up: bool) -> Sample:
        with plan.folder("updates") as folder, running([peer], folder) as (servers, reasons):
            if not servers:
                raise Skipped(reasons[peer.name])
            measured(servers[0], WARM_UP_SECONDS)
            return measured(servers[0], plan.size(*ROUND_SECONDS))

    return Contender(peer.name, run, peer.note)


def accept(server: Server, seconds: float) -> Sample:
    return push.push(server, push.SINGLES, seconds, push.SINGLES.events)


def fan_out(server: Server, work: live.Work, seconds: float) -> Sample:
    return live.fan_out(server, work, seconds, work.bursts)
