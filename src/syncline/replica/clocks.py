"""The vector clocks of items as a replica knows them; those that were asked for last are at hand."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable

from syncline.core.events import Event
from syncline.stores import EVERYTHING

CACHED_CLOCKS = 1_000


class Clocks:
    """Clocks by item. ``read`` makes one from what is stored."""

    def __init__(self, read: Callable[[str], dict[str, int]]) -> None:
        self._read = read
        self._clocks: OrderedDict[str, dict[str, int]] = OrderedDict()

    def __getitem__(self, item: str) -> dict[str, int]:
        if item not in self._clocks:
            self._clocks[item] = self._read(item)
            if len(self._clocks) > CACHED_CLOCKS:
                self._clocks.popitem(last=False)
        self._clocks.move_to_end(item)
        return self._clocks[item]

    def note(self, events: Iterable[Event]) -> None:
        """Notes events in the clocks of their items, where these are at hand."""
        for event in events:
            if event.item in self._clocks:
                saw(self._clocks[event.item], event)

    def forget(self, items: Collection[str]) -> None:
        """Has the clocks of these items read again, or all."""
        for item in list(self._clocks) if EVERYTHING in items else items:
            self._clocks.pop(item, None)

    def clear(self) -> None:
        """Has all read again."""
        self._clocks.clear()


def saw(clock: dict[str, int], event: Event) -> None:
    """Notes an event in an item's clock, whose nodes stand in the order in which they last wrote."""
    clock[event.node] = max(clock.pop(event.node, 0), event.n)
