"""One client of a server over one transport: pushes, is told live what it pushes more, and pulls it all."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Awaitable
from dataclasses import dataclass

from syncline.core.messages import Hello, Live, Page, Pull, Push
from syncline.testing.seeded import Author
from syncline.transports import Transport
from syncline.transports.grpc.client import GrpcTransport
from syncline.transports.http import HttpTransport
from syncline.transports.websocket import WebSocketTransport

BATCH = 1_000
KINDS = {"grpc": GrpcTransport, "http": HttpTransport, "websocket": WebSocketTransport}


@dataclass
class Task:
    kind: str
    url: str
    space: str
    events: int


async def measure(task: Task) -> dict[str, float]:
    """Events a second of each work."""
    author = Author(user="anyone")  # who everybody is on an open server
    first, more = ([Push.of(author.events(BATCH)) for _ in range(task.events // BATCH)] for _ in range(2))
    transport, follower = [await greeted(task) for _ in range(2)]
    pushed = await timed(push(transport, first))
    pages = follower.subscribe(Live(cursor=(await end(transport)).cursor))
    await anext(pages)
    told = await timed(asyncio.gather(push(transport, more), follow(pages, task.events)))
    pulled = await timed(end(transport))
    await transport.close()
    await follower.close()
    return {"push": task.events / pushed, "live": task.events / told, "pull": 2 * task.events / pulled}


async def greeted(task: Task) -> Transport:
    transport: Transport = KINDS[task.kind](task.url)
    await transport.hello(Hello(node="bench", space=task.space))
    return transport


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


async def end(transport: Transport) -> Page:
    """The last page, after all before it."""
    page = await transport.pull(Pull(limit=BATCH))
    while page.more:
        page = await transport.pull(Pull(cursor=page.cursor, limit=BATCH))
    return page


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(Task(**json.loads(sys.argv[1]))))))
