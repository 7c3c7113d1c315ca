"""Snapshots: states of items that were folded before, so that reading one folds only what came after.

They are derived: a program that loses them is slower until it has made them again, and wrong about nothing. So a
``SnapshotStore`` keeps what it can and drops what it must. The adapter in memory stands here; it is the one to read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Protocol

import msgspec

from syncline.core.stamps import NIL_ID
from syncline.errors import StoreClosed

__all__ = ["Kept", "MemorySnapshotStore", "SnapshotStore", "thin", "weight"]

MAX_BYTES = 8 * 1_048_576
"""What the snapshots of one item may take together."""
SMALLEST = 4_096
"""What a snapshot takes at least, so that small ones are bounded in number too."""
FINEST = 1_023 / 1_024


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an item after some of its events: first confirmed ones, then local ones that are on their way."""

    item: str
    count: int
    """How many of the item's events are folded in it, confirmed or not."""
    revision: int
    """The number of the last revision in it."""
    seq: int
    """The seq of the last confirmed entry in it; 0 if there is none."""
    at: int
    """The time of that entry, in milliseconds; 0 if there is none."""
    pending: int
    """How many local, unconfirmed events are folded in it, on top of the confirmed ones."""
    head: int
    """Where the log ended when it was made: all entries of the item up to this seq are in it."""
    rewritten: int
    """``ReplicaState.rewritten`` when it was made; 0 on servers."""
    group: str | None
    """The ``meta.group`` of the last event folded, if it has one."""
    last: str = NIL_ID
    """The greatest id of the local events folded in it: others that are on their way have greater ones."""
    body: bytes
    """The state itself, packed."""


class SnapshotStore(Protocol):
    """The snapshots of one log's items. Every method may be called from any thread."""

    def keep(self, snapshot: Kept) -> None:
        """Keeps a snapshot in place of one of the same item and count; those of another ``rewritten`` go.

        Then the item's older ones are thinned, as ``thin`` says, to ``MAX_BYTES`` (or what the store was given). The
        newest stays, however large. What finds no room on the disk is not kept.
        """

    def nearest(
        self,
        item: str,
        *,
        count: int | None = None,
        revision: int | None = None,
        seq: int | None = None,
        at: int | None = None,
        rewritten: int = 0,
        confirmed: bool = False,
    ) -> Kept | None:
        """The item's snapshot of the greatest count that is not after any bound given; None if there is none.

        ``seq`` and ``at`` are compared with those of the last confirmed entry. ``confirmed``: only snapshots without
        pending events. Those of another ``rewritten`` are not seen.
        """

    def forget(self, item: str | None = None) -> None:
        """Deletes an item's snapshots; or all, so that no byte of them is left on the disk."""

    def close(self) -> None:
        """Closes the store; closing twice does nothing. Other calls then raise StoreClosed."""


def weight(length: int) -> int:
    """What a snapshot whose body has so many bytes counts for."""
    return max(length, SMALLEST)


def thin(weights: Mapping[int, int], max_bytes: int) -> list[int]:
    """Which counts of an item's snapshots stay, given what each weighs, so that all together weigh ``max_bytes``.

    The older, the sparser: a snapshot goes when the next one is nearly as far from the newest as the one before it.
    How nearly is relaxed step by step until there is room, so the way from a snapshot to any place in the history is
    at most some part of that place's distance from the newest; the beginning costs nothing. The newest always stays.
    """
    counts, ratio = sorted(weights), FINEST
    while len(counts) > 1 and sum(weights[count] for count in counts) > max_bytes:
        counts = _spaced(counts, ratio)
        ratio *= ratio  # comes to 0 in 20 steps, where only the newest stays
    return counts


def _spaced(counts: Sequence[int], ratio: float) -> list[int]:
    kept, newest = [0], counts[-1]
    for count in counts:
        while len(kept) > 1 and newest - count >= ratio * (newest - kept[-2]):
            kept.pop()
        kept.append(count)
    return kept[1:]


class MemorySnapshotStore:
    """Snapshots in dictionaries."""

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        """``max_bytes``: what the snapshots of one item may take."""
        self._max_bytes = max_bytes
        self._items: dict[str, dict[int, Kept]] = {}
        self._lock = Lock()
        self._closed = False

    def keep(self, snapshot: Kept) -> None:
        """See ``SnapshotStore.keep``."""
        with self._lock:
            self._check_open()
            others = self._items.get(snapshot.item, {}).values()
            snapshots = {each.count: each for each in others if each.rewritten == snapshot.rewritten}
            snapshots[snapshot.count] = snapshot
            staying = thin({count: weight(len(each.body)) for count, each in snapshots.items()}, self._max_bytes)
            self._items[snapshot.item] = {count: snapshots[count] for count in staying}

    def nearest(
        self,
        item: str,
        *,
        count: int | None = None,
        revision: int | None = None,
        seq: int | None = None,
        at: int | None = None,
        rewritten: int = 0,
        confirmed: bool = False,
    ) -> Kept | None:
        """See ``SnapshotStore.nearest``."""
        with self._lock:
            self._check_open()
            fitting = (
                each
                for each in self._items.get(item, {}).values()
                if each.rewritten == rewritten
                and not (confirmed and each.pending)
                and (count is None or each.count <= count)
                and (revision is None or each.revision <= revision)
                and (seq is None or each.seq <= seq)
                and (at is None or each.at <= at)
            )
            return max(fitting, key=lambda each: each.count, default=None)

    def forget(self, item: str | None = None) -> None:
        """See ``SnapshotStore.forget``."""
        with self._lock:
            self._check_open()
            for each in list(self._items) if item is None else [item]:
                self._items.pop(each, None)

    def close(self) -> None:
        """See ``SnapshotStore.close``."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("The store was closed.")
