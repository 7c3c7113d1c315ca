"""A space's log in one LMDB environment. An entry is stored as the bytes in which it is sent: reading is copying."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TypeVar
from uuid import uuid4

import msgspec

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
from syncline.errors import StoreDamaged
from syncline.stores import Appended, Gathered, Slice
from syncline.stores.bases import Point, Points
from syncline.stores.digests import Digested
from syncline.stores.lmdb import bases, digests, item_index
from syncline.stores.lmdb.environment import MAP_BYTES, Environment
from syncline.stores.lmdb.layout import END_KEY, EPOCH_KEY, pack, unpack
from syncline.stores.lmdb.taken import Taken, gather
from syncline.stores.lmdb.transaction import Transaction

Result = TypeVar("Result")

_node_decoder = msgspec.msgpack.Decoder(NodeState)


class LmdbEventStore:
    """One space's log; see ``LogStore``."""

    is_shared = False
    drops = True
    wants_checkpoint = False

    def __init__(
        self, path: Path | str, receipts: Receipts, *, index_run: int = item_index.RUN, map_bytes: int = MAP_BYTES
    ) -> None:
        """``path`` is a folder, made if there is none. ``index_run``: so many entries make a run of the index by item.

        ``map_bytes``: how large the map is at first; it grows by itself.
        """
        self._receipts, self._index_run = receipts, index_run
        self._lock = Lock()
        self._env = Environment(Path(path), _begin, map_bytes=map_bytes)
        try:
            self._read_ends()
        except BaseException:
            self._env.close()
            raise

    def append(
        self, submissions: Sequence[Submission], *, now_ms: int, access: Access = OPEN, quotas: Quotas = UNLIMITED
    ) -> Appended:
        """See ``EventStore.append``."""
        with self._lock:
            appended = self._write(lambda txn: self._append(txn, submissions, now_ms, access, quotas))
            self._note(appended.head, appended.rows)
        return appended

    def adopt(self, entries: Sequence[Entry], then: Head) -> Head:
        """See ``LogStore.adopt``."""
        with self._lock:
            head, rows = self._write(lambda txn: self._adopt(txn, entries, then))
            self._note(head, rows)
        return head

    def _write(self, work: Callable[[Transaction], Result]) -> Result:
        """Does something in a transaction; what is known of the log's end stays right if that fails."""
        try:
            return self._env.write(work)
        except Exception:
            with suppress(Exception):
                self._read_ends()  # a commit that failed may have been carried out after all
            raise

    def _note(self, head: Head, rows: Sequence[Row]) -> None:
        """Rows were committed."""
        self._head = head
        self._size += _bytes(rows)
        if self._items is not None:
            self._items.update(row.event.item for row in rows if row.event.item[0] != ".")

    def _read_ends(self) -> None:
        with self._env.reading() as txn:
            self._head, self._size = _read_ends(txn)
        self._items: set[str] | None = None

    def _append(
        self, txn: Transaction, submissions: Sequence[Submission], now_ms: int, access: Access, quotas: Quotas
    ) -> Appended:
        events = [event for submission in submissions for event in submission.good]
        known = _known(txn, events)
        ledger = Ledger(
            self._head,
            known=known,
            held=_held(txn, needed(events, known)),
            nodes=_nodes(txn, {event.node for event in events}),
            last_n=lambda item, node: item_index.last_n(txn, item, node),
            last_seq=lambda item, since: item_index.last_seq(txn, item, since),
            access=access,
            room=self._room(txn, quotas) if quotas.bound_a_log else None,
            now_ms=now_ms,
        )
        outcomes = [ledger.submit(submission) for submission in submissions]
        head, rows = extend(self._head, ledger.accepted, now_ms, self._receipts)
        self._store(txn, head, rows, {row.event.node: ledger.nodes[row.event.node] for row in rows})
        return Appended(outcomes, rows, head, ledger.access)

    def _adopt(self, txn: Transaction, entries: Sequence[Entry], then: Head) -> tuple[Head, list[Row]]:
        head, rows = adopt(self._head, entries, then)
        if not self._head.seq:
            txn.put("meta", EPOCH_KEY, head.epoch.encode())
        events = [row.event for row in rows]
        self._store(txn, head, rows, nodes_after(_nodes(txn, {event.node for event in events}), events))
        return head, rows

    def _store(self, txn: Transaction, head: Head, rows: Sequence[Row], writers: Mapping[str, NodeState]) -> None:
        if rows:
            _insert(txn, rows)
            item_index.extend(txn, rows, self._index_run)
            _put_nodes(txn, writers)
            txn.put("meta", END_KEY, pack(head.at) + pack(self._size + _bytes(rows)))

    def _room(self, txn: Transaction, quotas: Quotas) -> Room:
        if not quotas.items:
            self._items = None
        elif self._items is None:
            found = item_index.items(txn, "*", "", self._head.seq, self._head.seq)
            self._items = {item for item in found if item[0] != "."}
        return Room(quotas, events=self._head.seq, bytes=self._size, items=self._items or ())

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
        head = self._head.seq
        end = head if until is None else min(until, head)
        with self._env.reading() as txn:
            taken = Taken(txn, view, since, max_bytes)
            if view.patterns:
                seqs, seq = item_index.find(txn, view.patterns, since, limit, end)
                taken.take_seqs(seqs)
                seq = taken.last if taken.is_full else seq
            elif view.is_nothing:
                seq = max(since, end)
            else:
                taken.take_stretch(end, limit)
                seq = taken.last
            return Slice(b",".join(taken.parts), len(taken.parts), seq, _tail(txn, seq) or NO_TAIL, seq < end)

    def head(self) -> Head:
        """See ``EventStore.head``."""
        self._env.check_open()
        return self._head

    def size(self) -> int:
        """See ``EventStore.size``."""
        self._env.check_open()
        return self._size

    def tail(self, seq: int) -> bytes | None:
        """See ``EventStore.tail``."""
        with self._env.reading() as txn:
            return _tail(txn, seq)

    def node(self, node: str) -> NodeState | None:
        """See ``EventStore.node``."""
        with self._env.reading() as txn:
            return _nodes(txn, [node]).get(node)

    def close(self) -> None:
        """See ``EventStore.close``."""
        self._env.close()

    # For a server that is an author, too

    def refresh(self) -> Head:
        """See ``LogStore.refresh``: nobody else writes here."""
        return self.head()

    def reached(self) -> int:
        """See ``LogStore.reached``."""
        with self._env.reading() as txn:
            return _last_seq(txn)

    def last_id(self) -> str:
        """See ``LogStore.last_id``."""
        with self._env.reading() as txn:
            last = txn.last("ids")
        return stamps.from_key(last[0]) if last else stamps.NIL_ID

    def find(self, ids: Iterable[str]) -> list[Entry]:
        """See ``LogStore.find``."""
        keys = sorted({stamps.key(id) for id in ids})
        with self._env.reading() as txn:
            seqs = [place[:8] for _, place in txn.get_many("ids", keys)]
            return [Entry.read(entry) for _, entry in txn.get_many("entries", seqs) if entry]

    def rewrite(self, entries: Sequence[Entry], *, more: bool = False) -> None:
        """See ``LogStore.rewrite``. Old pages are overwritten by later commits."""
        with self._lock:
            self._write(lambda txn: self._rewrite(txn, entries))
            self._read_ends()

    def _rewrite(self, txn: Transaction, entries: Sequence[Entry]) -> None:
        longer = 0
        for entry in entries:
            key = pack(entry.seq)
            held = txn.get("entries", key)
            if held and Entry.read(held).event.id == entry.event.id:
                longer += len(entry.raw) - len(Entry.read(held).raw)
                txn.put("entries", key, entry.encoded)
        txn.put("meta", END_KEY, pack(self._head.at) + pack(self._size + longer))

    def items(self, pattern: str, after: str, limit: int, until: int | None = None) -> list[str]:
        """See ``LogStore.items``."""
        end = self._head.seq if until is None else until
        with self._env.reading() as txn:
            return item_index.items(txn, pattern, after, limit, end)

    def gather(self, items: Sequence[str], since: int, limit: int, until: int, max_bytes: int) -> Gathered:
        """See ``LogStore.gather``."""
        with self._env.reading() as txn:
            places = item_index.places(txn, items, since, limit, until)
            gathered = gather(txn, places, max_bytes)
        if gathered.stopped is None and len(places) == limit:
            return gathered._replace(stopped=places[-1])
        return gathered

    # Bases

    def points(self) -> Points:
        """See ``BaseStore.points``."""
        with self._env.reading() as txn:
            return bases.points(txn)

    def stage(self, staged: Sequence[Base], *, is_first: bool) -> None:
        """See ``BaseStore.stage``."""
        self._env.write(lambda txn: bases.stage(txn, staged, is_first=is_first))

    def keep_staged(self, point: Point, *, is_floor: bool = False) -> None:
        """See ``BaseStore.keep_staged``."""
        self._env.write(lambda txn: bases.keep_staged(txn, point, is_floor=is_floor))

    def bases(self, point: Point, after: str, limit: int, *, is_floor: bool = False) -> list[Base]:
        """See ``BaseStore.bases``."""
        with self._env.reading() as txn:
            return bases.bases(txn, point, after, limit, is_floor=is_floor)

    def base(self, item: str) -> Base | None:
        """See ``BaseStore.base``."""
        with self._env.reading() as txn:
            return bases.base(txn, item)

    def drop(self) -> bool:
        """See ``BaseStore.drop``."""
        with self._lock:
            is_more = self._write(self._drop)
            self._read_ends()
        return is_more

    def _drop(self, txn: Transaction) -> bool:
        freed, is_more = bases.drop(txn)
        txn.put("meta", END_KEY, pack(self._head.at) + pack(self._size - freed))
        return is_more

    # Digests

    def digests(self, since: int, limit: int) -> list[Digested]:
        """See ``DigestStore.digests``."""
        with self._env.reading() as txn:
            return digests.after(txn, since, limit)

    def digests_by_id(self, low: bytes, high: bytes, limit: int) -> list[Digested]:
        """See ``DigestStore.digests_by_id``."""
        with self._env.reading() as txn:
            return digests.by_id(txn, low, high, limit)

    def checkpoint(self) -> None:
        """See ``LogStore.checkpoint``: a commit leaves nothing to do, but pages that were read leave the memory."""
        self._env.release()


