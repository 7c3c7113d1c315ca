"""A log in SQLite, looked at while a server has it open: SQLite's WAL lets anybody read beside the one who writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from syncline.core.log import NO_TAIL, Head
from syncline.stores.reading import ROWS, Damage, Fact, Kept, within
from syncline.stores.sqlite import bases
from syncline.stores.sqlite.events import LAST, SCHEMA
from syncline.stores.tables import beside
from syncline.stores.tables.database import Database

STRETCH = """
    SELECT seq, tail, entry, iif(entry IS NULL, id, NULL), iif(entry IS NULL, digest, NULL)
    FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?
"""
EPOCH = "SELECT epoch FROM log"
TAIL = "SELECT tail FROM entries WHERE seq = ?"


class SqliteReader:
    """See ``LogReader``."""

    def __init__(self, path: Path) -> None:
        """Raises ForeignFile, NewerSchema or StoreDamaged."""
        self._db = Database(path, SCHEMA, read_only=True)

    def head(self) -> Head:
        """See ``LogReader.head``."""
        with self._db.reading() as cursor:
            cursor.execute("BEGIN")  # both are of one moment
            try:
                epoch = cursor.execute(EPOCH).get
                return Head(epoch, *(cursor.execute(LAST).get or ()))
            finally:
                cursor.execute("ROLLBACK")

    def tail(self, seq: int) -> bytes | None:
        """See ``LogReader.tail``."""
        with self._db.reading() as cursor:
            return NO_TAIL if seq == 0 else cursor.execute(TAIL, (seq,)).get

    def read(self, since: int, until: int) -> list[Kept]:
        """See ``LogReader.read``."""
        with self._db.reading() as cursor:
            return within([Kept(*row) for row in cursor.execute(STRETCH, (since, until, ROWS))])

    def differing(self, facts: Sequence[Fact]) -> list[Damage]:
        """See ``LogReader.differing``."""
        with self._db.reading() as cursor:
            return [*beside.rows(cursor, facts, beside.WITH_TIME), *beside.index(cursor, facts)]

    def horizon(self) -> int:
        """See ``LogReader.horizon``."""
        with self._db.reading() as cursor:
            return bases.points(cursor).horizon

    def check(self) -> list[str]:
        """See ``LogReader.check``."""
        with self._db.reading() as cursor:
            return [*beside.broken(cursor), *beside.miscounted(cursor)]

    def close(self) -> None:
        """See ``LogReader.close``."""
        self._db.close()
