"""Catching up: what other servers have stored in a shared log is looked for, soon after somebody says it is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from syncline.errors import ShuttingDown, SynclineError

log = logging.getLogger("syncline.space")


class CatchingUp:
    """Of one space. However often it is asked meanwhile, it looks once more, and one look at a time."""

    def __init__(self, space: str, refresh: Callable[[], Awaitable[None]]) -> None:
        """``refresh`` returns when all is known that was stored when it was called."""
        self._space, self._refresh = space, refresh
        self._is_asked = False
        self._work: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Looks soon."""
        self._is_asked = True
        if self._work is None:
            self._work = asyncio.create_task(self._look())

    async def _look(self) -> None:
        try:
            while self._is_asked:
                self._is_asked = False
                await self._refresh()
        except ShuttingDown:
            return
        except SynclineError as error:
            log.warning("what is new in the space %s cannot be read yet: %s", self._space, error.message)
        finally:
            self._work = None
