"""A balancer for TCP connections, as small as it gets: it sends each to the next server that says that it is ready."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

LOOK_SECONDS = 0.05
READY = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
CHUNK = 65_536


class Balancer:
    """Runs in a thread of its own, for as long as the block lasts. ``servers`` have a ``port``, which may change."""

    def __init__(self, servers: list[Any]) -> None:
        self.servers, self.ready = servers, []
        """``ready``: the ports of those that said so last."""
        self._turns = count()
        self._begun = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Balancer":
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        self._begun.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as listener:
            self.port = listener.sockets[0].getsockname()[1]
            looking = asyncio.create_task(self._look())
            await self._over.wait()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(looking, *left, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            ports = [server.port for server in list(self.servers)]
            answers = await asyncio.gather(*map(_is_ready, ports))
            self.ready = [port for port, is_ready in zip(ports, answers, strict=True) if is_ready]
            if self.ready:
                self._begun.set()
            await asyncio.sleep(LOOK_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _closing(writer):
            there, back = await self._connect()
            async with _closing(back):
                await asyncio.gather(_copy(reader, back), _copy(there, writer))

    async def _connect(self) -> Any:
        """A connection to the next server; one that cannot be reached is passed over."""
        while True:
            for _ in range(len(self.ready)):
                port = self.ready[next(self._turns) % len(self.ready)]
                with suppress(OSError):
                    return await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()


async def _is_ready(port: int) -> bool:
    with suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with _closing(writer):
            writer.write(READY)
            return (await reader.read(CHUNK)).startswith(b"HTTP/1.1 200")
    return False
