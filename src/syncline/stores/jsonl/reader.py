"""A log in JSON Lines, looked at while a server has it open: by its index, which says where entries are.

The index is committed after the batch is on the disk, so what it has can be read. Where it is missing, or lags behind,
the log is opened once, which mends it, unless somebody else has it open.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from syncline.core.log import Head, Receipts
from syncline.errors import ForeignFile, NewerSchema, StoreDamaged, StoreLocked
from syncline.stores.jsonl import index, lines
from syncline.stores.jsonl.events import JsonLinesEventStore
from syncline.stores.jsonl.segments import INDEX, Place, Segments
from syncline.stores.reading import ROWS, Damage, Fact, Kept, within
from syncline.stores.tables import beside
from syncline.stores.tables.database import Database

STRETCH = "SELECT seq, tail, offset, length, sum FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"

MOVING_SECONDS = 0.05
"""Between a segment that is put in the place of another, and the index that knows of it."""


class JsonLinesReader:
    """See ``LogReader``."""

    def __init__(self, folder: Path) -> None:
        """Raises ForeignFile, NewerSchema or StoreDamaged."""
        self._segments = Segments(folder)
        if not self._is_current():
            with suppress(StoreLocked):  # then somebody else keeps the index
                JsonLinesEventStore(folder, Receipts(b"")).close()
        self._db = Database(folder / INDEX, index.SCHEMA, read_only=True)

    def _is_current(self) -> bool:
        """Whether the index goes as far as the log: then nobody is kept from opening it, not even for a moment."""
        firsts, path = self._segments.firsts, self._segments.folder / INDEX
        if not firsts or not path.exists():
            return False
        try:
            with closing(Database(path, index.SCHEMA, read_only=True)) as db, db.reading() as cursor:
                reached = index.reached(cursor)
        except (ForeignFile, NewerSchema, StoreDamaged):
            return False
        size = self._segments.path(firsts[-1]).stat().st_size
        if reached is None:
            return size == len(self._segments.bytes_of(1, 0, lines.LONGEST_BYTES).partition(b"\n")[0]) + 1
        return (reached.segment, reached.mark.offset) == (firsts[-1], size)

    def head(self) -> Head:
        """See ``LogReader.head``."""
        with self._db.reading() as cursor:
            reached = index.reached(cursor)
        return self._begin() if reached is None else reached.mark.head

    def _begin(self) -> Head:
        """Where the log begins, while nothing of it is indexed."""
        self._segments.look()
        first = self._segments.bytes_of(1, 0, lines.LONGEST_BYTES).partition(b"\n")[0] + b"\n"
        head = lines.read_head(first)
        if head is None:
            raise StoreDamaged(f"{self._segments.path(1)}, line 1: it does not read as the first line of this segment.")
        return head

    def tail(self, seq: int) -> bytes | None:
        """See ``LogReader.tail``."""
        with self._db.reading() as cursor:
            return index.tail(cursor, seq)

    def read(self, since: int, until: int) -> list[Kept]:
        """See ``LogReader.read``. Entries move when some are erased: the index is asked again then, once."""
        try:
            return self._read(since, until)
        except StoreDamaged:
            time.sleep(MOVING_SECONDS)
            return self._read(since, until)

    def _read(self, since: int, until: int) -> list[Kept]:
        with self._db.reading() as cursor:
            found = [(tail, Place(seq, *at)) for seq, tail, *at in cursor.execute(STRETCH, (since, until, ROWS))]
        self._segments.look()
        entries = self._segments.read([place for _, place in found])
        return within([Kept(place.seq, tail, entry) for (tail, place), entry in zip(found, entries, strict=True)])

    def differing(self, facts: Sequence[Fact]) -> list[Damage]:
        """See ``LogReader.differing``."""
        with self._db.reading() as cursor:
            return [*beside.rows(cursor, facts, beside.WITHOUT_TIME), *beside.index(cursor, facts)]

    def horizon(self) -> int:
        """See ``LogReader.horizon``. Nothing goes from JSON Lines."""
        return 0

    def check(self) -> list[str]:
        """See ``LogReader.check``: of the index; a line's sum is looked at when it is read."""
        with self._db.reading() as cursor:
            return [*beside.broken(cursor), *beside.miscounted(cursor)]

    def close(self) -> None:
        """See ``LogReader.close``."""
        self._db.close()