def _begin(txn: Transaction) -> None:
    """Gives a new log its epoch."""
    txn.put("meta", EPOCH_KEY, uuid4().hex.encode())


def _read_ends(txn: Transaction) -> tuple[Head, int]:
    """The head, and the bytes of all events in canonical form."""
    epoch, end = txn.get("meta", EPOCH_KEY) or b"", txn.get("meta", END_KEY) or pack(0) * 2
    seq = _last_seq(txn)
    if not txn.count("entries") == txn.count("places") == txn.count("ids") == seq:
        raise StoreDamaged("The log is damaged: its tables do not have the same entries.")
    return Head(epoch.decode(), seq, _tail(txn, seq) or NO_TAIL, unpack(end)), unpack(end[8:])


def _bytes(rows: Sequence[Row]) -> int:
    return sum(len(row.event.body) for row in rows)


def _last_seq(txn: Transaction) -> int:
    last = txn.last("places")
    return unpack(last[0]) if last else 0


def _tail(txn: Transaction, seq: int) -> bytes | None:
    if seq <= 0:
        return NO_TAIL if seq == 0 else None
    place = txn.get("places", pack(seq))
    return place[:8] if place else None


def _known(txn: Transaction, events: Sequence[Event]) -> Known:
    found = txn.get_many("ids", [event.key for event in events])
    return {key: (unpack(place), place[8:]) for key, place in found}


