"""What one user may do and see in a space: the one place that is asked on every path.

A document that may not be read answers like one that is not there. What may be written is decided where it is stored;
asking here first spares a write that would be refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress

from syncline.core.access.scope import Rights, Scope
from syncline.core.access.state import READ, ROOT, Access
from syncline.core.access.views import EMPTY_VIEW, View
from syncline.core.cursors import Stand
from syncline.core.messages import Authenticated
from syncline.errors import Forbidden, NotFound, TokenExpired, Unauthorized, UserMismatch
from syncline.server.auth.identity import Identity
from syncline.server.endings import Endings
from syncline.server.limits import UNMETERED, Meter
from syncline.server.space import Space

ASKED_MS = 1_000


class Standing:
    """Who a user is in a space, and what that allows. Belongs to the event loop."""

    def __init__(
        self,
        space: Space,
        identity: Identity,
        is_valid: Callable[[Identity], bool] = lambda identity: True,
        endings: Endings | None = None,
        meter: Meter = UNMETERED,
    ) -> None:
        """``is_valid`` tells whether what the user came with is still accepted; it is asked once a second, and at once
        when ``endings`` says that something has ended.
        """
        self.space, self.identity, self._is_valid = space, identity, is_valid
        self._endings = endings or Endings()
        self.meter = meter
        """Counts what the user asks for."""
        self._asked = space.now_ms(), self._endings.count
        self.has_caught_up = False
        """Whether it was looked just now what other servers have stored, and nobody has made use of it."""
        self.on_refused: Callable[[Forbidden], None] = lambda error: None
        """Called with each event of a push that is forbidden."""
        self.user = identity.user
        self.rights = _rights(identity)

    def connected(self) -> AbstractContextManager[None]:
        """As long as the block lasts, the user has one more session or stream. Raises TooManyConnections."""
        return self.space.connected(self.user)

    def check(self) -> None:
        """Raises SpaceDeleted, TokenExpired, Unauthorized or SpaceSuspended if the user has no business here."""
        self.space.check_exists()
        is_barred = not self.rights.is_trusted and self.space.access.is_barred(self.user, self.rights.credential)
        is_valid, expires = not is_barred and self._is_still_valid(self.space.now_ms()), self.identity.expires_ms
        if expires is not None and self.space.now_ms() >= expires:  # last: it may expire while the others are asked
            raise TokenExpired("The token has expired: sign in again, or refresh it.")
        if not is_valid:
            raise Unauthorized("These credentials were revoked.")
        self.space.check_resumed(self.user)

    async def catch_up(self) -> None:
        """From here on all is known that was stored before this was called, by whichever server.

        Whoever has just come in has no need to look again. Raises StoreUnavailable, and what ``check`` raises.
        """
        if self.has_caught_up:
            self.has_caught_up = False
        else:
            await self.space.refresh()
            self.check()

    def _is_still_valid(self, now: int) -> bool:
        at, count = self._asked
        if 0 <= now - at < ASKED_MS and count == self._endings.count:
            return True
        asked = now, self._endings.count
        is_valid = self._is_valid(self.identity)
        if is_valid:  # otherwise it is asked again, whenever
            self._asked = asked
        return is_valid

    def renew(self, identity: Identity, ref: int) -> Authenticated:
        """Goes on with other credentials of the same user. Raises UserMismatch for those of others.

        Those with another scope are refused, too: what is read already was begun with this one.
        """
        rights = _rights(identity)
        is_same = (identity.user, identity.space) == (self.user, self.identity.space)
        if not is_same or rights.scope != self.rights.scope:
            raise UserMismatch(f"These credentials are not {self.user}'s, or of another scope: connect anew with them.")
        self.identity, self.rights = identity, rights
        return Authenticated(ref=ref, user=self.user, time=self.space.now_ms(), expires=identity.expires_ms)

    def view(self, items: Sequence[str] = ()) -> View:
        """What the user may see of these items (all: none are named)."""
        return self._view(self.space.access, tuple(items))

    def stand(self, items: Sequence[str]) -> tuple[View, Stand]:
        """The same, as a cursor tells it."""
        access = self.space.access  # once: a writer's thread may put the next in its place
        view = self._view(access, tuple(items))
        return view, Stand(view.digest, access.seq, tuple(items))

    def _view(self, access: Access, items: tuple[str, ...]) -> View:
        scope = self.rights.scope
        if not scope.allows_action(READ):
            return EMPTY_VIEW
        return access.view(ROOT if self.rights.is_trusted else self.user, items, scope.items)

    def may(self, item: str, action: str) -> bool:
        """Whether the user may do this."""
        allowed = self.rights.scope.allows(item, action)
        return allowed and (self.rights.is_trusted or self.space.access.may(self.user, item, action))

    def check_may(self, item: str, action: str) -> None:
        """Raises Forbidden unless the user may do this."""
        if not self.may(item, action):
            raise Forbidden(f"{self.user} may not {action} {item}.", item=item, action=action)

    def may_read(self, item: str) -> bool:
        """Whether the user may read an item: the one question of every path on which something is read."""
        return self.view().shows(item)

    def check_read(self, item: str) -> None:
        """Raises NotFound unless the user may read an item, with the words for one that is not there."""
        self.check()
        if not self.may_read(item):
            raise missing(item)

    async def _news(self) -> None:
        """Returns when something has happened in the space, or the user's credentials expire."""
        expires = self.identity.expires_ms
        if expires is None:
            await self.space.hub.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, (expires - self.space.now_ms()) / 1000)):
                await self.space.hub.wait()


def _rights(identity: Identity) -> Rights:
    return Rights(identity.space is None, identity.credential, Scope(identity.actions, identity.items))


def missing(item: str) -> NotFound:
    """The error for a document that is not there, or that may not be read."""
    return NotFound(f"There is no document {item}.")
