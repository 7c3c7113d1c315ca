"""A space's log in memory: for tests, simulation and programs that keep nothing. The adapter to read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from threading import RLock

from syncline.core import stamps
from syncline.core.access.state import OPEN, Access
from syncline.core.access.views import FULL_VIEW, View
from syncline.core.admission import Ledger, NodeState, Submission, needed
from syncline.core.adoption import adopt, nodes_after
from syncline.core.bases import Base
from syncline.core.documents.dependencies import Held, Stub
from syncline.core.events import Entry
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.log import NO_TAIL, Head, Receipts, Row, extend
from syncline.core.patterns import matcher
from syncline.core.quotas import UNLIMITED, Quotas, Room
from syncline.core.stamps import NIL_ID
from syncline.errors import StoreClosed
from syncline.stores import (
    Appended,
    Gathered,
    Slice,
)
from syncline.stores.bases import MemoryBases, Point, Points
from syncline.stores.digests import Digested

SCANNED_ROWS = 10_000


class MemoryEventStore:
    """One space's log in a list; see ``LogStore``."""

    is_shared = False
    drops = True
    wants_checkpoint = False

    def __init__(self, epoch: str, receipts: Receipts) -> None:
        self._receipts = receipts
        self._head = Head(epoch)
        self._rows: list[Row] = []
        self._known: dict[bytes, tuple[int, bytes]] = {}
        self._keys: list[bytes] = []
        """Those of all or fewer events, sorted."""
        self._nodes: dict[str, NodeState] = {}
        self._last_n: dict[tuple[str, str], int] = {}
        self._last_seq: dict[str, int] = {}
        self._stubs: dict[int, Stub] = {}
        self._bases = MemoryBases()
        self._lock = RLock()
        self._closed = False

    def append(
        self, submissions: Sequence[Submission], *, now_ms: int, access: Access = OPEN, quotas: Quotas = UNLIMITED
    ) -> Appended:
        """See ``EventStore.append``."""
        with self._lock:
            self._check_open()
            events = [event for submission in submissions for event in submission.good]
            known = {event.key: self._known[event.key] for event in events if event.key in self._known}
            ledger = Ledger(
                self._head,
                known=known,
                held={id: event for id in needed(events, known) if (event := self._event(id))},
                nodes=self._nodes,
                last_n=lambda item, node: self._last_n.get((item, node), 0),
                last_seq=lambda item, since: seq if (seq := self._last_seq.get(item, 0)) > since else None,
                access=access,
                room=self._room(quotas) if quotas.bound_a_log else None,
                now_ms=now_ms,
            )
            outcomes = [ledger.submit(submission) for submission in submissions]
            self._head, rows = extend(self._head, ledger.accepted, now_ms, self._receipts)
            self._nodes = ledger.nodes
            self._keep(rows)
            return Appended(outcomes, rows, self._head, ledger.access)

    def _keep(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._rows.append(row)
            self._known[row.event.key] = row.seq, row.event.digest
            self._last_n[row.event.item, row.event.node] = row.event.n
            self._last_seq[row.event.item] = row.seq

    def _room(self, quotas: Quotas) -> Room:
        items = {item for item in self._last_seq if item[0] != "."}
        return Room(quotas, events=self._head.seq, bytes=self.size(), items=items)

    def _event(self, id: str) -> Held | None:
        seq, _ = self._known.get(stamps.key(id), (0, b""))
        return self._stubs.get(seq) or self._rows[seq - 1].event if seq else None

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
        with self._lock:
            self._check_open()
            found: list[bytes] = []
            size, seq = 0, since
            end = self._head.seq if until is None else min(until, self._head.seq)
            for row in self._rows[since : min(since + SCANNED_ROWS, end)]:
                if row.encoded and view.shows(row.event.item):
                    size += len(row.encoded) + 1
                    if len(found) == limit or (found and size > max_bytes):
                        break
                    found.append(row.encoded)
                seq = row.seq
            return Slice(b",".join(found), len(found), seq, self.tail(seq) or NO_TAIL, seq < end)

    def head(self) -> Head:
        """See ``EventStore.head``."""
        self._check_open()
        return self._head

    def size(self) -> int:
        """See ``EventStore.size``."""
        self._check_open()
        return sum(len(row.event.body) for row in self._rows if row.encoded)

    def tail(self, seq: int) -> bytes | None:
        """See ``EventStore.tail``."""
        self._check_open()
        if seq == 0:
            return NO_TAIL
        return self._rows[seq - 1].tail if 0 < seq <= len(self._rows) else None

    def node(self, node: str) -> NodeState | None:
        """See ``EventStore.node``."""
        self._check_open()
        return self._nodes.get(node)

    def close(self) -> None:
        """See ``EventStore.close``."""
        self._closed = True

    # For a server that is an author, too

    def refresh(self) -> Head:
        """See ``LogStore.refresh``: nobody else writes here."""
        return self.head()

    def reached(self) -> int:
        """See ``LogStore.reached``."""
        return self.head().seq

    def last_id(self) -> str:
        """See ``LogStore.last_id``."""
        with self._lock:
            self._check_open()
            return stamps.from_key(max(self._known)) if self._known else NIL_ID

    def find(self, ids: Iterable[str]) -> list[Entry]:
        """See ``LogStore.find``."""
        with self._lock:
            self._check_open()
            places = [self._known.get(key) for key in {stamps.key(id) for id in ids}]
            rows = [self._rows[place[0] - 1] for place in places if place is not None]
            return [Entry.read(row.encoded) for row in rows if row.encoded]

    def items(self, pattern: str, after: str, limit: int, until: int | None = None) -> list[str]:
        """See ``LogStore.items``."""
        with self._lock:
            self._check_open()
            fits, items = matcher([pattern]), {row.event.item for row in self._rows[:until]}
            return sorted(item for item in items if item > after and fits(item))[:limit]

    def gather(self, items: Sequence[str], since: int, limit: int, until: int, max_bytes: int) -> Gathered:
        """See ``LogStore.gather``."""
        with self._lock:
            self._check_open()
            found: list[bytes] = []
            size, last = 0, None
            for item in items:
                rows = [row for row in self._rows[since:until] if row.encoded and row.event.item == item]
                for row in rows:
                    size += len(row.encoded) + 1
                    if len(found) == limit or (found and size > max_bytes):
                        return Gathered(found, last)
                    found.append(row.encoded)
                    last = item, row.seq
                since = 0
            return Gathered(found, None)

    def adopt(self, entries: Sequence[Entry], then: Head) -> Head:
        """See ``LogStore.adopt``."""
        with self._lock:
            self._check_open()
            self._head, rows = adopt(self._head, entries, then)
            self._nodes |= nodes_after(self._nodes, [row.event for row in rows])
            self._keep(rows)
            return self._head

    def rewrite(self, entries: Sequence[Entry], *, more: bool = False) -> None:
        """See ``LogStore.rewrite``."""
        with self._lock:
            self._check_open()
            for entry in entries:
                row = self._rows[entry.seq - 1]
                if row.encoded and row.event.id == entry.event.id:
                    self._rows[entry.seq - 1] = row._replace(event=entry.event, encoded=entry.encoded)

    # Bases

    def points(self) -> Points:
        """See ``BaseStore.points``."""
        self._check_open()
        return self._bases.points()

    def stage(self, bases: Sequence[Base], *, is_first: bool) -> None:
        """See ``BaseStore.stage``."""
        with self._lock:
            self._check_open()
            self._bases.stage(bases, is_first=is_first)

    def keep_staged(self, point: Point, *, is_floor: bool = False) -> None:
        """See ``BaseStore.keep_staged``."""
        with self._lock:
            self._check_open()
            self._bases.keep_staged(point, is_floor=is_floor)

    def bases(self, point: Point, after: str, limit: int, *, is_floor: bool = False) -> list[Base]:
        """See ``BaseStore.bases``."""
        with self._lock:
            self._check_open()
            return self._bases.bases(point, after, limit, is_floor=is_floor)

    def base(self, item: str) -> Base | None:
        """See ``BaseStore.base``."""
        with self._lock:
            self._check_open()
            return self._bases.base(item)

    def drop(self) -> bool:
        """See ``BaseStore.drop``."""
        with self._lock:
            self._check_open()
            since, until = self._bases.next_to_drop()
            for row in self._rows[since:until]:
                if row.encoded and self._bases.stands_for(row.event.item, row.seq):
                    self._rows[row.seq - 1] = row._replace(encoded=b"")
                    self._stubs[row.seq] = Stub(row.event.item)
            return self._bases.note_dropped(until)

    # Digests

    def digests(self, since: int, limit: int) -> list[Digested]:
        """See ``DigestStore.digests``."""
        with self._lock:
            self._check_open()
            return [self._digested(row.event.key) for row in self._rows[since : since + limit]]

    def digests_by_id(self, low: bytes, high: bytes, limit: int) -> list[Digested]:
        """See ``DigestStore.digests_by_id``."""
        with self._lock:
            self._check_open()
            if len(self._keys) < len(self._known):
                self._keys = sorted(self._known)
            keys = self._keys[bisect_left(self._keys, low) : bisect_right(self._keys, high)]
            return [self._digested(key) for key in keys[:limit]]

    def _digested(self, key: bytes) -> Digested:
        seq, digest = self._known[key]
        return Digested(seq, key, digest, self._rows[seq - 1].event.item)

    def checkpoint(self) -> None:
        """See ``LogStore.checkpoint``: there is nothing to do."""

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("The store was closed.")
