"""What was noted about who came and who was refused: a bounded table, the oldest rows go first.

A refusal that comes again within the same hour is counted in its row. Refusals have a bound of their own, so that
nobody pushes logins out of the table by being refused. Times are milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from syncline.server.auth.identity import home
from syncline.server.register.database import Database

UNAUTHORIZED, FORBIDDEN = "unauthorized", "forbidden"
COUNTED = (UNAUTHORIZED, FORBIDDEN)
"""Kinds of refusals."""
HOUR_MS = 3_600_000
MAX_REFUSALS, MAX_OTHERS = 20_000, 100_000
TRIM_EVERY = 1_000
"""Rows that may come before the table is trimmed again."""
NEWEST = 2**63 - 1

ADD = """
    INSERT INTO audit (hour, kind, space, "user", address, what, first, last, count)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (hour, kind, space, "user", address, what) DO UPDATE SET
        last = CASE WHEN excluded.last > audit.last THEN excluded.last ELSE audit.last END,
        first = CASE WHEN excluded.first < audit.first THEN excluded.first ELSE audit.first END,
        count = audit.count + excluded.count
"""
LIST = """
    SELECT id, kind, space, "user", address, what, first, last, count FROM audit
    WHERE (CAST(:space AS TEXT) IS NULL OR space = :space) AND (CAST(:user AS TEXT) IS NULL OR "user" = :user)
        AND (CAST(:kind AS TEXT) IS NULL OR kind = :kind) AND (first, id) < (:first, :id)
    ORDER BY first DESC, id DESC LIMIT :limit
"""
TRIM = """
    DELETE FROM audit WHERE (hour IS NOT NULL) = :refusals AND id <= (
        SELECT id FROM audit WHERE (hour IS NOT NULL) = :refusals ORDER BY id DESC LIMIT 1 OFFSET :most
    )
"""
KNOWN = "SELECT 1 FROM users WHERE space = ? AND name = ?"


class Note(NamedTuple):
    """What happened, so many ``times``, between ``first`` and ``last``."""

    kind: str
    space: str
    user: str
    address: str
    what: str
    first: int
    last: int
    times: int = 1


class Noted(NamedTuple):
    """A note in the table."""

    id: int
    note: Note


class AuditTable:
    """The table of notes. Thread-safe."""

    def __init__(self, database: Database, *, max_refusals: int = MAX_REFUSALS, max_others: int = MAX_OTHERS) -> None:
        self._db, self._max_refusals, self._max_others = database, max_refusals, max_others
        self._untrimmed = TRIM_EVERY

    def write(self, notes: Sequence[Note]) -> None:
        """Writes some notes in one transaction."""
        with self._db.writing() as cursor:
            for note in notes:
                cursor.execute(ADD, _row(note._replace(user=_known(cursor, note))))
            self._untrimmed += len(notes)
            if self._untrimmed >= TRIM_EVERY:
                self._untrimmed = 0
                cursor.execute(TRIM, {"refusals": True, "most": self._max_refusals})
                cursor.execute(TRIM, {"refusals": False, "most": self._max_others})

    def newest(
        self,
        space: str | None,
        limit: int,
        *,
        before: tuple[int, int] = (NEWEST, NEWEST),
        user: str | None = None,
        kind: str | None = None,
    ) -> list[Noted]:
        """The newest notes of a space (None: of all), the newest first; ``before``: ``first`` and id of another."""
        first, id = before
        asked = {"space": space, "user": user, "kind": kind, "first": first, "id": id, "limit": limit}
        with self._db.reading() as cursor:
            return [Noted(id, Note(*rest)) for id, *rest in cursor.execute(LIST, asked)]


def _row(note: Note) -> tuple[Any, ...]:
    hour = note.first // HOUR_MS if note.kind in COUNTED else None
    return hour, *note


def _known(cursor: Any, note: Note) -> str:
    """The user, if it is one: what somebody typed in place of a name may be a password."""
    place = home(note.space, note.user), note.user
    return note.user if note.kind != UNAUTHORIZED or cursor.execute(KNOWN, place).get else ""
