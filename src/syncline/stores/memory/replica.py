"""A replica's data in memory: for tests, simulation and programs that keep nothing. The adapter to read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from threading import RLock

from msgspec.structs import replace

from syncline.core.bases import Base
from syncline.core.events import Entry, Event
from syncline.core.patterns import matcher
from syncline.core.stamps import NIL_ID
from syncline.errors import StoreClosed
from syncline.stores import (
    EVERYTHING,
    OF_OTHERS,
    ON_ITS_WAY,
    Change,
    Outboxed,
    Part,
    ReplicaState,
    are_late,
    is_on_its_way,
)
from syncline.stores.digests import Digested


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
