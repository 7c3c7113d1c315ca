"""What events name: others, by their ids, in ops and meta."""

from __future__ import annotations

import re

from syncline.core.events import Event

_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def named_by(event: Event) -> set[str]:
    """The ids that stand in an event, but its own; what is none in a payload may look like one."""
    return {id.decode() for id in _ID.findall(event.body)} - {event.id}
