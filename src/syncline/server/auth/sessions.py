"""Sessions: a login that goes on, by refresh tokens that are each used once (RFC 9700, section 4.14.2).

A refresh token is 256 random bits with its session's id, and a short MAC by which the server knows its own. Only the
hashes of the newest and the one before are kept: any other token of ours was used long ago, so somebody has a copy,
and the session ends. A retry of the one before within 10 s, because the answer was lost, gets the same successor: the
HMAC of a random salt with the used token as its key, which can be made again from that token, not from the register.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from syncline.errors import TokenExpired, TokenReused, Unauthorized
from syncline.server.auth.identity import home
from syncline.server.register.database import PLACES, Database, listed

PREFIX = "rt_"
GRACE_MS = 10_000
IDLE_MS = 30 * 24 * 3_600_000
LONGEST_MS = 90 * 24 * 3_600_000
MAX_OF_ONE = 100
"""Sessions of one user; the one that was used longest ago gives way."""
MAX_LABEL = 200
MAC_BYTES = 16

ADD = "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, NULL, ?, NULL, NULL)"
FIND = """
    SELECT sessions.space, "user", sessions.created, used, current, previous, salt FROM sessions
    JOIN users ON users.space = sessions.space AND users.name = sessions."user"
    WHERE id = ? AND ended IS NULL AND suspended IS NULL AND removed IS NULL
"""
VALID = """
    FROM sessions JOIN users ON users.space = sessions.space AND users.name = sessions."user"
    WHERE ended IS NULL AND sessions.created > ? AND used > ? AND suspended IS NULL AND removed IS NULL
"""
IS_VALID = f"SELECT 1 {VALID} AND id = ?"
ARE_VALID = f"SELECT id {VALID} AND id IN ({PLACES})"
LIST = """
    SELECT id, space, "user", label, created, used FROM sessions
    WHERE ended IS NULL AND created > ? AND used > ? AND space = ? AND "user" = ? ORDER BY used DESC, id
"""
OWNER = 'SELECT space, "user" FROM sessions WHERE id = ?'
ROTATE = "UPDATE sessions SET previous = current, current = ?, salt = ?, used = ? WHERE id = ?"
END = "UPDATE sessions SET ended = ? WHERE id = ? AND ended IS NULL RETURNING 1"
END_ALL = 'UPDATE sessions SET ended = ? WHERE space = ? AND "user" = ? AND ended IS NULL AND id != ? RETURNING id'
TRIM = """
    DELETE FROM sessions WHERE space = :space AND "user" = :user AND (created <= :oldest OR id NOT IN (
        SELECT id FROM sessions WHERE space = :space AND "user" = :user
        ORDER BY ended IS NOT NULL, used DESC LIMIT :most
    ))
"""


class Session(NamedTuple):
    """A session as it is listed. Times are milliseconds since 1970."""

    id: str
    space: str
    user: str
    label: str
    """What the user's program called itself."""
    created: int
    used: int
    """When it was refreshed last."""


class Refreshed(NamedTuple):
    """Whose session goes on, and the only token that refreshes it next."""

    id: str
    space: str
    user: str
    token: str


