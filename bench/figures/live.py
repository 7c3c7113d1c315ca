"""`live`: fan-out. How many deliveries a second reach the subscribers, and how late the latest are."""

from dataclasses import dataclass

from bench import processes
from bench.peers import CEILING, NATS_CORE, NODE_WS, POUCHDB, SYNCLINE
from bench.peers.peer import Peer
from bench.plan import Contender, Plan, interleave, skipped_rows
from bench.results import Figure, Goal, Sample
from bench.servers import Server, running

PEERS: list[Peer] = [SYNCLINE, NODE_WS, NATS_CORE, POUCHDB, CEILING]
UNIT = "deliveries/s"
ROUND_SECONDS = (2.0, 1.0)


@dataclass(frozen=True)
class Work:
    """One shape of fan-out: `bursts` at most in a round, of `burst` entries each."""

    title: str
    subscribers: int
    burst: int
    bursts_in_flight: int
    bursts: int
    peers: tuple[str, ...]


FEW = (SYNCLINE.name, NODE_WS.name, NATS_CORE.name, POUCHDB.name, CEILING.name)
MANY = (SYNCLINE.name, NODE_WS.name, NATS_CORE.name, CEILING.name)

SINGLE_100 = Work("one entry at a time, 100 subscribers", 100, 1, 1, 2_000, FEW)
LOADED_100 = Work("32 entries in flight, 100 subscribers", 100, 16, 2, 2_500, FEW)
SINGLE_1000 = Work("one entry at a time, 1,000 subscribers", 1_000, 1, 1, 300, MANY)
LOADED_1000 = Work("32 entries in flight, 1,000 subscribers", 1_000, 16, 2, 300, MANY)
WORKS = [SINGLE_100, LOADED_100, SINGLE_1000, LOADED_1000]


def measure(plan: Plan) -> Figure:
    figure = Figure("live", "Live fan-out: entries of about 200 bytes to WebSocket subscribers")
    with plan.folder("live") as folder, running(PEERS, folder) as (servers, reasons):
        for work in WORKS:
            contenders = [broadcast(plan, server, work) for server in servers if server.peer.name in work.peers]
            figure.rows += interleave(plan, work.title, UNIT, contenders)
            missing = {name: reason for name, reason in reasons.items() if name in work.peers}
            figure.rows += skipped_rows([work.title], UNIT, missing)
    figure.goals = goals(figure)
    return figure


def broadcast(plan: Plan, server: Server, work: Work) -> Contender:
    def run(warm_up: bool) -> Sample:
        return fan_out(server, work, plan.size(*ROUND_SECONDS), work.bursts // plan.size(1, 10))

    return Contender(server.peer.name, run, server.peer.note)


def fan_out(server: Server, work: Work, seconds: float, bursts: int) -> Sample:
    """One run of the load generator against a server."""
    shape = {"subscribers": work.subscribers, "burst": work.burst, "bursts_in_flight": work.bursts_in_flight}
    size = {"bursts": bursts, "seconds": seconds}
    seen = processes.run("bench.load.live", {"peer": server.peer.name, "port": server.port, **shape, **size})
    details = {name: seen[name] for name in ("p50_ms", "p99_ms", "load_cpu")}
    return Sample(seen["deliveries"] / seen["seconds"], details)


def goals(figure: Figure) -> list[Goal]:
    mine, node, nats = SYNCLINE.name, NODE_WS.name, NATS_CORE.name
    single, loaded = SINGLE_100.title, LOADED_100.title
    late, very_late = figure.detail(single, mine, "p99_ms"), figure.detail(SINGLE_1000.title, mine, "p99_ms")
    return [
        Goal("100 subscribers, single entries: share of Node ws", figure.ratio(single, mine, node), 0.8),
        Goal("… p99 in ms", late, 3, at_most=True),
        Goal("100 subscribers, 32 in flight: deliveries/s", figure.value(loaded, mine), 1_000_000),
        Goal("… share of NATS core", figure.ratio(loaded, mine, nats), 1),
        Goal("… times Node ws", figure.ratio(loaded, mine, node), 5),
        Goal("1,000 subscribers, single entries: p99 in ms", very_late, 20, at_most=True),
    ]
