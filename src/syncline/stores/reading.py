"""Looking at a log while a server has it open: for backups, and for whoever verifies what is there.

A ``LogReader`` writes nothing and holds up nobody: every call is a look of its own at what is committed, short enough
that the writer's housekeeping goes on. What a log has are rows in order of seq; what is derived from them (columns, the
index by item, the look-up by id) is compared by the adapter, which alone knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from syncline.core.log import Head

ROWS = 1_000
"""Rows of one look, at most."""
LOOK_BYTES = 1024 * 1024
"""After so much a look ends."""


NO_TAILS = b""
"""In place of tails, in a head and in rows of what keeps none: a replica, which may have gaps, too."""


class Kept(NamedTuple):
    """What a log keeps at a seq: the tail there, and the entry as it is sent; None if its content is gone.

    Then there are the 16 bytes of the event's id, and its digest.
    """

    seq: int
    tail: bytes
    entry: bytes | None
    key: bytes | None = None
    digest: bytes | None = None


class Fact(NamedTuple):
    """What an entry says of itself, to be compared with what is kept beside it."""

    seq: int
    at: int
    key: bytes
    item: str
    node: str
    n: int
    digest: bytes


KEPT_BESIDE = ("time", "id", "item", "node", "counter", "digest")
"""What a fact says of its seq, in words."""


class Damage(NamedTuple):
    """What is wrong, and at which seq; 0: not with one entry alone."""

    seq: int
    what: str


class LogReader(Protocol):
    """A log that is looked at. Not for several threads at once."""

    def head(self) -> Head:
        """The end of the log, as it is committed now."""

    def tail(self, seq: int) -> bytes | None:
        """The tail at a seq; None beyond the head, or where it is no longer kept."""

    def read(self, since: int, until: int) -> list[Kept]:
        """What is kept after one seq and up to another, as much as one look gives; nothing where there is nothing.

        Raises StoreDamaged if it cannot be read.
        """

    def differing(self, facts: Sequence[Fact]) -> list[Damage]:
        """What is kept beside these entries, or found through an index, and is not what they say themselves.

        ``facts`` are in order of seq.
        """

    def horizon(self) -> int:
        """Up to which seq content may be gone."""

    def check(self) -> list[str]:
        """What the store itself finds wrong with its files; it looks at all of them."""

    def close(self) -> None:
        """Lets go of the log."""


def within(rows: Sequence[Kept], max_bytes: int = LOOK_BYTES) -> list[Kept]:
    """The first of some rows that are about so many bytes; at least one."""
    taken, left = list[Kept](), max_bytes
    for row in rows:
        left -= len(row.entry or b"") + 1
        if taken and left < 0:
            break
        taken.append(row)
    return taken
