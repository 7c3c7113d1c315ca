"""What comes with a request, and whose it is: an API key, an access token of ours, or a token of an issuer we trust.

They are told apart by their shape, each verified by its own rules alone. What was found is remembered for a second, so
that most requests cost a look into a table in memory; a revocation is noticed within that second, and at once if it was
this process that revoked, or if another told of it. A register behind a network is asked in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from syncline.errors import Unauthorized
from syncline.server.auth import jwts
from syncline.server.auth.identity import ANYONE, Identity
from syncline.server.auth.oidc import Issuers
from syncline.server.auth.sessions import Sessions
from syncline.server.auth.tokens import AccessTokens
from syncline.server.auth.validity import Validity
from syncline.server.registry import Registry

REMEMBERED_MS = 1_000
REMEMBERED_TOKENS = 10_000
MAX_CHARACTERS = jwts.MAX_CHARACTERS


def bearer_of(authorization: str) -> str | None:
    """The token in an ``Authorization`` header (RFC 6750); None if it is of another scheme."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


class Found(NamedTuple):
    """Whose a token was, and when it was looked up."""

    identity: Identity
    at: int


class Credentials:
    """Finds out who somebody is. Use it in one event loop."""

    def __init__(
        self,
        registry: Registry,
        tokens: AccessTokens,
        sessions: Sessions,
        issuers: Issuers,
        now_ms: Callable[[], int],
        *,
        open: bool,
        write_uses: Callable[[], None],
    ) -> None:
        """``open``: requests without credentials are ``anyone``'s. ``write_uses``: called when it is time to."""
        self._registry, self._tokens, self._sessions, self._issuers = registry, tokens, sessions, issuers
        self._now_ms, self._open, self._write_uses = now_ms, open, write_uses
        self._is_remote = registry.database.is_remote
        self.validity = Validity(registry, sessions, now_ms, open=open)
        self._found: dict[str, Found] = {}

    async def identify(self, token: str | None) -> Identity:
        """Who this is. Raises Unauthorized, TokenExpired or IssuerUnavailable."""
        if not token or not self._is_foreign(token):
            return await self.identify_local(token)
        recalled = self._recall(token)
        if recalled is not None:
            return recalled
        identity = await self._issuers.identify(token)
        return await self._find(token, lambda: self._unbarred(identity))

    async def identify_local(self, token: str | None) -> Identity:
        """The same for what this server has made: keys and tokens. Raises Unauthorized or TokenExpired."""
        if not token and self._open:
            return Identity(ANYONE, None)
        if not token:
            raise Unauthorized("Credentials are missing: send Authorization: Bearer <API key>.")
        return self._recall(token) or await self._find(token, lambda: self._look_up(token))

    async def look_again(self) -> bool:
        """Looks everything up again: something was revoked. Whether the register was reached."""
        self._found.clear()
        return await self.validity.look_again()

    def _is_foreign(self, token: str) -> bool:
        return jwts.is_jwt(token) and self._recall(token) is None and jwts.issuer_of(token) != self._tokens.issuer

    async def _find(self, token: str, look: Callable[[], Identity]) -> Identity:
        """Whom a look into the register finds. Remembered, unless something has changed meanwhile."""
        looks = self.validity.looks
        identity = await asyncio.to_thread(look) if self._is_remote else look()
        if looks == self.validity.looks:
            self._remember(token, identity)
        return identity

    def _look_up(self, token: str) -> Identity:
        if jwts.is_jwt(token):
            return self._of_session(token)
        if len(token) > MAX_CHARACTERS:
            raise Unauthorized("This is no credential of this server.")
        identity = self._registry.api_keys.identify(token)
        if self._registry.api_keys.note_use(identity.credential.partition(":")[2]):
            self._write_uses()
        return identity

    def _of_session(self, token: str) -> Identity:
        access = self._tokens.verify(token)
        if not self._sessions.is_valid(access.session):
            raise Unauthorized("This session has ended: log in again.")
        expires_ms = access.expires_ms + jwts.LEEWAY_MS
        return Identity(access.user, access.space, f"session:{access.session}", expires_ms=expires_ms)

    def _unbarred(self, identity: Identity) -> Identity:
        if self._registry.users.is_barred(identity.space or "", identity.user):
            raise Unauthorized("This user may not come in.")
        return identity

    def _recall(self, token: str) -> Identity | None:
        identity, at = self._found.get(token, (None, 0))
        now = self._now_ms()
        is_fresh = at <= now < at + REMEMBERED_MS  # also if the clock was set back
        if identity is None or not is_fresh or (identity.expires_ms is not None and now >= identity.expires_ms):
            self._found.pop(token, None)
            return None
        return identity

    def _remember(self, token: str, identity: Identity) -> None:
        if len(self._found) >= REMEMBERED_TOKENS:
            self._found.clear()
        self._found[token] = Found(identity, self._now_ms())
        self.validity.note(identity)
