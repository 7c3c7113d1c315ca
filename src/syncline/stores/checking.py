"""Verifying a log: whether every seq is there, and each entry is what its digest, its tail and all beside it say.

Each seq that is wrong is named, and no other: a tail is compared with the tail kept before it, so one that has gone
wrong does not accuse those after it. Nothing is written; what is looked at is the log up to where it ended at first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from syncline.core.events import Entry
from syncline.core.log import NO_TAIL, Head, Receipts, chain
from syncline.core.merkle import Leaf, Tree
from syncline.errors import StoreDamaged, SynclineError
from syncline.stores.reading import NO_TAILS, ROWS, Damage, Fact, Kept, LogReader

UNREADABLE = b""
"""In place of an entry that the store cannot give."""
UNKNOWN = b""
"""In place of a tail that cannot be told."""


class Verified(NamedTuple):
    """What was found of a log."""

    head: Head
    entries: int
    without_content: int
    """Of these, how many have lost their content, by the horizon of their space."""
    foreign_receipts: int
    """Entries at the beginning that bear receipts of another server; -1 if none was looked at."""
    root: bytes
    """Of the Merkle tree of all that is there."""
    damages: list[Damage]
    """In order of seq."""


class Checking:
    """Verifies one log."""

    def __init__(self, reader: LogReader, receipts: Receipts | None, note: Callable[[int], None]) -> None:
        """``receipts``: by which this server vouches for entries, if that is known; ``note`` hears of each seq."""
        self._reader, self._receipts, self._note = reader, receipts, note
        self._damages: list[Damage] = []
        self._kept_tail = self._true_tail = NO_TAIL
        self._seq = self._last_at = self._entries = self._empty = self._horizon = 0
        self._unvouched: list[int] = []
        self._has_tails = True
        self._vouched_since = 0
        self._leaves: list[bytes] = []

    def run(self) -> Verified:
        """Looks at all of it."""
        head = self._reader.head()
        self._has_tails = head.tail != NO_TAILS
        while self._seq < head.seq and (rows := self._read(self._seq, head.seq)):
            facts = [fact for row in rows if (fact := self._check_row(row, head.epoch)) is not None]
            if facts:
                self._damages += self._reader.differing(facts)
            self._note(self._seq)
        self._check_end(head)
        foreign = self._check_receipts()
        self._damages += [Damage(0, wrong) for wrong in self._reader.check()]
        root = Tree.of(Leaf(row[:16], row[16:]) for row in sorted(self._leaves)).root
        return Verified(head, self._entries, self._empty, foreign, root, sorted(set(self._damages)))

    def _read(self, since: int, until: int) -> list[Kept]:
        """The next rows that can be read; what cannot is told."""
        try:
            return self._reader.read(since, until)
        except StoreDamaged:
            return self._read_singly(since, min(since + ROWS, until))

    def _read_singly(self, since: int, until: int) -> list[Kept]:
        rows = []
        for seq in range(since + 1, until + 1):
            try:
                rows += self._reader.read(seq - 1, seq)
            except StoreDamaged as error:
                self._damage(seq, error.message)
                rows.append(Kept(seq, self._tail(seq), UNREADABLE))
        return rows

    def _tail(self, seq: int) -> bytes:
        try:
            return self._reader.tail(seq) or b""
        except StoreDamaged:
            return b""

    def _check_row(self, row: Kept, epoch: str) -> Fact | None:
        """What an entry says of itself; None if it cannot be said."""
        self._check_gap(row.seq)
        self._seq, self._entries = row.seq, self._entries + 1
        if row.digest is not None:
            self._check_empty(row, row.digest)
            return None
        entry = self._entry(row)
        if entry is None:
            self._kept_tail = self._true_tail = row.tail
            return None
        event = entry.event
        self._follow(row, event.digest)
        if entry.at < self._last_at:
            self._damage(row.seq, "its time is before that of the entry before it")
        self._last_at = max(self._last_at, entry.at)
        self._note_receipt(epoch, entry)
        self._leaves.append(event.key + event.digest)
        return Fact(row.seq, entry.at, event.key, event.item, event.node, event.n, event.digest)

    def _check_empty(self, row: Kept, digest: bytes) -> None:
        """Of an entry without content there are the id and the digest: the tail is to follow from that."""
        self._empty += 1
        if row.seq > self._horizon:
            self._horizon = self._reader.horizon()  # it may have moved since
        if row.seq > self._horizon:
            self._damage(row.seq, "its content is gone, though the history that is kept begins before it")
        self._follow(row, digest)
        self._leaves.append((row.key or b"") + digest)

    def _entry(self, row: Kept) -> Entry | None:
        if row.entry == UNREADABLE:
            return None
        if row.entry is None:
            self._damage(row.seq, "it has neither content nor a digest")
            return None
        try:
            entry = Entry.read(row.entry)
            _ = entry.event.n, entry.event.key, entry.event.digest
        except (ValueError, KeyError, msgspec.MsgspecError, SynclineError) as error:
            self._damage(row.seq, f"it does not read: {error}")
            return None
        if entry.seq != row.seq or entry.encoded != row.entry:
            self._damage(row.seq, "it is not in the form in which it was written")
        return entry

    def _check_gap(self, seq: int) -> None:
        """Whether nothing is missing before a seq."""
        first = self._seq + 1
        if first < seq and self._has_tails:
            self._damage(first, "there is nothing" + (f" from here to seq {seq - 1}" if first < seq - 1 else ""))
            self._kept_tail = self._true_tail = UNKNOWN

    def _follow(self, row: Kept, digest: bytes) -> None:
        """Whether the tail here follows from a tail before it, be that the one kept or the one it should have been."""
        if not self._has_tails:
            return
        by_kept, by_true = (chain(tail, [digest])[0] for tail in (self._kept_tail, self._true_tail))
        if self._kept_tail == UNKNOWN or row.tail in (by_kept, by_true):
            by_true = row.tail
        else:
            self._damage(row.seq, "what is there does not lead to the tail kept here: content or tail is damaged")
        self._kept_tail, self._true_tail = row.tail, by_true

    def _note_receipt(self, epoch: str, entry: Entry) -> None:
        if self._receipts is None or self._receipts.verify(epoch, entry.seq, entry.event.digest, entry.receipt):
            self._vouched_since = self._vouched_since or entry.seq
        else:
            self._unvouched.append(entry.seq)

    def _check_receipts(self) -> int:
        """Receipts of another server may be at the beginning, if the log came from there; later they are damage."""
        if self._receipts is None:
            return -1
        later = [seq for seq in self._unvouched if self._vouched_since and seq > self._vouched_since]
        for seq in later:
            self._damage(seq, "its receipt is not this server's")
        return len(self._unvouched) - len(later)

    def _check_end(self, head: Head) -> None:
        self._check_gap(head.seq + 1)
        if self._has_tails and self._kept_tail not in (UNKNOWN, head.tail):
            self._damage(head.seq, "the tail kept here is not that of the log's end")

    def _damage(self, seq: int, what: str) -> None:
        self._damages.append(Damage(seq, what))
