"""What has to leave the disk: whatever is derived of items that were forgotten, erased, or begun anew from bases."""

from __future__ import annotations

from syncline.stores import EVERYTHING, Change, ReplicaStore


def spoiled(change: Change, store: ReplicaStore) -> set[str]:
    """Of which items nothing derived may stay when a change is made; with ``EVERYTHING``: of none.

    Somebody who pulls erased entries for the first time has nothing of them yet.
    """
    if change.part is not None and change.part.is_last:
        return {EVERYTHING}
    erased = {entry.event.id: entry.event.item for entry in change.entries if entry.event.is_erased}
    held = store.holds(erased) if erased else ()
    return {*change.forget, *(base.item for base in change.bases), *(erased[id] for id in held)}
