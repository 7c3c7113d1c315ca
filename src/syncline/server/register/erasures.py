"""What was erased in each space, apart from the logs: a log that is put back from a backup is erased again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from syncline.server.register.database import Database

ADD = "INSERT INTO erasures (space, payload) VALUES (?, ?)"
LIST = "SELECT payload FROM erasures WHERE space = ? ORDER BY id"


class ErasureTable:
    """The table of acts of erasure. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, space: str, payload: Any) -> None:
        """Notes an act, before the log tells of it."""
        with self._db.writing() as cursor:
            cursor.execute(ADD, (space, msgspec.json.encode(payload).decode()))

    def of(self, space: str) -> Sequence[Any]:
        """The payloads of a space's acts, oldest first."""
        with self._db.reading() as cursor:
            return [msgspec.json.decode(payload) for (payload,) in cursor.execute(LIST, (space,))]
