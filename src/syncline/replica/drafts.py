"""What an author decides of an event before it is one, and what came back of those that were not taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from syncline.core.events import Event
from syncline.core.limits import KEPT_CLOCK_NODES
from syncline.stores import ReplicaState


class Draft(NamedTuple):
    """An event to be: everything of it that its author decides."""

    item: str
    action: str
    payload: Any = UNSET
    ops: Any = UNSET
    meta: Mapping[str, Any] | None = None
    id: str | None = None
    """An id that this replica has set aside for it; a new one if None."""

    def under(self, id: str) -> Draft:
        """The same under another id, which stands in ops and meta wherever the first one did."""
        text = msgspec.json.encode([self.ops or None, self.meta]).decode()
        ops, meta = msgspec.json.decode(text.replace(self.id, id) if self.id else text)
        return self._replace(id=id, ops=self.ops and ops, meta=meta)

    def event(self, state: ReplicaState, seen: Mapping[str, int], *, id: str, n: int, meta: Mapping[str, Any]) -> Event:
        """The n-th event of a replica, which has seen so much of the item. Raises an EventError if it is none."""
        counters = {**dict(list(seen.items())[-KEPT_CLOCK_NODES + 1 :]), state.node: n}
        members = {"meta": meta or UNSET, "ops": self.ops, "payload": self.payload, "user": state.user or UNSET}
        return Event.of(
            {
                "id": id,
                "item": self.item,
                "action": self.action,
                "node": state.node,
                "clock": counters,
                **{name: value for name, value in members.items() if value is not UNSET},
            }
        )


class Refused(NamedTuple):
    """An event the server refused (or a resolver did), and why."""

    event: Event
    error: Mapping[str, Any]
