"""Versions: what says that one state came before another.

Three kinds ship: a place in one log (``SequenceVersion``), hybrid logical time (``StampVersion``) and causality
(``VectorClock``, in its own module). The first two are total orders; only a vector clock can say *concurrent*.
"""

from __future__ import annotations

from enum import Enum
from functools import total_ordering
from typing import Protocol, Self, runtime_checkable

from syncline.core.limits import MAX_SAFE_INTEGER
from syncline.core.stamps import NIL_ID, check_id
from syncline.errors import InvalidEvent


class Ordering(Enum):
    """How one version stands to another."""

    BEFORE = "before"
    AFTER = "after"
    EQUAL = "equal"
    CONCURRENT = "concurrent"


@runtime_checkable
class Version(Protocol):
    """What every kind of version can do. Versions of different kinds are not comparable (TypeError)."""

    def compare(self, other: Self) -> Ordering:
        """How this version stands to ``other``."""

    def is_zero(self) -> bool:
        """Whether this is the version before anything happened."""

    def __str__(self) -> str:
        """The text form; the class's ``parse`` reads it back."""


def _order(left: SequenceVersion | StampVersion, right: Version) -> Ordering:
    if left == right:
        return Ordering.EQUAL
    return Ordering.BEFORE if left < right else Ordering.AFTER  # type: ignore[operator]


@total_ordering
class SequenceVersion:
    """The place in one log: 0 before its first entry, then 1, 2, 3, …"""

    __slots__ = ("seq",)

    def __init__(self, seq: int = 0) -> None:
        if not 0 <= seq <= MAX_SAFE_INTEGER:
            raise InvalidEvent(f"A sequence is between 0 and 2^53-1, not {seq}.")
        self.seq = seq

    @classmethod
    def parse(cls, text: str) -> SequenceVersion:
        """Reads the text form, a decimal number without sign or leading zeros."""
        if not (text.isascii() and text.isdigit()) or len(text) > 16 or (text != "0" and text[0] == "0"):
            raise InvalidEvent(f"Not a sequence: {text[:40]!r}.")
        return cls(int(text))

    def compare(self, other: SequenceVersion) -> Ordering:
        """Before, after or equal; never concurrent."""
        return _order(self, other)

    def is_zero(self) -> bool:
        """Whether nothing is in the log yet."""
        return self.seq == 0

    def __str__(self) -> str:
        return str(self.seq)

    def __repr__(self) -> str:
        return f"SequenceVersion({self.seq})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SequenceVersion) and self.seq == other.seq

    def __lt__(self, other: SequenceVersion) -> bool:
        return self.seq < other.seq if isinstance(other, SequenceVersion) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.seq)


@total_ordering
class StampVersion:
    """Hybrid logical time: an event id, whose byte order respects causality."""

    __slots__ = ("id",)

    def __init__(self, id: str = NIL_ID) -> None:
        self.id = id if id == NIL_ID else check_id(id)

    @classmethod
    def parse(cls, text: str) -> StampVersion:
        """Reads the text form, an event id or the nil UUID."""
        return cls(text)

    def compare(self, other: StampVersion) -> Ordering:
        """Before, after or equal; never concurrent."""
        return _order(self, other)

    def is_zero(self) -> bool:
        """Whether this is the nil UUID, which is before every stamp."""
        return self.id == NIL_ID

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"StampVersion({self.id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StampVersion) and self.id == other.id

    def __lt__(self, other: StampVersion) -> bool:
        return self.id < other.id if isinstance(other, StampVersion) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)
