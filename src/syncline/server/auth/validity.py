"""Whether credentials that were accepted still are, for what stays open for long: sockets, streams, tickets.

A register beside the server is asked each time. One behind a network is not, from the event loop: what was found is
remembered, and asked for again all together in a thread, at once when somebody has changed something, and every few
seconds. So nobody waits for the network who holds a socket; and where the register is out of reach, nobody is believed
for longer than half a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from syncline.errors import StoreUnavailable, SynclineError
from syncline.server.auth.identity import Identity
from syncline.server.auth.sessions import Sessions
from syncline.server.registry import Registry

REMEMBERED = 10_000
REMEMBERED_MS = 30_000
KEY, SESSION = "key", "session"


class Validity:
    """Which credentials are valid. Use it in one event loop."""

    def __init__(self, registry: Registry, sessions: Sessions, now_ms: Callable[[], int], *, open: bool) -> None:
        """``open``: requests without credentials are served."""
        self._registry, self._sessions, self._now_ms, self._open = registry, sessions, now_ms, open
        self._is_remote = registry.database.is_remote
        self._confirmed: dict[Identity, int] = {}
        """When each was last known to be valid."""
        self.looks = 0
        """Changes when all is asked for again: what was read before may be outdated."""
        self._is_reached = True

    def is_valid(self, identity: Identity) -> bool:
        """Whether what somebody came with would still be accepted. Raises StoreUnavailable if nobody can tell."""
        if self._has_expired(identity):
            return False
        if not self._is_remote:
            return self._ask(identity)
        at, now = self._confirmed.get(identity), self._now_ms()
        if at is not None and at <= now < at + REMEMBERED_MS:
            return True
        if not self._is_reached:
            raise StoreUnavailable("It cannot be told just now whether these credentials are valid; try again.")
        is_valid = self._ask(identity)
        if is_valid:
            self.note(identity)
        return is_valid

    async def is_valid_now(self, identity: Identity) -> bool:
        """The same of now, without holding up the event loop."""
        if not self._is_remote:
            return self.is_valid(identity)
        return not self._has_expired(identity) and await asyncio.to_thread(self._ask, identity)

    def note(self, identity: Identity) -> None:
        """Remembers one that was found valid just now."""
        if self._is_remote:
            if len(self._confirmed) >= REMEMBERED:
                self._confirmed.clear()
            self._confirmed[identity] = self._now_ms()

    async def look_again(self) -> bool:
        """Asks for all that is remembered; whether the register was reached."""
        self.looks += 1
        if not self._is_remote:
            return True
        self._confirmed = {one: at for one, at in self._confirmed.items() if not self._has_expired(one)}
        looks, asked = self.looks, list(self._confirmed)
        try:
            valid = await asyncio.to_thread(self._ask_all, asked)
        except SynclineError:
            self._is_reached = False
            return False
        self._is_reached = True
        if looks == self.looks:  # otherwise a later look has asked for the same, and more
            now = self._now_ms()
            for identity in asked:
                self._confirmed.pop(identity, None)
            self._confirmed.update((identity, now) for identity in asked if identity in valid)
        return True

    def _has_expired(self, identity: Identity) -> bool:
        return identity.expires_ms is not None and self._now_ms() >= identity.expires_ms

    def _ask(self, identity: Identity) -> bool:
        kind, _, id = identity.credential.partition(":")
        if kind == KEY:
            return self._registry.api_keys.is_valid(id)
        if kind == SESSION:
            return self._sessions.is_valid(id)
        return self._open if not kind else not self._registry.users.is_barred(identity.space or "", identity.user)

    def _ask_all(self, identities: Sequence[Identity]) -> set[Identity]:
        """Those that are valid, by few questions."""
        keys = self._registry.api_keys.valid(_ids(identities, KEY))
        sessions = self._sessions.valid(_ids(identities, SESSION))
        others = [one for one in identities if _kind(one) not in (KEY, SESSION, "")]
        barred = self._registry.users.barred((one.space or "", one.user) for one in others)
        known = {f"{KEY}:{id}" for id in keys} | {f"{SESSION}:{id}" for id in sessions}
        found = {one for one in identities if one.credential in known}
        found.update(one for one in others if (one.space or "", one.user) not in barred)
        return found.union(one for one in identities if self._open and not one.credential)


def _kind(identity: Identity) -> str:
    return identity.credential.partition(":")[0]


def _ids(identities: Iterable[Identity], kind: str) -> set[str]:
    return {one.credential.partition(":")[2] for one in identities if _kind(one) == kind}
