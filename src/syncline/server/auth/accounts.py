"""How users get passwords and second factors, and show them. Every guess at one of them is counted (see ``guard``).

Where a name, a password or a code is wrong, one error with one text says so, after the same time. Hashing goes to
``passwords``' threads, and writing to others: the event loop stays free.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol
from unicodedata import normalize

from syncline.errors import Forbidden, Overloaded, SecondFactorRequired, WeakPassword
from syncline.server.auth.guard import Attempt, Guard
from syncline.server.auth.identity import Identity, wrong
from syncline.server.auth.passwords import Passwords
from syncline.server.auth.second_factor import Enrolment, SecondFactors
from syncline.server.auth.setup_tokens import SetupTokens
from syncline.server.register.users import Users

NOT_FINDINGS = (Overloaded, SecondFactorRequired, WeakPassword)
"""Errors by which a guesser learns nothing that counts."""


class CreateKey(Protocol):
    """How an API key is made; see ``Registry.create_key``."""

    def __call__(self, name: str, user: str, space: str) -> str: ...


class EndSessions(Protocol):
    """How a user's sessions are ended; see ``Authenticator.end_sessions``."""

    async def __call__(self, space: str, user: str, *, but: str = "") -> int: ...


class Accounts:
    """Passwords, second factors and setup tokens of users. Use it in one event loop."""

    def __init__(
        self,
        users: Users,
        passwords: Passwords,
        guard: Guard,
        second_factors: SecondFactors,
        setup_tokens: SetupTokens,
        create_key: CreateKey,
        end_sessions: EndSessions,
    ) -> None:
        self._users, self._passwords, self._guard = users, passwords, guard
        self.second_factors, self.setup_tokens = second_factors, setup_tokens
        self._create_key, self._end_sessions = create_key, end_sessions

    async def check(
        self, space: str, user: str, password: str, *, code: str | None = None, address: str = ""
    ) -> tuple[str, str]:
        """Who may log in, as (space, user).

        Raises InvalidCredentials, SecondFactorRequired, TooManyAttempts or Overloaded.
        """
        space, user = _text(space), _text(user)
        async with _Guarded(self._guard, address, space, user):
            await self._check_password(space, user, password)
            await asyncio.to_thread(self._check_code, space, user, code)
        return space, user

    async def set_password(self, space: str, user: str, password: str) -> None:
        """Gives a user another password, whoever asks, and ends the sessions of the one before.

        Raises WeakPassword, UnknownUser or Overloaded.
        """
        hashed = await self._passwords.hash(password, user=user)
        await asyncio.to_thread(self._users.set_password, space, user, hashed)
        await self._end_sessions(space, user)

    async def change_password(self, identity: Identity, old: str, new: str, *, address: str = "") -> None:
        """Changes one's own password; other sessions end.

        Raises WeakPassword, InvalidCredentials, TooManyAttempts, Overloaded, or Forbidden without a session.
        """
        space, user, session = _of_session(identity)
        async with _Guarded(self._guard, address, space, user):
            hashed = await self._passwords.hash(new, user=user)
            await self._check_password(space, user, old)
        await asyncio.to_thread(self._users.set_password, space, user, hashed)
        await self._end_sessions(space, user, but=session)

    async def redeem_for_password(self, token: str, password: str, *, address: str = "") -> tuple[str, str]:
        """Sets the password of a setup token's user, who is returned as (space, user).

        Raises InvalidCredentials, WeakPassword, TooManyAttempts or Overloaded; the token is used up by success alone.
        """
        async with _Guarded(self._guard, address):
            space, user = await asyncio.to_thread(self.setup_tokens.peek, token)
            hashed = await self._passwords.hash(password, user=user)
            await asyncio.to_thread(self.setup_tokens.redeem, token)
        await asyncio.to_thread(self._users.set_password, space, user, hashed)
        await self._end_sessions(space, user)
        return space, user

    async def redeem_for_key(self, token: str, name: str, *, address: str = "") -> str:
        """An API key for a setup token's user. Raises InvalidCredentials or TooManyAttempts."""
        async with _Guarded(self._guard, address):
            space, user = await asyncio.to_thread(self.setup_tokens.redeem, token)
        return await asyncio.to_thread(self._create_key, name, user, space)

    async def enrol(self, identity: Identity) -> Enrolment:
        """Begins a second factor. Raises BadRequest if there is one, Forbidden without a session."""
        space, user, _ = _of_session(identity)
        return await asyncio.to_thread(self.second_factors.enrol, space, user)

    async def confirm(self, identity: Identity, code: str) -> list[str]:
        """Turns the second factor on; its recovery codes. Raises BadRequest, InvalidCredentials or Forbidden."""
        space, user, _ = _of_session(identity)
        return await asyncio.to_thread(self.second_factors.confirm, space, user, code)

    async def turn_off(self, identity: Identity, code: str, *, address: str = "") -> None:
        """Turns the second factor off, by a code. Raises InvalidCredentials, TooManyAttempts or Forbidden."""
        space, user, _ = _of_session(identity)
        async with _Guarded(self._guard, address, space, user):
            await asyncio.to_thread(self.second_factors.accept, space, user, code)
        await asyncio.to_thread(self.second_factors.turn_off, space, user)

    async def _check_password(self, space: str, user: str, password: str) -> None:
        hashed = await asyncio.to_thread(self._users.password, space, user)
        if not await self._passwords.verify(hashed, password) or hashed is None:
            raise wrong()
        if self._passwords.is_outdated(hashed):
            with suppress(Overloaded):  # there will be another login
                renewed = await self._passwords.rehash(password)
                await asyncio.to_thread(self._users.set_password, space, user, renewed, instead_of=hashed)

    def _check_code(self, space: str, user: str, code: str | None) -> None:
        if self.second_factors.is_on(space, user):
            if not code:
                raise SecondFactorRequired("This login needs a code, too.")
            self.second_factors.accept(space, user, code)


class _Guarded:
    """A block that is one attempt at guessing, unless it says otherwise."""

    def __init__(self, guard: Guard, address: str, space: str = "", user: str = "") -> None:
        self._guard, self._of = guard, (address, space, user)
        self._attempt: Attempt | None = None

    async def __aenter__(self) -> None:
        self._attempt = await asyncio.to_thread(self._guard.begin, *self._of)

    async def __aexit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        if self._attempt is not None and error is None:
            await asyncio.to_thread(self._guard.succeeded, self._attempt)
        elif self._attempt is not None and isinstance(error, NOT_FINDINGS):
            await asyncio.to_thread(self._guard.withdrawn, self._attempt)


def _text(name: str) -> str:
    """A name as it is looked up: in NFC, and with a question mark for half of a surrogate pair, which nobody has."""
    return normalize("NFC", name.encode(errors="replace").decode())


def _of_session(identity: Identity) -> tuple[str, str, str]:
    """(space, user, session's id). Raises Forbidden: who has an API key alone does not change how its user logs in."""
    kind, _, id = identity.credential.partition(":")
    if kind != "session":
        raise Forbidden("This is for somebody who has logged in with a password.")
    return identity.space or "", identity.user, id
