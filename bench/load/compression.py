"""A log pulled page by page over a transport, compressed or not: events a second, and the bytes on the wire.

The bytes are those that a relay in between sees on their way to the client, heads and frames included; it is used in a
pull of its own, for which no clock runs. Each page is decoded, as a replica does.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import httpx2
from websockets.asyncio.client import connect

from bench.load.transports import BATCH, end, push, timed
from syncline.core.answers import expect
from syncline.core.messages import Hello, Page, Pull, Push, Welcome, encode
from syncline.testing.seeded import Author
from syncline.transports.grpc.client import GrpcTransport
from syncline.transports.http import HttpTransport

RECEIVED = 1 << 16


@dataclass
class Task:
    kind: str  # http, websocket or grpc
    encoding: str  # as the kind calls it; identity: none
    http_url: str
    grpc_url: str
    token: str
    space: str
    events: int

    @property
    def url(self) -> str:
        return self.grpc_url if self.kind == "grpc" else self.http_url


class Puller(Protocol):
    """As much of a transport as it takes."""

    async def hello(self, hello: Hello) -> object: ...

    async def pull(self, pull: Pull) -> Page: ...

    async def close(self) -> None: ...


class Http:
    def __init__(self, url: str, encoding: str) -> None:
        self.client = httpx2.AsyncClient(base_url=url, headers={"Accept-Encoding": encoding})

    async def hello(self, hello: Hello) -> None:
        self.client.headers.update({"X-Tenant-ID": hello.space, "Authorization": f"Bearer {hello.token}"})

    async def pull(self, pull: Pull) -> Page:
        since = {"since": pull.cursor} if pull.cursor else {}
        answer = await self.client.get("/v1/pull", params={**since, "limit": pull.limit})
        return expect(answer.content, Page)

    async def close(self) -> None:
        await self.client.aclose()


class WebSocket:
    def __init__(self, url: str, encoding: str) -> None:
        self.url = url.replace("http", "ws", 1) + "/ws"
        self.compression = None if encoding == "identity" else encoding

    async def hello(self, hello: Hello) -> None:
        self.socket = await connect(self.url, compression=self.compression, max_size=None, proxy=None)
        await self.socket.send(encode(hello), text=True)
        expect(await self.socket.recv(decode=False), Welcome)

    async def pull(self, pull: Pull) -> Page:
        await self.socket.send(encode(pull), text=True)
        return expect(await self.socket.recv(decode=False), Page)

    async def close(self) -> None:
        await self.socket.close()


def puller(task: Task, url: str) -> Puller:
    if task.kind == "grpc":
        return GrpcTransport(url if task.encoding == "identity" else f"{url}?compression={task.encoding}")
    return (Http if task.kind == "http" else WebSocket)(url, task.encoding)


async def measure(task: Task) -> dict[str, float]:
    await fill(task)
    seconds = await pull_all(task, task.url)
    async with relay(task.url) as (url, seen):
        await pull_all(task, url)
    return {"pull": task.events / seconds, "bytes_an_event": seen["bytes"] / task.events}


async def fill(task: Task) -> None:
    """Puts the events there, unless an earlier turn did."""
    transport = HttpTransport(task.http_url)
    welcome = await transport.hello(Hello(node="bench", space=task.space, token=task.token))
    if not welcome.head:
        author = Author(user=welcome.user)
        await push(transport, [Push.of(author.events(BATCH)) for _ in range(task.events // BATCH)])
    await transport.close()


async def pull_all(task: Task, url: str) -> float:
    """The seconds it takes."""
    client = puller(task, url)
    await client.hello(Hello(node="reader", space=task.space, token=task.token))
    try:
        return await timed(end(client))
    finally:
        await client.close()


@asynccontextmanager
async def relay(url: str) -> AsyncIterator[tuple[str, Counter[str]]]:
    """A URL that leads to the same server, and the bytes that came from there."""
    there, seen = urlsplit(url), Counter[str]()

    async def carry(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        server, requests = await asyncio.open_connection(there.hostname, there.port)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, name: str) -> None:
            with suppress(ConnectionError):
                while data := await source.read(RECEIVED):
                    seen[name] += len(data)
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(copy(client, requests, "asked"), copy(server, answers, "bytes"))

    async with await asyncio.start_server(carry, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        yield f"{there.scheme}://127.0.0.1:{port}", seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(Task(**json.loads(sys.argv[1]))))))
