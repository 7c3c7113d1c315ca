"""Quotas: how much a space may hold, and what is left of that while a transaction accepts events.

Bytes are those of the events' canonical form. Events of the system count, but are not refused: a full space can still
be administered. The quotas on connections and on events per second are not the log's matter; a server keeps them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from math import inf

import msgspec

from syncline.core.events import Event
from syncline.errors import QuotaExceeded

RETRY_SECONDS = 30
"""After which an event is worth another try that found its space full."""


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """How much a space may hold and do at most; 0: as much as it likes."""

    events: int = 0
    bytes: int = 0
    items: int = 0
    """Items that the log has events of, without those that begin with a dot."""
    connections: int = 0
    """Sessions and streams that are open at a time."""
    events_per_second: int = 0

    @property
    def bound_a_log(self) -> bool:
        """Whether a log has to be judged by them."""
        return bool(self.events or self.bytes or self.items)


UNLIMITED = Quotas()


class Room:
    """What is left in a log. An item of which one event was refused takes none after it in the same submission, since
    its events are stored in their order or not at all.
    """

    def __init__(self, quotas: Quotas, *, events: int, bytes: int, items: Collection[str] = ()) -> None:
        """``events``, ``bytes`` and ``items`` are what the log holds; ``items`` are asked for if they have a quota."""
        self._events = quotas.events - events if quotas.events else inf
        self._bytes = quotas.bytes - bytes if quotas.bytes else inf
        self._items = quotas.items - len(items) if quotas.items else inf
        self._held, self._new = items, frozenset[str]()
        self._closed: dict[str, str] = {}

    def begin(self) -> None:
        """A submission begins."""
        self._closed = {}

    def holds(self, events: Sequence[Event]) -> bool:
        """Whether there is room for all of these events."""
        return (
            len(events) <= self._events
            and (self._bytes == inf or sum(len(event.body) for event in events) <= self._bytes)
            and (self._items == inf or len(self._strange(events)) <= max(self._items, 0))
        )

    def refusal(self, event: Event) -> QuotaExceeded | None:
        """Why there is no room for an event."""
        short = self._closed.get(event.item) or self._short(event)
        if short is None:
            return None
        self._closed[event.item] = short
        return QuotaExceeded(
            f"The space is full: its quota of {short} is used up.", quota=short, retry_after=RETRY_SECONDS
        )

    def _short(self, event: Event) -> str | None:
        """Which quota leaves no room for an event."""
        if self.holds([event]):
            return None
        if self._events < 1:
            return "events"
        return "bytes" if len(event.body) > self._bytes else "items"

    def close(self, events: Sequence[Event]) -> None:
        """What was refused was part of a whole: nothing more is taken of all its items in this submission."""
        short = next((self._closed[event.item] for event in events if event.item in self._closed), None)
        if short is not None:
            self._closed.update(dict.fromkeys((event.item for event in events), short))

    def take(self, events: Sequence[Event]) -> None:
        """These events were accepted."""
        self._events -= len(events)
        if self._bytes != inf:
            self._bytes -= sum(len(event.body) for event in events)
        if self._items != inf:
            new = self._strange(events)
            self._items -= len(new)
            self._new |= new

    def mark(self) -> tuple[float, float, float, frozenset[str]]:
        """Where it stands, for ``back``."""
        return self._events, self._bytes, self._items, self._new

    def back(self, mark: tuple[float, float, float, frozenset[str]]) -> None:
        """Undoes what was taken since a mark."""
        self._events, self._bytes, self._items, self._new = mark

    def _strange(self, events: Iterable[Event]) -> set[str]:
        """The items of which the log has nothing yet."""
        items = {event.item for event in events}
        return {item for item in items if item[0] != "." and item not in self._held and item not in self._new}
