"""Both stores in memory: for tests, simulation and programs that keep nothing. The adapters to read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from threading import RLock

from msgspec.structs import replace

from syncline.core import stamps
from syncline.core.access.state import OPEN, Access
from syncline.core.access.views import FULL_VIEW, View
from syncline.core.admission import Ledger, NodeState, Submission, needed
from syncline.core.adoption import adopt, nodes_after
from syncline.core.bases import Base
from syncline.core.documents.dependencies import Held, Stub
from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.log import NO_TAIL, Head, Receipts, Row, extend
from syncline.core.patterns import matcher
from syncline.core.quotas import UNLIMITED, Quotas, Room
from syncline.core.stamps import NIL_ID
from syncline.errors import StoreClosed
from syncline.stores import (
    EVERYTHING,
    OF_OTHERS,
    ON_ITS_WAY,
    Appended,
    Change,
    Gathered,
    Outboxed,
    Part,
    ReplicaState,
    Slice,
    are_late,
    is_on_its_way,
)
from syncline.stores.bases import MemoryBases, Point, Points
from syncline.stores.digests import Digested

__all__ = ["MemoryEventStore", "MemoryReplicaStore"]

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


class MemoryReplicaStore:
    """One replica's data in dictionaries."""

    def __init__(self, node: str) -> None:
        self._state = ReplicaState(node=node)
        self._entries: dict[int, Entry] = {}
        self._seqs: dict[str, int] = {}
        self._bases: dict[str, Base] = {}
        self._aside: dict[str, Base] = {}
        self._outbox: dict[str, Outboxed] = {}
        self._outbox_ids: defaultdict[str, set[str]] = defaultdict(set)  # by item
        self._in_order: list[Digested] | None = None  # by key: entries, and what is on its way
        self._lock = RLock()
        self._closed = False

    def commit(self, change: Change) -> Mapping[str, int]:
        """See ``ReplicaStore.commit``."""
        with self._lock:
            self._check_open()
            _check(change)
            moved: Counter[str] = Counter()
            rewrites = change.rewind is not None
            if change.rewind is not None:
                self._rewind(change.rewind, moved)
            if change.forget:
                rewrites |= self._forget(change.forget, moved)
            rewrites |= self._take(change.part) or bool(change.bases)
            self._bases.update((base.item, base) for base in change.bases)
            if change.entries:
                rewrites |= self._are_late(change.entries)
            for entry in change.entries:
                self._keep(entry, moved)
            for id in change.drop:
                rewrites |= self._take_out(id, moved) is not None
            rewrites |= self._come_between([each.event for each in change.outbox if each.status == "heard"])
            for outboxed in change.outbox:
                rewrites |= self._put(outboxed, moved)
            self._in_order = None
            rewritten = self._state.rewritten + rewrites
            self._state = replace(change.state or self._state, rewritten=rewritten, traces=False)
            return moved

    def state(self) -> ReplicaState:
        """See ``ReplicaStore.state``."""
        self._check_open()
        return self._state

    def load(self, since: int = 0, *, items: Sequence[str] = (), limit: int | None = None) -> Iterator[Entry]:
        """See ``ReplicaStore.load``."""
        self._check_open()
        wanted = matcher(items)
        seqs = sorted(seq for seq, entry in self._entries.items() if seq > since and wanted(entry.event.item))
        return iter([self._entries[seq] for seq in seqs[:limit]])

    def bases(self, items: Sequence[str] = ()) -> Iterator[Base]:
        """See ``ReplicaStore.bases``."""
        self._check_open()
        names = filter(matcher(items), self._bases) if any("*" in pattern for pattern in items) or not items else items
        return iter([self._bases[item] for item in sorted(set(names)) if item in self._bases])

    def outbox(
        self, *statuses: str, items: Sequence[str] = (), after: str = NIL_ID, limit: int | None = None
    ) -> list[Outboxed]:
        """See ``ReplicaStore.outbox``."""
        self._check_open()
        with self._lock:
            found = [self._outbox[id] for id in sorted(id for id in self._ids_of(items) if id > after)]
            return [each for each in found if not statuses or each.status in statuses][:limit]

    def digests(self, since: int, limit: int) -> list[Digested]:
        """See ``DigestStore.digests``."""
        return [_digested(entry.event, entry.seq) for entry in self.load(since, limit=limit)]

    def digests_by_id(self, low: bytes, high: bytes, limit: int, *, local: bool = False) -> list[Digested]:
        """See ``ReplicaStore.digests_by_id``."""
        self._check_open()
        with self._lock:
            if self._in_order is None:
                held = [_digested(entry.event, seq) for seq, entry in self._entries.items()]
                held += [_digested(each.event) for each in self.outbox(*ON_ITS_WAY)]
                self._in_order = sorted(held, key=_by_key)
            start, end = bisect_left(self._in_order, low, key=_by_key), bisect_right(self._in_order, high, key=_by_key)
            return [each for each in self._in_order[start:end] if local or each.seq][:limit]

    def find(self, ids: Iterable[str]) -> list[Entry]:
        """See ``ReplicaStore.find``."""
        self._check_open()
        with self._lock:
            wanted = sorted(set(ids))
            held = {id: self._entries[self._seqs[id]] for id in wanted if id in self._seqs}
            local = [self._outbox[id] for id in wanted if id in self._outbox]
            held |= {each.event.id: each.loose for each in local if each.status != "refused"}
            return [held[id] for id in wanted if id in held]

    def holds(self, ids: Iterable[str]) -> set[str]:
        """See ``ReplicaStore.holds``."""
        self._check_open()
        return {id for id in ids if id in self._seqs or id in self._outbox}

    def close(self) -> None:
        """See ``ReplicaStore.close``."""
        self._closed = True

    def _ids_of(self, items: Sequence[str]) -> Iterable[str]:
        """The ids in the outbox of these items."""
        if not items:
            return self._outbox
        is_literal = not any(pattern.endswith("*") for pattern in items)
        names = set(items) & self._outbox_ids.keys() if is_literal else filter(matcher(items), self._outbox_ids)
        return [id for item in names for id in self._outbox_ids[item]]

    def _are_late(self, entries: Sequence[Entry]) -> bool:
        held = {self._seqs[entry.event.id] for entry in entries if entry.event.id in self._seqs}
        last = max(self._entries, default=0)
        if any(entry.event.is_erased and entry.event.id in self._outbox for entry in entries):
            return True  # what was said is not, any more
        return are_late(entries, {seq: self._entries[seq].encoded for seq in held}, max(self._state.seq, last))

    def _keep(self, entry: Entry, moved: Counter[str]) -> None:
        self._remove({self._seqs.get(entry.event.id, entry.seq), entry.seq} & self._entries.keys())
        self._entries[entry.seq] = entry
        self._seqs[entry.event.id] = entry.seq
        self._take_out(entry.event.id, moved)

    def _forget(self, items: Collection[str], moved: Counter[str]) -> bool:
        """Deletes the entries of items, and their orphans; whether there were any."""
        if EVERYTHING in items:
            had_bases = bool(self._bases)
            self._bases.clear()
            return self._remove(list(self._entries)) or had_bases
        had_bases = not self._bases.keys().isdisjoint(items)
        for item in items:
            self._bases.pop(item, None)
        gone = (each.event for each in self.outbox(*OF_OTHERS) if each.event.item in items)
        others = [event.id for event in gone if event.user != self._state.user]
        for id in others:
            self._take_out(id, moved)
        gone_seqs = [seq for seq, entry in self._entries.items() if entry.event.item in items]
        return self._remove(gone_seqs) or bool(others) or had_bases

    def _take(self, part: Part | None) -> bool:
        """Keeps a part of a snapshot aside, or puts all of it in place; whether that."""
        if part is None:
            return False
        self._aside = ({} if part.is_first else self._aside) | {base.item: base for base in part.bases}
        if part.is_last:
            self._bases, self._aside = self._aside, {}
        return part.is_last

    def _rewind(self, seq: int, moved: Counter[str]) -> None:
        gone = [each for each in self._entries if each > seq]
        orphans = [self._entries[each] for each in gone]
        self._remove(gone)
        for entry in orphans:
            self._put(Outboxed.lost(entry, self._state.epoch), moved)

    def _remove(self, seqs: Collection[int]) -> bool:
        for seq in seqs:
            del self._seqs[self._entries.pop(seq).event.id]
        return bool(seqs)

    def _put(self, outboxed: Outboxed, moved: Counter[str]) -> bool:
        """Puts an event into the outbox; whether one that was there is or is not on its way any more."""
        event, before = outboxed.event, self._take_out(outboxed.event.id, moved)
        self._outbox[event.id] = outboxed
        self._outbox_ids[event.item].add(event.id)
        moved[outboxed.status] += 1
        return before is not None and is_on_its_way(before.status) != is_on_its_way(outboxed.status)

    def _come_between(self, events: Sequence[Event]) -> bool:
        """Whether new events stand before others of their items that are on their way."""
        new = [event for event in events if event.id not in self._outbox]
        return any(self.outbox(*ON_ITS_WAY, items=[event.item], after=event.id, limit=1) for event in new)

    def _take_out(self, id: str, moved: Counter[str]) -> Outboxed | None:
        outboxed = self._outbox.pop(id, None)
        if outboxed is not None:
            ids = self._outbox_ids[outboxed.event.item]
            ids.discard(id)
            if not ids:
                del self._outbox_ids[outboxed.event.item]
            moved[outboxed.status] -= 1
        return outboxed

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("The store was closed.")


def _check(change: Change) -> None:
    """Looks at what could fail before anything is changed."""
    for entry in change.entries:
        _ = entry.event.id  # an event is decoded when it is first looked at
    for outboxed in change.outbox:
        _ = outboxed.event.id


def _digested(event: Event, seq: int = 0) -> Digested:
    return Digested(seq, event.key, event.digest, event.item)


def _by_key(digested: Digested) -> bytes:
    return digested.key
