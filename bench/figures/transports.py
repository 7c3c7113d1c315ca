"""`transports`: one client over each transport of one server, beside grpcio that carries as many bytes for nobody."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from bench import processes
from bench.plan import Contender, Plan, interleave
from bench.results import Figure, Sample

PUSH, LIVE, PULL = "push, batches of 1,000", "live, while they are pushed", "pull, pages of 1,000"
WORKS = {PUSH: "push", LIVE: "live", PULL: "pull"}
BARE = "grpcio alone"
SERVE = ["-m", "syncline", "serve", "--open", "--json", "--port", "0", "--grpc-port", "0", "--data"]


def measure(plan: Plan) -> Figure:
    figure = Figure("transports", "Transports: events a second of one client on one connection, durable")
    events = plan.size(100_000, 20_000)
    with plan.folder("transports") as folder, served(folder) as urls:
        for work, name in WORKS.items():
            figure.rows += interleave(plan, work, "events/s", contenders(work, name, urls, events))
    return figure


def contenders(work: str, name: str, urls: dict[str, tuple[str, str]], events: int) -> list[Contender]:
    numbers = count()

    def over(title: str) -> Contender:
        kind, url = urls[title]

        def run(warm_up: bool) -> Sample:
            task = {"kind": kind, "url": url, "space": f"{name}-{kind}-{len(url)}-{next(numbers)}", "events": events}
            return Sample(processes.run("bench.load.transports", task)[name])

        return Contender(title, run)

    def bare(warm_up: bool) -> Sample:
        return Sample(processes.run("bench.load.bare_grpc", {"events": events})[name])

    alone = [] if work == PULL else [Contender(BARE, bare, "as many bytes, stored by nobody")]
    return [*map(over, urls), *alone]


@contextmanager
def served(folder: Path) -> Iterator[dict[str, tuple[str, str]]]:
    """A server: by the title of a contender, its kind and URL."""
    server = subprocess.Popen([sys.executable, *SERVE, str(folder)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        ready = json.loads(server.stdout.readline())
        yield {
            "gRPC": ("grpc", ready["grpc"]),
            "gRPC, gzip": ("grpc", ready["grpc"] + "?compression=gzip"),
            "WebSocket": ("websocket", ready["url"]),
            "HTTP": ("http", ready["url"]),
        }
    finally:
        server.terminate()
        server.wait(30)
