"""A server that answers as Syncline does and does nothing: it neither decodes, checks nor stores.

Run as a script, on the standard library alone (and uvloop where it is). See `ceiling.py` for what it is for.
"""

import asyncio
import contextlib
import struct
import sys
from functools import lru_cache
from typing import ClassVar, cast

ENTRY = (
    b'{"seq":1000000,"at":1700000000000,"receipt":"0123456789abcdef0123456789abcdef","event":{"action":'
    b'"update","clock":{"0123456789ab":1000000},"id":"01900000-0000-7000-8000-000000000000","item":'
    b'"task.1234","node":"0123456789ab","payload":{"done":false,"title":"milk bread coffee..."},"user":".root"}}'
)
RESULT = b'{"id":"01900000-0000-7000-8000-000000000000","seq":1000000}'
WELCOME = b'{"type":"welcome","epoch":"none","head":0}'


class Nothing(asyncio.Protocol):
    head: ClassVar[int] = 0
    subscribers: ClassVar[set[asyncio.Transport]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.buffer = b""
        self.is_socket = False

    def connection_lost(self, error: Exception | None) -> None:
        self.subscribers.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        if self.is_socket:
            self.hear(data)
            return
        self.buffer += data
        while self.take_request():
            pass

    def hear(self, data: bytes) -> None:
        if b'"hello"' in data:
            self.transport.write(frame(WELCOME))
        if b'"live"' in data:
            self.subscribers.add(self.transport)

    def take_request(self) -> bool:
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0] or 0)
        if not found or len(rest) < length:
            return False
        self.buffer = rest[length:]
        self.answer(head, rest[:length])
        return True

    def answer(self, head: bytes, body: bytes) -> None:
        if b"Upgrade: websocket" in head:
            self.is_socket = True
            self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        elif head.startswith(b"POST"):
            self.push(body)
        elif head.startswith(b"GET /v1/pull"):
            self.pull(head.partition(b" HTTP")[0])
        else:
            self.transport.write(ok(b"{}"))

    def push(self, body: bytes) -> None:
        count = body.count(b'"payload":')
        Nothing.head += count
        self.transport.write(results(count))
        page = frame(b'{"type":"page","entries":' + body[10:-1] + b',"cursor":"0","more":false}')
        for subscriber in self.subscribers:
            subscriber.write(page)

    def pull(self, path: bytes) -> None:
        query = dict(part.split(b"=") for part in path.partition(b"?")[2].split(b"&"))
        since = int(query.get(b"since", b"0"))
        count = min(int(query[b"limit"]), self.head - since)
        more = b"true" if since + count < self.head else b"false"
        body, end = entries(count), b'"cursor":"%d","more":%b}' % (since + count, more)
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) + len(end)))
        self.transport.writelines([body, end])


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def frame(text: bytes) -> bytes:
    if len(text) < 126:
        return struct.pack("!BB", 0x81, len(text)) + text
    if len(text) < 1 << 16:
        return struct.pack("!BBH", 0x81, 126, len(text)) + text
    return struct.pack("!BBQ", 0x81, 127, len(text)) + text


@lru_cache
def results(count: int) -> bytes:
    return ok(b'{"results":[' + b",".join([RESULT] * count) + b'],"head":1000000}')


@lru_cache(maxsize=4)
def entries(count: int) -> bytes:
    return b'{"entries":[' + b",".join([ENTRY] * count) + b"],"


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Nothing, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1])))
