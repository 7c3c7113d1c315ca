"""Spaces that are being closed while others are used: to close a log is to wait for the disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("syncline.spaces")

MOST = 4
"""So many are closed at a time; they are open until then, beyond what the settings allow."""


class Closings:
    """What is being closed, by name. Belongs to the event loop."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self, name: str, closing: Coroutine[Any, Any, object]) -> None:
        """Closes something beside what else happens; waits before that while many are being closed."""
        while len(self._tasks) >= MOST:
            await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        self._tasks[name] = asyncio.create_task(self._finish(name, closing))

    async def ended(self, name: str) -> None:
        """Waits until something of that name is closed, if it is being closed."""
        if name in self._tasks:
            await asyncio.wait([self._tasks[name]])

    async def all_ended(self) -> None:
        """Waits until nothing is being closed."""
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _finish(self, name: str, closing: Coroutine[Any, Any, object]) -> None:
        try:
            await closing
        except Exception:
            log.exception("the space %s was not closed well", name)
        finally:
            del self._tasks[name]
