"""Stores: where logs are kept. Two seams, each with an adapter in memory, which is the one to read.

``EventStore`` is one space's log on a server: it numbers what it accepts; a ``LogStore`` is one that a server can run
on, and ``Logs`` is where a server has those of its spaces. ``ReplicaStore`` is one replica's: entries come with their
seqs, and local events wait in the outbox until a server has answered. All are synchronous and thread-safe.
``syncline.testing`` ships their contract suites.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from syncline.core.access.rules import Rule
from syncline.core.access.state import OPEN, Access
from syncline.core.access.views import FULL_VIEW, View
from syncline.core.admission import NodeState, Outcome, Submission
from syncline.core.bases import Base
from syncline.core.events import Entry, Event
from syncline.core.gifts import Voucher
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.log import Head, Row
from syncline.core.quotas import UNLIMITED, Quotas
from syncline.core.stamps import NIL_ID
from syncline.stores.bases import BaseStore
from syncline.stores.digests import Digested, DigestStore

__all__ = [
    "Appended",
    "Change",
    "EVERYTHING",
    "EventStore",
    "Gathered",
    "LogStore",
    "Logs",
    "Outboxed",
    "Part",
    "ReplicaState",
    "ReplicaStore",
    "SharedLogs",
    "Slice",
    "are_late",
    "is_on_its_way",
    "load",
    "lost",
]


EVERYTHING = "*"
"""In place of an item, in what a page or a change forgets: all of them."""


class Appended(NamedTuple):
    """What an append did: the outcomes of each submission, the rows stored, the head and the access after them."""

    outcomes: list[list[Outcome]]
    rows: list[Row]
    head: Head
    access: Access


_entries = msgspec.json.Decoder(list[Entry])


class Slice(NamedTuple):
    """A stretch of a log: encoded entries joined by commas, how many, and the place (seq, tail) where it ends.

    ``more`` tells that the log goes on; a slice may be empty and have more when no entry of a stretch was asked for.
    """

    encoded: bytes
    length: int
    seq: int
    tail: bytes
    more: bool

    @property
    def entries(self) -> list[Entry]:
        """The entries, decoded. Raises ``msgspec.MsgspecError`` if one does not read."""
        return _entries.decode(b"[" + self.encoded + b"]")


class EventStore(Protocol):
    """One space's log. Every method may be called from any thread."""

    def append(
        self, submissions: Sequence[Submission], *, now_ms: int, access: Access = OPEN, quotas: Quotas = UNLIMITED
    ) -> Appended:
        """Judges and stores events in one durable transaction. Events already held answer the seq they have.

        ``access`` is who may do what as of the log's head, ``quotas`` how much it may hold. If anything but a judgement
        goes wrong, nothing of all submissions is stored and the error is raised.
        """

    def slice(
        self,
        since: int = 0,
        *,
        view: View = FULL_VIEW,
        until: int | None = None,
        limit: int = 1_000,
        max_bytes: int = MAX_PAGE_BYTES,
    ) -> Slice:
        """At most ``limit`` entries that ``view`` shows and about ``max_bytes``, at least one if there is one.

        They come after the seq ``since`` and, if given, not after ``until``. The work is bounded.
        """

    def head(self) -> Head:
        """The end of the log."""

    def size(self) -> int:
        """The bytes of its events in canonical form."""

    def tail(self, seq: int) -> bytes | None:
        """The tail at a seq; None beyond the head, or where it is no longer kept."""

    def node(self, node: str) -> NodeState | None:
        """What the log knows of a node."""

    def close(self) -> None:
        """Closes the store; closing twice does nothing. Other calls then raise StoreClosed."""


class Gathered(NamedTuple):
    """Entries of some items: encoded, and the place (item, seq) of the last if there is more to come."""

    entries: list[bytes]
    stopped: tuple[str, int] | None


class LogStore(EventStore, BaseStore, DigestStore, Protocol):
    """A space's log that a server runs on: it writes there itself, answers by item, and may share it with others."""

    is_shared: bool
    """Whether other servers append to this log, too."""

    def refresh(self) -> Head:
        """The end of the log as it is committed now, whoever did it; from then on ``head`` and ``slice`` know it."""

    def reached(self) -> int:
        """How far a reader sees just now: perhaps to the end of a commit from which ``append`` has not returned."""

    def last_id(self) -> str:
        """The greatest id in the log; the nil id if it is empty."""

    def find(self, ids: Iterable[str]) -> list[Entry]:
        """The entries of those of these ids that the log holds with their content."""

    def items(self, pattern: str, after: str, limit: int, until: int | None = None) -> list[str]:
        """The first items after one, in order, that fit a pattern; of those to which something came ``until`` then.

        The work grows with ``limit``, not with the log.
        """

    def gather(self, items: Sequence[str], since: int, limit: int, until: int, max_bytes: int) -> Gathered:
        """The first entries of these items up to a seq, item by item, in order; of the first item those ``since``."""

    def adopt(self, entries: Sequence[Entry], then: Head) -> Head:
        """Takes over entries of another log as they are, in one durable transaction; the end of this log after that.

        They lead there to the epoch, seq and tail of ``then``, and go on where this log ends; an empty log takes the
        epoch, too. Nothing is judged. Raises EpochChanged, CursorReset if they do not go on here, or StoreDamaged if
        they do not lead there; then nothing is stored. Only for a log that no server has open.
        """

    def rewrite(self, entries: Sequence[Entry], *, more: bool = False) -> None:
        """Puts erased entries in place of those of the same seq and id, durably; with others nothing is done.

        What was erased is gone from the disk when the next call returns that has no ``more`` to follow it.
        """

    @property
    def wants_checkpoint(self) -> bool:
        """Whether ``checkpoint`` has something to do."""

    def checkpoint(self) -> None:
        """Housekeeping beside the writer, for another thread."""


