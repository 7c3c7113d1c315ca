"""A space's log in one SQLite file.

An entry is stored as the bytes in which it is sent, so reading is copying. The index by item lives in a table of its
own that is filled in sorted runs of some thousand entries, because keeping it current row by row
costs four times a push; entries after the last run are found by a scan. A stub (what stays when content is erased)
is a row whose ``entry`` is NULL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

from msgspec import UNSET

from syncline.core import stamps
from syncline.core.access.state import OPEN, Access
from syncline.core.access.views import FULL_VIEW, View
from syncline.core.admission import Known, Ledger, NodeState, Submission, needed
from syncline.core.adoption import adopt, nodes_after
from syncline.core.bases import Base
from syncline.core.documents.dependencies import Held, Stub
from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.log import NO_TAIL, Head, Receipts, Row, extend
from syncline.core.quotas import UNLIMITED, Quotas, Room
from syncline.stores import Appended, Gathered, Slice
from syncline.stores.bases import Point, Points
from syncline.stores.digests import Digested
from syncline.stores.recent import Recent
from syncline.stores.sqlite import bases, sizes
from syncline.stores.sqlite.taken import Taken, gather
from syncline.stores.tables import digests, item_index, nodes
from syncline.stores.tables.database import Database, Schema, array, insert

SCHEMA = Schema(
    "space",
    0x53594E31,
    [
        """
        CREATE TABLE entries (
            seq INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            id BLOB NOT NULL UNIQUE,
            item TEXT NOT NULL,
            node INTEGER NOT NULL REFERENCES nodes (ref),
            n INTEGER NOT NULL,
            digest BLOB NOT NULL,
            tail BLOB NOT NULL,
            entry BLOB
        );
        CREATE TABLE log (epoch TEXT NOT NULL);
        """
        + nodes.TABLE
        + item_index.TABLES,
        sizes.COLUMNS,
        bases.TABLES,
    ],
)

BEGIN_LOG = "INSERT INTO log (epoch) SELECT ? WHERE NOT EXISTS (SELECT * FROM log)"
SET_EPOCH = "UPDATE log SET epoch = ?"
KNOWN = "SELECT id, seq, digest FROM entries WHERE id IN carray(?)"
HELD = "SELECT id, item, entry FROM entries WHERE id IN carray(?)"
LAST = "SELECT seq, tail, at FROM entries ORDER BY seq DESC LIMIT 1"
LAST_SEQ = "SELECT max(seq) FROM entries"
LAST_ID = "SELECT max(id) FROM entries"
TAIL = "SELECT tail FROM entries WHERE seq = ?"


class SqliteEventStore:
    """One space's log; see ``LogStore``."""

    is_shared = False
    drops = True

    def __init__(self, path: Path | str, receipts: Receipts, *, index_run: int = item_index.RUN) -> None:
        """``index_run``: the index by item is extended by at least so many entries at a time."""
        self._receipts, self._index_run = receipts, index_run
        self._lock = Lock()
        self._recent = Recent()
        self._items: set[str] | None = None
        self._db = Database(Path(path), SCHEMA, checkpoint_apart=True)
        with self._db.writing() as cursor:
            cursor.execute(BEGIN_LOG, (uuid4().hex,))
            self._read_ends(cursor)

    def append(
        self, submissions: Sequence[Submission], *, now_ms: int, access: Access = OPEN, quotas: Quotas = UNLIMITED
    ) -> Appended:
        """See ``EventStore.append``."""
        with self._lock:
            try:
                appended, indexed = self._append(submissions, now_ms, access, quotas)
            except Exception:
                with suppress(Exception), self._db.reading() as cursor:
                    self._read_ends(cursor)  # a commit that failed may have been carried out after all
                raise
            self._note(appended.head, appended.rows, indexed)
        return appended

    def _note(self, head: Head, rows: Sequence[Row], indexed: int) -> None:
        """Rows were committed."""
        self._head, self._indexed = head, indexed
        self._size += sum(len(row.event.body) for row in rows)
        if self._items is not None:
            self._items.update(row.event.item for row in rows if row.event.item[0] != ".")
        self._recent.add(row.event for row in rows if row.event.ops is not UNSET)

    def _read_ends(self, cursor: Any) -> None:
        self._head, self._indexed = _read_head(cursor), item_index.indexed(cursor)
        self._nodes = nodes.Nodes(cursor)
        self._size, self._items = sizes.size(cursor), None
        self._points = bases.points(cursor)

    def _append(
        self, submissions: Sequence[Submission], now_ms: int, access: Access, quotas: Quotas
    ) -> tuple[Appended, int]:
        events = [event for submission in submissions for event in submission.good]
        with self._db.writing() as cursor:
            known = _known(cursor, events)
            ledger = Ledger(
                self._head,
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
            head, rows = extend(self._head, ledger.accepted, now_ms, self._receipts)
            writers = {row.event.node: ledger.nodes[row.event.node] for row in rows}
            indexed = self._store(cursor, rows, [head.at] * len(rows), writers)
        return Appended(outcomes, rows, head, ledger.access), indexed

    def _store(self, cursor: Any, rows: Sequence[Row], times: Sequence[int], writers: Mapping[str, NodeState]) -> int:
        """Stores rows with the times they came at; the seq up to which the index by item then reaches."""
        _insert(cursor, rows, times, self._nodes.put(cursor, writers))
        last = rows[-1].seq if rows else self._head.seq
        indexed = item_index.extend(cursor, self._indexed, last, self._index_run)
        if indexed != self._indexed:
            sizes.keep(cursor, last, self._size + sum(len(row.event.body) for row in rows))
        return indexed

    def adopt(self, entries: Sequence[Entry], then: Head) -> Head:
        """See ``LogStore.adopt``."""
        with self._lock:
            try:
                with self._db.writing() as cursor:
                    head, rows = adopt(self._head, entries, then)
                    if not self._head.seq:
                        cursor.execute(SET_EPOCH, (head.epoch,))
                    events = [row.event for row in rows]
                    known = self._nodes.states(cursor, {event.node for event in events})
                    times = [entry.at for entry in entries]
                    indexed = self._store(cursor, rows, times, nodes_after(known, events))
            except Exception:
                with suppress(Exception), self._db.reading() as cursor:
                    self._read_ends(cursor)
                raise
            self._note(head, rows, indexed)
            return head

    def _room(self, cursor: Any, quotas: Quotas) -> Room:
        if not quotas.items:
            self._items = None
        elif self._items is None:
            self._items = item_index.ordinary_items(cursor, self._indexed)
        return Room(quotas, events=self._head.seq, bytes=self._size, items=self._items or ())

    def _held(self, cursor: Any, ids: set[str]) -> Mapping[str, Held]:
        """The events of these ids that the log holds, and stubs of those whose content is gone."""
        recent = self._recent.find(ids)
        read = _held(cursor, ids - recent.keys())
        self._recent.add(each for each in read.values() if isinstance(each, Event))
        return {**recent, **read}

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
        reach, head = self._indexed, self._head.seq  # in this order: a commit may come between
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
            return Slice(b",".join(taken.parts), taken.length, seq, _tail(cursor, seq) or NO_TAIL, seq < end)

    def head(self) -> Head:
        """See ``EventStore.head``."""
        self._db.check_open()
        return self._head

    def size(self) -> int:
        """See ``EventStore.size``."""
        self._db.check_open()
        return self._size

    def tail(self, seq: int) -> bytes | None:
        """See ``EventStore.tail``."""
        with self._db.reading() as cursor:
            return _tail(cursor, seq)

    def node(self, node: str) -> NodeState | None:
        """See ``EventStore.node``."""
        with self._db.reading() as cursor:
            found = nodes.find(cursor, {node})
        return found[node][1] if node in found else None

    def close(self) -> None:
        """See ``EventStore.close``."""
        self._db.close()

    # For a server that is an author, too

    def refresh(self) -> Head:
        """See ``LogStore.refresh``: nobody else writes here."""
        return self.head()

    def reached(self) -> int:
        """See ``LogStore.reached``."""
        with self._db.reading() as cursor:
            return cursor.execute(LAST_SEQ).get or 0

    def last_id(self) -> str:
        """See ``LogStore.last_id``."""
        with self._db.reading() as cursor:
            key = cursor.execute(LAST_ID).get
        return stamps.from_key(key) if key else stamps.NIL_ID

    def find(self, ids: Iterable[str]) -> list[Entry]:
        """See ``LogStore.find``."""
        keys = {stamps.key(id) for id in ids}
        if not keys:
            return []
        with self._db.reading() as cursor:
            return [Entry.read(entry) for _, _, entry in cursor.execute(HELD, (array(keys),)) if entry]

    def rewrite(self, entries: Sequence[Entry], *, more: bool = False) -> None:
        """See ``LogStore.rewrite``."""
        with self._lock:
            with self._db.writing() as cursor:
                longer = sum(sizes.rewrite(cursor, entry) for entry in entries)
            self._size += longer
            self._recent = Recent()
        if not more:
            self._db.scrub()

    def items(self, pattern: str, after: str, limit: int, until: int | None = None) -> list[str]:
        """See ``LogStore.items``."""
        with self._db.reading() as cursor:
            return item_index.items(cursor, pattern, after, limit, self._head.seq if until is None else until)

    def gather(self, items: Sequence[str], since: int, limit: int, until: int, max_bytes: int) -> Gathered:
        """See ``LogStore.gather``."""
        with self._db.reading() as cursor:
            places = item_index.places(cursor, items, since, limit, until)
            gathered = gather(cursor, places, max_bytes)
        if gathered.stopped is None and len(places) == limit:
            return gathered._replace(stopped=places[-1])
        return gathered

    # Bases

    def points(self) -> Points:
        """See ``BaseStore.points``."""
        self._db.check_open()
        return self._points

    def stage(self, staged: Sequence[Base], *, is_first: bool) -> None:
        """See ``BaseStore.stage``."""
        with self._db.writing(durable=False) as cursor:
            bases.stage(cursor, staged, is_first=is_first)

    def keep_staged(self, point: Point, *, is_floor: bool = False) -> None:
        """See ``BaseStore.keep_staged``."""
        with self._lock:
            with self._db.writing() as cursor:
                bases.keep_staged(cursor, point, is_floor=is_floor)
            with self._db.reading() as cursor:
                self._points = bases.points(cursor)

    def bases(self, point: Point, after: str, limit: int, *, is_floor: bool = False) -> list[Base]:
        """See ``BaseStore.bases``."""
        with self._db.reading() as cursor:
            return bases.bases(cursor, point, after, limit, is_floor=is_floor)

    def base(self, item: str) -> Base | None:
        """See ``BaseStore.base``."""
        with self._db.reading() as cursor:
            return bases.base(cursor, item)

    def drop(self) -> bool:
        """See ``BaseStore.drop``."""
        with self._lock:
            with self._db.writing() as cursor:
                freed, is_more = bases.drop(cursor)
            self._size -= freed
            if freed:
                self._recent = Recent()
        return is_more

    # Digests

    def digests(self, since: int, limit: int) -> list[Digested]:
        """See ``DigestStore.digests``."""
        with self._db.reading() as cursor:
            return digests.after(cursor, since, limit)

    def digests_by_id(self, low: bytes, high: bytes, limit: int) -> list[Digested]:
        """See ``DigestStore.digests_by_id``."""
        with self._db.reading() as cursor:
            return digests.by_id(cursor, low, high, limit)

    @property
    def wants_checkpoint(self) -> bool:
        """See ``LogStore.wants_checkpoint``."""
        return self._db.wants_checkpoint

    def checkpoint(self) -> None:
        """See ``LogStore.checkpoint``: moves pages from the WAL into the file."""
        self._db.checkpoint()


def _read_head(cursor: Any) -> Head:
    epoch = cursor.execute("SELECT epoch FROM log").get
    seq, tail, at = cursor.execute(LAST).get or (0, NO_TAIL, 0)
    return Head(epoch, seq, tail, at)


def _known(cursor: Any, events: Sequence[Event]) -> Known:
    if not events:
        return {}
    rows = cursor.execute(KNOWN, (array(event.key for event in events),))
    return {id: (seq, digest) for id, seq, digest in rows}


def _held(cursor: Any, ids: Collection[str]) -> dict[str, Held]:
    if not ids:
        return {}
    rows = cursor.execute(HELD, (array(map(stamps.key, ids)),))
    return {stamps.from_key(key): Entry.read(entry).event if entry else Stub(item) for key, item, entry in rows}


def _insert(cursor: Any, rows: Sequence[Row], times: Sequence[int], refs: Mapping[str, int]) -> None:
    insert(
        cursor,
        "INSERT INTO entries",
        [
            (seq, at, event.key, event.item, refs[event.node], event.clock[event.node], event.digest, tail, encoded)
            for at, (seq, tail, event, encoded) in zip(times, rows, strict=True)
        ],
    )


def _tail(cursor: Any, seq: int) -> bytes | None:
    return NO_TAIL if seq == 0 else cursor.execute(TAIL, (seq,)).get
