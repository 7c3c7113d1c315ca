"""Fresh tokens for a session that stays open: shown before the one in use expires, so that nothing is interrupted.

Where that fails nothing is lost: the server ends the session at the old token's end, and a new one begins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from syncline.core.session import ClientSession
from syncline.sync.credentials import Credentials

log = logging.getLogger("syncline.sync")

EARLY_SECONDS = 40.0
"""A fresh token is asked for so long before the session would end: at the end of a token that has a leeway of 30 s."""
LEAST_SECONDS = 0.5


class Renewal:
    """How long a session's credentials are good, as its server told, and their renewal. Belongs to an event loop."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._until: float | None = None
        self._told = asyncio.Event()

    def note(self) -> None:
        """The server has just told how long the credentials are good."""
        lasts_ms = self._session.lasts_ms
        self._until = None if lasts_ms is None else asyncio.get_running_loop().time() + lasts_ms / 1000
        self._told.set()

    async def keep_valid(self, credentials: Credentials, wake: Callable[[], None]) -> None:
        """Shows fresh tokens for as long as there are some; ``wake`` is called when the session has one to show."""
        while credentials.may_change and self._until is not None:
            left = self._until - asyncio.get_running_loop().time()
            if left <= 0:
                return  # the server says the rest
            await asyncio.sleep(max(left - EARLY_SECONDS, left / 2, LEAST_SECONDS))
            if await self._renew(credentials):
                wake()
                await self._told.wait()

    async def _renew(self, credentials: Credentials) -> bool:
        try:
            token = await credentials.ask()
        except Exception:
            log.warning("There is no fresh token yet.", exc_info=True)
            return False
        if not token or token == self._session.token:
            return False
        self._told.clear()
        self._session.renew(token)
        return True
