"""Bases kept with a log: its newest snapshot, and the floor on which what is left of its history stands.

A snapshot is a base for each item at one seq. The *floor* is one, too: it stands at the *horizon*, before which entries
may be without content. Of an item the floor may stand lower than the horizon: then more of its history is left. Both
are staged in small steps, which hold up no push, and take the place of the one before in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from syncline.core.bases import Base
from syncline.errors import SnapshotGone

DROPPED_ROWS = 2_000
"""Rows that are looked at in one step of ``drop``."""

encode_base = msgspec.json.Encoder().encode
decode_base = msgspec.json.Decoder(Base).decode
"""How stores keep a base."""


class Point(NamedTuple):
    """Where a snapshot stands: the seq up to which all is in it, and the time of the entry there."""

    seq: int
    at: int


class Points(NamedTuple):
    """Where a log's newest snapshot and its floor stand; None: there is none."""

    newest: Point | None = None
    floor: Point | None = None

    @property
    def covered(self) -> int:
        """The seq up to which all is in the newest snapshot; 0: there is none."""
        return self.newest.seq if self.newest else 0

    @property
    def horizon(self) -> int:
        """The seq before which nobody can begin to read; 0: the log has its beginning."""
        return self.floor.seq if self.floor else 0


class BaseStore(Protocol):
    """The bases of one log. One at a time stages; every other method may be called from any thread."""

    drops: bool
    """Whether it may let go of history: otherwise it takes no floor."""

    def points(self) -> Points:
        """Where the newest snapshot and the floor stand, whoever put them there."""

    def stage(self, bases: Sequence[Base], *, is_first: bool) -> None:
        """Adds bases, in order of their items, to what is to be kept; ``is_first``: what was staged before goes.

        Of two servers that stage the first is told so, here or in ``keep_staged``, by SnapshotGone.
        """

    def keep_staged(self, point: Point, *, is_floor: bool = False) -> None:
        """What was staged is the newest snapshot, or the floor, from now on; durably, in one step."""

    def bases(self, point: Point, after: str, limit: int, *, is_floor: bool = False) -> list[Base]:
        """The first bases beyond an item of the snapshot, or of the floor, at a point. Raises SnapshotGone."""

    def base(self, item: str) -> Base | None:
        """What the floor says of an item: all entries that came to it after that have their content."""

    def drop(self) -> bool:
        """Takes content for which the floor stands, one bounded step; whether there is more to do.

        System items keep theirs. Of the others a stub is left, so nothing changes but what is shown of the past.
        """


class MemoryBases:
    """The bases of a log in memory, and how far content was dropped. Not thread-safe: whoever owns it holds a lock."""

    def __init__(self) -> None:
        self._staged: dict[str, Base] = {}
        self._kept: dict[bool, tuple[Point, dict[str, Base]]] = {}  # the floor is under True
        self._dropped = 0

    def points(self) -> Points:
        """See ``BaseStore.points``."""
        return Points(*(self._kept[which][0] if which in self._kept else None for which in (False, True)))

    def stage(self, bases: Sequence[Base], *, is_first: bool) -> None:
        """See ``BaseStore.stage``."""
        if is_first:
            self._staged = {}
        self._staged.update((base.item, base) for base in bases)

    def keep_staged(self, point: Point, *, is_floor: bool) -> None:
        """See ``BaseStore.keep_staged``."""
        self._kept[is_floor], self._staged = (point, self._staged), {}
        if is_floor:
            self._dropped = 0

    def bases(self, point: Point, after: str, limit: int, *, is_floor: bool) -> list[Base]:
        """See ``BaseStore.bases``."""
        found = self._kept.get(is_floor)
        if found is None or found[0] != point:
            raise gone(point)
        items = sorted(item for item in found[1] if item > after)[:limit]
        return [found[1][item] for item in items]

    def base(self, item: str) -> Base | None:
        """See ``BaseStore.base``."""
        return self._kept[True][1].get(item) if True in self._kept else None

    def next_to_drop(self) -> tuple[int, int]:
        """After which seq, and up to which, content is dropped next."""
        return self._dropped, max(self._dropped, min(self.points().horizon, self._dropped + DROPPED_ROWS))

    def stands_for(self, item: str, seq: int) -> bool:
        """Whether the floor stands for an entry, so that its content may go."""
        base = None if item.startswith(".") else self.base(item)
        return base is not None and seq <= base.seq

    def note_dropped(self, until: int) -> bool:
        """Content was dropped up to a seq; whether there is more to do."""
        self._dropped = until
        return until < self.points().horizon


def gone(point: Point) -> SnapshotGone:
    """The error for a snapshot that was replaced."""
    return SnapshotGone(f"The snapshot at seq {point.seq} was replaced: ask from its beginning.")
