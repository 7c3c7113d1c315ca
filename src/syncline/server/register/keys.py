"""API keys: 256 random bits, shown once and kept as a hash. A revoked key's row stays.

When a key was used last is noted in memory and written at most once a minute, for all keys together.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Any, NamedTuple

import msgspec

from syncline.errors import BadRequest, Unauthorized
from syncline.server.auth.identity import Identity, home
from syncline.server.register.database import PLACES, Database, listed
from syncline.server.register.users import ensure

KEY_PREFIX = "sk_"
USE_NOTED_MS = 60_000
MAX_PATTERNS = 100
"""Patterns of one kind in a key's scope."""

FIELDS = 'id, name, "user", keys.created, space, actions, items, expires, used, revoked'
ADD = "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)"
LIST = f"SELECT {FIELDS} FROM keys WHERE revoked IS NULL OR ? ORDER BY created, id"
FIND = f"SELECT {FIELDS} FROM keys WHERE id = ?"
ID_OF = "SELECT id FROM keys WHERE hash = ?"
REVOKE = "UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL RETURNING 1"
USED = "UPDATE keys SET used = ? WHERE id = ? AND coalesce(used, 0) < ?"
VALID = """
    FROM keys LEFT JOIN users ON users.space = keys.space AND users.name = keys."user"
    WHERE revoked IS NULL AND (expires IS NULL OR expires > ?) AND suspended IS NULL AND removed IS NULL
"""
IDENTIFY = f'SELECT keys."user", keys.space, id, actions, items, expires {VALID} AND hash = ?'
IS_VALID = f"SELECT 1 {VALID} AND id = ?"
ARE_VALID = f"SELECT id {VALID} AND id IN ({PLACES})"


class Key(NamedTuple):
    """An API key as it is listed; the key itself is kept as a hash only. Times are milliseconds since 1970."""

    id: str
    name: str
    user: str
    created: int
    space: str | None = None
    """The one space it is for. None: all of them."""
    actions: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    expires: int | None = None
    used: int | None = None
    revoked: int | None = None


class Keys:
    """The table of API keys. Thread-safe."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._db, self._now_ms = database, now_ms
        self._used: dict[str, int] = {}
        self._used_lock = Lock()
        self._written = now_ms()

    def create(
        self,
        name: str,
        user: str,
        space: str,
        *,
        actions: Sequence[str] = (),
        items: Sequence[str] = (),
        expires_ms: int | None = None,
    ) -> str:
        """A new key for a user, who is made if need be. Shown once. Raises BadRequest or UnknownUser."""
        key, now = KEY_PREFIX + secrets.token_urlsafe(32), self._now_ms()
        scope = _encode(actions, "actions"), _encode(items, "items")
        if expires_ms is not None and expires_ms <= now:
            raise BadRequest("expires: this time is past; leave it out for a key that does not expire.")
        with self._db.writing() as cursor:
            ensure(cursor, space, user, now)
            row = secrets.token_hex(4), hash_of(key), name, home(space, user), user, *scope, now, expires_ms
            cursor.execute(ADD, row)
        return key

    def all(self, *, revoked: bool = False) -> list[Key]:
        """The keys, oldest first; with ``revoked`` also those that were revoked."""
        with self._db.reading() as cursor:
            return [self._noted(_key(row)) for row in cursor.execute(LIST, (revoked,))]

    def find(self, id: str) -> Key | None:
        """The key of this id, also if it was revoked."""
        with self._db.reading() as cursor:
            row = cursor.execute(FIND, (id,)).fetchone()
        return row and self._noted(_key(row))

    def id_of(self, key: str) -> str | None:
        """The id of a key, whether it is valid or not."""
        with self._db.reading() as cursor:
            row = cursor.execute(ID_OF, (hash_of(key),)).fetchone()
        return row and str(row[0])

    def revoke(self, id: str) -> bool:
        """Whether there was such a valid key; it is none afterwards, and stays so."""
        with self._db.writing() as cursor:
            return cursor.execute(REVOKE, (self._now_ms(), id)).get is not None

    def identify(self, key: str) -> Identity:
        """Whose key this is. Raises Unauthorized."""
        with self._db.reading() as cursor:
            row = cursor.execute(IDENTIFY, (self._now_ms(), hash_of(key))).fetchone()
        if row is None:
            raise Unauthorized("This API key is not (or no longer) valid.")
        user, space, id, actions, items, expires = row
        return Identity(user, space or None, f"key:{id}", _decode(actions), _decode(items), expires)

    def is_valid(self, id: str) -> bool:
        """Whether the key of this id would still be accepted."""
        with self._db.reading() as cursor:
            return cursor.execute(IS_VALID, (self._now_ms(), id)).get is not None

    def valid(self, ids: Iterable[str]) -> set[str]:
        """Those of these ids whose keys would still be accepted."""
        now = self._now_ms()
        with self._db.reading() as cursor:
            return {id for lot in listed(ids) for (id,) in cursor.execute(ARE_VALID, (now, *lot))}

    def note_use(self, id: str) -> bool:
        """Notes in memory that a key was used now. Whether it is time for ``write_uses``."""
        now = self._now_ms()
        with self._used_lock:
            self._used[id] = now
            is_time = now - self._written >= USE_NOTED_MS
            if is_time:
                self._written = now
        return is_time

    def write_uses(self) -> None:
        """Writes what ``note_use`` noted."""
        with self._used_lock:
            used, self._used = self._used, {}
        if used:
            with self._db.writing() as cursor:
                cursor.executemany(USED, [(time, id, time) for id, time in used.items()])

    def _noted(self, key: Key) -> Key:
        """The key with a use that was not written yet."""
        with self._used_lock:
            return key._replace(used=self._used.get(key.id, key.used))


def hash_of(key: str) -> bytes:
    """Keys are long and random, so a plain hash is enough; nothing can be guessed from it."""
    return hashlib.sha256(key.encode(errors="replace")).digest()


def _key(row: tuple[Any, ...]) -> Key:
    id, name, user, created, space, actions, items, *times = row
    return Key(id, name, user, created, space or None, _decode(actions), _decode(items), *times)


def _encode(patterns: Sequence[str], name: str) -> str:
    if len(patterns) > MAX_PATTERNS or not all(patterns):
        raise BadRequest(f"{name}: at most {MAX_PATTERNS} patterns, none of them empty.")
    return msgspec.json.encode(list(patterns)).decode()


def _decode(patterns: str) -> tuple[str, ...]:
    return msgspec.json.decode(patterns, type=tuple[str, ...])
