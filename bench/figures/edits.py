"""`edits`: document edits pushed in batches and folded on the server, beside the same events that nobody folds."""

from bench import processes
from bench.figures.push import HUNDREDS, THOUSANDS, Work, push
from bench.peers import POUCHDB, SYNCLINE
from bench.peers.peer import Peer
from bench.plan import Contender, Plan, interleave, skipped_rows
from bench.results import Figure, Goal, Sample
from bench.servers import Server, running

PEERS: list[Peer] = [SYNCLINE, POUCHDB]
WORKS = [THOUSANDS, HUNDREDS]
UNIT = "edits/s"
DOCUMENTS = 300
EVENTS = (40_000, 8_000)
PLAIN = "payloads, not folded"
LONGEST_SECONDS = 10.0


def measure(plan: Plan) -> Figure:
    figure = Figure("edits", f"Edits of {DOCUMENTS} documents, pushed and folded on the server")
    with plan.folder("edits") as folder, running(PEERS, folder) as (servers, reasons):
        for work in WORKS:
            figure.rows += interleave(plan, work.title, UNIT, contenders(plan, servers, work))
        figure.rows += skipped_rows([work.title for work in WORKS], UNIT, reasons)
    figure.goals = [
        Goal(f"edits/s folded, {work.title}", figure.value(work.title, SYNCLINE.name), 20_000) for work in WORKS
    ]
    return figure


def contenders(plan: Plan, servers: list[Server], work: Work) -> list[Contender]:
    found = []
    for server in servers:
        if server.peer is SYNCLINE:
            found += [
                edits(plan, server, work, SYNCLINE.name, "until every document, asked for, shows all edits"),
                edits(plan, server, work, PLAIN, "Syncline: as large, without ops; until acknowledged"),
            ]
        else:
            found.append(bulk(plan, server, work))
    return found


def edits(plan: Plan, server: Server, work: Work, name: str, note: str) -> Contender:
    def run(warm_up: bool) -> Sample:
        task: processes.Task = {
            "port": server.port,
            "connections": work.connections,
            "batch": work.batch,
            "requests": plan.size(*EVENTS) // work.connections // work.batch,
            "documents": DOCUMENTS,
            "plain": name == PLAIN,
        }
        seen = processes.run("bench.load.edits", task)
        details = {"pushed/s": seen["events"] / seen["pushed"], "looking ms": seen["looked"] * 1000}
        return Sample(seen["events"] / seen["seconds"], {**details, "p99_ms": seen["p99_ms"]})

    return Contender(name, run, note)


def bulk(plan: Plan, server: Server, work: Work) -> Contender:
    """What CouchDB's protocol has for many writes at once: a document each, whole."""

    def run(warm_up: bool) -> Sample:
        return push(server, work, LONGEST_SECONDS, plan.size(*EVENTS))

    return Contender(server.peer.name, run, f"_bulk_docs: new documents of 200 bytes, not edits; {server.peer.note}")
