"""Snapshots that hold for one history only: a log restored from an older copy does not take what came of the lost part.

Each is kept with the log's tail at its seq, which names everything before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from syncline.core.log import NO_TAIL, TAIL_BYTES
from syncline.stores.snapshots import Kept, SnapshotStore


class AnchoredSnapshots:
    """A snapshot store beside a log; ``tail`` gives the log's tail at a seq."""

    def __init__(self, store: SnapshotStore, tail: Callable[[int], bytes | None]) -> None:
        self._store, self._tail = store, tail

    def keep(self, snapshot: Kept) -> None:
        """See ``SnapshotStore.keep``."""
        anchor = self._tail(snapshot.seq) or NO_TAIL
        self._store.keep(replace(snapshot, body=anchor + snapshot.body))

    def nearest(self, item: str, **bounds: Any) -> Kept | None:
        """See ``SnapshotStore.nearest``. If one is of another history, all of the item go."""
        found = self._store.nearest(item, **bounds)
        if found is None:
            return None
        if found.body[:TAIL_BYTES] != self._tail(found.seq):
            self._store.forget(item)
            return None
        return replace(found, body=found.body[TAIL_BYTES:])

    def forget(self, item: str | None = None) -> None:
        """See ``SnapshotStore.forget``."""
        self._store.forget(item)

    def close(self) -> None:
        """See ``SnapshotStore.close``."""
        self._store.close()
