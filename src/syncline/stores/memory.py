"""Both stores in memory: for tests, simulation and programs that keep nothing. The adapters to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import RLock

from syncline.core import stamps
from syncline.core.admission import Ledger, NodeState, Submission, needed
from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.log import NO_TAIL, Head, Receipts, Row, extend
from syncline.core.patterns import matcher
from syncline.errors import StoreClosed
from syncline.stores import Appended, Change, Outboxed, ReplicaState, Slice, orphan_status

__all__ = ["MemoryEventStore", "MemoryReplicaStore"]

SCANNED_ROWS = 10_000


class MemoryEventStore:
    """One space's log in a list."""

    def __init__(self, epoch: str, receipts: Receipts) -> None:
        self._receipts = receipts
        self._head = Head(epoch)
        self._rows: list[Row] = []
        self._known: dict[bytes, tuple[int, bytes]] = {}
        self._nodes: dict[str, NodeState] = {}
        self._last_n: dict[tuple[str, str], int] = {}
        self._last_seq: dict[str, int] = {}
        self._lock = RLock()
        self._closed = False

    def append(self, submissions: Sequence[Submission], *, now_ms: int) -> Appended:
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
                now_ms=now_ms,
            )
            outcomes = [ledger.submit(submission) for submission in submissions]
            self._head, rows = extend(self._head, ledger.accepted, now_ms, self._receipts)
            self._nodes = ledger.nodes
            for row in rows:
                self._rows.append(row)
                self._known[row.event.key] = row.seq, row.event.digest
                self._last_n[row.event.item, row.event.node] = row.event.n
                self._last_seq[row.event.item] = row.seq
            return Appended(outcomes, rows, self._head)

    def _event(self, id: str) -> Event | None:
        seq, _ = self._known.get(stamps.key(id), (0, b""))
        return self._rows[seq - 1].event if seq else None

    def slice(
        self, since: int = 0, *, items: Sequence[str] = (), limit: int = 1_000, max_bytes: int = MAX_PAGE_BYTES
    ) -> Slice:
        """See ``EventStore.slice``."""
        with self._lock:
            self._check_open()
            found: list[bytes] = []
            size, seq, wanted = 0, since, matcher(items)
            for row in self._rows[since : since + SCANNED_ROWS]:
                if wanted(row.event.item):
                    size += len(row.encoded) + 1
                    if len(found) == limit or (found and size > max_bytes):
                        break
                    found.append(row.encoded)
                seq = row.seq
            return Slice(b",".join(found), len(found), seq, self.tail(seq) or NO_TAIL, seq < self._head.seq)

    def head(self) -> Head:
        """See ``EventStore.head``."""
        self._check_open()
        return self._head

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

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("The store was closed.")


class MemoryReplicaStore:
    """One replica's data in dictionaries."""

    def __init__(self, node: str) -> None:
        self._state = ReplicaState(node=node)
        self._entries: dict[int, Entry] = {}
        self._seqs: dict[str, int] = {}
        self._outbox: dict[str, Outboxed] = {}
        self._lock = RLock()
        self._closed = False

    def commit(self, change: Change) -> Mapping[str, int]:
        """See ``ReplicaStore.commit``."""
        with self._lock:
            self._check_open()
            _check(change)
            before = Counter(each.status for each in self._outbox.values())
            if change.rewind is not None:
                self._rewind(change.rewind)
            for item in change.forget:
                self._remove([seq for seq, entry in self._entries.items() if entry.event.item == item])
            for entry in change.entries:
                self._keep(entry)
            for id in change.drop:
                self._outbox.pop(id, None)
            for outboxed in change.outbox:
                self._outbox[outboxed.event.id] = outboxed
            self._state = change.state or self._state
            after = Counter(each.status for each in self._outbox.values())
            return {status: after[status] - before[status] for status in after | before}

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

    def outbox(self, *statuses: str, limit: int | None = None) -> list[Outboxed]:
        """See ``ReplicaStore.outbox``."""
        self._check_open()
        with self._lock:
            found = [each for _, each in sorted(self._outbox.items()) if not statuses or each.status in statuses]
            return found[:limit]

    def holds(self, ids: Iterable[str]) -> set[str]:
        """See ``ReplicaStore.holds``."""
        self._check_open()
        return {id for id in ids if id in self._seqs or id in self._outbox}

    def close(self) -> None:
        """See ``ReplicaStore.close``."""
        self._closed = True

    def _keep(self, entry: Entry) -> None:
        self._remove({self._seqs.get(entry.event.id, entry.seq), entry.seq} & self._entries.keys())
        self._entries[entry.seq] = entry
        self._seqs[entry.event.id] = entry.seq
        self._outbox.pop(entry.event.id, None)

    def _rewind(self, seq: int) -> None:
        gone = [each for each in self._entries if each > seq]
        orphans = [self._entries[each] for each in gone]
        self._remove(gone)
        for entry in orphans:
            status = orphan_status(entry.event, self._state.user)
            self._outbox[entry.event.id] = Outboxed(entry.event, status, entry.seq)

    def _remove(self, seqs: Iterable[int]) -> None:
        for seq in seqs:
            del self._seqs[self._entries.pop(seq).event.id]

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("The store was closed.")


def _check(change: Change) -> None:
    """Looks at what could fail before anything is changed."""
    for entry in change.entries:
        _ = entry.event.id  # an event is decoded when it is first looked at
    for outboxed in change.outbox:
        _ = outboxed.event.id
