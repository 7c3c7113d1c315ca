"""The epochs of logs: whose log each was, so that a deleted one does not come in again under another name.

While an empty log takes another epoch, what the system wrote in it is kept here, and put back whatever happens.
"""

from __future__ import annotations

from typing import NamedTuple

from syncline.server.register.database import Database

OWNER = "SELECT space FROM epochs WHERE epoch = ?"
NOTE = "INSERT INTO epochs (epoch, space) VALUES (?, ?) ON CONFLICT DO NOTHING"
BEGIN = "UPDATE epochs SET entries = ? WHERE epoch = ?"
BEGUN = "SELECT epoch, entries FROM epochs WHERE space = ? AND entries IS NOT NULL"
FINISH = "UPDATE epochs SET entries = NULL WHERE space = ?"


class Begun(NamedTuple):
    """An epoch that a log is taking, and the entries that stay: a JSON array."""

    epoch: str
    entries: str


class EpochTable:
    """The table of epochs. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def owner(self, epoch: str) -> str | None:
        """The space whose log has, or had, this epoch; None if it is not known."""
        with self._db.reading() as cursor:
            row = cursor.execute(OWNER, (epoch,)).fetchone()
            return row[0] if row else None

    def note(self, epoch: str, space: str) -> None:
        """Remembers whose log has this epoch, for good."""
        if self.owner(epoch) is None:
            with self._db.writing() as cursor:
                cursor.execute(NOTE, (epoch, space))

    def begin(self, epoch: str, space: str, entries: str) -> None:
        """The space's log is about to take this epoch; these entries stay."""
        with self._db.writing() as cursor:
            cursor.execute(NOTE, (epoch, space))
            cursor.execute(BEGIN, (entries, epoch))

    def begun(self, space: str) -> Begun | None:
        """What was begun and not finished."""
        with self._db.reading() as cursor:
            row = cursor.execute(BEGUN, (space,)).fetchone()
            return Begun(*row) if row else None

    def finish(self, space: str) -> None:
        """The log has taken it, or never will."""
        with self._db.writing() as cursor:
            cursor.execute(FINISH, (space,))
