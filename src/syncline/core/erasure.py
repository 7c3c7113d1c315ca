"""Erasure: an event without what it said, and still the same event.

Its erased form keeps what others rest on: id, item, node, clock, and its ops in their shape
(``documents.erased``). Its digest cannot be computed any more, so its entry carries it, and tail, receipt and tree hold
as before.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from syncline.core.documents import erased as shapes
from syncline.core.events import ERASED, Entry, Event

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
