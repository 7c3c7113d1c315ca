"""The index of a log in JSON Lines: what is looked up, and where in the segments entries stand. It is derived.

A SQLite file beside the segments. It may be lost at any time (while nobody has the log open), lag behind the log, or
belong to another state of it: whoever opens the log finds that out and mends it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from syncline.core.log import NO_TAIL, Head, Row
from syncline.stores.jsonl.scan import Mark
from syncline.stores.jsonl.segments import Place
from syncline.stores.tables import item_index, nodes
from syncline.stores.tables.database import Database, Schema, array, insert

SCHEMA = Schema(
    "index of a log in JSON Lines",
    0x53594E4A,
    [
        """
        CREATE TABLE entries (
            seq INTEGER PRIMARY KEY,
            id BLOB NOT NULL UNIQUE,
            item TEXT NOT NULL,
            node INTEGER NOT NULL REFERENCES nodes (ref),
            n INTEGER NOT NULL,
            digest BLOB NOT NULL,
            tail BLOB NOT NULL,
            offset INTEGER NOT NULL,
            length INTEGER NOT NULL,
            sum INTEGER NOT NULL
        );
        CREATE TABLE reached (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            epoch TEXT NOT NULL,
            seq INTEGER NOT NULL,
            tail BLOB NOT NULL,
            at INTEGER NOT NULL,
            offset INTEGER NOT NULL,
            line INTEGER NOT NULL,
            segment INTEGER NOT NULL,
            segments INTEGER NOT NULL,
            bytes INTEGER NOT NULL
        );
        """
        + nodes.TABLE
        + item_index.TABLES
    ],
)

KEEP = "INSERT OR REPLACE INTO reached VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
REACHED = "SELECT epoch, seq, tail, at, offset, line, segment, segments, bytes FROM reached"
KNOWN = "SELECT id, seq, digest FROM entries WHERE id IN carray(?)"
PLACES_OF_IDS = "SELECT seq, offset, length, sum FROM entries WHERE id IN carray(?) ORDER BY seq"
PLACES_OF_SEQS = "SELECT seq, offset, length, sum FROM entries WHERE seq IN carray(?) ORDER BY seq"
STRETCH = "SELECT seq, item, offset, length, sum FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
OF_SEQS = "SELECT seq, item, offset, length, sum FROM entries WHERE seq IN carray(?) ORDER BY seq"
MOVE = "UPDATE entries SET offset = ?, length = ?, sum = ? WHERE seq = ?"
LAST_SEQ = "SELECT max(seq) FROM entries"
LAST_ID = "SELECT max(id) FROM entries"
TAIL = "SELECT tail FROM entries WHERE seq = ?"


class Reached(NamedTuple):
    """How far the log goes: where it ends in its last segment, how many segments there are, its events' bytes."""

    mark: Mark
    segment: int
    segments: int
    bytes: int = 0

    def after(self, mark: Mark, rows: Sequence[Row]) -> Reached:
        """The same after rows that lead to a mark in the same segment."""
        return self._replace(mark=mark, bytes=self.bytes + sum(len(row.event.body) for row in rows))

    def within(self, segment: int, mark: Mark) -> Reached:
        """The same where the next segment begins."""
        return self._replace(mark=mark, segment=segment, segments=self.segments + 1)


def open_index(path: Path) -> Database:
    """The index in a file, made anew if it cannot be used. The log's lock guards it."""
    return Database(path, SCHEMA, checkpoint_apart=True, shared=True, derived=True)


def reached(cursor: Any) -> Reached | None:
    """How far the index goes; None if it is new."""
    row = cursor.execute(REACHED).fetchall()
    if not row:
        return None
    ((epoch, seq, tail, at, offset, line, segment, segments, bytes),) = row
    return Reached(Mark(Head(epoch, seq, tail, at), offset, line), segment, segments, bytes)


def keep(cursor: Any, reached: Reached) -> None:
    """Notes how far the index goes."""
    (head, offset, line), segment, segments, bytes = reached
    cursor.execute(KEEP, (*head, offset, line, segment, segments, bytes))


def add(cursor: Any, rows: Sequence[Row], offsets: Sequence[int], refs: Mapping[str, int]) -> None:
    """Adds rows whose lines begin at these bytes. ``refs`` are the references of their nodes."""
    insert(
        cursor,
        "INSERT INTO entries",
        [
            (seq, event.key, event.item, refs[event.node], event.n, event.digest, tail, offset, len(line), crc32(line))
            for (seq, tail, event, line), offset in zip(rows, offsets, strict=True)
        ],
    )


def move(cursor: Any, places: Sequence[Place]) -> None:
    """Notes that entries stand elsewhere, and that they are others."""
    cursor.executemany(MOVE, [(place.offset, place.length, place.sum, place.seq) for place in places])


def known(cursor: Any, keys: Collection[bytes]) -> dict[bytes, tuple[int, bytes]]:
    """The seq and the digest of those of these ids that the log holds."""
    if not keys:
        return {}
    return {id: (seq, digest) for id, seq, digest in cursor.execute(KNOWN, (array(keys),))}


def places_of_ids(cursor: Any, keys: Collection[bytes]) -> list[Place]:
    """Where the events of these ids stand, in order of seq."""
    return [Place(*row) for row in cursor.execute(PLACES_OF_IDS, (array(keys),))] if keys else []


def places_of_seqs(cursor: Any, seqs: Collection[int]) -> list[Place]:
    """Where these entries stand, in order of seq."""
    return [Place(*row) for row in cursor.execute(PLACES_OF_SEQS, (array(seqs),))] if seqs else []


def tail(cursor: Any, seq: int) -> bytes | None:
    """The tail at a seq."""
    return NO_TAIL if seq == 0 else cursor.execute(TAIL, (seq,)).get
