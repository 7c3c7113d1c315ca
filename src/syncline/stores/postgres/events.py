"""A space's log in PostgreSQL, which other servers append to as well.

An append looks things up and judges before it holds the log, by the end that it knows; then it moves that end, which
takes the log's row, and stores its rows. If the log has moved on meanwhile, it holds the row first and does it anew. So
a server that is alone with a log holds it for no longer than it stores, and no number of servers can make a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, NamedTuple

from syncline.core.access.state import OPEN, Access
from syncline.core.access.views import FULL_VIEW, View
from syncline.core.admission import Ledger, NodeState, Outcome, Submission, needed
from syncline.core.adoption import adopt, nodes_after
from syncline.core.bases import Base
from syncline.core.events import Entry
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.log import NO_TAIL, Head, Receipts, extend
from syncline.core.quotas import UNLIMITED, Quotas
from syncline.errors import SpaceDeleted, StoreClosed
from syncline.stores import Appended, Gathered, Slice
from syncline.stores.bases import Point, Points
from syncline.stores.digests import Digested
from syncline.stores.postgres import bases, digests, ends, item_index, rewriting
from syncline.stores.postgres.database import PostgresDatabase
from syncline.stores.postgres.ends import End
from syncline.stores.postgres.seen import FIND, Seen, array, find_nodes
from syncline.stores.postgres.taken import Taken, gather, tail
from syncline.stores.postgres.writing import Draft, store


class Asked(NamedTuple):
    """What ``append`` was asked for."""

    submissions: Sequence[Submission]
    now_ms: int
    access: Access
    quotas: Quotas


class PostgresEventStore:
    """One space's log; see ``LogStore``."""

    is_shared = True
    drops = True
    wants_checkpoint = False

    def __init__(self, database: PostgresDatabase, key: int, receipts: Receipts) -> None:
        """``key`` is the log's own in the database, which stays open when this is closed. See ``PostgresLogs``."""
        self._db, self._key, self._receipts = database, key, receipts
        self._lock, self._end_lock = Lock(), Lock()
        self._closed = False
        with self._db.at_once() as cursor:
            self._end = ends.read(cursor, key)
        self._seen, self._staging = Seen(key, self._end), 0
        self._is_contended = False
        """Whether others append, too, or it is not known what became of the last append: looking ahead is in vain."""

    # Appending

    def append(
        self, submissions: Sequence[Submission], *, now_ms: int, access: Access = OPEN, quotas: Quotas = UNLIMITED
    ) -> Appended:
        """See ``EventStore.append``. Raises StoreUnavailable if it is not known whether it was stored."""
        asked = Asked(submissions, now_ms, access, quotas)
        with self._lock:
            self._check_open()
            is_contended, self._is_contended = self._is_contended, True
            return (None if is_contended else self._append_ahead(asked)) or self._append_held(asked)

    def _append_ahead(self, asked: Asked) -> Appended | None:
        """Appends at the end that is known; None if the log has moved on from there."""
        with self._db.at_once() as cursor:
            appended, draft = self._judge(cursor, self._end, asked)
        with self._db.at_once() if draft.is_small else self._db.writing() as cursor:
            is_stored = store(cursor, self._key, draft)
        if not is_stored:
            return None
        self._note(draft, draft.before)
        self._is_contended = False
        return appended

    def _append_held(self, asked: Asked) -> Appended:
        """Appends while nobody else can."""
        before = self._end
        with self._db.writing() as cursor:
            end = ends.read(cursor, self._key, lock=True)
            appended, draft = self._judge(cursor, end, asked)
            store(cursor, self._key, draft)
        self._note(draft, before)
        self._is_contended = end.head != before.head
        return appended

    def _judge(self, cursor: Any, end: End, asked: Asked) -> tuple[Appended, Draft]:
        """What an append comes to at an end of the log."""
        seen, key = self._seen, self._key
        events = [event for submission in asked.submissions for event in submission.good]
        seen.catch_up(cursor, end)
        known = seen.known(cursor, events)
        ledger = Ledger(
            end.head,
            known=known,
            held=seen.held(cursor, needed(events, known)),
            nodes=seen.nodes(cursor, {event.node for event in events}),
            last_n=lambda item, node: item_index.last_n(cursor, key, item, node),
            last_seq=lambda item, since: item_index.last_seq(cursor, key, item, since),
            access=seen.access(cursor, asked.access),
            room=seen.room(cursor, asked.quotas) if asked.quotas.bound_a_log else None,
            now_ms=asked.now_ms,
        )
        outcomes: list[list[Outcome]] = [ledger.submit(submission) for submission in asked.submissions]
        head, rows = extend(end.head, ledger.accepted, asked.now_ms, self._receipts)
        writers = {node: ledger.nodes[node] for node in {row.event.node for row in rows}}
        draft = Draft(end, end.after(head, rows), rows, [head.at] * len(rows), writers)
        return Appended(outcomes, rows, head, ledger.access), draft

    def adopt(self, entries: Sequence[Entry], then: Head) -> Head:
        """See ``LogStore.adopt``."""
        with self._lock:
            self._check_open()
            self._is_contended, before = True, self._end
            with self._db.writing() as cursor:
                end = ends.read(cursor, self._key, lock=True)
                self._seen.catch_up(cursor, end)
                head, rows = adopt(end.head, entries, then)
                events = [row.event for row in rows]
                writers = nodes_after(self._seen.nodes(cursor, {event.node for event in events}), events)
                draft = Draft(end, end.after(head, rows), rows, [entry.at for entry in entries], writers)
                store(cursor, self._key, draft)
            self._note(draft, before)
            return head

    def _note(self, draft: Draft, before: End) -> None:
        """A draft was stored; ``before`` is the end that was known then. Who refreshed meanwhile may know of more."""
        self._seen.note(draft)
        with self._end_lock:
            if self._end is before or self._end.head.seq < draft.after.head.seq:
                self._end = draft.after

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
        """See ``EventStore.slice``. Raises SpaceDeleted."""
        head = self.head()
        end = head.seq if until is None else min(until, head.seq)
        if since >= end or view.is_nothing:
            last = max(since, end)
            return Slice(b"", 0, last, self.tail(last) or NO_TAIL, more=False)
        with self._db.at_once() as cursor:
            taken = Taken(cursor, self._key, view, limit=limit, max_bytes=max_bytes)
            taken.take(since, end)
        return Slice(b",".join(taken.entries), len(taken.entries), taken.last, taken.tail, taken.last < end)

    def head(self) -> Head:
        """See ``EventStore.head``."""
        self._check_open()
        return self._end.head

    def size(self) -> int:
        """See ``EventStore.size``."""
        self._check_open()
        return self._end.bytes

    def tail(self, seq: int) -> bytes | None:
        """See ``EventStore.tail``."""
        head = self.head()
        if seq in (0, head.seq):
            return head.tail if seq else NO_TAIL
        with self._db.at_once() as cursor, suppress(SpaceDeleted):
            return tail(cursor, self._key, seq)
        return None

    def node(self, node: str) -> NodeState | None:
        """See ``EventStore.node``."""
        self._check_open()
        with self._db.at_once() as cursor:
            return find_nodes(cursor, self._key, [node]).get(node)

    def close(self) -> None:
        """See ``EventStore.close``."""
        self._closed = True

    def _check_open(self) -> None:
        self._db.check_open()
        if self._closed:
            raise StoreClosed("The log was closed.")

    # For a server that is an author, too

    def refresh(self) -> Head:
        """See ``LogStore.refresh``. Raises SpaceDeleted."""
        end = self._read_end()
        if end.head.seq < self._end.head.seq:
            with self._lock:  # either an append was quicker, or the database was put back
                end = self._read_end()
                with self._end_lock:
                    self._end = end
        with self._end_lock:
            if end.head.seq > self._end.head.seq:
                self._end = end
            return self._end.head

    def _read_end(self) -> End:
        self._check_open()
        with self._db.at_once() as cursor:
            return ends.read(cursor, self._key)

    def reached(self) -> int:
        """See ``LogStore.reached``. Raises SpaceDeleted."""
        return self._read_end().head.seq

    def last_id(self) -> str:
        """See ``LogStore.last_id``. Raises SpaceDeleted."""
        return self._read_end().last_id

    def find(self, ids: Iterable[str]) -> list[Entry]:
        """See ``LogStore.find``."""
        self._check_open()
        with self._db.at_once() as cursor:
            rows = cursor.execute(FIND, (self._key, array(ids)), binary=True)
            return [Entry.read(entry) for _, _, entry in rows if entry]

    def rewrite(self, entries: Sequence[Entry], *, more: bool = False) -> None:
        """See ``LogStore.rewrite``."""
        with self._lock:
            self._check_open()
            self._is_contended = True
            with self._db.writing() as cursor:
                ends.read(cursor, self._key, lock=True)
                rewriting.rewrite(cursor, self._key, entries)
                end = ends.read(cursor, self._key)
            self._seen = Seen(self._key, end)
            with self._end_lock:
                self._end = end if end.head.seq >= self._end.head.seq else self._end

    def items(self, pattern: str, after: str, limit: int, until: int | None = None) -> list[str]:
        """See ``LogStore.items``."""
        reach = self.head().seq if until is None else until
        with self._db.at_once() as cursor:
            return item_index.items(cursor, self._key, pattern, after, limit, reach)

    def gather(self, items: Sequence[str], since: int, limit: int, until: int, max_bytes: int) -> Gathered:
        """See ``LogStore.gather``."""
        self._check_open()
        with self._db.at_once() as cursor:
            places = item_index.places(cursor, self._key, items, since, limit, until)
            return gather(cursor, self._key, places, limit, max_bytes)

    # Bases

    def points(self) -> Points:
        """See ``BaseStore.points``."""
        self._check_open()
        with self._db.at_once() as cursor:
            return bases.points(cursor, self._key)

    def stage(self, staged: Sequence[Base], *, is_first: bool) -> None:
        """See ``BaseStore.stage``."""
        self._check_open()
        with self._db.writing(durable=False) as cursor:
            self._staging = bases.stage(cursor, self._key, staged, None if is_first else self._staging)

    def keep_staged(self, point: Point, *, is_floor: bool = False) -> None:
        """See ``BaseStore.keep_staged``."""
        self._check_open()
        with self._db.writing() as cursor:
            bases.keep_staged(cursor, self._key, point, self._staging, is_floor=is_floor)

    def bases(self, point: Point, after: str, limit: int, *, is_floor: bool = False) -> list[Base]:
        """See ``BaseStore.bases``."""
        self._check_open()
        with self._db.at_once() as cursor:
            found = bases.bases(cursor, self._key, point, after, limit, is_floor=is_floor)
            bases.bases(cursor, self._key, point, after, 0, is_floor=is_floor)  # it may have been replaced meanwhile
            return found

    def base(self, item: str) -> Base | None:
        """See ``BaseStore.base``."""
        self._check_open()
        with self._db.at_once() as cursor:
            return bases.base(cursor, self._key, item)

    def drop(self) -> bool:
        """See ``BaseStore.drop``."""
        with self._lock:
            self._check_open()
            self._is_contended = True
            with self._db.writing() as cursor:
                ends.read(cursor, self._key, lock=True)
                is_more = bases.drop(cursor, self._key)
                end = ends.read(cursor, self._key)
            self._seen = Seen(self._key, end)
            with self._end_lock:
                self._end = max(end, self._end, key=lambda each: each.head.seq)
        return is_more

    # Digests

    def digests(self, since: int, limit: int) -> list[Digested]:
        """See ``DigestStore.digests``."""
        self._check_open()
        with self._db.at_once() as cursor:
            return digests.after(cursor, self._key, since, limit)

    def digests_by_id(self, low: bytes, high: bytes, limit: int) -> list[Digested]:
        """See ``DigestStore.digests_by_id``."""
        self._check_open()
        with self._db.at_once() as cursor:
            return digests.by_id(cursor, self._key, low, high, limit)

    def checkpoint(self) -> None:
        """See ``LogStore.checkpoint``: the database does that by itself."""
