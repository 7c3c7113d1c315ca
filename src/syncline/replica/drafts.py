"""What an author decides of an event before it is one, and what came back of those that were not taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from syncline.core.events import Event


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


class Refused(NamedTuple):
    """An event the server refused (or a resolver did), and why."""

    event: Event
    error: Mapping[str, Any]
