"""A log as the replica of another log: what a ``SyncManager`` needs to join an event store to a transport.

    centre  --pages-->  EdgeStore.commit  --entries-->  the edge's log
    centre  <--pushes--  outbox  <--offered--  the edge's log

Everything is idempotent by event id, so a crash repeats work and loses nothing: entries are in the log before the
cursor moves, and offered events are in the outbox before the mark moves. Both are derived: without their files, or with
a log that does not know the mark, all begins anew from both ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from syncline.core import effects as steps
from syncline.core.access.scope import TRUSTED
from syncline.core.admission import Outcome, Submission
from syncline.core.bases import Base
from syncline.core.events import Entry, Event
from syncline.core.log import Head
from syncline.core.merkle import Read, Tree
from syncline.core.session import Local
from syncline.core.stamps import NIL_ID
from syncline.errors import BadSettings, EpochChanged, NodeConflict, StoreDamaged, SynclineError
from syncline.replica import Replica, new_node, wall_clock_ms
from syncline.stores import Change, EventStore, Outboxed, ReplicaState, ReplicaStore, load
from syncline.stores.digests import Digested, DigestStore
from syncline.stores.memory import MemoryReplicaStore
from syncline.stores.sqlite import SqliteReplicaStore

log = logging.getLogger("syncline.upstream")

USER = ".upstream"
"""Who puts the centre's events into a log here."""
OFFERED_ENTRIES = 2_000
"""Entries of the log that are looked at for one commit."""
SUFFIXES = ("", "-wal", "-shm", ".sums", ".lock", ".mark")

NOTHING = Change()


class Mark(msgspec.Struct, frozen=True):
    """How much of the log was offered to the centre, and a place (seq, tail) by which the log is known again."""

    epoch: str
    seq: int
    tail: str
    offered: int

    @classmethod
    def of(cls, head: Head, offered: int) -> Mark:
        """With the end of the log as the place."""
        return cls(head.epoch, head.seq, head.tail.hex(), offered)

    @classmethod
    def read(cls, path: Path, store: EventStore) -> Mark | None:
        """What was written; None if that is not there, not whole, or of another log."""
        try:
            mark = msgspec.json.decode(path.read_bytes(), type=Mark)
        except (OSError, msgspec.MsgspecError):
            return None
        tail = store.tail(mark.seq) if mark.epoch == store.head().epoch else None
        return mark if tail is not None and tail.hex() == mark.tail else None

    def write(self, path: Path) -> None:
        """Puts it in place of an older one."""
        new = path.with_name(path.name + ".new")
        new.write_bytes(msgspec.json.encode(self))
        new.replace(path)


class LookedThrough:
    """The digests of a log that does not tell them itself: each time all of it is read."""

    def __init__(self, log: EventStore) -> None:
        self._log = log

    def digests(self, since: int, limit: int) -> list[Digested]:
        """See ``DigestStore.digests``."""
        entries = load(self._log, since, limit=limit)
        return [Digested(each.seq, each.event.key, each.event.digest, each.event.item) for each in entries]

    def digests_by_id(self, low: bytes, high: bytes, limit: int) -> list[Digested]:
        """See ``DigestStore.digests_by_id``."""
        found = [each for each in self.digests(0, self._log.head().seq) if low <= each.key <= high]
        return sorted(found, key=lambda each: each.key)[:limit]


