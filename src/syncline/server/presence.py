"""Who is in one space just now, and what they point at: a table in memory, and readers who each hold a place in it.

Nothing is stored, and there are no queues. A reader remembers of whom it was told, and at which change of the table;
what has changed since is made into a message when it asks. So of each presence it is told the last state alone, whoever
may not see one (any more) is told that it has gone, and a slow reader holds up nobody.

The table does not know what carries it: an owner is somebody who says who is here, a session of this server, or
another server.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import msgspec
from msgspec import Raw

from syncline.core.access.views import View
from syncline.core.limits import MAX_LISTENERS, MAX_SESSION_PRESENCES, MAX_SPACE_PRESENCES
from syncline.core.messages import Peer
from syncline.errors import TooManyPresences

AGAIN_SECONDS = 10
"""After which it is worth another try where there was no room."""
MESSAGE_BYTES = 64 * 1024
"""A message that is longer ends; the next goes on."""

_encode = msgspec.json.Encoder().encode


class Sight(NamedTuple):
    """What somebody may see of presences: those of the items in a view, and those about the space itself."""

    view: View
    sees_space: bool

    def shows(self, item: str | None) -> bool:
        """Whether a presence about an item (None: the space) shows."""
        return self.sees_space if item is None else self.view.shows(item)


class Owner(Protocol):
    """Who says who is here."""

    user: str
    node: str
    is_away: bool
    """Whether it was silent for so long that what it said is not believed just now; see ``Presences.note``."""

    def sight(self) -> Sight:
        """What it may see: where it may not look it does not show either."""


class Name(NamedTuple):
    """What tells one presence from all others."""

    user: str
    node: str
    key: str


class Row:
    """One presence. ``since``: the change of the table that made it what it is."""

    __slots__ = ("encoded", "is_shown", "item", "owner", "since")

    def __init__(self, owner: Owner, item: str | None, encoded: bytes) -> None:
        self.owner, self.item, self.encoded = owner, item, encoded
        self.is_shown, self.since = True, 0

    def review(self) -> bool:
        """Looks again whether its owner is there and may see the item; whether that has changed."""
        before = self.is_shown
        self.is_shown = not self.owner.is_away and self.owner.sight().shows(self.item)
        return self.is_shown is not before


class Presences:
    """Who is in a space. Belongs to the event loop."""

    def __init__(self) -> None:
        self._rows: OrderedDict[Name, Row] = OrderedDict()  # the last that changed is the last
        self._names: dict[Owner, set[Name]] = {}
        self._listeners = 0
        self._asleep = set[asyncio.Event]()
        self.changes = self.last_gone = 0
        """How often the table has changed, and the last change that took somebody out of it."""

    def put(self, owner: Owner, key: str, item: str | None, state: bytes | None) -> None:
        """Somebody is here, with a state in canonical form; None: has gone. Raises TooManyPresences."""
        name = Name(owner.user, owner.node, key)
        if state is None:
            self._take_out(name, owner)
            return
        self._make_room(name, owner)
        row = Row(owner, item, _encode(Peer(*name, item, Raw(state))))
        row.review()
        self._names.setdefault(owner, set()).add(name)
        self._change(name, row)
        self.wake()

    def _make_room(self, name: Name, owner: Owner) -> None:
        """Raises TooManyPresences if there is none. One that another owner had of this name is taken over."""
        row, own = self._rows.get(name), self._names.get(owner, ())
        if name not in own and len(own) >= MAX_SESSION_PRESENCES:
            raise _full(f"A session has at most {MAX_SESSION_PRESENCES} presences.", MAX_SESSION_PRESENCES)
        if row is None and len(self._rows) >= MAX_SPACE_PRESENCES:
            raise _full(f"A space has at most {MAX_SPACE_PRESENCES:,} presences.", MAX_SPACE_PRESENCES)
        if row is not None and row.owner is not owner:
            self._names[row.owner].discard(name)

    def _change(self, name: Name, row: Row) -> None:
        self.changes += 1
        row.since = self.changes
        self._rows[name] = row
        self._rows.move_to_end(name)

    def _take_out(self, name: Name, owner: Owner) -> None:
        if name in self._names.get(owner, ()):
            self._names[owner].discard(name)
            del self._rows[name]
            self.changes += 1
            self.last_gone = self.changes
            self.wake()

    def leave(self, owner: Owner) -> None:
        """All that somebody said has gone."""
        for name in list(self._names.get(owner, ())):
            self._take_out(name, owner)
        self._names.pop(owner, None)

    def review(self) -> None:
        """Looks again at who may see what, because rules have changed."""
        self._review(list(self._rows))
        self.wake()  # also those who may see something else themselves

    def note(self, owner: Owner) -> None:
        """Somebody is away, or back."""
        if self._review(list(self._names.get(owner, ()))):
            self.wake()

    def _review(self, names: list[Name]) -> bool:
        changed = [name for name in names if self._rows[name].review()]
        for name in changed:
            self._change(name, self._rows[name])
        return bool(changed)

    def wake(self) -> None:
        """Wakes all listeners."""
        asleep, self._asleep = self._asleep, set()
        for news in asleep:
            news.set()

    def listen(self, owner: Owner, news: asyncio.Event) -> Listener:
        """Somebody who is told of all presences but their own; ``news`` is set when there is something to ask for.

        Close it at the end. Raises TooManyPresences.
        """
        if self._listeners >= MAX_LISTENERS:
            raise _full(f"A space has at most {MAX_LISTENERS:,} sessions that are told of presences.", MAX_LISTENERS)
        self._listeners += 1
        return Listener(self, owner, news, self._forget)

    def _forget(self, news: asyncio.Event) -> None:
        self._listeners -= 1
        self._asleep.discard(news)

    def sleep(self, news: asyncio.Event) -> None:
        """Sets ``news`` at the next change."""
        self._asleep.add(news)

    def since(self, change: int) -> list[tuple[Name, Row]]:
        """What has changed since, the oldest first."""
        found = list[tuple[Name, Row]]()
        for name in reversed(self._rows):
            if self._rows[name].since <= change:
                break
            found.append((name, self._rows[name]))
        return found[::-1]

    def missing(self, names: dict[Name, int]) -> list[Name]:
        """Which of these are not here."""
        return list(names.keys() - self._rows.keys())


class Listener:
    """One who is told. Its place in the table, and whom it knows."""

    def __init__(
        self, table: Presences, owner: Owner, news: asyncio.Event, on_close: Callable[[asyncio.Event], None]
    ) -> None:
        self._table, self._owner, self._news, self._on_close = table, owner, news, on_close
        self._told: dict[Name, int] = {}
        self._seen = -1  # so that the first message comes even if nobody is here
        self._sight: Sight | None = None

    def next(self) -> bytes | None:
        """The next encoded ``peers``; None if there is nothing to tell, and ``news`` is set when there is."""
        is_first = self._seen < 0
        sight = self._owner.sight()
        if sight != self._sight:
            self._sight, self._seen = sight, 0
        parts, size = [], 0
        for part in self._parts(sight):
            parts.append(part)
            size += len(part)
            if size > MESSAGE_BYTES:
                break
        else:
            self._seen = self._table.changes
        if parts or is_first:
            return b'{"type":"peers","peers":[%b]}' % b",".join(parts)
        self._table.sleep(self._news)
        return None

    def _parts(self, sight: Sight) -> Iterator[bytes]:
        """What to tell, one presence after the other; each is noted as told."""
        if self._table.last_gone > self._seen:
            for name in self._table.missing(self._told):
                del self._told[name]
                yield _gone(name)
        for name, row in self._table.since(self._seen):
            if row.owner is not self._owner and row.is_shown and sight.shows(row.item):
                if self._told.get(name) != row.since:
                    self._told[name] = row.since
                    yield row.encoded
            elif self._told.pop(name, None) is not None:
                yield _gone(name)
            self._seen = row.since

    def close(self) -> None:
        """Is told no more."""
        self._on_close(self._news)


def _gone(name: Name) -> bytes:
    return _encode(Peer(*name))


def _full(message: str, limit: int) -> TooManyPresences:
    return TooManyPresences(message, limit=limit, retry_after=AGAIN_SECONDS)
