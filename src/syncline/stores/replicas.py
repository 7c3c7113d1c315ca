"""What a replica keeps: how it stands, the entries it has read, bases, and local events in an outbox.

A ``Change`` is all that is stored in one durable step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from syncline.core.access.rules import Rule
from syncline.core.bases import Base
from syncline.core.events import Entry, Event
from syncline.core.gifts import Voucher
from syncline.core.stamps import NIL_ID
from syncline.stores.digests import Digested

EVERYTHING = "*"
"""In place of an item, in what a page or a change forgets: all of them."""


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
