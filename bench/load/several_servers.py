"""Clients of servers that share a store: what one server stores, a follower at another is told; and pushes to all.

`late`: single events, one after the other, pushed over HTTP to each server in turn and followed over a WebSocket at the
next one; with one server, at the same. `push`: as the figure `push`, but the connections spread over the servers.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice

from bench.events import Event
from bench.load import push
from bench.load.transports import follow
from bench.peers import SYNCLINE
from bench.results import percentile
from bench.wire import http_post
from syncline.core.messages import Hello, Live, Page, Push
from syncline.testing.seeded import Author
from syncline.transports.http import HttpTransport
from syncline.transports.websocket import WebSocketTransport

SPACE = "late"


@dataclass
class Task:
    what: str
    ports: str  # with commas between
    events: int = 0  # late
    spaces: int = 1  # push
    connections: int = 1
    batch: int = 1
    requests: int = 0
    seconds: float = 0.0

    @property
    def numbers(self) -> list[int]:
        return [int(port) for port in self.ports.split(",")]


async def late(task: Task) -> dict[str, float]:
    """How long until an event that was pushed here has been told there."""
    urls = [f"http://127.0.0.1:{port}" for port in task.numbers]
    pushers, followers = [HttpTransport(url) for url in urls], [WebSocketTransport(url) for url in urls]
    for transport in (*pushers, *followers):
        welcome = await transport.hello(Hello(node="bench", space=SPACE))
    author = Author(node=f"bench-{time.time_ns()}", user=welcome.user)
    streams = [follower.subscribe(Live()) for follower in followers]
    await pushers[0].push(Push.of(author.events(1)))
    for stream in streams:  # until it is up to date
        await follow(stream, 1)
    places = zip(cycle(pushers), range(task.events), strict=False)
    seconds = [await arrival(pusher, author, streams, number) for pusher, number in places]
    for each in (*[stream.aclose for stream in streams], *[transport.close for transport in (*pushers, *followers)]):
        await each()
    return {"p50_ms": percentile(seconds, 50) * 1000, "p99_ms": percentile(seconds, 99) * 1000}


async def arrival(
    pusher: HttpTransport, author: Author, streams: Sequence[AsyncGenerator[Page, None]], number: int
) -> float:
    """The seconds from before a push until the next server's follower has it. All followers have it afterwards."""
    following = [asyncio.create_task(follow(stream, 1)) for stream in streams]
    started = time.perf_counter()
    pushing = asyncio.create_task(pusher.push(Push.of(author.events(1))))
    await following[(number + 1) % len(following)]
    seconds = time.perf_counter() - started
    await asyncio.gather(pushing, *following)
    return seconds


class Spread:
    """Speaks as Syncline's clients do; each connection names a space, of so many."""

    greeting = SYNCLINE.greeting
    reply = SYNCLINE.reply

    def __init__(self, spaces: int) -> None:
        self.spaces = spaces

    def push(self, number: int, events: Sequence[Event]) -> bytes:
        body = b'{"events":[' + b",".join(event.body for event in events) + b"]}"
        return http_post("/v1/push", body, f"X-Tenant-ID: space-{number % self.spaces}\r\n")


def pushes(task: Task) -> dict[str, float]:
    shape = push.Task("", 0, task.connections, task.batch, task.requests, task.seconds)
    ports = islice(cycle(task.numbers), task.connections)
    peer = Spread(task.spaces)
    return push.run([push.Pusher(peer, replace(shape, port=port), number) for number, port in enumerate(ports)], shape)


def measure(task: Task) -> dict[str, float]:
    return asyncio.run(late(task)) if task.what == "late" else pushes(task)


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
