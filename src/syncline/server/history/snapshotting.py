"""Making a snapshot of a space from its log: item by item, folded on from the one before, in bounded steps.

A step is short, so that whoever pushes meanwhile waits for no more than that; between steps nothing is held. What is
made is staged in the store, and counts only when it is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from heapq import merge
from itertools import groupby

import msgspec

from syncline.core.bases import Base
from syncline.core.documents.folded import Folded
from syncline.core.documents.revisions import Placed
from syncline.core.documents.settings import POLICIES_ITEM, Policies
from syncline.core.events import Entry
from syncline.stores import LogStore, load
from syncline.stores.bases import Point

STEP_ENTRIES = 200
"""Entries that are folded in one step: about 10 ms."""
LOOKED_AT = 1_000
"""Entries whose items are looked at in one step."""
STEP_BASES = 200
"""Bases that are staged in one step, if they are not larger than ``STEP_BYTES``."""
STEP_BYTES = 1024 * 1024

Steps = Iterator[None]
"""Work that is done as it is iterated over: each turn is one step."""
MakeBase = Callable[["Snapshotting", str, Base | None], Iterator[Base | None]]


class _Placed(msgspec.Struct):
    item: str


class _Line(msgspec.Struct):
    seq: int
    event: _Placed


_lines = msgspec.json.Decoder(list[_Line])


class Snapshotting:
    """A snapshot of a log at a seq, in the making."""

    def __init__(
        self,
        store: LogStore,
        until: Point,
        *,
        is_floor: bool,
        make: MakeBase | None = None,
        again: Collection[str] = (),
    ) -> None:
        """``until``: the seq it is of. ``is_floor``: it starts from the floor, and takes its place.

        ``again``: items whose bases are made anew even if nothing has come to them since. ``make`` yields the base of
        an item that has changed, with a None before it for each step; or None at last, if it is to have no base.
        """
        self.store, self.until = store, until
        self.policies = Policies(load(store, items=[POLICIES_ITEM]))
        self._is_floor, self.make, self._again = is_floor, make or fold_on, again
        points = store.points()
        self._before = points.floor if is_floor else points.newest
        self._changed: set[str] | None = None  # None: all
        self._staged: list[Base] = []
        self._is_first = True
        self._folded = 0

    def steps(self) -> Steps:
        """Makes the snapshot. Raises SnapshotGone if another one took the place of the one before."""
        yield from self._look()
        for item, before, has_changed in self._items():
            for base in self.make(self, item, before) if has_changed else (before,):
                if base is None or self._add(base):
                    yield
        self._flush()
        self.store.keep_staged(self.until, is_floor=self._is_floor)

    def _add(self, base: Base) -> bool:
        """Adds a base to the next lot; whether that was full, and is staged."""
        self._staged.append(base)
        is_full = len(self._staged) >= STEP_BASES or sum(len(each.state) for each in self._staged) >= STEP_BYTES
        if is_full:
            self._flush()
        return is_full

    def _flush(self) -> None:
        self.store.stage(self._staged, is_first=self._is_first)
        self._staged, self._is_first = [], False

    # Which items there are; those of the system have no bases, since their entries stay

    def _items(self) -> Iterator[tuple[str, Base | None, bool]]:
        """Each item in order, with its base before, and whether something has come to it since."""
        both = merge(
            ((item, None) for item in (self._all_items() if self._changed is None else sorted(self._changed))),
            ((base.item, base) for base in self._bases()),
            key=lambda each: each[0],
        )
        for item, found in groupby(both, key=lambda each: each[0]):
            each = [base for _, base in found]
            yield item, next((base for base in each if base is not None), None), None in each

    def _bases(self) -> Iterator[Base]:
        after, point = "", self._before
        while point is not None:
            part = self.store.bases(point, after, STEP_BASES, is_floor=self._is_floor)
            yield from part
            if len(part) < STEP_BASES:
                break
            after = part[-1].item

    def _look(self) -> Steps:
        """Finds the items to which something came since the snapshot before. For a floor all are looked at, because
        the bases of some stand at lower seqs than the floor itself."""
        if self._before is None or self._is_floor:
            return
        since, self._changed = self._before.seq, set(self._again)
        while since < self.until.seq:
            part = self.store.slice(since, until=self.until.seq, limit=LOOKED_AT)
            lines = _lines.decode(b"[" + part.encoded + b"]")
            self._changed.update(line.event.item for line in lines if line.event.item[0] != ".")
            since = part.seq
            yield

    def _all_items(self) -> Iterator[str]:
        after = ""
        while part := self.store.items("*", after, STEP_BASES, self.until.seq):
            yield from (item for item in part if item[0] != ".")
            after = part[-1]

    def is_time(self) -> bool:
        """Whether a step is over, once one more entry was folded."""
        self._folded += 1
        return self._folded % STEP_ENTRIES == 0

    def entries(self, item: str, since: int) -> Iterator[Entry]:
        """The entries of an item after a seq, up to where the snapshot stands."""
        for entry in load(self.store, since, items=[item]):
            if entry.seq > self.until.seq:
                return
            yield entry


def fold_on(making: Snapshotting, item: str, before: Base | None, until: int | None = None) -> Iterator[Base | None]:
    """The base of an item at the seq of the snapshot, or at an earlier one of its own."""
    folded = Folded(item, before)
    for entry in making.entries(item, folded.seq):
        if until is not None and entry.seq > until:
            break
        folded.fold(Placed.of(entry), making.policies.of(item, entry.seq))
        if making.is_time():
            yield None
    yield folded.base() if folded.seq > (before.seq if before else 0) else before
