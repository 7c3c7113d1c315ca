"""Who listens to a replica: callbacks, in whose thread something is recorded or arrives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from syncline.core.events import Event
from syncline.core.patterns import matcher
from syncline.replica.status import Status

Stop = Callable[[], None]


class Listeners:
    """The callbacks of one replica."""

    def __init__(self) -> None:
        self._events: list[tuple[Callable[[str], bool], Callable[[list[Event]], Any]]] = []
        self._status: list[Callable[[Status], Any]] = []

    def on_events(self, callback: Callable[[list[Event]], Any], items: Sequence[str]) -> Stop:
        """Calls back with events of these items; returns the way to stop."""
        listener = (matcher(items), callback)
        self._events.append(listener)
        return lambda: _remove(self._events, listener)

    def on_status(self, callback: Callable[[Status], Any]) -> Stop:
        """Calls back with the status; returns the way to stop."""
        self._status.append(callback)
        return lambda: _remove(self._status, callback)

    def tell(self, events: Sequence[Event], status: Callable[[], Status]) -> None:
        """Tells of events, if there are any, and of the status as it is then."""
        for wanted, callback in tuple(self._events):
            if found := [event for event in events if wanted(event.item)]:
                callback(found)
        for listener in tuple(self._status):
            listener(status())


def _remove(listeners: list[Any], listener: Any) -> None:
    with suppress(ValueError):
        listeners.remove(listener)