class EdgeStore:
    """A ``ReplicaStore`` whose entries are those of a log on this server, and whose outbox is fed from it."""

    def __init__(
        self, store: EventStore, bring: Callable[[Sequence[Event]], Sequence[Outcome]], path: Path | None = None
    ) -> None:
        """``bring`` puts events of the centre into the log, durably, and says what came of each.

        ``path``: where it is kept what waits, and how far both have come; None: in memory, so that each time all is
        compared anew.
        """
        self._log, self._bring_all = store, bring
        self._digests: DigestStore = store if isinstance(store, DigestStore) else LookedThrough(store)
        self._mark_path = None if path is None else path.with_name(path.name + ".mark")
        mark = None if self._mark_path is None else Mark.read(self._mark_path, store)
        if path is not None and mark is None:
            forget(path)
        self._inner: ReplicaStore
        try:
            self._inner = MemoryReplicaStore(new_node()) if path is None else SqliteReplicaStore(path, new_node())
        except StoreDamaged:  # what was there follows from both logs
            assert path is not None
            mark = None
            forget(path)
            self._inner = SqliteReplicaStore(path, new_node())
        self._mark = mark or Mark.of(store.head(), 0)

    def commit(self, change: Change) -> Mapping[str, int]:
        """See ``ReplicaStore.commit``: entries are in the log before, and what is new there is offered with it."""
        brought = self._bring(change.entries)
        since = self._mark.offered if change.rewind is None else 0  # what the centre has lost is offered again
        offered, seq = self._look(since, brought)
        moved: Mapping[str, int] = {}
        if offered or change != NOTHING:
            arrived = [entry.event.id for entry in change.entries]
            kept = replace(change, entries=(), drop=[*change.drop, *arrived], outbox=[*change.outbox, *offered])
            moved = self._inner.commit(kept)
        self._move(seq)
        return moved

    def _bring(self, entries: Sequence[Entry]) -> set[int]:
        """Puts entries of the centre into the log; the seqs they have there."""
        if not entries:
            return set()
        events = [entry.event for entry in entries]
        outcomes = self._bring_all(events)
        for event, outcome in zip(events, outcomes, strict=True):
            if isinstance(outcome, SynclineError):
                log.error("event %s of the centre cannot be stored here: %s", event.id, outcome.message)
        return {outcome for outcome in outcomes if isinstance(outcome, int)}

    def _look(self, since: int, brought: set[int]) -> tuple[list[Outboxed], int]:
        """What comes next in the log and is not the system's, nor was just brought; and how far that goes."""
        part = self._log.slice(since, limit=OFFERED_ENTRIES)
        entries = part.entries
        offered = [entry for entry in entries if entry.seq not in brought and entry.event.item[0] != "."]
        return [Outboxed(entry.event, "pending", entry.seq) for entry in offered], part.seq

    def _move(self, offered: int) -> None:
        mark = Mark.of(self._log.head(), offered)
        if mark != self._mark:
            self._mark = mark
            if self._mark_path is not None:
                mark.write(self._mark_path)

    @property
    def offered(self) -> int:
        """The seq up to which the log was offered."""
        return self._mark.offered

    def state(self) -> ReplicaState:
        """See ``ReplicaStore.state``."""
        return self._inner.state()

    def load(self, since: int = 0, *, items: Sequence[str] = (), limit: int | None = None) -> Iterator[Entry]:
        """None: entries are in the log, under its own seqs."""
        return iter(())

    def bases(self, items: Sequence[str] = ()) -> Iterator[Base]:
        """None: what is here are the log's entries."""
        return iter(())

    def outbox(
        self, *statuses: str, items: Sequence[str] = (), after: str = NIL_ID, limit: int | None = None
    ) -> list[Outboxed]:
        """See ``ReplicaStore.outbox``."""
        return self._inner.outbox(*statuses, items=items, after=after, limit=limit)

    def find(self, ids: Iterable[str]) -> list[Entry]:
        """See ``ReplicaStore.find``."""
        return self._inner.find(ids)

    def digests(self, since: int, limit: int) -> list[Digested]:
        """See ``ReplicaStore.digests``: with the seqs of the log here."""
        return self._digests.digests(since, limit)

    def digests_by_id(self, low: bytes, high: bytes, limit: int, *, local: bool = False) -> list[Digested]:
        """See ``ReplicaStore.digests_by_id``: what waits is in the log, too."""
        return self._digests.digests_by_id(low, high, limit)

    def holds(self, ids: Iterable[str]) -> set[str]:
        """See ``ReplicaStore.holds``."""
        return self._inner.holds(ids)

    def close(self) -> None:
        """Closes the outbox; the log is its space's."""
        self._inner.close()


class Relay(Replica):
    """The replica that an edge is at its centre. It makes no events, and changes none."""

    def __init__(self, store: EdgeStore) -> None:
        super().__init__(store)
        self._edge = store
        again = [each._replace(status="pending", error=None) for each in store.outbox("refused")]
        self._commit(Change(outbox=again))  # perhaps the centre has changed its mind

    @classmethod
    def of(cls, store: EventStore, now_ms: Callable[[], int] = wall_clock_ms) -> Relay:
        """Of a log at hand, for as long as this lives."""
        return cls(EdgeStore(store, lambda events: store.append([vouched(events)], now_ms=now_ms()).outcomes[0]))

    def local(self, limit: int | None = None) -> Local:
        """See ``Replica.local``: of what is new in the log at least a part is pending."""
        while limit != 0 and not self.pending(1) and self.offer():
            pass
        return super().local(limit)._replace(epoch=None, takes_bases=False)

    def tree(self, items: Sequence[str] = (), since: int = 0, *, local: bool = True) -> tuple[Tree, Read]:
        """A log is no peer, and its seqs are its own: it follows a server alone. Raises BadSettings."""
        raise BadSettings("A log follows a server; only a replica compares what it holds with others.")

    def offer(self) -> bool:
        """Takes from the log what is to be pushed; whether that moved on."""
        with self._lock:
            before = self._edge.offered
            self._commit(Change())
        if self._edge.offered != before and (pending := self.pending(1)):
            self._tell(pending)
        return self._edge.offered != before

    def perform(self, effect: steps.Effect) -> None:
        """See ``Replica.perform``: others know these events as they are, so none gets another id."""
        if isinstance(effect, steps.Restamp):
            return
        if isinstance(effect, steps.Greet) and self._state.epoch not in (None, effect.welcome.epoch):
            raise EpochChanged("The centre's log is not the one that this edge follows; a person has to decide.")
        if isinstance(effect, steps.MarkCopied):
            error = NodeConflict("The centre knows this event's node as another's, or has later events of it.")
            effect = steps.Settle([(effect.event, error)])
        super().perform(effect)
        if isinstance(effect, steps.Settle):
            self.keep_acks()  # the entries that come back are of other nodes than this one


def vouched(events: Sequence[Event]) -> Submission:
    """Events of the centre, as they are put into a log here: as the system."""
    return Submission(events, USER, is_system=True, rights=TRUSTED, is_vouched=True)


def forget(path: Path) -> None:
    """Deletes what an ``EdgeStore`` keeps at a path, if it is there."""
    for suffix in SUFFIXES:
        Path(f"{path}{suffix}").unlink(missing_ok=True)
