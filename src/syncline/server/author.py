"""The server as an author: nodes, counters and ids of events that it writes for people who keep no log of their own."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import count
from secrets import randbits
from typing import Any

from msgspec import UNSET

from syncline.core.clocks import NODE
from syncline.core.events import Event
from syncline.core.limits import KEPT_CLOCK_NODES, MAX_NODE_LENGTH
from syncline.core.stamps import StampClock
from syncline.errors import BadRequest
from syncline.stores import LogStore

PREFIX = "via:"
REMEMBERED_NODES = 10_000


class Author:
    """Makes events for one log. Not thread-safe: whoever owns it holds a lock."""

    def __init__(self, store: LogStore, now_ms: Callable[[], int]) -> None:
        self._store, self._now_ms = store, now_ms
        self._last = store.last_id()
        self._counters: OrderedDict[str, int] = OrderedDict()
        """The last counter given to a node; what was committed meanwhile is in the store."""

    def saw(self, id: str) -> None:
        """Takes note of an id in the log: whoever is given a later one may name everything there."""
        self._last = max(self._last, id)

    def catch_up(self) -> None:
        """Takes note of all ids in the log."""
        self.saw(self._store.last_id())

    def next_id(self, node: str) -> str:
        """An id above all that the log held when it was looked at last."""
        self._last = StampClock(node, self._last).next(self._now_ms(), randbits(32))
        return self._last

    def node(self, user: str, given: str | None) -> str:
        """A user's node for the id that a client gives itself, or of their own: never one that somebody else has."""
        for attempt in count():
            node = name_of(user, given, attempt)
            state = self._store.node(node)
            if state is None or state.user == user:
                self._counters[node] = max(self._counters.get(node, 0), state.n if state else 0)
                return node
        raise AssertionError  # pragma: no cover

    def event(self, id: str, node: str, clock: Mapping[str, int], **members: Any) -> Event:
        """The event of these members, made after what ``clock`` has seen of its item. Raises an EventError."""
        n = max(clock.get(node, 0), self._counters[node]) + 1
        newest = dict(list(clock.items())[-KEPT_CLOCK_NODES + 1 :])
        given = {name: value for name, value in members.items() if value is not UNSET}
        event = Event.of({"id": id, "node": node, "clock": {**newest, node: n}, **given})
        self._counters[node] = n
        self._counters.move_to_end(node)
        if len(self._counters) > REMEMBERED_NODES:
            self._counters.popitem(last=False)
        return event


def check_node(given: str) -> str:
    """The id itself if a client may give it to itself. Raises BadRequest."""
    if not NODE.fullmatch(given):
        raise BadRequest(f"X-Node-ID: {given[:80]!r} does not match {NODE.pattern}.")
    return given


def name_of(user: str, given: str | None, attempt: int = 0) -> str:
    """What a node is called: two users who give themselves the same id have two nodes."""
    own = hashlib.sha256(user.encode()).hexdigest()[:16]
    name = PREFIX + own + (f":{given}" if given else "")
    if attempt or len(name) > MAX_NODE_LENGTH:
        name = PREFIX + hashlib.sha256(f"{user}\n{given or ''}\n{attempt}".encode()).hexdigest()[:40]
    return name
