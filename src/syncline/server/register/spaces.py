"""The spaces: which there are, which were deleted, which are suspended, and the quotas that were set for each.

A deleted space's row stays, so that its name is not used again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from syncline.core.retention import KEEP_ALL, Retention
from syncline.errors import SpaceDeleted, UnknownSpace
from syncline.server.register.database import PLACES, Database, listed

FIND = "SELECT deleted, suspended, quotas, retention FROM spaces WHERE name = ?"
ADD = "INSERT INTO spaces (name, created) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING 1"
FIND_SEVERAL = f"SELECT name, deleted, suspended, quotas, retention FROM spaces WHERE name IN ({PLACES})"
LIST = "SELECT name FROM spaces WHERE deleted IS NULL ORDER BY name"
DELETE = "UPDATE spaces SET deleted = ? WHERE name = ?"
SUSPEND = "UPDATE spaces SET suspended = coalesce(suspended, ?) WHERE name = ?"
RESUME = "UPDATE spaces SET suspended = NULL WHERE name = ?"
SET_QUOTAS = "UPDATE spaces SET quotas = ? WHERE name = ?"
SET_RETENTION = "UPDATE spaces SET retention = ? WHERE name = ?"


class SpaceState(NamedTuple):
    """What administrators have decided about a space."""

    suspended: int | None = None
    """Since when it is suspended, in milliseconds since 1970."""
    quotas: Mapping[str, int] = MappingProxyType({})
    """The quotas of its own; for others the server's defaults hold."""
    retention: Retention = KEEP_ALL
    """How much of its history it keeps."""


class SpaceTable:
    """The table of spaces. Thread-safe."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._db, self._now_ms = database, now_ms

    def create(self, name: str) -> bool:
        """Whether the space is new. Raises SpaceDeleted for a name that was used before."""
        with self._db.writing() as cursor:
            row = cursor.execute(FIND, (name,)).fetchone()
            if row is not None and row[0] is not None:
                raise SpaceDeleted(f"The space {name} was deleted; its name is not used again.")
            return cursor.execute(ADD, (name, self._now_ms())).get is not None

    def names(self) -> list[str]:
        """The names of all spaces, sorted."""
        with self._db.reading() as cursor:
            return [name for (name,) in cursor.execute(LIST)]

    def state(self, name: str) -> SpaceState:
        """What was decided about a space. Raises UnknownSpace or SpaceDeleted."""
        with self._db.reading() as cursor:
            return _state(cursor, name)

    def states(self, names: Iterable[str]) -> dict[str, SpaceState]:
        """What was decided about some spaces; those that were deleted, or are unknown, are left out."""
        with self._db.reading() as cursor:
            rows = [row for lot in listed(names) for row in cursor.execute(FIND_SEVERAL, lot)]
        return {name: _decoded(*terms) for name, deleted, *terms in rows if deleted is None}

    def delete(self, name: str) -> None:
        """Marks a space as deleted, for ever. Raises UnknownSpace or SpaceDeleted."""
        self._change(name, DELETE, self._now_ms())

    def suspend(self, name: str) -> None:
        """Marks a space as suspended until ``resume``. Raises UnknownSpace or SpaceDeleted."""
        self._change(name, SUSPEND, self._now_ms())

    def resume(self, name: str) -> None:
        """Ends a suspension. Raises UnknownSpace or SpaceDeleted."""
        self._change(name, RESUME)

    def set_quotas(self, name: str, changes: Mapping[str, int | None]) -> None:
        """Changes quotas of a space, each on its own; None takes one back. Raises UnknownSpace or SpaceDeleted."""
        with self._db.writing() as cursor:
            merged = {**_state(cursor, name).quotas, **changes}
            kept = {quota: most for quota, most in merged.items() if most is not None}
            cursor.execute(SET_QUOTAS, (msgspec.json.encode(kept).decode(), name))

    def set_retention(self, name: str, retention: Retention) -> None:
        """Says how much of its history a space keeps. Raises UnknownSpace or SpaceDeleted."""
        self._change(name, SET_RETENTION, msgspec.json.encode(retention).decode())

    def _change(self, name: str, statement: str, *parameters: Any) -> None:
        with self._db.writing() as cursor:
            _state(cursor, name)
            cursor.execute(statement, (*parameters, name))


def _state(cursor: Any, name: str) -> SpaceState:
    row = cursor.execute(FIND, (name,)).fetchone()
    if row is None:
        raise UnknownSpace(f"There is no space {name}.")
    deleted, *terms = row
    if deleted is not None:
        raise SpaceDeleted(f"The space {name} was deleted.")
    return _decoded(*terms)


def _decoded(suspended: int | None, quotas: str, retention: str) -> SpaceState:
    kept = msgspec.json.decode(retention, type=Retention)
    return SpaceState(suspended, msgspec.json.decode(quotas, type=dict[str, int]), kept)
