"""That credentials end: told to whoever holds a socket or a stream, also if it was another program that ended them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from syncline.stores.tables.database import Database

log = logging.getLogger("syncline.endings")

LOOK_SECONDS = 0.5
"""How often it is looked whether another program has written into the register; half of what is promised."""


class Endings:
    """Counts the times at which credentials may have ended. Belongs to the event loop."""

    def __init__(self) -> None:
        self.count = 0
        """Whoever has asked at another count asks again."""
        self.listeners: list[Callable[[], None]] = []
        """Called after each."""
        self._watcher: asyncio.Task[None] | None = None

    def note(self, _credentials: Sequence[str] = ()) -> None:
        """Some have ended, or may have."""
        self.count += 1
        for listener in self.listeners:
            listener()

    def watch(self, database: Database, on_change: Callable[[], None]) -> None:
        """From now on ``on_change`` is called when another program has written."""
        self._watcher = asyncio.create_task(_watch(database, on_change))

    async def stop(self) -> None:
        """Watches no longer."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)


async def _watch(database: Database, on_change: Callable[[], None]) -> None:
    version = await asyncio.to_thread(database.foreign_version)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        before = version
        try:
            version = await asyncio.to_thread(database.foreign_version)
        except Exception:  # the next look may go well
            log.exception("the register could not be looked at")
        if version != before:
            on_change()
