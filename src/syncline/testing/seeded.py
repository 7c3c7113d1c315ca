"""Time, randomness and names that a test decides, and an author who makes events with them."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import UNSET

from syncline.core.events import Event
from syncline.core.stamps import StampClock

START_MS = 1_750_000_000_000
"""Where a ``ManualClock`` begins: in June 2025."""


class ManualClock:
    """A clock that stands still until it is moved. Call it for the time in milliseconds since 1970."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, ms: int) -> int:
        """Moves the clock by some milliseconds (back, if negative); the new time."""
        self.now_ms += ms
        return self.now_ms


def entropy_from(chance: random.Random) -> Callable[[], int]:
    """32 bits at each call, for ``Replica(entropy=…)``: the same from the same seed."""
    return lambda: chance.getrandbits(32)


def nodes_from(chance: random.Random) -> Callable[[], str]:
    """A node id at each call, for ``Replica(make_node=…)``: the same from the same seed."""
    return lambda: f"{chance.getrandbits(80):020x}"


def eager_threads() -> Iterator[None]:
    """For a fixture: while it stands, threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Author:
    """One node that writes valid events: ids and counters rise with each."""

    def __init__(self, node: str = "node", user: str = "ann", *, now_ms: Callable[[], int] | None = None) -> None:
        self.node, self.user = node, user
        self._now_ms = now_ms or ManualClock()
        self._entropy = entropy_from(random.Random(node))
        self._stamps = StampClock(node)
        self._n = 0

    def event(self, item: str = "task.milk", action: str = "update", payload: Any = UNSET, **more: Any) -> Event:
        """The next event. ``more`` are further fields, or other values for those that are filled in."""
        self._n += 1
        made: Mapping[str, Any] = {
            "id": self._stamps.next(self._now_ms(), self._entropy()),
            "item": item,
            "action": action,
            "user": self.user,
            "node": self.node,
            "clock": {self.node: self._n},
            **({} if payload is UNSET else {"payload": payload}),
        }
        return Event.of({**made, **more})

    def receive(self, id: str) -> None:
        """Takes note of an id seen elsewhere, so that the next ones are greater."""
        self._stamps.receive(id)

    def events(self, count: int, item: str = "task.milk", **more: Any) -> list[Event]:
        """The next ``count`` events, each with its place as its payload."""
        return [self.event(item, payload=place, **more) for place in range(count)]
