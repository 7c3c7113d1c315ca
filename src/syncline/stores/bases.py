"""Bases kept with a log: its newest snapshot, and the floor on which what is left of its history stands.

A snapshot is a base for each item at one seq. The *floor* is one, too: it stands at the *horizon*, before which entries
may be without content. Of an item the floor may stand lower than the horizon: then more of its history is left. Both
are staged in small steps, which hold up no push, and take the place of the one before in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from syncline.core.bases import Base

DROPPED_ROWS = 2_000
"""Rows that are looked at in one step of ``drop``."""


class Point(NamedTuple):
    """Where a snapshot stands: the seq up to which all is in it, and the time of the entry there."""

    seq: int
    at: int


class Points(NamedTuple):
    """Where a log's newest snapshot and its floor stand; None: there is none."""

    newest: Point | None = None
    floor: Point | None = None

    @property
    def horizon(self) -> int:
        """The seq before which nobody can begin to read; 0: the log has its beginning."""
        return self.floor.seq if self.floor else 0


class BaseStore(Protocol):
    """The bases of one log. One at a time stages; every other method may be called from any thread."""

    def points(self) -> Points:
        """Where the newest snapshot and the floor stand, whoever put them there."""

    def stage(self, bases: Sequence[Base], *, is_first: bool) -> None:
        """Adds bases, in order of their items, to what is to be kept; ``is_first``: what was staged before goes."""

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
