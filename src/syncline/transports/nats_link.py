"""A server's link to NATS: it opens a connection, and another one whenever that is lost, for as long as it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from syncline.errors import SynclineError
from syncline.transports.nats_connection import NatsConnection
from syncline.transports.nats_url import NatsUrl

__all__ = ["NatsLink"]

log = logging.getLogger("syncline.nats")

SHORTEST_SECONDS, LONGEST_SECONDS = 0.05, 2.0
"""Between two attempts."""


class NatsLink:
    """``start`` and ``stop`` it in one event loop."""

    def __init__(
        self,
        url: str,
        on_connected: Callable[[NatsConnection], Awaitable[None]],
        *,
        name: str = "syncline",
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_connected`` subscribes, on each new connection; what it raises ends that. Raises BadSettings."""
        NatsUrl.parse(url)
        self.connection: NatsConnection | None = None
        """The open one, on which everything is subscribed."""
        self._url, self._name = url, name
        self._on_connected, self._on_lost = on_connected, on_lost
        self._keeping: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._told = ""

    @property
    def state(self) -> str:
        """``connected`` or ``connecting``."""
        return "connected" if self.connection is not None else "connecting"

    def start(self) -> None:
        """Begins to connect."""
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Ends the connection, and opens no other; stopping twice does nothing."""
        self._is_stopped = True
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
            self._keeping = None

    async def _keep(self) -> None:
        pause = SHORTEST_SECONDS
        while not self._is_stopped:  # whatever swallows a cancellation
            connection = NatsConnection(self._url, name=self._name)
            try:
                await connection.open()
                await self._on_connected(connection)
                self.connection, pause = connection, SHORTEST_SECONDS
                self._tell(logging.INFO, f"Connected to NATS at {connection.url}.")
                await connection.lost.wait()
                self._tell(logging.WARNING, f"The connection to NATS at {connection.url} was lost; connecting again.")
            except SynclineError as error:
                self._tell(logging.WARNING, f"{error.message.rstrip('.')}. It is tried again.")
            except Exception:
                log.exception("The link to NATS failed; it is tried again.")
            finally:
                was_connected, self.connection = self.connection is not None, None
                await connection.close()
            if was_connected:
                self._on_lost()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_SECONDS)

    def _tell(self, level: int, what: str) -> None:
        """Logs what happens; what happens again and again, once."""
        if what != self._told:
            self._told = what
            log.log(level, "%s", what)
