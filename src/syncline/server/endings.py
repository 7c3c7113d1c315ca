"""That credentials end: told to whoever holds a socket or a stream, also if it was another program that ended them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from syncline.server.register.database import Database

log = logging.getLogger("syncline.endings")

LOOK_SECONDS = 0.5
"""How often it is looked whether another program has written into the register; half of what is promised."""
CONFIRM_SECONDS = 10.0
"""How often what is remembered of it is confirmed though nothing has changed."""

Ask = Callable[[], Awaitable[None]]


class Endings:
    """Counts the times at which credentials may have ended. Belongs to the event loop."""

    def __init__(self) -> None:
        self.count = 0
        """Whoever has asked at another count asks again."""
        self.listeners: list[Callable[[], None]] = []
        """Called after each."""
        self._watcher: asyncio.Task[None] | None = None
        self._hint = asyncio.Event()

    def note(self, _credentials: Sequence[str] = ()) -> None:
        """Some have ended, or may have."""
        self.count += 1
        for listener in self.listeners:
            listener()

    def watch(self, database: Database, on_change: Ask, confirm: Ask) -> None:
        """From now on ``on_change`` is called when another program has written, and ``confirm`` every few seconds."""
        self._watcher = asyncio.create_task(self._watch(database, on_change, confirm))

    def look(self) -> None:
        """Looks at once: another server has said that it has written."""
        self._hint.set()

    async def stop(self) -> None:
        """Watches no longer."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    async def _watch(self, database: Database, on_change: Ask, confirm: Ask) -> None:
        seen: int | None = None
        is_blind, due = False, 0.0
        while True:
            was_blind, now = is_blind, asyncio.get_running_loop().time()
            try:
                version = await asyncio.to_thread(database.foreign_version)
                if seen is not None and version != seen:
                    await on_change()
                seen, is_blind = version, False
            except Exception:  # the next look may go well
                if not was_blind:
                    log.exception("the register could not be looked at")
                is_blind = True
            if is_blind or was_blind or now >= due:
                due = now + CONFIRM_SECONDS
                await confirm()
            await self._hinted(LOOK_SECONDS)

    async def _hinted(self, seconds: float) -> None:
        """Returns after some seconds, or when there is a hint."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hint.wait()
        self._hint.clear()
