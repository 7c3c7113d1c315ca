"""A bus over NATS: one subject, to which all servers of one register listen. What NATS loses is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from syncline.errors import SynclineError
from syncline.transports.nats_connection import Message, NatsConnection
from syncline.transports.nats_link import NatsLink

__all__ = ["NatsBus"]

WAITING_MESSAGES = 1_000
"""Messages that wait while NATS is slow; of more the newest are lost."""


class NatsBus:
    """See ``Bus``."""

    def __init__(self, url: str, name: str) -> None:
        """``name`` is that of the servers together; others may use the same NATS. Raises BadSettings."""
        self._subject = f"syncline.bus.{name}"
        self.link = NatsLink(url, self._begin, name="syncline bus")
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING_MESSAGES)

    @property
    def state(self) -> str:
        """See ``Bus.state``."""
        return self.link.state

    def start(self, hear: Callable[[bytes], None], on_gap: Callable[[], None]) -> None:
        """See ``Bus.start``."""
        self._take, self._on_gap = hear, on_gap
        self._sender = asyncio.create_task(self._send_all())
        self.link.start()

    async def _begin(self, connection: NatsConnection) -> None:
        await connection.subscribe(self._subject, self._hear)
        await connection.flush()  # from here on nothing is missed
        asyncio.get_running_loop().call_soon(self._on_gap)  # when the link has it

    async def _hear(self, message: Message) -> None:
        self._take(message.data)

    def send(self, message: bytes) -> None:
        """See ``Bus.send``."""
        if self.link.connection is not None and not self._waiting.full():
            self._waiting.put_nowait(message)

    async def _send_all(self) -> None:
        while True:
            message = await self._waiting.get()
            await self._send_one(message)

    async def _send_one(self, message: bytes) -> None:
        if (connection := self.link.connection) is not None:
            with suppress(SynclineError):  # the link says so, and connects again
                await connection.publish(self._subject, message)

    async def stop(self) -> None:
        """See ``Bus.stop``."""
        self._sender.cancel()
        await asyncio.gather(self._sender, return_exceptions=True)
        while not self._waiting.empty():
            await self._send_one(self._waiting.get_nowait())
        if (connection := self.link.connection) is not None:
            with suppress(SynclineError):
                await connection.flush()
        await self.link.stop()
