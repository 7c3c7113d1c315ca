"""A bus in memory, for servers in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Exchange", "MemoryBus"]


class Exchange:
    """Where the buses of several servers meet, in one event loop."""

    def __init__(self) -> None:
        self.buses: set[MemoryBus] = set()
        self.is_down = False
        """Whether it carries nothing just now."""

    def come_back(self) -> None:
        """It carries again; what was sent meanwhile is lost."""
        self.is_down = False
        for bus in self.buses:
            bus.on_gap()


class MemoryBus:
    """See ``Bus``."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @property
    def state(self) -> str:
        """See ``Bus.state``."""
        return "connecting" if self._exchange.is_down else "connected"

    def start(self, hear: Callable[[bytes], None], on_gap: Callable[[], None]) -> None:
        """See ``Bus.start``."""
        self._hear, self.on_gap = hear, on_gap
        self._loop = asyncio.get_running_loop()
        self._exchange.buses.add(self)
        if not self._exchange.is_down:
            on_gap()

    def send(self, message: bytes) -> None:
        """See ``Bus.send``."""
        for bus in self._exchange.buses if not self._exchange.is_down else ():
            bus.take(message)

    def take(self, message: bytes) -> None:
        """A message comes from the exchange."""
        self._loop.call_soon(self._hear, message)

    async def stop(self) -> None:
        """See ``Bus.stop``."""
        self._exchange.buses.discard(self)
