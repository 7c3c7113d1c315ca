"""Erasure: an event without what it said, and still the same event.

Its erased form keeps what others build on: id, item, node, clock, and the shape of its ops
(``documents.erased``). Its digest cannot be computed any more, so its entry carries it, and tail, receipt and tree hold
as before.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from syncline.core import stamps
from syncline.core.documents import erased as shapes
from syncline.core.events import ERASED, Entry, Event
from syncline.core.patterns import matcher

KEPT_META = ("group", "undoes")
"""What a revision is counted by, and which edit an undo undid; both are ids."""


def erased(event: Event) -> Event:
    """The erased form of an event, with the digest that it had. Of an erased one: itself."""
    if event.is_erased:
        return event
    meta = {} if event.meta is UNSET else {key: event.meta[key] for key in KEPT_META if key in event.meta}
    members: dict[str, Any] = {"meta": meta or UNSET, "ops": UNSET if event.ops is UNSET else shapes.erased(event.ops)}
    form = Event(
        action=ERASED,
        clock=event.clock,
        id=event.id,
        item=event.item,
        node=event.node,
        **members,
    )
    form.__dict__["digest"] = event.digest
    return form


def erased_entry(entry: Entry) -> Entry:
    """The entry of the erased form, under the same seq, time and receipt."""
    return Entry.of(entry.seq, entry.at, entry.receipt, erased(entry.event))


# Acts: events of the system that say what was erased

ERASURES = ".erasures"
"""The item on which it is written down."""
ERASE = ".erase"
"""The right to erase events of an item, and the action that says which were."""
SET_ERASABLE = ".erasable"
"""The action that says of which items the events are salted."""
SALT_BYTES = 16
MAX_ERASED = 200
"""Events that one act names at most, so that what it brings to replicas fits a page."""


def salted(meta: Mapping[str, Any], entropy: Callable[[], int]) -> dict[str, Any]:
    """The ``meta`` of an event that may be erased one day: with a random ``salt`` of 22 characters, unless it has one.

    It goes with the content, and then nobody can find out by trying what a digest was made of. ``entropy``: 32 bits.
    """
    if "salt" in meta:
        return {**meta}
    random = b"".join(entropy().to_bytes(4, "big") for _ in range(SALT_BYTES // 4))
    return {**meta, "salt": urlsafe_b64encode(random).rstrip(b"=").decode()}


def is_erasable(patterns: Sequence[str], item: str) -> bool:
    """Whether an item fits one of these patterns; of none it fits none."""
    return bool(patterns) and matcher(patterns)(item)


class Erasures:
    """What the acts in a log have erased so far: their seqs, ascending, and the keys of the events."""

    def __init__(self) -> None:
        self.erasable: tuple[str, ...] = ()
        """Patterns of the items whose events carry a salt."""
        self._noted = 0
        self.seqs: list[int] = []
        self.keys: set[bytes] = set()
        self.deep = 0
        """The seq of the last act about events whose content the log had dropped: older cursors have expired."""

    def note(self, seq: int, event: Event) -> None:
        """Takes an event on ``.erasures`` into account; twice is once."""
        if seq <= self._noted:
            return
        self._noted = seq
        if event.action == SET_ERASABLE:
            self.erasable = tuple(items_of(event))
        elif event.action == ERASE:
            self.keys.update(map(stamps.key, events_of(event)))
            self.seqs.append(seq)
            if isinstance(event.payload, dict) and event.payload.get("deep") is True:
                self.deep = seq

    def between(self, since: int, until: int) -> list[int]:
        """The seqs of the acts after one seq, up to another."""
        return self.seqs[bisect_right(self.seqs, since) : bisect_right(self.seqs, until)]

    def is_erasable(self, item: str) -> bool:
        """Whether the events of an item carry a salt."""
        return is_erasable(self.erasable, item)

    def has(self, event: Event) -> bool:
        """Whether an event was erased."""
        return event.key in self.keys


def events_of(act: Event) -> list[str]:
    """The ids of the events that an act has erased."""
    return _listed(act, "events")


def items_of(act: Event) -> list[str]:
    """The items of these events; or those that are erasable from then on."""
    return _listed(act, "items")


def _listed(act: Event, member: str) -> list[str]:
    payload: Any = act.payload if isinstance(act.payload, dict) else {}
    listed = payload.get(member)
    return [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []


def put_back_by(event: Event) -> set[str]:
    """The ids of the events whose values this one has put back, and so holds, too."""
    if event.ops is UNSET:
        return set()
    names = (getattr(op, "again", UNSET) for op in event.changes if op is not None)
    return {name[:36] for name in names if name is not UNSET and name[:1] != ":"}
