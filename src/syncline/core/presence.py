"""A replica's side of presence, without I/O: what it says of itself, and whom it was told of.

Of each presence the last state alone is said, however often it was set in between. On a new session everything is said
again, because a server remembers nothing of the last one; and nobody is here without a session.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec import Raw

from syncline.core import canonical
from syncline.core.limits import MAX_DEPTH, MAX_SESSION_PRESENCES
from syncline.core.messages import NULL, Peers, Presence, encode
from syncline.core.requests import checked, state_of
from syncline.errors import TooManyPresences


class Peer(NamedTuple):
    """Somebody who is here: on which node, what it is about (None: the space), and the state that they show."""

    node: str
    user: str
    item: str | None
    state: Any
    key: str = ""
    """Tells the presences of one node apart."""


class Roster:
    """Who is here, but for oneself: the fold of what a session was told."""

    def __init__(self) -> None:
        self._me: tuple[str, str] | None = None
        self._here: dict[tuple[str, str, str], Peer] = {}

    def begin(self, user: str, node: str) -> None:
        """A session begins, of this node: nobody is known to be here."""
        self._me = (user, node)
        self._here = {}

    def take(self, told: Peers) -> None:
        """Takes note of what a server told."""
        for peer in told.peers:
            name = (peer.user, peer.node, peer.key)
            if bytes(peer.state) == b"null":
                self._here.pop(name, None)
            elif name[:2] != self._me:  # what an earlier session of this node said may still stand
                state = canonical.decode(bytes(peer.state), max_depth=MAX_DEPTH)
                self._here[name] = Peer(peer.node, peer.user, peer.item, state, peer.key)

    def peers(self) -> list[Peer]:
        """Everyone, by user, node and key."""
        return [self._here[name] for name in sorted(self._here)]


class Announcements:
    """What is to be said."""

    def __init__(self) -> None:
        self._mine: dict[str, Presence] = {}
        self._unsaid: dict[str, Presence] = {}

    def set(self, key: str, item: str | None, state: Any) -> None:
        """From now on this is so; state None: it has gone.

        Raises BadRequest, InvalidEvent, NumberOutOfRange, TooDeep, TooLarge or TooManyPresences, and leaves what was.
        """
        presence = checked(Presence(key=key, item=item, state=NULL if state is None else Raw(canonical.encode(state))))
        state_of(encode(presence))
        if state is None:
            if self._mine.pop(key, None) is None:
                return
        elif key not in self._mine and len(self._mine) >= MAX_SESSION_PRESENCES:
            words = f"A session has at most {MAX_SESSION_PRESENCES} presences."
            raise TooManyPresences(words, limit=MAX_SESSION_PRESENCES)
        else:
            self._mine[key] = presence
        self._unsaid[key] = presence

    def begin(self) -> None:
        """A session begins: all is to be said; if there is nothing, who is here is asked for."""
        self._unsaid = dict(self._mine) or {"": Presence()}

    def take(self) -> list[Presence]:
        """What is to be said now, the last state of each."""
        unsaid, self._unsaid = self._unsaid, {}
        return list(unsaid.values())
