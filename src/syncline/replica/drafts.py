"""What an author decides of an event before it is one, and what came back of those that were not taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

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


class Refused(NamedTuple):
    """An event the server refused (or a resolver did), and why."""

    event: Event
    error: Mapping[str, Any]
