"""Administrative acts of this machine's command line whose events are in no log yet, in their order.

What is done in the data directory takes effect in the register at once. Its event is for whoever writes the log: the
server, or the command itself if no server runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from syncline.server.register.database import Database

ADD = "INSERT INTO acts (space, item, action, payload) VALUES (?, ?, ?, ?)"
LIST = "SELECT id, space, item, action, payload FROM acts ORDER BY id"
SETTLE = "DELETE FROM acts WHERE id = ?"


class WaitingAct(NamedTuple):
    """An act, and the space whose log is to tell of it."""

    id: int
    space: str
    item: str
    action: str
    payload: Any


class ActTable:
    """The table of acts. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, space: str, item: str, action: str, payload: Any = UNSET) -> None:
        """Notes an act."""
        encoded = None if payload is UNSET else msgspec.json.encode(payload).decode()
        with self._db.writing() as cursor:
            cursor.execute(ADD, (space, item, action, encoded))

    def waiting(self) -> Sequence[WaitingAct]:
        """The acts that no log tells of, oldest first."""
        with self._db.reading() as cursor:
            return [
                WaitingAct(id, space, item, action, UNSET if payload is None else msgspec.json.decode(payload))
                for id, space, item, action, payload in cursor.execute(LIST)
            ]

    def claimed(self) -> AbstractContextManager[bool]:
        """Whether it is for this server to tell of them, for as long as the block lasts."""
        return self._db.holding("acts")

    def settle(self, id: int) -> None:
        """The log tells of this one."""
        with self._db.writing() as cursor:
            cursor.execute(SETTLE, (id,))
