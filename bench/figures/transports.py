"""`transports`: one client over each transport of one server, beside as many bytes that nobody stores; compression."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from bench import backing, processes
from bench.plan import Contender, Plan, Skipped, interleave, say, skipped_rows
from bench.results import Figure, Goal, Row, Sample
from bench.servers import START_SECONDS

WORK = "push in batches of 1,000; live, while they are pushed; pull in pages of 1,000; one event until it is followed"
PULL = "pull in pages of 1,000, compressed and not"
UNIT = "events/s"

MEMORY, HTTP, WEBSOCKET, GRPC, NATS = "in process", "HTTP", "WebSocket", "gRPC", "NATS"
DETAILS = ("live", "pull", "p50_ms", "p99_ms")
SERVE = ["-m", "syncline", "serve", "--json", "--port", "0", "--grpc-port", "0", "--log-level", "error"]

PULLS = {
    HTTP: ("http", "identity"),
    "HTTP, gzip": ("http", "gzip"),
    "HTTP, zstd": ("http", "zstd"),
    WEBSOCKET: ("websocket", "identity"),
    "WebSocket, deflate": ("websocket", "deflate"),
    GRPC: ("grpc", "identity"),
    "gRPC, gzip": ("grpc", "gzip"),
}


class Served(NamedTuple):
    """Where a server is reached over each transport, and with what."""

    urls: dict[str, str]
    token: str
    nats: str  # empty where there is none


def measure(plan: Plan) -> Figure:
    figure = Figure("transports", "Transports: one client on one connection of one server, durable")
    with plan.folder("transports") as folder:
        try:
            with backing.nats() as nats:
                take_part(plan, figure, folder, nats.url)
        except Skipped as problem:
            say(f"without NATS: {problem}")
            take_part(plan, figure, folder, "")
            figure.rows += skipped_rows([WORK], UNIT, {NATS: str(problem)})
    figure.goals = [
        Goal("gRPC: share of what HTTP pushes", figure.ratio(WORK, GRPC, HTTP), 0.8),
        Goal("NATS: share of what HTTP pushes", figure.ratio(WORK, NATS, HTTP), 0.8),
        *(
            Goal(f"{name}: one event, p99 in ms", figure.detail(WORK, name, "p99_ms"), 50, at_most=True)
            for name in (HTTP, WEBSOCKET, GRPC, NATS)
        ),
    ]
    return figure


def take_part(plan: Plan, figure: Figure, folder: Path, nats: str) -> None:
    with served(folder / "server", nats) as server:
        numbers = count()
        events = plan.size(100_000, 5_000)
        sides = [over(name, kind, server, events, plan, numbers) for name, kind in transports(server).items()]
        figure.rows = interleave(plan, WORK, UNIT, [in_process(folder, plan, events), *sides, *bare(server, events)])
        figure.rows += compressed(plan, server, plan.size(100_000, 5_000))


def transports(server: Served) -> dict[str, str]:
    return {HTTP: "http", WEBSOCKET: "websocket", GRPC: "grpc"} | ({NATS: "nats"} if server.nats else {})


def over(name: str, kind: str, server: Served, events: int, plan: Plan, numbers: Iterator[int]) -> Contender:
    def run(warm_up: bool) -> Sample:
        place = {"kind": kind, "url": server.urls[kind], "token": server.token, "space": f"space-{next(numbers)}"}
        return sample({**place, "events": events, "singles": plan.size(1_000, 50)})

    return Contender(name, run)


def in_process(folder: Path, plan: Plan, events: int) -> Contender:
    def run(warm_up: bool) -> Sample:
        place = {"kind": "memory", "url": str(folder / "memory"), "token": "", "space": f"space-{time.monotonic_ns()}"}
        return sample({**place, "events": events, "singles": plan.size(1_000, 50)})

    return Contender(MEMORY, run, "client and server in one process, stored as durably")


def sample(task: processes.Task) -> Sample:
    seen = processes.run("bench.load.transports", task)
    return Sample(seen["push"], {name: seen[name] for name in DETAILS})


def bare(server: Served, events: int) -> list[Contender]:
    """What carries as many bytes and stores nothing."""

    def grpc(warm_up: bool) -> Sample:
        seen = processes.run("bench.load.bare_grpc", {"events": events})
        return Sample(seen.pop("push"), seen)

    def nats(warm_up: bool) -> Sample:
        seen = processes.run("bench.load.bare_nats", {"url": server.nats, "events": events})
        return Sample(seen.pop("push"), seen)

    note = "as many bytes, stored by nobody"
    calls = Contender("grpcio alone", grpc, f"{note}; a call for each batch; one_stream: batches and acks in turn")
    return [calls, *([Contender("NATS alone", nats, note)] if server.nats else [])]


def compressed(plan: Plan, server: Served, events: int) -> list[Row]:
    def puller(name: str, kind: str, encoding: str) -> Contender:
        urls = {"http_url": server.urls["http"], "grpc_url": server.urls["grpc"]}
        task = {"kind": kind, "encoding": encoding, "token": server.token, "space": "compression", "events": events}

        def run(warm_up: bool) -> Sample:
            seen = processes.run("bench.load.compression", {**task, **urls})
            return Sample(seen["pull"], {"bytes_an_event": seen["bytes_an_event"]})

        return Contender(name, run)

    return interleave(plan, PULL, UNIT, [puller(name, *how) for name, how in PULLS.items()])


@contextmanager
def served(folder: Path, nats: str) -> Iterator[Served]:
    """A server that speaks all of them."""
    flags = ["--data", str(folder), *(["--nats", nats] if nats else [])]
    server = subprocess.Popen([sys.executable, *SERVE, *flags], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        ready = json.loads(server.stdout.readline())
        wait_for_nats(ready["url"], nats)
        urls = {"http": ready["url"], "websocket": ready["url"], "grpc": ready["grpc"], "nats": nats}
        yield Served(urls, ready["key"], nats)
    finally:
        server.terminate()
        server.wait(30)


def wait_for_nats(url: str, nats: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while nats and b'"connected"' not in readiness(url):
        if time.monotonic() > deadline:
            raise Skipped("the server has not found NATS")
        time.sleep(0.02)


def readiness(url: str) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    connection.request("GET", "/readyz")
    try:
        return connection.getresponse().read()
    finally:
        connection.close()
