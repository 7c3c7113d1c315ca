"""One client of a server over one transport: what it pushes, what a follower is told, and what it pulls.

Pushes are encoded before the clock starts, as far as a transport does not put them into words of its own.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from bench.results import percentile
from syncline.core.messages import Hello, Live, Page, Pull, Push
from syncline.testing.seeded import Author
from syncline.transports import Transport
from syncline.transports.grpc.client import GrpcTransport
from syncline.transports.http import HttpTransport
from syncline.transports.memory import MemoryTransport
from syncline.transports.nats import NatsTransport
from syncline.transports.websocket import WebSocketTransport


class Pulling(Protocol):
    async def pull(self, pull: Pull) -> Page: ...


BATCH = 1_000
MEMORY = "memory"
KINDS: dict[str, Callable[[str], Transport]] = {
    "grpc": GrpcTransport,
    "http": HttpTransport,
    "websocket": WebSocketTransport,
    "nats": NatsTransport,
}


@dataclass
class Task:
    kind: str
    url: str  # of the server; over memory, the folder of one that runs here
    token: str
    space: str
    events: int
    singles: int


async def measure(task: Task) -> dict[str, float]:
    """Events a second of each work, and how late single events come."""
    async with dialing(task) as dial:
        transport, follower = [dial() for _ in range(2)]
        hello = Hello(node="bench", space=task.space, token=task.token or None)
        welcome, _ = [await each.hello(hello) for each in (transport, follower)]
        author = Author(user=welcome.user)
        first, more = ([Push.of(author.events(BATCH)) for _ in range(task.events // BATCH)] for _ in range(2))
        pushed = await timed(push(transport, first))
        pages = follower.subscribe(Live(cursor=(await end(transport)).cursor))
        await anext(pages)
        told = await timed(asyncio.gather(push(transport, more), follow(pages, task.events)))
        pulled = await timed(end(transport))
        late = [await arrival(transport, pages, Push.of(author.events(1))) for _ in range(task.singles)]
        for each in (pages.aclose, transport.close, follower.close):
            await each()
    rates = {"push": task.events / pushed, "live": task.events / told, "pull": 2 * task.events / pulled}
    return {**rates, "p50_ms": percentile(late, 50) * 1000, "p99_ms": percentile(late, 99) * 1000}


@asynccontextmanager
async def dialing(task: Task) -> AsyncIterator[Callable[[], Transport]]:
    """How to make a transport to the server."""
    if task.kind != MEMORY:
        yield lambda: KINDS[task.kind](task.url)
        return
    from syncline.server.service import Service  # which the others need not wait for
    from syncline.server.settings import Settings

    service = Service(Settings(data=task.url, open=True))
    service.start()
    try:
        yield lambda: MemoryTransport(service.peer())
    finally:
        await service.stop()


async def timed(work: Awaitable[object]) -> float:
    started = time.perf_counter()
    await work
    return time.perf_counter() - started


async def push(transport: Transport, batches: list[Push]) -> None:
    for batch in batches:
        ack = await transport.push(batch)
        assert all(result.seq for result in ack.results), "something was refused"


async def follow(pages: AsyncGenerator[Page, None], count: int) -> None:
    while count > 0:
        count -= len((await anext(pages)).entries)


async def arrival(transport: Transport, pages: AsyncGenerator[Page, None], single: Push) -> float:
    """The seconds until a follower has it; only then is the answer waited for."""
    started = time.perf_counter()
    pushing = asyncio.create_task(push(transport, [single]))
    await follow(pages, 1)
    seconds = time.perf_counter() - started
    await pushing
    return seconds


async def end(transport: Pulling) -> Page:
    """The last page, after all before it."""
    page = await transport.pull(Pull(limit=BATCH))
    while page.more:
        page = await transport.pull(Pull(cursor=page.cursor, limit=BATCH))
    return page


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(Task(**json.loads(sys.argv[1]))))))
