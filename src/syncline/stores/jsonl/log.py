"""Segments and their index as one: opened together, written in one transaction, and taken back together.

A batch is written to the last segment and synced before the transaction of the index is committed, which does not wait
for the disk. What the index lacks when a log is opened is read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any
from uuid import uuid4

from syncline.core.admission import NodeState
from syncline.core.log import Head, Row
from syncline.errors import StoreDamaged
from syncline.stores.folders import make_folder, sync_folder
from syncline.stores.gate import Gate
from syncline.stores.jsonl import index, lines
from syncline.stores.jsonl.catching_up import catch_up
from syncline.stores.jsonl.index import Reached
from syncline.stores.jsonl.rewriting import rewrite
from syncline.stores.jsonl.scan import Mark
from syncline.stores.jsonl.segments import INDEX, LOCK, NEW, STALE, Segments, forget
from syncline.stores.tables import item_index, nodes
from syncline.stores.tables.database import Database, discard, hold

READERS = 1_000
"""How many may read at a time; others wait."""


class IndexedLog:
    """A log in a folder. Any thread may read; whoever writes or closes it holds a lock."""

    def __init__(self, folder: Path, *, segment_bytes: int, index_run: int) -> None:
        """Raises StoreLocked, ForeignFile, NewerSchema or StoreDamaged."""
        self._segment_bytes, self._index_run = segment_bytes, index_run
        self._gate = Gate(READERS)
        self._is_stuck = False
        self._written: tuple[Reached, int] | None = None
        self.segments = Segments(folder)
        make_folder(folder)
        self._holding = hold(folder / LOCK)
        try:
            self._open_segments()
            self.db, self.reached = self._open_index()
            with self.db.reading() as cursor:
                self._read_ends(cursor)
        except BaseException:
            self.segments.close()
            self._holding.close()
            raise

    def _open_segments(self) -> None:
        self.segments.look()  # again, now that nobody else writes
        forget(self.segments.folder / NEW)
        if self.segments.firsts:
            self.segments.open_last()
        else:
            self.segments.begin(Head(uuid4().hex))

    def _open_index(self) -> tuple[Database, Reached]:
        """The index, as far as the log goes. One that does not fit is made anew: then what is wrong is the log."""
        path, stale = self.segments.folder / INDEX, self.segments.folder / STALE
        if stale.exists():
            discard(path)
            stale.unlink()
        db = index.open_index(path)
        try:
            return db, catch_up(db, self.segments, self._index_run)
        except StoreDamaged:
            db.close()
            discard(path)
            db = index.open_index(path)
            return db, catch_up(db, self.segments, self._index_run)
        except BaseException:
            db.close()
            raise

    def _read_ends(self, cursor: Any) -> None:
        self.indexed = item_index.indexed(cursor)
        """The seq up to which the index by item goes; what comes after is found by a scan."""
        self.nodes = nodes.Nodes(cursor)

    @property
    def head(self) -> Head:
        """The end of the log. Raises StoreClosed."""
        self.db.check_open()
        return self.reached.mark.head

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """A consistent view of the index, and of the segments for as long as the block lasts."""
        with self._gate.inside(), self.db.reading() as cursor:
            yield cursor

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """A transaction in which ``store`` may be called once. Segment and index are written to both, or neither."""
        self.db.check_open()
        if self._is_stuck:
            self._take_back()  # the disk may be better now
        if self._is_stuck:
            raise StoreDamaged(f"{self.segments.folder}: a write that failed cannot be taken back. Reopen the log.")
        self._rotate()
        self._written = None
        try:
            with self.db.writing() as cursor:
                yield cursor
        except BaseException:
            self._take_back()
            raise
        if self._written is not None:
            self.reached, self.indexed = self._written

    def _rotate(self) -> None:
        """Begins a new segment if the last is full."""
        if self.segments.size >= self._segment_bytes and self.reached.mark.line > 1:
            self.segments.begin(self.head)
            self.reached = self.reached.within(self.head.seq + 1, Mark(self.head, self.segments.size, 1))

    def store(self, cursor: Any, head: Head, rows: Sequence[Row], writers: Mapping[str, NodeState]) -> None:
        """Stores rows, which lead to a head, as one batch."""
        *offsets, end = accumulate((len(row.encoded) + 1 for row in rows), initial=self.segments.size)
        mark = lines.mark_line(head.seq, head.tail)
        reached = self.reached.after(Mark(head, end + len(mark), self.reached.mark.line + len(rows) + 1), rows)
        index.add(cursor, rows, offsets, self.nodes.put(cursor, writers))
        index.keep(cursor, reached)
        self._written = reached, item_index.extend(cursor, self.indexed, head.seq, self._index_run)
        self.segments.append(b"\n".join([*(row.encoded for row in rows), mark]))

    def rewrite(self, changed: Mapping[int, bytes], longer: int) -> None:
        """Puts entries, by seq, in place of those that are there; their events are so many bytes ``longer``."""
        stale = self.segments.folder / STALE
        with self._gate.alone():
            stale.touch()
            sync_folder(self.segments.folder)
            self.reached = self.reached._replace(bytes=self.reached.bytes + longer)
            for first, seqs in groupby(sorted(changed), self.segments.first_of):
                self._rewrite(first, {seq: changed[seq] for seq in seqs})
            stale.unlink()

    def _rewrite(self, first: int, changed: Mapping[int, bytes]) -> None:
        places, size = rewrite(self.segments.path(first), changed)
        if first == self.reached.segment:
            self.segments.open_last()
            self.reached = self.reached._replace(mark=self.reached.mark._replace(offset=size))
        with self.db.writing() as cursor:
            index.move(cursor, places)
            index.keep(cursor, self.reached)

    def begin_anew(self, epoch: str) -> None:
        """Gives a log that is empty another epoch."""
        self.segments.begin(Head(epoch))
        self.reached = Reached(Mark(Head(epoch), self.segments.size, 1), 1, 1)

    def _take_back(self) -> None:
        """Leaves nothing of a batch that failed; if that fails too, nothing is written any more."""
        self._is_stuck = True
        with suppress(Exception):
            self.segments.cut(self.reached.mark.offset)
            with self.db.reading() as cursor:
                self._read_ends(cursor)
                reached = index.reached(cursor)
            self._is_stuck = (reached.mark.head.seq if reached else 0) != self.head.seq

    def close(self) -> None:
        """Closes all files and gives the folder free. Closing twice does nothing."""
        self.db.close()
        self.segments.close()
        self._holding.close()
