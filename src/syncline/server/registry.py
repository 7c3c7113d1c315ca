"""What belongs to the whole server and not to a space's log: secrets, users, API keys, and which spaces there are.

One SQLite file beside the spaces, or tables of a database that several servers share. Secrets live here so that a copy
of a log, or a log restored from a backup, proves nothing by itself.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from syncline.core.limits import MAX_SPACE_LENGTH
from syncline.errors import BadRequest
from syncline.server.logs import POSTGRES, kind_of, load
from syncline.server.register.database import Database
from syncline.server.register.epochs import EpochTable
from syncline.server.register.erasures import ErasureTable
from syncline.server.register.file import RegisterFile
from syncline.server.register.keys import Key, Keys
from syncline.server.register.spaces import SpaceTable
from syncline.server.register.users import Users

SPACE = re.compile(rf"[a-z0-9][a-z0-9_.-]{{0,{MAX_SPACE_LENGTH - 1}}}")
DEFAULT_SPACE = "default"

FILE = "server.db"
"""In the data directory."""

ADD_SECRET = "INSERT INTO secrets VALUES (?, ?) ON CONFLICT DO NOTHING"
SECRET = "SELECT secret FROM secrets WHERE name = ?"


class Registry:
    """The server's own register. Thread-safe."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self.database = self._db = database
        """For the modules that keep tables of their own in it: ``server.auth``."""
        self._now_ms = now_ms
        self.api_keys = Keys(self._db, now_ms)
        self.users = Users(self._db, now_ms)
        self.space_table = SpaceTable(self._db, now_ms)
        self.erasures = ErasureTable(self._db)
        self.epochs = EpochTable(self._db)

    def secret(self, name: str) -> bytes:
        """The secret of this name, 32 random bytes, made when it is first asked for."""
        with self._db.writing() as cursor:
            cursor.execute(ADD_SECRET, (name, secrets.token_bytes(32)))
            return bytes(cursor.execute(SECRET, (name,)).get)

    # Keys

    def create_key(
        self,
        name: str,
        user: str,
        space: str = DEFAULT_SPACE,
        *,
        actions: Sequence[str] = (),
        items: Sequence[str] = (),
        expires_ms: int | None = None,
    ) -> str:
        """A new API key: 256 random bits, shown once. See ``Keys.create``."""
        return self.api_keys.create(name, user, space, actions=actions, items=items, expires_ms=expires_ms)

    def keys(self) -> list[Key]:
        """All keys that were not revoked, oldest first."""
        return self.api_keys.all()

    def revoke_key(self, id: str) -> bool:
        """Whether there was such a key; it is not valid afterwards."""
        return self.api_keys.revoke(id)

    def user_of(self, key: str) -> str:
        """Whose key this is. Raises Unauthorized."""
        return self.api_keys.identify(key).user

    # Spaces

    def create_space(self, name: str) -> bool:
        """Whether the space is new. Raises BadRequest, or SpaceDeleted for a name that was used before."""
        return self.space_table.create(check_space(name))

    def spaces(self) -> list[str]:
        """The names of all spaces, sorted."""
        return self.space_table.names()

    def delete_space(self, name: str) -> None:
        """Marks a space as deleted, for ever. Raises UnknownSpace or SpaceDeleted."""
        self.space_table.delete(name)

    def close(self) -> None:
        """Closes the register."""
        self._db.close()


def open_registry(data: Path, store: str, now_ms: Callable[[], int]) -> Registry:
    """The register of a server with these settings: in its data directory, or in the database that it shares.

    Raises BadSettings, and what opening it raises.
    """
    if kind_of(store) == POSTGRES:
        return Registry(load("syncline.server.register.postgres", "PostgresRegister")(store), now_ms)
    return Registry(RegisterFile(data / FILE), now_ms)


def check_space(name: str) -> str:
    """The name itself if a space may have it. Raises BadRequest."""
    if not SPACE.fullmatch(name):
        raise BadRequest(f"space: {name[:80]!r} is not 1 to {MAX_SPACE_LENGTH} of a-z, 0-9, '_', '.', '-'.")
    return name
