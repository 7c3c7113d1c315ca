"""Bases: where an item stands at a seq, so that its history before that need not be at hand.

A *snapshot of a space* is a base for each of its items at one seq. What comes after it is folded on top. A base is not
a cache: where the entries before it are gone, it is what remains of them.
"""

from __future__ import annotations

import msgspec

from syncline.core.stamps import NIL_ID


class Base(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item at a seq. ``clock`` names every node that wrote there, however many, so that it tells of any event
    whether it is in the base (``covers``), also of one that comes again a year later.
    """

    item: str
    seq: int
    """The seq of the item's last entry in it."""
    at: int
    """The time of that entry."""
    count: int
    """How many entries it stands for."""
    revision: int = 0
    """The number of the last revision in it; 0 if it shows no document."""
    clock: dict[str, int]
    last: str = NIL_ID
    """The greatest id of its events: whoever goes on from it writes greater ones, or others could not be named."""
    schema: int = 0
    """The greatest ``meta.schema`` of its events; 0 if none has one. It tells how a program is to read the document."""
    group: str | None = None
    """The node and ``meta.group`` of its last event (``node/group``), if it has one: the next revision may belong to
    it."""
    state: str = ""
    """The document (``core.documents.snapshots``), packed, base64; empty for an item whose events carry no ops."""

    def covers(self, node: str, n: int) -> bool:
        """Whether the node's event with this counter is in the base: on each item its n only rises."""
        return n <= self.clock.get(node, 0)
