"""Tickets: for browsers' sockets and streams, which can send no header. One ticket opens one of them, within 30 s.

A ticket goes in a URL, and URLs go into logs; so it is worth nothing once it was used. Tickets are in the register, so
that any server takes what another has given, and only their hashes are, since they are long and random. They do not
wait for the disk: after a power cut a browser asks for another.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import msgspec

from syncline.errors import Overloaded, Unauthorized
from syncline.server.auth.identity import Identity
from syncline.server.register.database import Database
from syncline.server.register.keys import hash_of

TICKET_PREFIX = "tk_"
VALID_MS = 30_000
SKEW_MS = 5_000
"""By how much a server's clock may be behind that of another who has made a ticket."""
MAX_TICKETS = 10_000
MAX_OF_ONE = 32
"""Tickets that one user may hold; the oldest gives way."""
SWEPT_MS = 30_000
"""How often those that are too old are deleted. They are worth nothing before."""

ADD = 'INSERT INTO tickets (hash, space, "user", identity, until) VALUES (?, ?, ?, ?, ?)'
MAKE_ROOM = """
    DELETE FROM tickets WHERE space = :space AND "user" = :user AND id NOT IN (
        SELECT id FROM tickets WHERE space = :space AND "user" = :user ORDER BY id DESC LIMIT :most
    )
"""
COUNT = "SELECT count(*) FROM tickets WHERE until > ?"
TAKE = "DELETE FROM tickets WHERE hash = ? RETURNING identity, until"
SWEEP = "DELETE FROM tickets WHERE until <= ?"

_identities = msgspec.json.Decoder(Identity)


class Tickets:
    """The table of tickets that were not used yet. Thread-safe."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._db, self._now_ms = database, now_ms
        self._swept = 0

    def issue(self, identity: Identity) -> str:
        """A new ticket: 256 random bits. Raises Overloaded.

        Where several servers issue some at the same moment, the limits may be passed by as many.
        """
        now, ticket = self._now_ms(), TICKET_PREFIX + secrets.token_urlsafe(32)
        self._sweep(now)
        holder = {"space": identity.space or "", "user": identity.user}
        with self._db.writing(durable=False, alone=False) as cursor:
            cursor.execute(MAKE_ROOM, {**holder, "most": MAX_OF_ONE - 1})
            if cursor.execute(COUNT, (now,)).get >= MAX_TICKETS:
                raise Overloaded("Too many tickets wait to be used; try again in a moment.")
            encoded = msgspec.json.encode(identity).decode()
            cursor.execute(ADD, (hash_of(ticket), *holder.values(), encoded, now + VALID_MS))
        return ticket

    def redeem(self, ticket: str) -> Identity:
        """Whose ticket this was. Raises Unauthorized for one that was used, is too old, or never was."""
        now = self._now_ms()
        with self._db.writing(durable=False, alone=False) as cursor:
            row = cursor.execute(TAKE, (hash_of(ticket),)).fetchone()
        if row is None or not row[1] - VALID_MS - SKEW_MS <= now < row[1]:
            raise Unauthorized("This ticket is not (or no longer) valid: take a new one for each connection.")
        return _identities.decode(row[0])

    def _sweep(self, now: int) -> None:
        if abs(now - self._swept) < SWEPT_MS:
            return
        self._swept = now
        with self._db.writing(durable=False) as cursor:
            cursor.execute(SWEEP, (now,))
