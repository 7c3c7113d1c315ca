"""The events that a log took or was asked for last, decoded: most of what new events name is among them.

Only events whose content is in the file are here. Whoever erases content has to begin anew with nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable

from syncline.core.events import Event

RECENT_BYTES = 1024 * 1024
"""What the bodies may take; decoded they take about eight times as much."""


class Recent:
    """Events by id. Not thread-safe: whoever owns it holds a lock."""

    def __init__(self, max_bytes: int = RECENT_BYTES) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._events: OrderedDict[str, Event] = OrderedDict()  # what was asked for longest ago is the first

    def find(self, ids: Collection[str]) -> dict[str, Event]:
        """Those of these events that are here."""
        found = {id: self._events[id] for id in ids if id in self._events}
        for id in found:
            self._events.move_to_end(id)
        return found

    def add(self, events: Iterable[Event]) -> None:
        """Takes events, and lets go of those that were not asked for lately."""
        for event in events:
            if event.id not in self._events:
                self._events[event.id] = event
                self._bytes += len(event.body)
        while self._bytes > self._max_bytes:
            _, event = self._events.popitem(last=False)
            self._bytes -= len(event.body)