class Sessions:
    """The table of sessions. Thread-safe."""

    def __init__(self, database: Database, now_ms: Callable[[], int], secret: bytes) -> None:
        """``secret``: what this server knows its own tokens by."""
        self._db, self._now_ms, self._secret = database, now_ms, secret

    def begin(self, space: str, user: str, label: str = "") -> Refreshed:
        """A new session of a user, and its first refresh token."""
        now, id, place = self._now_ms(), secrets.token_hex(8), home(space, user)
        token = self._token(id, _text(secrets.token_bytes(32)))
        limits = {"space": place, "user": user, "oldest": now - LONGEST_MS, "most": MAX_OF_ONE - 1}
        with self._db.writing() as cursor:
            cursor.execute(TRIM, limits)
            cursor.execute(ADD, (id, place, user, label[:MAX_LABEL], now, now, _hash(token)))
        return Refreshed(id, place, user, token)

    def refresh(self, token: str) -> Refreshed:
        """The successor of a refresh token, which is not valid afterwards.

        Raises Unauthorized, TokenExpired if it was idle for 30 days or began 90 days ago, or TokenReused with the
        ``session`` that was ended because a token came again.
        """
        id = self._read(token)
        with self._db.writing() as cursor:
            row = cursor.execute(FIND, (id,)).fetchone()
            if row is None:
                raise Unauthorized("This session has ended: log in again.")
            space, user, *state = row
            successor = self._successor(cursor, id, token, *state)
            if successor is None:
                cursor.execute(END, (self._now_ms(), id)).fetchall()
        if successor is None:
            raise TokenReused("This refresh token was used before; its session was ended: log in again.", session=id)
        return Refreshed(id, space, user, successor)

    def end(self, id: str) -> bool:
        """Whether there was such a session that went on; it has ended afterwards."""
        with self._db.writing() as cursor:
            return cursor.execute(END, (self._now_ms(), id)).get is not None

    def end_all(self, space: str, user: str, *, but: str = "") -> list[str]:
        """Ends a user's sessions, or all but one; the ids of those that ended now."""
        with self._db.writing() as cursor:
            row = self._now_ms(), home(space, user), user, but
            return [id for (id,) in cursor.execute(END_ALL, row).fetchall()]

    def of_user(self, space: str, user: str) -> list[Session]:
        """The sessions of a user that go on, the one used last first."""
        with self._db.reading() as cursor:
            rows = cursor.execute(LIST, (*self._began_and_used_after(), home(space, user), user))
            return [Session(*row) for row in rows]

    def is_valid(self, id: str) -> bool:
        """Whether a session goes on."""
        with self._db.reading() as cursor:
            return cursor.execute(IS_VALID, (*self._began_and_used_after(), id)).get is not None

    def valid(self, ids: Iterable[str]) -> set[str]:
        """Those of these ids whose sessions go on."""
        after = self._began_and_used_after()
        with self._db.reading() as cursor:
            return {id for lot in listed(ids) for (id,) in cursor.execute(ARE_VALID, (*after, *lot))}

    def owner(self, id: str) -> tuple[str, str] | None:
        """Space and user of a session, whether it goes on or not."""
        with self._db.reading() as cursor:
            row: tuple[str, str] | None = cursor.execute(OWNER, (id,)).fetchone()
        return row

    def id_of(self, token: str) -> str:
        """Which session a refresh token is of, if it still is or not. Raises Unauthorized for one that is not ours."""
        return self._read(token)

    def _successor(
        self,
        cursor: Any,
        id: str,
        token: str,
        created: int,
        used: int,
        current: bytes,
        previous: bytes | None,
        salt: bytes,
    ) -> str | None:
        """The token after this one. None: this one was used before. Raises TokenExpired."""
        now, hashed = self._now_ms(), _hash(token)
        if now - created >= LONGEST_MS or now - used >= IDLE_MS:
            raise TokenExpired("This session is too old: log in again.")
        if hashed == current:
            salt = secrets.token_bytes(32)
            successor = self._derived(id, token, salt)
            cursor.execute(ROTATE, (_hash(successor), salt, now, id))
            return successor
        return self._derived(id, token, salt) if hashed == previous and abs(now - used) < GRACE_MS else None

    def _derived(self, id: str, token: str, salt: bytes) -> str:
        return self._token(id, _text(hmac.digest(token.encode(), salt, hashlib.sha256)))

    def _token(self, id: str, random: str) -> str:
        mac = hmac.digest(self._secret, f"{id}.{random}".encode(), hashlib.sha256)[:MAC_BYTES]
        return f"{PREFIX}{id}.{random}.{_text(mac)}"

    def _read(self, token: str) -> str:
        """The session's id. Raises Unauthorized for a token this server did not make."""
        id, _, rest = token.removeprefix(PREFIX).partition(".")
        genuine = self._token(id, rest.partition(".")[0]) if token.isascii() else ""
        if not hmac.compare_digest(genuine.encode(), token.encode(errors="replace")):
            raise Unauthorized("This is no refresh token of this server.")
        return id

    def _began_and_used_after(self) -> tuple[int, int]:
        """When a session that goes on began, and was used, at the earliest."""
        now = self._now_ms()
        return now - LONGEST_MS, now - IDLE_MS


def _text(random: bytes) -> str:
    return base64.urlsafe_b64encode(random).rstrip(b"=").decode()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
