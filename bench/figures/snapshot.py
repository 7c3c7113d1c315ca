"""`snapshot`: what does a snapshot of a large space take, and what do those who push meanwhile feel of it?"""

import http.client
import json
import time
from typing import Any

from bench.figures.backup import alone, arriving
from bench.figures.new_replica import push
from bench.peers import SYNCLINE
from bench.peers.syncline import SPACE
from bench.plan import Contender, Plan, Skipped, interleave, say, skipped_rows
from bench.results import Figure, Goal, Row, Sample
from bench.servers import Server, running

WORK = "1,000 events/s arrive, 10 in a request"
TAKING, SERVING = "making it", "asking for it"
UNIT, SPEED, SIZE = "ms p99", "events/s", "MB"
ALONE, DURING = "no snapshot", "while one is made"
SNAPSHOT, HISTORY = "the snapshot", "all history"
LONGEST_SECONDS = 3_600
PAGE = 10_000


def measure(plan: Plan) -> Figure:
    events, documents = plan.size(1_000_000, 20_000), plan.size(10_000, 1_000)
    figure = Figure("snapshot", f"A snapshot of {events:,} events of {documents:,} documents")
    with plan.folder("snapshot") as folder, running([SYNCLINE], folder) as (servers, reasons):
        for server in servers:
            push(server, documents, events - documents, made=False)
            figure.rows += beside(plan, server)
            figure.rows += interleave(plan, SERVING, SIZE, asking(server))
        figure.rows += skipped_rows([WORK], UNIT, reasons)
    during = figure.ratio(WORK, DURING, ALONE)
    figure.goals = [
        Goal("p99 of a push while one is made, as a multiple of without", during, 2.0, at_most=True),
        Goal("of the bytes of all history", figure.ratio(SERVING, SNAPSHOT, HISTORY), 0.1, at_most=True),
    ]
    return figure


def beside(plan: Plan, server: Server) -> list[Row]:
    """The first is made of everything, those after it of what arrived meanwhile."""
    seconds, made = (
        plan.size(20.0, 2.0),
        Row(TAKING, SYNCLINE.name, SPEED, "in the background, half of the time at rest"),
    )
    contenders = [
        Contender(ALONE, lambda _: alone(server, seconds)),
        Contender(DURING, lambda warm_up: during(server, made, is_first=warm_up)),
    ]
    return [*interleave(plan, WORK, UNIT, contenders), made]


def during(server: Server, made: Row, *, is_first: bool) -> Sample:
    before = head(server) if is_first else 0
    with arriving(server) as seen:
        begun = time.monotonic()
        ask(server, "POST", "history")
        seconds = time.monotonic() - begun
    if is_first:
        made.samples.append(Sample(before / seconds))
        say(f"a snapshot of {before:,} events was made in {seconds:.1f} s; a push took {seen['p99_ms']:.1f} ms (p99)")
    return Sample(seen["p99_ms"], {"p50_ms": seen["p50_ms"]})


def head(server: Server) -> int:
    return int(json.loads(ask(server, "GET", ""))["head"])


def asking(server: Server) -> list[Contender]:
    return [
        Contender(SNAPSHOT, lambda _: timed(lambda: snapshot(server)), "in parts of up to 4 MiB"),
        Contender(HISTORY, lambda _: timed(lambda: history(server)), f"pulled in pages of {PAGE:,}"),
    ]


def timed(work: Any) -> Sample:
    begun = time.monotonic()
    size = work()
    return Sample(size / 1e6, {"s": time.monotonic() - begun})


def snapshot(server: Server) -> int:
    """Asks for all parts; how many bytes they are."""
    question: dict[str, Any] = {"type": "snapshot"}
    size = 0
    while True:
        text = ask(server, "POST", "snapshot", json.dumps(question).encode())
        size, part = size + len(text), json.loads(text)
        if part.get("after") is None:
            return size
        question |= {"seq": part["seq"], "after": part["after"]}


def history(server: Server) -> int:
    """Pulls all pages; how many bytes they are."""
    cursor, more, size = "", True, 0
    while more:
        text = ask(server, "GET", f"pull?limit={PAGE}" + (f"&since={cursor}" if cursor else ""))
        end = text.rindex(b'"cursor":"') + 10
        size, cursor, more = (
            size + len(text),
            text[end : text.index(b'"', end)].decode(),
            text.endswith(b'"more":true}'),
        )
    return size


def ask(server: Server, method: str, path: str, body: bytes | None = None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONGEST_SECONDS)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, f"/v1/spaces/{SPACE}/{path}".rstrip("/"), body, headers)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise Skipped(f"{method} {path}: {text[:200]!r}")
    return text
