"""Tickets: for browsers' sockets and streams, which can send no header. One ticket opens one of them, within 30 s.

A ticket goes in a URL, and URLs go into logs; so it is worth nothing once it was used. Tickets live in memory: after a
restart a browser asks for another.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

from syncline.errors import Overloaded, Unauthorized
from syncline.server.auth.identity import Identity

TICKET_PREFIX = "tk_"
VALID_MS = 30_000
MAX_TICKETS = 10_000
MAX_OF_ONE = 32
"""Tickets that one user may hold; the oldest gives way."""

Holder = tuple[str | None, str]


class Ticket(NamedTuple):
    """A ticket that was not used yet."""

    identity: Identity
    until: int


class Tickets:
    """The tickets that were not used yet. Thread-safe."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._tickets: dict[str, Ticket] = {}  # oldest first, and all are valid for the same time
        self._held: dict[Holder, list[str]] = {}
        self._lock = Lock()

    def issue(self, identity: Identity) -> str:
        """A new ticket: 256 random bits. Raises Overloaded."""
        now, ticket = self._now_ms(), TICKET_PREFIX + secrets.token_urlsafe(32)
        with self._lock:
            self._drop_expired(now)
            held = self._held.get((identity.space, identity.user), [])
            if len(held) >= MAX_OF_ONE:
                self._drop(held[0])
            if len(self._tickets) >= MAX_TICKETS:
                raise Overloaded("Too many tickets wait to be used; try again in a moment.")
            self._tickets[ticket] = Ticket(identity, now + VALID_MS)
            self._held.setdefault((identity.space, identity.user), []).append(ticket)
        return ticket

    def redeem(self, ticket: str) -> Identity:
        """Whose ticket this was. Raises Unauthorized for one that was used, is too old, or never was."""
        now = self._now_ms()
        with self._lock:
            found = self._drop(ticket)
        if found is None or not found.until - VALID_MS <= now < found.until:
            raise Unauthorized("This ticket is not (or no longer) valid: take a new one for each connection.")
        return found.identity

    def _drop_expired(self, now: int) -> None:
        while self._tickets and next(iter(self._tickets.values())).until <= now:
            self._drop(next(iter(self._tickets)))

    def _drop(self, ticket: str) -> Ticket | None:
        found = self._tickets.pop(ticket, None)
        if found is not None:
            holder = found.identity.space, found.identity.user
            self._held[holder].remove(ticket)
            if not self._held[holder]:
                del self._held[holder]
        return found
