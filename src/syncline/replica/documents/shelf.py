"""One document in memory: its state, the snapshot it began with, and the events since."""

from __future__ import annotations

from typing import Any

from syncline.core.bases import Base
from syncline.core.documents import snapshots
from syncline.core.documents.document import Document
from syncline.core.documents.folded import document_of, state_of
from syncline.core.documents.revisions import Placed, fold_placed, group_of
from syncline.core.events import Event
from syncline.core.stamps import NIL_ID
from syncline.stores.snapshots import Kept


class Shelf:
    """One document, the snapshot its last stretch begins with, and that stretch: confirmed events, pending ones."""

    def __init__(self, item: str, kept: Kept | None, base: Base | None = None) -> None:
        """It begins with a snapshot, or else with the item's base, or else empty."""
        self.kept = kept or beginning(item, base)
        self.document = open_kept(item, kept) if kept or base is None else document_of(base)
        self.revision, self.group = self.kept.revision, self.kept.group
        self.stretch: list[Placed] = []
        self.seq, self.at, self.pending, self.last = self.kept.seq, self.kept.at, self.kept.pending, self.kept.last
        self.confirmed = self.looked_at = NIL_ID  # of what the snapshot holds as pending, the last that was confirmed
        self.is_in_order = True
        self.bytes = len(self.kept.body)

    def fold(self, placed: Placed, policy: str) -> None:
        """Folds the next event of the stretch."""
        self.add(placed, has_changed=fold_placed(self.document, placed, policy))

    def add(self, placed: Placed, *, has_changed: bool) -> None:
        """Takes note of an event that was folded. A visible change is a revision, as are neighbours of one group."""
        self.stretch.append(placed)
        self.bytes += len(placed.event.body)
        self.is_in_order = self.is_in_order and not (placed.seq and self.pending)
        self._moved(placed, 0 if placed.seq else 1)
        group = group_of(placed.event)
        if has_changed and not self.goes_on(placed.event):
            self.revision += 1
        self.group = group if has_changed or group == self.group else None

    def goes_on(self, event: Event) -> bool:
        """Whether an event belongs to the last revision, as its neighbour in a group."""
        return self.group is not None and group_of(event) == self.group

    def holds(self, event: Event) -> bool:
        """Whether an event that the document has seen by its number may be a pending one."""
        return bool(self.kept.pending) or any(each.event.id == event.id for each in self.stretch)

    def confirm(self, placed: Placed) -> None:
        """A pending event has its entry now; the first of them, or they are no longer in order."""
        first = len(self.stretch) - self.pending
        where = next((i for i, each in enumerate(self.stretch) if each.event.id == placed.event.id), -1)
        if (where >= 0 and self.stretch[where].seq) or where < 0 <= first:
            return  # it has come before
        self.is_in_order = self.is_in_order and where == max(first, -1)
        if where >= 0:
            self.stretch[where] = placed
        else:
            self.is_in_order = self.is_in_order and placed.event.id > self.confirmed
            self.confirmed = placed.event.id
        self._moved(placed, -1)

    def _moved(self, placed: Placed, pending: int) -> None:
        self.pending += pending
        if placed.seq:
            self.seq, self.at = placed.seq, placed.at
        else:
            self.last = placed.event.id


def beginning(item: str, base: Base | None = None) -> Kept:
    """Where a document begins: at its base, or with nothing."""
    if base is None:
        zero: dict[str, Any] = dict.fromkeys(("count", "revision", "seq", "at", "pending", "head", "rewritten"), 0)
        return Kept(item=item, group=None, body=b"", **zero)
    return Kept(
        item=item,
        count=base.count,
        revision=base.revision,
        seq=base.seq,
        at=base.at,
        pending=0,
        head=base.seq,
        rewritten=0,
        group=base.group,
        body=state_of(base),
    )


def open_kept(item: str, kept: Kept | None) -> Document:
    """The document of a snapshot, or an empty one."""
    return snapshots.decode(item, snapshots.unpack(kept.body)) if kept and kept.body else Document(item)
