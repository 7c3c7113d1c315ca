"""Those who are in a space at other servers, in its table here; and those who are here, for the tables there.

What is said is said again every few seconds: a server that is gone says it no more, and its visitors go.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

import msgspec

from syncline.core.access.views import FULL_VIEW
from syncline.core.messages import NULL, Peer
from syncline.errors import TooManyPresences
from syncline.server.presence import Name, Presences, Row, Sight

__all__ = ["Visitors"]

_decode = msgspec.json.Decoder(Peer).decode


class Visitor:
    """One presence at another server; an ``Owner``. That server looks after what may be seen of them, and when."""

    is_away = False

    def __init__(self, server: str, user: str, node: str) -> None:
        self.server, self.user, self.node = server, user, node

    def sight(self) -> Sight:
        """See ``Owner.sight``."""
        return Sight(FULL_VIEW, sees_space=True)


class _Said(NamedTuple):
    """What a server said last of one presence, and when."""

    visitor: Visitor
    peer: Peer
    at: float


class Visitors:
    """One space's. Belongs to the event loop; times are seconds of a clock that does not go back."""

    def __init__(self, table: Presences) -> None:
        self.table = table
        self._seen = 0
        self._told: dict[Name, int] = {}
        self._said: dict[tuple[str, Name], _Said] = {}

    # Those who are here

    def news(self) -> list[Peer]:
        """What has become of those who are here since this was asked last; who has gone is without a state."""
        gone = [self._gone(name) for name in self.table.missing(self._told)]
        changed, self._seen = self.table.since(self._seen), self.table.changes
        return gone + [peer for name, row in changed if (peer := self._changed(name, row)) is not None]

    def all(self) -> list[Peer]:
        """The same, and all who are here once more."""
        gone = [peer for peer in self.news() if _is_gone(peer)]
        return gone + [_decode(row.encoded) for _, row in self.table.since(0) if _is_here(row)]

    def _changed(self, name: Name, row: Row) -> Peer | None:
        if _is_here(row):
            self._told[name] = row.since
            return _decode(row.encoded)
        return self._gone(name) if name in self._told else None

    def _gone(self, name: Name) -> Peer:
        del self._told[name]
        return Peer(*name)

    # Those at other servers

    def take(self, server: str, peers: Iterable[Peer], now: float) -> None:
        """A server says who is there, or has gone."""
        for peer in peers:
            name = Name(peer.user, peer.node, peer.key)
            said = self._said.get((server, name))
            if _is_gone(peer):
                self._let_go(server, name)
            elif said is not None and said.peer == peer:  # a change would be told to everybody
                self._said[server, name] = said._replace(at=now)
            else:
                self._put(said.visitor if said else Visitor(server, peer.user, peer.node), name, peer, now)

    def _put(self, visitor: Visitor, name: Name, peer: Peer, now: float) -> None:
        with suppress(TooManyPresences):
            self.table.put(visitor, peer.key, peer.item, bytes(peer.state))
            self._said[visitor.server, name] = _Said(visitor, peer, now)

    def _let_go(self, server: str, name: Name) -> None:
        said = self._said.pop((server, name), None)
        if said is not None:
            self.table.leave(said.visitor)

    def expire(self, before: float) -> None:
        """Those of whom nothing was said since a time have gone."""
        for (server, name), said in list(self._said.items()):
            if said.at < before:
                self._let_go(server, name)


def _is_here(row: Row) -> bool:
    return row.is_shown and not isinstance(row.owner, Visitor)


def _is_gone(peer: Peer) -> bool:
    return bytes(peer.state) == NULL
