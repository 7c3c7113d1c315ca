"""Snapshots of a log's items in one SQLite file beside the log.

It is derived data: the file may be deleted at any time. A power cut may take the last commits of it
(``synchronous=NORMAL``), but never half of one. A file that is damaged, or of another version, is made anew, at the
opening or when the damage is found. Only a file that is not known to be one of snapshots is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any
from zlib import crc32

import msgspec
from msgspec.structs import astuple

from syncline.errors import ForeignFile, StorageFull, StoreDamaged
from syncline.stores.snapshots import MAX_BYTES, Kept, thin, weight
from syncline.stores.tables.database import Database, Schema, array, discard

SCHEMA = Schema(
    "store of snapshots",
    0x53594E33,
    [
        """
        CREATE TABLE snapshots (
            item TEXT NOT NULL,
            count INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            at INTEGER NOT NULL,
            pending INTEGER NOT NULL,
            rewritten INTEGER NOT NULL,
            packed BLOB NOT NULL
        );
        CREATE INDEX snapshots_by_item ON snapshots (item, count, rewritten, revision, seq, at, pending);
        """
    ],
)

CLEAR = "DELETE FROM snapshots WHERE item = ? AND (count = ? OR rewritten != ?)"
KEEP = "INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
LENGTHS = "SELECT CAST(count AS INTEGER), ifnull(length(packed), 0) FROM snapshots WHERE item = ?"
THIN = "DELETE FROM snapshots WHERE item = ? AND count IN carray(?)"
NEAREST = """
    SELECT packed FROM snapshots
    WHERE item = ? AND count <= ? AND revision <= ? AND seq <= ? AND at <= ? AND pending <= ? AND rewritten = ?
    ORDER BY count DESC LIMIT 1
"""
FORGET = "DELETE FROM snapshots WHERE item = ?"

NO_BOUND = 2**63 - 1


class SqliteSnapshotStore:
    """Snapshots in a file; see ``SnapshotStore``.

    Raises at the opening if another program has the file open (StoreLocked), or if what is there may be somebody's
    (ForeignFile, StoreDamaged).
    """

    def __init__(self, path: Path | str, *, max_bytes: int = MAX_BYTES, checked: bool = False) -> None:
        """``max_bytes``: what the snapshots of one item may take. ``checked``: each page has a checksum beside it."""
        self._path, self._max_bytes, self._is_checked = Path(path), max_bytes, checked
        self._lock = Lock()
        self._db = self._opened()

    def keep(self, snapshot: Kept) -> None:
        """See ``SnapshotStore.keep``."""
        row = _row(snapshot)

        def work(cursor: Any) -> None:
            cursor.execute(CLEAR, (snapshot.item, snapshot.count, snapshot.rewritten))
            cursor.execute(KEEP, row)
            weights = {count: weight(length) for count, length in cursor.execute(LENGTHS, (snapshot.item,))}
            if gone := weights.keys() - set(thin(weights, self._max_bytes)):
                cursor.execute(THIN, (snapshot.item, array(gone)))

        with suppress(StorageFull):
            self._do(work)

    def nearest(
        self,
        item: str,
        *,
        count: int | None = None,
        revision: int | None = None,
        seq: int | None = None,
        at: int | None = None,
        rewritten: int = 0,
        confirmed: bool = False,
    ) -> Kept | None:
        """See ``SnapshotStore.nearest``."""
        bounds = (count, revision, seq, at, 0 if confirmed else None)
        values = (item, *(NO_BOUND if bound is None else bound for bound in bounds), rewritten)
        found: Kept | None = self._do(lambda cursor: _read(cursor.execute(NEAREST, values).fetchone()))
        return found

    def forget(self, item: str | None = None) -> None:
        """See ``SnapshotStore.forget``."""
        if item is not None:
            self._do(lambda cursor: cursor.execute(FORGET, (item,)))
        else:
            self._forget_all()

    def _forget_all(self) -> None:
        with suppress(StorageFull):
            self._do(lambda cursor: cursor.execute("DELETE FROM snapshots"))
            if self._db.scrub():
                return
        with self._lock:
            self._begin_anew()

    def close(self) -> None:
        """See ``SnapshotStore.close``."""
        with self._lock:
            self._db.close()

    def _do(self, work: Callable[[Any], Any]) -> Any:
        """Does something in a transaction, or begins a new file if this one turns out to be damaged.

        Reads use the one writing connection too: it goes on with a file that is deleted under it, while a new
        connection would find another one there, or none.
        """
        with self._lock:
            try:
                with self._db.writing() as cursor:
                    return work(cursor)
            except (StoreDamaged, ForeignFile):
                self._begin_anew()
                return None

    def _begin_anew(self) -> None:
        self._db.close()
        discard(self._path)
        self._db = self._opened()

    def _opened(self) -> Database:
        return Database(self._path, SCHEMA, derived=True, checked=self._is_checked)


def _row(snapshot: Kept) -> tuple[Any, ...]:
    """What is asked for in columns; and everything in one blob behind its checksum, since SQLite keeps none."""
    packed = msgspec.msgpack.encode(snapshot)
    item, count, revision, seq, at, pending = astuple(snapshot)[:6]
    return item, count, revision, seq, at, pending, snapshot.rewritten, crc32(packed).to_bytes(4, "big") + packed


def _read(row: tuple[Any] | None) -> Kept | None:
    if row is None:
        return None
    packed = memoryview(row[0] or b"")
    if crc32(packed[4:]).to_bytes(4, "big") != packed[:4]:
        raise StoreDamaged("A snapshot is damaged.")
    return msgspec.msgpack.decode(packed[4:], type=Kept)
