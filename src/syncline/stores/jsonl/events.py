"""A space's log in JSON Lines: a folder of segments, which are the truth, and an index beside them, which is not.

A batch is written to the last segment and synced before anybody hears of it; look-ups by id, item, node and seq go to
the index, whose transaction is committed after that. What the index lacks when a log is opened is read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

from msgspec import UNSET

from syncline.core import stamps
from syncline.core.access.state import OPEN, Access
from syncline.core.access.views import FULL_VIEW, View
from syncline.core.admission import Ledger, NodeState, Submission, needed
from syncline.core.adoption import adopt, nodes_after
from syncline.core.documents.dependencies import Held
from syncline.core.events import Entry
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.log import NO_TAIL, Head, Receipts, Row, extend
from syncline.core.quotas import UNLIMITED, Quotas, Room
from syncline.errors import StoreDamaged
from syncline.stores import Appended, Gathered, Slice
from syncline.stores.jsonl import index, lines
from syncline.stores.jsonl.catching_up import catch_up
from syncline.stores.jsonl.index import Reached
from syncline.stores.jsonl.scan import Mark
from syncline.stores.jsonl.segments import INDEX, LOCK, NEW, Segments, forget, make_folder
from syncline.stores.jsonl.taken import Taken, gather
from syncline.stores.recent import Recent
from syncline.stores.tables import item_index, nodes
from syncline.stores.tables.database import Database, discard, hold

SEGMENT_BYTES = 64 * 1024 * 1024
"""A segment that has grown to this is followed by another one."""


class JsonLinesEventStore:
    """One space's log; see ``LogStore``."""

    is_shared = False

    def __init__(
        self,
        directory: Path | str,
        receipts: Receipts,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        index_run: int = item_index.RUN,
    ) -> None:
        """``directory`` is made if it is not there. ``index_run``: see ``SqliteEventStore``.

        Raises StoreLocked, ForeignFile, NewerSchema or StoreDamaged.
        """
        self._receipts, self._segment_bytes, self._index_run = receipts, segment_bytes, index_run
        self._lock = Lock()
        self._recent = Recent()
        self._items: set[str] | None = None
        self._is_stuck = False
        self._written: tuple[Reached, Sequence[Row], int] | None = None
        self._segments = Segments(Path(directory))
        make_folder(self._segments.folder)
        self._holding = hold(self._segments.folder / LOCK)
        try:
            self._open_segments()
            self._db, self._reached = self._open_index()
            with self._db.reading() as cursor:
                self._read_ends(cursor)
        except BaseException:
            self._segments.close()
            self._holding.close()
            raise

    def _open_segments(self) -> None:
        self._segments.look()  # again, now that nobody else writes
        forget(self._segments.folder / NEW)
        if self._segments.firsts:
            self._segments.open_last()
        else:
            self._segments.begin(Head(uuid4().hex))

    def _open_index(self) -> tuple[Database, Reached]:
        """The index, as far as the log goes. One that does not fit is made anew: then what is wrong is the log."""
        path = self._segments.folder / INDEX
        for is_anew in (False, True):
            if is_anew:
                discard(path)
            db = index.open_index(path)
            try:
                return db, catch_up(db, self._segments, self._index_run)
            except BaseException as error:
                db.close()
                if is_anew or not isinstance(error, StoreDamaged):
                    raise
        raise AssertionError

    def _read_ends(self, cursor: Any) -> None:
        self._indexed, self._nodes, self._items = item_index.indexed(cursor), nodes.Nodes(cursor), None

    # Writing

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """A transaction of the index, in which the segment is written to: both take effect, or neither."""
        with self._lock:
            self._db.check_open()
            if self._is_stuck:
                raise StoreDamaged(f"{self._segments.folder}: a write failed half-way. Close and reopen the log.")
            self._rotate()
            size, self._written = self._segments.size, None
            try:
                with self._db.writing() as cursor:
                    yield cursor
            except BaseException:
                self._take_back(size)
                raise
            if self._written is not None:
                self._note(*self._written)

    def _rotate(self) -> None:
        """Begins a new segment if the last is full."""
        if self._segments.size >= self._segment_bytes and self._reached.mark.line > 1:
            head = self.head()
            self._segments.begin(head)
            self._reached = self._reached.within(head.seq + 1, Mark(head, self._segments.size, 1))

    def _store(self, cursor: Any, head: Head, rows: Sequence[Row], writers: Mapping[str, NodeState]) -> None:
        """Stores rows which lead to a head, in one batch."""
        *offsets, end = accumulate((len(row.encoded) + 1 for row in rows), initial=self._segments.size)
        mark = lines.mark_line(head.seq, head.tail)
        place = Mark(head, end + len(mark), self._reached.mark.line + len(rows) + 1)
        reached = self._reached.after(place, rows)
        index.add(cursor, rows, offsets, self._nodes.put(cursor, writers))
        index.keep(cursor, reached)
        indexed = item_index.extend(cursor, self._indexed, head.seq, self._index_run)
        self._segments.append(b"\n".join([*(row.encoded for row in rows), mark]))
        self._written = reached, rows, indexed

    def _note(self, reached: Reached, rows: Sequence[Row], indexed: int) -> None:
        """Rows were committed."""
        self._reached, self._indexed = reached, indexed
        if self._items is not None:
            self._items.update(row.event.item for row in rows if row.event.item[0] != ".")
        self._recent.add(row.event for row in rows if row.event.ops is not UNSET)

    def _take_back(self, size: int) -> None:
        """Leaves nothing of a batch that failed; if that fails too, nothing is written any more."""
        self._is_stuck = True
        with suppress(Exception):
            self._segments.cut(size)
            with self._db.reading() as cursor:
                self._read_ends(cursor)
                reached = index.reached(cursor)
            self._is_stuck = (reached.mark.head.seq if reached else 0) != self.head().seq

    def append(
        self, submissions: Sequence[Submission], *, now_ms: int, access: Access = OPEN, quotas: Quotas = UNLIMITED
    ) -> Appended:
        """See ``EventStore.append``."""
        events = [event for submission in submissions for event in submission.good]
        with self._writing() as cursor:
            known = index.known(cursor, [event.key for event in events])
            ledger = Ledger(
                self.head(),
                known=known,
                held=self._held(cursor, needed(events, known)),
                nodes=self._nodes.states(cursor, {event.node for event in events}),
                last_n=lambda item, node: item_index.last_n(cursor, item, node, self._indexed),
                last_seq=lambda item, since: item_index.last_seq(cursor, item, since, self._indexed),
                access=access,
                room=self._room(cursor, quotas) if quotas.bound_a_log else None,
                now_ms=now_ms,
            )
            outcomes = [ledger.submit(submission) for submission in submissions]
            head, rows = extend(self.head(), ledger.accepted, now_ms, self._receipts)
            if rows:
                self._store(cursor, head, rows, {row.event.node: ledger.nodes[row.event.node] for row in rows})
        return Appended(outcomes, rows, head, ledger.access)

    def _room(self, cursor: Any, quotas: Quotas) -> Room:
        if not quotas.items:
            self._items = None
        elif self._items is None:
            self._items = item_index.ordinary_items(cursor, self._indexed)
        return Room(quotas, events=self.head().seq, bytes=self._reached.bytes, items=self._items or ())

    def _held(self, cursor: Any, ids: set[str]) -> Mapping[str, Held]:
        """The events of these ids that the log holds."""
        recent = self._recent.find(ids)
        places = index.places_of_ids(cursor, [stamps.key(id) for id in ids - recent.keys()])
        read = [Entry.read(entry).event for entry in self._segments.read(places)]
        self._recent.add(read)
        return {**recent, **{event.id: event for event in read}}

    def adopt(self, entries: Sequence[Entry], then: Head) -> Head:
        """See ``LogStore.adopt``."""
        with self._writing() as cursor:
            head, rows = adopt(self.head(), entries, then)
            if head.epoch != self.head().epoch:
                self._begin_anew(Head(head.epoch))
            if rows:
                events = [row.event for row in rows]
                known = self._nodes.states(cursor, {event.node for event in events})
                self._store(cursor, head, rows, nodes_after(known, events))
        return head

    def _begin_anew(self, head: Head) -> None:
        """Gives a log that is empty another epoch."""
        self._segments.begin(head)
        self._reached = Reached(Mark(head, self._segments.size, 1), 1, 1)

    # Reading

    def slice(
        self,
        since: int = 0,
        *,
        view: View = FULL_VIEW,
        until: int | None = None,
        limit: int = 1_000,
        max_bytes: int = MAX_PAGE_BYTES,
    ) -> Slice:
        """See ``EventStore.slice``."""
        reach, head = self._indexed, self._reached.mark.head.seq  # in this order: a commit may come between
        end = head if until is None else min(until, head)
        with self._db.reading() as cursor:
            taken = Taken(cursor, view, since, max_bytes)
            if view.patterns:
                seqs, seq = item_index.find(cursor, view.patterns, since, limit, reach, end)
                taken.take_seqs(seqs)
                seq = taken.last if taken.is_full else seq
            elif view.is_nothing:
                seq = max(since, end)
            else:
                taken.take_stretch(end, limit)
                seq = taken.last
            tail = index.tail(cursor, seq) or NO_TAIL
        entries = self._segments.read(taken.places)
        return Slice(b",".join(entries), len(entries), seq, tail, seq < end)

    def head(self) -> Head:
        """See ``EventStore.head``."""
        self._db.check_open()
        return self._reached.mark.head

    def size(self) -> int:
        """See ``EventStore.size``."""
        return self._reached.bytes

    def tail(self, seq: int) -> bytes | None:
        """See ``EventStore.tail``."""
        with self._db.reading() as cursor:
            return index.tail(cursor, seq)

    def node(self, node: str) -> NodeState | None:
        """See ``EventStore.node``."""
        with self._db.reading() as cursor:
            found = nodes.find(cursor, {node})
        return found[node][1] if node in found else None

    def refresh(self) -> Head:
        """See ``LogStore.refresh``: nobody else writes here."""
        return self.head()

    def reached(self) -> int:
        """See ``LogStore.reached``."""
        with self._db.reading() as cursor:
            return cursor.execute(index.LAST_SEQ).get or 0

    def last_id(self) -> str:
        """See ``LogStore.last_id``."""
        with self._db.reading() as cursor:
            key = cursor.execute(index.LAST_ID).get
        return stamps.from_key(key) if key else stamps.NIL_ID

    def find(self, ids: Iterable[str]) -> list[Entry]:
        """See ``LogStore.find``."""
        with self._db.reading() as cursor:
            places = index.places_of_ids(cursor, {stamps.key(id) for id in ids})
        return [Entry.read(entry) for entry in self._segments.read(places)]

    def items(self, pattern: str, after: str, limit: int, until: int | None = None) -> list[str]:
        """See ``LogStore.items``."""
        with self._db.reading() as cursor:
            return item_index.items(cursor, pattern, after, limit, self.head().seq if until is None else until)

    def gather(self, items: Sequence[str], since: int, limit: int, until: int, max_bytes: int) -> Gathered:
        """See ``LogStore.gather``."""
        with self._db.reading() as cursor:
            wanted = item_index.places(cursor, items, since, limit, until)
            gathered = gather(cursor, self._segments, wanted, max_bytes)
        if gathered.stopped is None and len(wanted) == limit:
            return gathered._replace(stopped=wanted[-1])
        return gathered

    @property
    def wants_checkpoint(self) -> bool:
        """See ``LogStore.wants_checkpoint``."""
        return self._db.wants_checkpoint

    def checkpoint(self) -> None:
        """See ``LogStore.checkpoint``: moves pages of the index from its WAL into its file."""
        self._db.checkpoint()

    def close(self) -> None:
        """See ``EventStore.close``."""
        with self._lock:
            self._db.close()
            self._segments.close()
            self._holding.close()