class Logs(Protocol):
    """Where a server has the logs of its spaces. Every method may be called from any thread."""

    def open(self, space: str) -> LogStore:
        """The log of a space, made if there is none. Whoever opened it closes it."""

    def delete(self, space: str) -> None:
        """Deletes a space's log, which nobody has open here; one that is not there is deleted already."""

    def close(self) -> None:
        """Lets go of what the logs share; they were closed before."""


class SharedLogs(Logs, Protocol):
    """Logs to which other servers append, too."""

    def delete(self, space: str, *, seq: int | None = None) -> None:
        """See ``Logs.delete``. ``seq``: raises EpochChanged, and deletes nothing, if the log does not end there."""

    def heads(self, spaces: Sequence[str]) -> dict[str, int]:
        """The last seqs of those of these logs that are there, as they are committed now: one journey for all."""


def load(store: EventStore, since: int = 0, *, items: Sequence[str] = (), limit: int | None = None) -> Iterator[Entry]:
    """The entries after seq ``since``, in order, read slice by slice; ``items`` are item patterns, none means all."""
    view, more = View.everything(items), True
    while more and (limit is None or limit > 0):
        part = store.slice(since, view=view, limit=1_000 if limit is None else min(limit, 1_000))
        yield from part.entries
        since, more = part.seq, part.more
        limit = None if limit is None else limit - part.length


class ReplicaState(msgspec.Struct, frozen=True, kw_only=True):
    """What a replica knows of itself, persisted with every change."""

    node: str
    n: int = 0
    """The node's counter: how many events it has made."""
    stamp: str = NIL_ID
    """The greatest id made or seen."""
    user: str | None = None
    epoch: str | None = None
    seq: int = 0
    """The seq of the last entry applied."""
    cursor: str | None = None
    skew_ms: int = 0
    """What must be added to the local clock, when it is known to be far off."""
    cursors: tuple[tuple[int, str], ...] = ()
    """Older cursors with their seqs, ascending, thinned as ``core.cursors.thin`` says."""
    copied: bool = False
    """Whether another replica is known to use this node's id: it is replaced before the next push."""
    synced_at: int | None = None
    """When the replica last agreed with its server, in milliseconds of the local clock."""
    rewritten: int = 0
    """How many commits changed what was there, other than at its end. Only the store counts: what a ``Change`` says is
    ignored. Data derived from entries and local events holds as long as this number stands. It rises by one with each
    commit that

    - rewinds,
    - forgets an item of which there were entries, orphans or a base,
    - puts bases in their places,
    - keeps late entries (see ``are_late``),
    - drops an event that was in the outbox,
    - changes whether an event of the outbox is on its way (see ``is_on_its_way``),
    - or puts a ``heard`` event before another of its item that is on its way.

    It stands while events are recorded, pushed and acknowledged, and while pages bring new entries, also of events that
    wait in the outbox, or entries that are there already.
    """
    forgotten: str = NIL_ID
    """The greatest id of this node's that was forgotten: up to it, what is not held need not be a copy's."""
    rules: tuple[Rule, ...] | None = None
    """What its user might do when it last met its server; None from a server that does not tell."""
    actions: tuple[str, ...] = ()
    """Patterns of the actions that the credentials were limited to then; none: not limited."""
    items: tuple[str, ...] = ()
    """The same of items."""
    erasable: tuple[str, ...] = ()
    """Patterns of the items whose events are salted, as its server has said."""
    horizon: int = 0
    """Up to this seq what there is may be in bases, without its entries; 0: the replica has the log's beginning."""
    traces: bool = False
    """Whether bytes of what was forgotten may still be on the disk. Only the store knows, as with ``rewritten``."""


class Outboxed(NamedTuple):
    """A local event that is not an entry yet.

    ``status`` is ``pending`` (to be pushed), ``acked`` (its entry is on its way), ``heard`` (another's, from a peer),
    ``refused`` (with an ``error`` object), ``orphan`` (was an entry of a log that was rolled back, and is to be given
    back) or ``unvouched`` (the same, but the log did not take it, with the ``error``). ``seq`` is where a log holds it
    or, when that log was rolled back, has held it: others may know the event under its id; 0 if these others are peers
    alone. ``voucher`` is what remains of the entry that it was.
    """

    event: Event
    status: str = "pending"
    seq: int | None = None
    error: Mapping[str, Any] | None = None
    voucher: Voucher | None = None

    @property
    def loose(self) -> Entry:
        """The event as it is given to others: an entry without a seq, time and receipt."""
        return Entry.of(0, 0, "", self.event)

    @classmethod
    def lost(cls, entry: Entry, epoch: str | None) -> Outboxed:
        """What becomes of an entry when its log is rolled back."""
        return cls(entry.event, "orphan", entry.seq, None, Voucher.of(epoch, entry))


