"""The audit: who logged in and out, and who was refused, noted without holding up anybody.

``note`` writes into memory; once a second what came is written in one transaction, in a thread. Equal refusals are
counted, and of one address only so many different ones an hour are told apart; so a flood costs a row. What was noted
in the last second is lost with a crash. Secrets, queries and bodies never come here. Administrative acts are not noted:
they are events of the log (``administration``).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress

from syncline.errors import Forbidden, SynclineError, TokenExpired, TooManyAttempts, Unauthorized
from syncline.server.auth.guard import network
from syncline.server.register.audit import COUNTED, FORBIDDEN, HOUR_MS, UNAUTHORIZED, AuditTable, Note, Noted

__all__ = ["ACCOUNT", "Audit", "FORBIDDEN", "LOGIN", "LOGOUT", "SPACE", "UNAUTHORIZED"]

log = logging.getLogger(__name__)

LOGIN, LOGOUT, ACCOUNT, SPACE = "login", "logout", "account", "space"

WRITE_SECONDS = 1.0
MAX_WAITING = 2_000
"""Notes that wait to be written; what is more is counted as one."""
MAX_OF_ADDRESS = 100
"""Different refusals of an address (of IPv6: of its /64) that are told apart within an hour."""
MAX_ADDRESSES = 2_000
MAX_TEXT = 300
MORE = "more"
"""What refusals come to that are not told apart."""

Key = tuple[str, str, str, str, str]


class Audit:
    """Notes for the administrators. Use it in one event loop and ``close`` it."""

    def __init__(self, table: AuditTable, now_ms: Callable[[], int]) -> None:
        self.table = table
        self._now_ms = now_ms
        self._waiting: list[Note] = []
        self._counted: dict[Key, Note] = {}
        self._told_apart: defaultdict[str, set[int]] = defaultdict(set)
        self._hour = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, kind: str, user: str, space: str, address: str, what: str) -> None:
        """Notes that something happened just now; call it in the event loop.

        ``kind``: LOGIN, LOGOUT or another word, or UNAUTHORIZED and FORBIDDEN, which are counted. ``user`` is who did
        it, or who they say they are; ``space`` where; ``what`` is said in a few words, never with a secret in it.
        Refusals need no call in a handler: what it raises is noted where requests are answered.
        """
        now = self._now_ms()
        key = kind, _text(space), _text(user), _text(address), _text(what)
        if kind in COUNTED:
            self._count(key, now)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append(Note(*key, now, now))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_SECONDS, self._write_soon)

    def refused(self, error: SynclineError, user: str, space: str, address: str, place: str) -> None:
        """Notes that somebody was answered with an error, if that was a refusal. ``place``: which route refused."""
        if isinstance(error, Forbidden):
            item, action = error.details.get("item"), error.details.get("action")
            self.note(FORBIDDEN, user, space, address, f"{action} {item}" if item and action else place)
        elif isinstance(error, Unauthorized | TooManyAttempts) and not isinstance(error, TokenExpired):
            self.note(UNAUTHORIZED, user, space, address, f"{error.code} {place}")

    def _count(self, key: Key, now: int) -> None:
        before = self._counted.get(key)
        if before is None:
            key = self._bounded(key, now)
            before = self._counted.get(key, Note(*key, now, now, 0))
        self._counted[key] = before._replace(last=now, times=before.times + 1)

    def _bounded(self, key: Key, now: int) -> Key:
        """The key itself, or the one for all that is not told apart."""
        kind, _, _, address, _ = key
        if now // HOUR_MS != self._hour or len(self._told_apart) > MAX_ADDRESSES:
            self._hour = now // HOUR_MS
            self._told_apart.clear()
        if len(self._counted) >= MAX_WAITING:
            return kind, "", "", "", MORE
        source = network(address)
        told = self._told_apart[source]
        if len(told) < MAX_OF_ADDRESS:
            told.add(hash(key))
        return key if hash(key) in told else (kind, "", "", source, MORE)

    def _write_soon(self) -> None:
        task = asyncio.get_running_loop().create_task(self.write())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def write(self) -> None:
        """Writes what was noted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        async with self._writing:
            notes = [*self._waiting, *self._counted.values()]
            self._waiting, self._counted = [], {}
            if notes:
                await asyncio.to_thread(self._write, notes)

    def _write(self, notes: list[Note]) -> None:
        try:
            self.table.write(notes)
        except SynclineError:
            log.warning("%d notes for the audit could not be written.", len(notes), exc_info=True)

    async def newest(
        self, space: str | None, limit: int, *, before: tuple[int, int], user: str | None, kind: str | None
    ) -> list[Noted]:
        """The newest notes, with those of just now; see ``AuditTable.newest``."""
        await self.write()
        return await asyncio.to_thread(self.table.newest, space, limit, before=before, user=user, kind=kind)

    async def close(self) -> None:
        """Writes what was noted."""
        with suppress(SynclineError):
            await self.write()


def _text(text: str) -> str:
    """What SQLite takes as text, not too much of it."""
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()
