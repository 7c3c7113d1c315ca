"""A TCP proxy in this process, which can fall silent without closing anything, as a network does."""

import asyncio
import ssl
from contextlib import suppress
from typing import Any


class Proxy:
    """Forwards connections to a port of this machine; counts requests by their first lines."""

    def __init__(self, port: int, *, context: ssl.SSLContext | None = None) -> None:
        """With a ``context`` it ends TLS."""
        self._target, self._context = port, context
        self._writers: list[asyncio.StreamWriter] = []
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.connections = 0
        self.requests: list[str] = []

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop_listening()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stop_listening(self) -> None:
        """Refuses new connections."""
        self._server.close()

    def fall_silent(self) -> None:
        """From now on nothing is forwarded, and nothing is closed; new connections are accepted and hear nothing."""
        self._open.clear()

    def speak(self) -> None:
        """Forwards again, what was held back first."""
        self._open.set()

    def cut(self) -> None:
        """Breaks every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(OSError, asyncio.CancelledError):
            await self._open.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.append(back)
            await asyncio.gather(self._copy(reader, back, count=True), self._copy(there, writer, count=False))

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, count: bool) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                await self._open.wait()
                if count and data.startswith((b"GET ", b"POST ")):
                    self.requests.append(data.split(b" ", 2)[1].decode())
                target.write(data)
                await target.drain()
        target.close()
