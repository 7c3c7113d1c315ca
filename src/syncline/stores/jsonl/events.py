"""A space's log in JSON Lines: a folder of segments, which are the truth, and an index beside them, which is not.

A batch is written to the last segment and synced before anybody hears of it; look-ups by id, item, node and seq go to
the index, whose transaction is committed after that. What the index lacks when a log is opened is read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from msgspec import UNSET

from syncline.core import stamps
from syncline.core.access.state import OPEN, Access
from syncline.core.access.views import FULL_VIEW, View
from syncline.core.admission import Ledger, NodeState, Submission, needed
from syncline.core.adoption import adopt, nodes_after
from syncline.core.bases import Base
from syncline.core.documents.dependencies import Held
from syncline.core.events import Entry
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.log import NO_TAIL, Head, Receipts, Row, extend
from syncline.core.quotas import UNLIMITED, Quotas, Room
from syncline.errors import BadRequest
from syncline.stores import Appended, Gathered, Slice
from syncline.stores.bases import MemoryBases, Point, Points
from syncline.stores.digests import Digested
from syncline.stores.jsonl import index
from syncline.stores.jsonl.log import IndexedLog
from syncline.stores.jsonl.taken import Taken, gather
from syncline.stores.recent import Recent
from syncline.stores.tables import digests, item_index, nodes

SEGMENT_BYTES = 64 * 1024 * 1024
"""A segment that has grown to this is followed by another one."""


class JsonLinesEventStore:
    """One space's log; see ``LogStore``."""

    is_shared = False
    drops = False

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
        self._receipts = receipts
        self._lock = Lock()
        self._recent, self._bases = Recent(), MemoryBases()
        self._items: set[str] | None = None
        self._log = IndexedLog(Path(directory), segment_bytes=segment_bytes, index_run=index_run)

    # Writing

    def append(
        self, submissions: Sequence[Submission], *, now_ms: int, access: Access = OPEN, quotas: Quotas = UNLIMITED
    ) -> Appended:
        """See ``EventStore.append``."""
        with self._lock:
            with self._log.writing() as cursor:
                appended = self._append(cursor, submissions, now_ms, access, quotas)
            self._note(appended.rows)
        return appended

    def _append(
        self, cursor: Any, submissions: Sequence[Submission], now_ms: int, access: Access, quotas: Quotas
    ) -> Appended:
        events = [event for submission in submissions for event in submission.good]
        known, log = index.known(cursor, [event.key for event in events]), self._log
        ledger = Ledger(
            log.head,
            known=known,
            held=self._held(cursor, needed(events, known)),
            nodes=log.nodes.states(cursor, {event.node for event in events}),
            last_n=lambda item, node: item_index.last_n(cursor, item, node, log.indexed),
            last_seq=lambda item, since: item_index.last_seq(cursor, item, since, log.indexed),
            access=access,
            room=self._room(cursor, quotas) if quotas.bound_a_log else None,
            now_ms=now_ms,
        )
        outcomes = [ledger.submit(submission) for submission in submissions]
        head, rows = extend(log.head, ledger.accepted, now_ms, self._receipts)
        if rows:
            log.store(cursor, head, rows, {row.event.node: ledger.nodes[row.event.node] for row in rows})
        return Appended(outcomes, rows, head, ledger.access)

    def adopt(self, entries: Sequence[Entry], then: Head) -> Head:
        """See ``LogStore.adopt``."""
        with self._lock:
            with self._log.writing() as cursor:
                head, rows = adopt(self._log.head, entries, then)
                if head.epoch != self._log.head.epoch:
                    self._log.begin_anew(head.epoch)
                if rows:
                    events = [row.event for row in rows]
                    known = self._log.nodes.states(cursor, {event.node for event in events})
                    self._log.store(cursor, head, rows, nodes_after(known, events))
            self._note(rows)
        return head

    def _note(self, rows: Sequence[Row]) -> None:
        """Rows were committed."""
        if self._items is not None:
            self._items.update(row.event.item for row in rows if row.event.item[0] != ".")
        self._recent.add(row.event for row in rows if row.event.ops is not UNSET)

    def _room(self, cursor: Any, quotas: Quotas) -> Room:
        if not quotas.items:
            self._items = None
        elif self._items is None:
            self._items = item_index.ordinary_items(cursor, self._log.indexed)
        return Room(quotas, events=self.head().seq, bytes=self._log.reached.bytes, items=self._items or ())

    def _held(self, cursor: Any, ids: set[str]) -> Mapping[str, Held]:
        """The events of these ids that the log holds."""
        recent = self._recent.find(ids)
        places = index.places_of_ids(cursor, [stamps.key(id) for id in ids - recent.keys()])
        read = [Entry.read(entry).event for entry in self._log.segments.read(places)]
        self._recent.add(read)
        return {**recent, **{event.id: event for event in read}}

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
        reach, head = self._log.indexed, self._log.head.seq  # in this order: a commit may come between
        end = head if until is None else min(until, head)
        with self._log.reading() as cursor:
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
            entries = self._log.segments.read(taken.places)
        return Slice(b",".join(entries), len(entries), seq, tail, seq < end)

    def head(self) -> Head:
        """See ``EventStore.head``."""
        return self._log.head

    def size(self) -> int:
        """See ``EventStore.size``."""
        self._log.db.check_open()
        return self._log.reached.bytes

    def tail(self, seq: int) -> bytes | None:
        """See ``EventStore.tail``."""
        with self._log.reading() as cursor:
            return index.tail(cursor, seq)

    def node(self, node: str) -> NodeState | None:
        """See ``EventStore.node``."""
        with self._log.reading() as cursor:
            found = nodes.find(cursor, {node})
        return found[node][1] if node in found else None

    def refresh(self) -> Head:
        """See ``LogStore.refresh``: nobody else writes here."""
        return self.head()

    def reached(self) -> int:
        """See ``LogStore.reached``."""
        with self._log.reading() as cursor:
            return cursor.execute(index.LAST_SEQ).get or 0

    def last_id(self) -> str:
        """See ``LogStore.last_id``."""
        with self._log.reading() as cursor:
            key = cursor.execute(index.LAST_ID).get
        return stamps.from_key(key) if key else stamps.NIL_ID

    def find(self, ids: Iterable[str]) -> list[Entry]:
        """See ``LogStore.find``."""
        with self._log.reading() as cursor:
            places = index.places_of_ids(cursor, {stamps.key(id) for id in ids})
            return [Entry.read(entry) for entry in self._log.segments.read(places)]

    def rewrite(self, entries: Sequence[Entry], *, more: bool = False) -> None:
        """See ``LogStore.rewrite``."""
        with self._lock:
            held = {entry.event.id: entry for entry in self.find(entry.event.id for entry in entries)}
            same = [entry for entry in entries if (old := held.get(entry.event.id)) and old.seq == entry.seq]
            if same:
                longer = sum(len(entry.raw) - len(held[entry.event.id].raw) for entry in same)
                self._log.rewrite({entry.seq: entry.encoded for entry in same}, longer)
            self._recent = Recent()

    def items(self, pattern: str, after: str, limit: int, until: int | None = None) -> list[str]:
        """See ``LogStore.items``."""
        with self._log.reading() as cursor:
            return item_index.items(cursor, pattern, after, limit, self.head().seq if until is None else until)

    def gather(self, items: Sequence[str], since: int, limit: int, until: int, max_bytes: int) -> Gathered:
        """See ``LogStore.gather``."""
        with self._log.reading() as cursor:
            wanted = item_index.places(cursor, items, since, limit, until)
            gathered = gather(cursor, self._log.segments, wanted, max_bytes)
        if gathered.stopped is None and len(wanted) == limit:
            return gathered._replace(stopped=wanted[-1])
        return gathered

    # Bases: a snapshot lasts as long as the log is open; history is never dropped

    def points(self) -> Points:
        """See ``BaseStore.points``."""
        self._log.db.check_open()
        return self._bases.points()

    def stage(self, bases: Sequence[Base], *, is_first: bool) -> None:
        """See ``BaseStore.stage``."""
        self._log.db.check_open()
        with self._lock:
            self._bases.stage(bases, is_first=is_first)

    def keep_staged(self, point: Point, *, is_floor: bool = False) -> None:
        """See ``BaseStore.keep_staged``. Raises BadRequest for a floor: lines that were written stay."""
        self._log.db.check_open()
        if is_floor:
            raise BadRequest("A log in JSON Lines keeps all of its history.")
        with self._lock:
            self._bases.keep_staged(point, is_floor=False)

    def bases(self, point: Point, after: str, limit: int, *, is_floor: bool = False) -> list[Base]:
        """See ``BaseStore.bases``."""
        self._log.db.check_open()
        with self._lock:
            return self._bases.bases(point, after, limit, is_floor=is_floor)

    def base(self, item: str) -> Base | None:
        """See ``BaseStore.base``: there is no floor."""
        self._log.db.check_open()
        return None

    def drop(self) -> bool:
        """See ``BaseStore.drop``: there is nothing to do."""
        self._log.db.check_open()
        return False

    # Digests

    def digests(self, since: int, limit: int) -> list[Digested]:
        """See ``DigestStore.digests``."""
        with self._log.reading() as cursor:
            return digests.after(cursor, since, limit)

    def digests_by_id(self, low: bytes, high: bytes, limit: int) -> list[Digested]:
        """See ``DigestStore.digests_by_id``."""
        with self._log.reading() as cursor:
            return digests.by_id(cursor, low, high, limit)

    @property
    def wants_checkpoint(self) -> bool:
        """See ``LogStore.wants_checkpoint``."""
        return self._log.db.wants_checkpoint

    def checkpoint(self) -> None:
        """See ``LogStore.checkpoint``: moves pages of the index from its WAL into its file."""
        self._log.db.checkpoint()

    def close(self) -> None:
        """See ``EventStore.close``."""
        with self._lock:
            self._log.close()
