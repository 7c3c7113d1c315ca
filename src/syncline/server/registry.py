"""What belongs to the whole server and not to a space's log: secrets, API keys, and which spaces there are.

One SQLite file beside the spaces. Secrets live here so that a copy of a log, or a log restored from a backup, proves
nothing by itself.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from syncline.core.limits import MAX_SPACE_LENGTH
from syncline.errors import BadRequest, SpaceDeleted, Unauthorized, UnknownSpace
from syncline.stores.sqlite.database import Database, Schema

SCHEMA = Schema(
    "server register",
    0x53594E30,
    [
        """
        CREATE TABLE secrets (name TEXT PRIMARY KEY, secret BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE keys (
            id TEXT PRIMARY KEY,
            hash BLOB NOT NULL UNIQUE,
            name TEXT NOT NULL,
            user TEXT NOT NULL,
            created INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE spaces (name TEXT PRIMARY KEY, created INTEGER NOT NULL, deleted INTEGER) WITHOUT ROWID;
        """
    ],
)

SPACE = re.compile(rf"[a-z0-9][a-z0-9_.-]{{0,{MAX_SPACE_LENGTH - 1}}}")
DEFAULT_SPACE = "default"
KEY_PREFIX = "sk_"


class Key(NamedTuple):
    """An API key as it is listed; the key itself is kept as a hash only."""

    id: str
    name: str
    user: str
    created: int


class Registry:
    """The server's own register. Thread-safe."""

    def __init__(self, path: Path, now_ms: Callable[[], int]) -> None:
        self._db = Database(path, SCHEMA, shared=True)
        self._now_ms = now_ms

    def secret(self, name: str) -> bytes:
        """The secret of this name, 32 random bytes, made when it is first asked for."""
        with self._db.writing() as cursor:
            cursor.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (name, secrets.token_bytes(32)))
            return bytes(cursor.execute("SELECT secret FROM secrets WHERE name = ?", (name,)).get)

    # Keys

    def create_key(self, name: str, user: str) -> str:
        """A new API key: 256 random bits, shown once."""
        key = KEY_PREFIX + secrets.token_urlsafe(32)
        with self._db.writing() as cursor:
            row = (secrets.token_hex(4), _hash(key), name, user, self._now_ms())
            cursor.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?)", row)
        return key

    def keys(self) -> list[Key]:
        """All keys, oldest first."""
        with self._db.reading() as cursor:
            return [
                Key(*row) for row in cursor.execute("SELECT id, name, user, created FROM keys ORDER BY created, id")
            ]

    def revoke_key(self, id: str) -> bool:
        """Whether there was such a key; there is none afterwards."""
        with self._db.writing() as cursor:
            return cursor.execute("DELETE FROM keys WHERE id = ? RETURNING 1", (id,)).get is not None

    def user_of(self, key: str) -> str:
        """Whose key this is. Raises Unauthorized."""
        with self._db.reading() as cursor:
            user = cursor.execute("SELECT user FROM keys WHERE hash = ?", (_hash(key),)).get
        if user is None:
            raise Unauthorized("This API key is not (or no longer) valid.")
        return str(user)

    # Spaces

    def create_space(self, name: str) -> bool:
        """Whether the space is new. Raises BadRequest, or SpaceDeleted for a name that was used before."""
        check_space(name)
        with self._db.writing() as cursor:
            if self._deleted(cursor, name):
                raise SpaceDeleted(f"The space {name} was deleted; its name is not used again.")
            query = "INSERT OR IGNORE INTO spaces VALUES (?, ?, NULL) RETURNING 1"
            return cursor.execute(query, (name, self._now_ms())).get is not None

    def spaces(self) -> list[str]:
        """The names of all spaces, sorted."""
        with self._db.reading() as cursor:
            return [name for (name,) in cursor.execute("SELECT name FROM spaces WHERE deleted IS NULL ORDER BY name")]

    def check_exists(self, name: str) -> None:
        """Raises UnknownSpace or SpaceDeleted unless the space exists."""
        with self._db.reading() as cursor:
            if self._deleted(cursor, name):
                raise SpaceDeleted(f"The space {name} was deleted.")
            if cursor.execute("SELECT 1 FROM spaces WHERE name = ?", (name,)).get is None:
                raise UnknownSpace(f"There is no space {name}.")

    def delete_space(self, name: str) -> None:
        """Marks a space as deleted, for ever."""
        self.check_exists(name)
        with self._db.writing() as cursor:
            cursor.execute("UPDATE spaces SET deleted = ? WHERE name = ?", (self._now_ms(), name))

    @staticmethod
    def _deleted(cursor: object, name: str) -> bool:
        query = "SELECT 1 FROM spaces WHERE name = ? AND deleted IS NOT NULL"
        return cursor.execute(query, (name,)).get is not None  # type: ignore[attr-defined]

    def close(self) -> None:
        """Closes the register."""
        self._db.close()


def check_space(name: str) -> str:
    """The name itself if a space may have it. Raises BadRequest."""
    if not SPACE.fullmatch(name):
        raise BadRequest(f"space: {name[:80]!r} is not 1 to {MAX_SPACE_LENGTH} of a-z, 0-9, '_', '.', '-'.")
    return name


def _hash(key: str) -> bytes:
    """Keys are long and random, so a plain hash is enough; nothing can be guessed from it."""
    return hashlib.sha256(key.encode(errors="replace")).digest()
