"""Beginning from a snapshot: the questions a replica asks, part by part, and what it must do about the answers.

A part is kept aside as it comes; the last puts all of them in the place of what the replica holds up to the snapshot's
seq. If the server has made a newer snapshot meanwhile, all begins again with that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from syncline.core.events import Entry
from syncline.core.messages import AskSnapshot, Snapshot
from syncline.errors import BadRequest, SnapshotGone

MAX_BEGINNINGS = 10
"""How often a snapshot may be gone before its end has come."""


class Take(NamedTuple):
    """Keep a part of a snapshot aside; with the last, all of it takes the place of what is there up to its seq."""

    part: Snapshot
    is_first: bool
    entries: Sequence[Entry]
    """Those of the system's items in this part and all before it."""
    cursor: str
    """Where to go on: that of the first part, so that what has changed for this reader since then is told."""

    @property
    def is_last(self) -> bool:
        """Whether the snapshot is whole with this."""
        return self.part.after is None


class Beginning:
    """One snapshot that is being asked for."""

    def __init__(self, items: tuple[str, ...]) -> None:
        self._items = items
        self._beginnings = 0
        self._begin()

    def _begin(self) -> None:
        self._seq: int | None = None
        self._after = self._cursor = ""
        self._entries: list[Entry] = []

    def question(self) -> AskSnapshot:
        """What to ask next."""
        return AskSnapshot(items=self._items, seq=self._seq, after=self._after)

    def receive(self, part: Snapshot) -> Take:
        """What to do about the answer. Raises BadRequest if it does not go on where the last part ended."""
        if self._seq not in (None, part.seq) or (part.after is not None and part.after <= self._after):
            raise BadRequest("The server answered another part of a snapshot than was asked for.")
        is_first, self._seq = self._seq is None, part.seq
        self._cursor = self._cursor or part.cursor
        self._entries += part.entries
        self._after = part.after or self._after
        return Take(part, is_first, tuple(self._entries), self._cursor)

    def begin_again(self, error: SnapshotGone) -> None:
        """The snapshot is gone. Raises the error if that has happened too often."""
        self._beginnings += 1
        if self._beginnings >= MAX_BEGINNINGS:
            raise error
        self._begin()