def lost(acked: Outboxed) -> Outboxed:
    """What becomes of an event that was acknowledged by a log that does not hold it any more."""
    return acked._replace(status="pending" if acked.voucher is None else "orphan")


ON_ITS_WAY = ("acked", "heard", "orphan", "pending", "unvouched")
"""Statuses of local events that count as part of their items: they will be, or are, or were in the server's log."""
OF_OTHERS = ("heard", "orphan", "unvouched")
"""Statuses of local events that go when their items are forgotten, unless they are this replica's own user's."""


def is_on_its_way(status: str) -> bool:
    """Whether a local event of this status counts as part of its item."""
    return status in ON_ITS_WAY


def are_late(entries: Sequence[Entry], held: Mapping[int, bytes], last: int) -> bool:
    """Whether keeping entries changes more than the end of what is there.

    ``held`` are the entries there are of the same events, encoded, by seq. ``last`` is how far the replica has read:
    the seq of its state or of its last entry, if that is greater. Entries that are there already change nothing.
    """
    late = [entry for entry in entries if entry.seq <= last]
    moved = held.keys() - {entry.seq for entry in late}
    return bool(moved) or any(held.get(entry.seq) != entry.encoded for entry in late)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a snapshot that is being taken. What has come of it waits aside, and nobody sees it before the end."""

    bases: Sequence[Base]
    is_first: bool
    """What waited before is of no use any more, and goes."""
    is_last: bool
    """All that waits, this part included, takes the place of the bases there are."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One atomic change of a replica. The parts are carried out in the order in which they stand here."""

    rewind: int | None = None
    """Entries above this seq become orphans."""
    forget: Sequence[str] = ()
    """Items whose entries and bases are deleted, with what was heard of them and orphans; ``EVERYTHING`` among them
    deletes all entries and bases. Other events stay: those of this replica's own user, and (of ``EVERYTHING``) what was
    heard and orphans, which nobody else may have any more."""
    part: Part | None = None
    """A part of a snapshot to keep aside, or to put in place with all that waits."""
    bases: Sequence[Base] = ()
    """Bases to put in the places of those of the same items."""
    entries: Sequence[Entry] = ()
    """Entries to keep, in any order of seq; each settles the local event of the same id."""
    drop: Sequence[str] = ()
    """Ids that leave the outbox."""
    outbox: Sequence[Outboxed] = ()
    """Local events to add, or whose status changes."""
    state: ReplicaState | None = None
    """The new state, if it changes; all of it but ``rewritten`` and ``traces``."""
    more: bool = False
    """Another change follows soon. What was forgotten is gone from the disk (no byte of it is left in any file) when
    the next commit returns that does not say so."""


class ReplicaStore(Protocol):
    """One replica's data. Every method may be called from any thread."""

    def commit(self, change: Change) -> Mapping[str, int]:
        """Carries out a change, durably and whole, or raises and does nothing.

        Returns by how many the outbox's events of each status became more (or, negative, fewer).
        """

    def state(self) -> ReplicaState:
        """The replica's state."""

    def load(self, since: int = 0, *, items: Sequence[str] = (), limit: int | None = None) -> Iterator[Entry]:
        """The entries after seq ``since``, in order of seq."""

    def outbox(
        self, *statuses: str, items: Sequence[str] = (), after: str = NIL_ID, limit: int | None = None
    ) -> list[Outboxed]:
        """The first ``limit`` local events of these statuses (all if none) with ids beyond ``after``, in their order.

        ``items`` are literals or prefixes with one trailing ``*``; none means all. Events of others are not touched.
        """

    def bases(self, items: Sequence[str] = ()) -> Iterator[Base]:
        """The bases of items that fit these patterns (none means all), in order of their items."""

    def digests(self, since: int, limit: int) -> list[Digested]:
        """The first entries after a seq, in order of their seqs."""

    def digests_by_id(self, low: bytes, high: bytes, limit: int, *, local: bool = False) -> list[Digested]:
        """The first entries from one key to another, both included, in order of their keys.

        ``local``: events of the outbox that are on their way, too, with seq 0.
        """

    def find(self, ids: Iterable[str]) -> list[Entry]:
        """What there is of these ids, in order of the ids: the entries, and what may be given of the local events.

        That is all but what was refused, as entries without a seq, time and receipt.
        """

    def holds(self, ids: Iterable[str]) -> set[str]:
        """Which of these ids are entries or in the outbox."""

    def close(self) -> None:
        """Closes the store; closing twice does nothing. Other calls then raise StoreClosed."""
