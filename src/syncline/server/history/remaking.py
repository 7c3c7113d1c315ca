"""Bases made again, for items of which something was erased: folded anew, from the archives on and from the log.

What lies before the horizon has its content in the archives alone, so a floor can be made again only where all of them
are at hand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial

from syncline.core.bases import Base
from syncline.core.documents.folded import Folded
from syncline.core.documents.revisions import Placed
from syncline.server.history.archives import Archives
from syncline.server.history.snapshotting import STEP_ENTRIES, Snapshotting, Steps, fold_on
from syncline.stores import LogStore


def remake(store: LogStore, archives: Archives | None, items: Collection[str], below: Collection[str]) -> Steps:
    """Makes the bases of items again in the newest snapshot, and those of the items ``below`` the horizon in the floor.

    Both stand where they stood.
    """
    points = store.points()
    if points.floor and below and archives is not None and archives.covers(points.horizon):
        making = Snapshotting(store, points.floor, is_floor=True, again=below)
        bases: dict[str, Base] = {}
        yield from _fold_archived(making, archives, below, bases)
        making.make = partial(_known, bases)
        yield from making.steps()
    if points.newest:
        yield from Snapshotting(store, points.newest, is_floor=False, again=items, make=_from_floor).steps()


def _fold_archived(making: Snapshotting, archives: Archives, items: Collection[str], bases: dict[str, Base]) -> Steps:
    """The bases of items in the floor, from what is archived of them."""
    ends = {item: base.seq for item in items if (base := making.store.base(item))}
    folded = {item: Folded(item) for item in ends}
    for count, entry in enumerate(archives.entries(), 1):
        item = entry.event.item
        if entry.seq <= ends.get(item, 0):
            folded[item].fold(Placed.of(entry), making.policies.of(item, entry.seq))
        if count % STEP_ENTRIES == 0:
            yield
    bases.update({item: each.base() for item, each in folded.items()})


def _known(bases: Mapping[str, Base], _making: Snapshotting, item: str, before: Base | None) -> Iterator[Base | None]:
    yield bases.get(item, before)


def _from_floor(making: Snapshotting, item: str, _before: Base | None) -> Iterator[Base | None]:
    yield from fold_on(making, item, making.store.base(item))