def _held(txn: Transaction, ids: Collection[str]) -> Mapping[str, Held]:
    """The events of these ids that the log holds, and stubs of those whose content is gone."""
    held: dict[str, Held] = {}
    for key, known in txn.get_many("ids", map(stamps.key, ids)):
        entry, place = txn.get("entries", known[:8]), txn.get("places", known[:8]) or b""
        held[stamps.from_key(key)] = Entry.read(entry).event if entry else Stub(place[8:].decode())
    return held


def _nodes(txn: Transaction, names: Iterable[str]) -> dict[str, NodeState]:
    """The state of each of these nodes that the log knows."""
    found = txn.get_many("nodes", [name.encode() for name in names])
    return {name.decode(): _node_decoder.decode(state) for name, state in found}


def _put_nodes(txn: Transaction, states: Mapping[str, NodeState]) -> None:
    rows = [(name.encode(), msgspec.msgpack.encode(state)) for name, state in states.items()]
    txn.put_many("nodes", sorted(rows))


def _insert(txn: Transaction, rows: Sequence[Row]) -> None:
    keys = [pack(row.seq) for row in rows]
    txn.put_many("entries", zip(keys, [row.encoded for row in rows], strict=True), at_end=True)
    places = [row.tail + row.event.item.encode() for row in rows]
    txn.put_many("places", zip(keys, places, strict=True), at_end=True)
    ids = [(row.event.key, key + row.event.digest) for key, row in zip(keys, rows, strict=True)]
    txn.put_many("ids", sorted(ids))
