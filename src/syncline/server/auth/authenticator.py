"""Who somebody is, with all its parts in one place: who comes, logging in and staying so, and ending it.

Methods that write, or that take their time, are coroutines and leave the event loop free. What HTTP makes of them is
for the routes. How users set up their passwords and second factors is in ``accounts``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from syncline.errors import SecondFactorRequired, StoreUnavailable, SynclineError, TokenReused, Unauthorized
from syncline.server.auth.accounts import Accounts
from syncline.server.auth.credentials import Credentials
from syncline.server.auth.guard import Guard
from syncline.server.auth.identity import Identity
from syncline.server.auth.oidc import Issuers
from syncline.server.auth.passwords import Passwords
from syncline.server.auth.second_factor import SecondFactors
from syncline.server.auth.sessions import PREFIX, Refreshed, Sessions
from syncline.server.auth.setup_tokens import SetupTokens
from syncline.server.auth.tickets import Tickets
from syncline.server.auth.tokens import AccessTokens
from syncline.server.registry import Registry
from syncline.server.settings import OidcIssuer

log = logging.getLogger(__name__)


class Grant(NamedTuple):
    """What a login brings: who it is, and the tokens to come back with."""

    identity: Identity
    access_token: str
    expires_ms: int
    """When the access token expires, in milliseconds since 1970."""
    refresh_token: str
    """To be used once; it brings the next one."""


class Authenticator:
    """Who somebody is. Use it in one event loop and ``close`` it."""

    def __init__(
        self,
        registry: Registry,
        now_ms: Callable[[], int],
        *,
        open: bool = False,
        issuers: Sequence[OidcIssuer] = (),
        passwords: Passwords | None = None,
        on_ended: Callable[[Sequence[str]], None] = lambda credentials: None,
    ) -> None:
        """``on_ended`` is called in the event loop with credentials (``session:…``, ``key:…``) that were ended.

        There may be none among them that are known by name, if a user was barred.
        """
        database = registry.database
        self._registry = registry
        self.on_ended = on_ended
        self.passwords = passwords or Passwords()
        self.tokens = AccessTokens(database, now_ms, f"syncline:{registry.secret('issuer').hex()[:16]}")
        self.sessions = Sessions(database, now_ms, registry.secret("sessions"))
        self.tickets = Tickets(database, now_ms)
        self.accounts = Accounts(
            registry.users,
            self.passwords,
            Guard(database, now_ms),
            SecondFactors(database, now_ms, registry.secret("recovery codes")),
            SetupTokens(database, now_ms, registry.secret("setup tokens")),
            registry.create_key,
            self.end_sessions,
        )
        self._writer = ThreadPoolExecutor(1, "auth")
        issued = Issuers(issuers, now_ms)
        self._credentials = Credentials(
            registry, self.tokens, self.sessions, issued, now_ms, open=open, write_uses=self._submit_uses
        )

    async def close(self) -> None:
        """Finishes what was begun."""
        self._submit_uses()
        await asyncio.to_thread(self._writer.shutdown)
        await asyncio.to_thread(self.passwords.close)

    # Who comes

    async def identify(self, token: str | None) -> Identity:
        """Whose credential this is, of whatever kind. Raises Unauthorized, TokenExpired or IssuerUnavailable."""
        return await self._credentials.identify(token)

    async def identify_local(self, token: str | None) -> Identity:
        """The same for API keys and access tokens of this server. Raises Unauthorized or TokenExpired."""
        return await self._credentials.identify_local(token)

    def is_valid(self, identity: Identity) -> bool:
        """Whether what somebody came with would still be accepted; for sockets and streams that stay open."""
        return self._credentials.validity.is_valid(identity)

    async def ticket(self, identity: Identity) -> str:
        """A ticket with which one socket or stream is opened as this identity. Raises Overloaded."""
        return await asyncio.to_thread(self.tickets.issue, identity)

    async def redeem_ticket(self, ticket: str) -> Identity:
        """Whose ticket this was. Raises Unauthorized, also if what it was taken with has ended since."""
        identity = await asyncio.to_thread(self.tickets.redeem, ticket)
        if not await self._credentials.validity.is_valid_now(identity):
            raise Unauthorized("What this ticket was taken with is not valid any more.")
        return identity

    # Logging in and out

    async def login(
        self, space: str, user: str, password: str, *, code: str | None = None, address: str = "", label: str = ""
    ) -> Grant:
        """A new session. ``address``: where the request comes from; ``label``: what the program calls itself.

        Raises InvalidCredentials, SecondFactorRequired, TooManyAttempts or Overloaded.
        """
        space, user = await self.accounts.check(space, user, password, code=code, address=address)
        return self._grant(await asyncio.to_thread(self.sessions.begin, space, user, label))

    async def set_up(self, token: str, password: str, *, address: str = "", label: str = "") -> Grant:
        """A first session, by a setup token and the password that is set with it.

        Raises InvalidCredentials, WeakPassword, TooManyAttempts or Overloaded; SecondFactorRequired if the password is
        set and a login with it needs a code, too.
        """
        space, user = await self.accounts.redeem_for_password(token, password, address=address)
        if await asyncio.to_thread(self.accounts.second_factors.is_on, space, user):
            raise SecondFactorRequired("The password is set; log in with it and a code.")
        return self._grant(await asyncio.to_thread(self.sessions.begin, space, user, label))

    async def refresh(self, token: str) -> Grant:
        """The next tokens of a session. Raises Unauthorized, TokenExpired or TokenReused."""
        try:
            return self._grant(await asyncio.to_thread(self.sessions.refresh, token))
        except TokenReused as error:
            await self._end(f"session:{error.details['session']}")
            raise

    async def logout(self, token: str) -> bool:
        """Ends the session of an access or refresh token; whether it went on until now. Raises Unauthorized."""
        if token.startswith(PREFIX):
            return await self.end_session(self.sessions.id_of(token))
        kind, _, id = (await self.identify_local(token)).credential.partition(":")
        return kind == "session" and await self.end_session(id)

    async def end_session(self, id: str) -> bool:
        """Ends a session; whether it went on until now."""
        ended = await asyncio.to_thread(self.sessions.end, id)
        await self._end(f"session:{id}")
        return ended

    async def end_sessions(self, space: str, user: str, *, but: str = "") -> int:
        """Ends all sessions of a user, or all but one; how many."""
        ended = await asyncio.to_thread(self.sessions.end_all, space, user, but=but)
        await self._end(*(f"session:{id}" for id in ended))
        return len(ended)

    async def look_again(self) -> None:
        """Takes note that another program has changed the register: what was valid may be so no longer.

        Raises StoreUnavailable if that could not be looked up.
        """
        if not await self._credentials.look_again():
            raise StoreUnavailable("The register cannot be reached; try again.")

    async def confirm(self) -> None:
        """Makes sure that what is valid still is, by the clock; to be called every few seconds."""
        await self._credentials.validity.look_again()

    async def revoke_key(self, id: str) -> bool:
        """Revokes an API key; whether it was valid until now."""
        revoked = await asyncio.to_thread(self._registry.api_keys.revoke, id)
        await self._end(f"key:{id}")
        return revoked

    async def suspend(self, space: str, user: str) -> None:
        """Nothing a user holds is valid until ``Users.resume``. Raises UnknownUser or BadRequest."""
        await self._bar(self._registry.users.suspend, space, user)

    async def remove(self, space: str, user: str) -> None:
        """Ends all a user holds, for ever. Raises UnknownUser or BadRequest."""
        await self._bar(self._registry.users.remove, space, user)

    # How

    def _grant(self, session: Refreshed) -> Grant:
        space = session.space or None
        token, expires_ms = self.tokens.issue(space, session.user, session.id)
        identity = Identity(session.user, space, f"session:{session.id}", expires_ms=expires_ms)
        return Grant(identity, token, expires_ms, session.token)

    async def _bar(self, bar: Callable[[str, str], None], space: str, user: str) -> None:
        held = await asyncio.to_thread(self._held_by, space, user)
        await asyncio.to_thread(bar, space, user)
        await self._end(*held)

    def _held_by(self, space: str, user: str) -> list[str]:
        """The credentials of a user."""
        keys = [key.id for key in self._registry.api_keys.all() if (key.space or "", key.user) == (space, user)]
        sessions = self.sessions.of_user(space, user)
        return [*(f"key:{id}" for id in keys), *(f"session:{session.id}" for session in sessions)]

    async def _end(self, *credentials: str) -> None:
        await self._credentials.look_again()
        self.on_ended(credentials)

    def _submit_uses(self) -> None:
        self._writer.submit(self._write_uses)

    def _write_uses(self) -> None:
        try:
            self._registry.api_keys.write_uses()
        except SynclineError:
            log.warning("When keys were used last could not be written.", exc_info=True)
