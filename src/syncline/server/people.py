"""Who is in a space, as its members administer them: users and keys, in the log and in the register.

The event is what takes effect at its seq; the register outlives a log that is put back from a backup. What takes
something away goes to the log first, then to the register, and is answered after both: a crash between them leaves
it taken away, and the same request again finishes it. What gives goes to the register first, where names are used once,
and the event names it: a crash between them leaves a user without credentials, or a key that nobody was shown.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from msgspec import UNSET

from syncline.core.access.scope import Scope
from syncline.core.access.state import (
    CREATE_KEY,
    CREATE_USER,
    READ,
    REMOVE_USER,
    RESUME_USER,
    REVOKE_KEY,
    REVOKE_SESSION,
    SUSPEND_USER,
    user_item,
)
from syncline.errors import BadRequest, Forbidden, NotFound, SynclineError, UnknownUser
from syncline.server.administration import key_made, record
from syncline.server.auth.authenticator import Authenticator
from syncline.server.auth.identity import ROOT
from syncline.server.member import Member
from syncline.server.register.keys import Key
from syncline.server.register.users import User, check_new
from syncline.server.registry import Registry

SETUP_USER = ".user.setup"
"""A new setup token: with it a user's password is set anew."""
RESET_TOTP = ".user.resetTotp"
"""The second factor is taken away from somebody who has lost it."""
OWN = frozenset({READ, CREATE_KEY, REVOKE_KEY, REVOKE_SESSION})
"""What users may do about themselves, whatever the rules say; what their credential is limited to holds here too."""


class NewKey(NamedTuple):
    """A key that was made, and its text, which is shown once."""

    key: Key
    text: str


class People:
    """The users of a space and their keys, as one member sees and administers them."""

    def __init__(self, member: Member, registry: Registry, authenticator: Authenticator) -> None:
        self._member, self._space = member, member.space.name
        self._registry, self._authenticator = registry, authenticator

    # What is allowed

    def may(self, user: str, action: str) -> bool:
        """Whether the member may do this about a user; about ``.root`` nobody else may do anything."""
        if user == self._member.user and action in OWN:
            return self._member.rights.scope.allows(user_item(user), action)
        return (user != ROOT or self._member.user == ROOT) and self._member.may(user_item(user), action)

    def check_may(self, user: str, action: str) -> None:
        """Raises Forbidden unless the member may, whether there is such a user or not."""
        if not self.may(user, action):
            item = user_item(user)
            raise Forbidden(f"{self._member.user} may not {action} {item}.", item=item, action=action)

    # Users

    async def users(self) -> list[User]:
        """The users whom the member may see."""
        found = await asyncio.to_thread(self._registry.users.of_space, self._space)
        return [user for user in found if self.may(user.name, READ)]

    async def user(self, name: str) -> User:
        """A user. Raises UnknownUser, also for one whom the member may not see."""
        if not self.may(name, READ):
            raise _unknown(name)
        return await self._find(name)

    async def create_user(self, name: str, password: str | None) -> str | None:
        """A new user; without a password, the setup token. Raises Forbidden, UserExists, BadRequest or WeakPassword."""
        users, accounts = self._registry.users, self._authenticator.accounts
        if check_new(name) == ROOT:
            raise BadRequest(f"user: {name} is the system's.")
        self.check_may(name, CREATE_USER)
        hashed = None if password is None else await self._authenticator.passwords.hash(password, user=name)
        await asyncio.to_thread(users.create, self._space, name)
        try:
            await self._record(name, CREATE_USER)
        except SynclineError:
            await asyncio.to_thread(users.withdraw, self._space, name)
            raise
        if hashed is None:
            return await asyncio.to_thread(accounts.setup_tokens.issue, self._space, name)
        await asyncio.to_thread(users.set_password, self._space, name, hashed)
        return None

    async def suspend(self, name: str) -> User:
        """Nothing the user holds is valid until ``resume``. Raises Forbidden, UnknownUser or BadRequest."""
        user = await self._ordinary(name, SUSPEND_USER)
        if user.suspended is None or not self._is_barred(name):
            await self._record(name, SUSPEND_USER)
            await self._authenticator.suspend(self._space, name)
        return await self._find(name)

    async def resume(self, name: str) -> User:
        """Ends a suspension. Raises Forbidden, UnknownUser or BadRequest."""
        user = await self._ordinary(name, RESUME_USER)
        if user.suspended is not None or self._is_barred(name):
            await self._record(name, RESUME_USER)
            await asyncio.to_thread(self._registry.users.resume, self._space, name)
        return await self._find(name)

    async def remove(self, name: str) -> None:
        """Ends all the user holds, for ever. Raises Forbidden, UnknownUser or BadRequest."""
        await self._ordinary(name, REMOVE_USER)
        await self._record(name, REMOVE_USER)
        await self._authenticator.remove(self._space, name)

    async def setup_token(self, name: str) -> str:
        """A new setup token; an earlier one is void. Raises Forbidden or UnknownUser."""
        self.check_may(name, SETUP_USER)
        await self._find(name)
        await self._record(name, SETUP_USER)
        return await asyncio.to_thread(self._authenticator.accounts.setup_tokens.issue, self._space, name)

    async def reset_totp(self, name: str) -> None:
        """Takes away a user's second factor and ends their sessions. Raises Forbidden, UnknownUser or NotFound.

        One's own is turned off with a code: a stolen session does not get rid of it. Only ``.root`` has nobody to ask.
        """
        self.check_may(name, RESET_TOTP)
        if name == self._member.user != ROOT:
            raise Forbidden("One's own is turned off with a code; without one, ask another administrator.")
        await self._find(name)
        factors = self._authenticator.accounts.second_factors
        if not await asyncio.to_thread(factors.is_on, self._space, name):
            raise NotFound(f"{name} has no second factor.")
        await self._record(name, RESET_TOTP)
        await self._authenticator.end_sessions(self._space, name)
        await asyncio.to_thread(factors.turn_off, self._space, name)

    async def _ordinary(self, name: str, action: str) -> User:
        """A user about whom the member may do this. Raises BadRequest for ``.root``, who is nobody's to suspend."""
        self.check_may(name, action)
        if name == ROOT:
            raise BadRequest(f"{ROOT} administers the server and cannot be suspended or removed.")
        return await self._find(name)

    async def _find(self, name: str) -> User:
        found = await asyncio.to_thread(self._registry.users.find, self._space, name)
        if found is None or found.removed is not None:
            raise _unknown(name)
        return found

    def _is_barred(self, name: str) -> bool:
        return self._member.space.access.is_barred(name)

    # Keys and sessions

    async def keys(self) -> list[Key]:
        """The keys that the member may see, without those that were revoked, oldest first."""
        found = await asyncio.to_thread(self._registry.keys)
        return [key for key in found if self._is_here(key) and self.may(key.user, READ)]

    async def create_key(self, name: str, user: str, scope: Scope, expires_ms: int | None) -> NewKey:
        """A new key, not wider than the credential it is made with. Raises Forbidden, UnknownUser or BadRequest."""
        self.check_may(user, CREATE_KEY)
        scope, expires_ms = self._limited(scope, expires_ms)
        if user != self._member.user:
            await self._find(user)
        text = await asyncio.to_thread(
            self._registry.create_key,
            name,
            user,
            self._space,
            actions=scope.actions,
            items=scope.items,
            expires_ms=expires_ms,
        )
        return await self.adopt_key(text)

    async def adopt_key(self, text: str) -> NewKey:
        """Tells the log of a key that the register has; it is revoked if the log does not take that."""
        key = await asyncio.to_thread(self._made, text)
        try:
            _, action, payload = key_made(key)
            await self._record(key.user, action, payload)
            self._member.check()  # what was revoked meanwhile leaves no key behind
        except SynclineError:
            await self._authenticator.revoke_key(key.id)
            raise
        return NewKey(key, text)

    async def revoke_key(self, id: str) -> None:
        """Revokes a key. Raises NotFound, also for a key that the member may not see, or Forbidden."""
        key = await asyncio.to_thread(self._registry.api_keys.find, id)
        if key is None or key.revoked is not None or not self._is_here(key) or not self.may(key.user, READ):
            raise NotFound(f"There is no key {id[:40]}.")
        self.check_may(key.user, REVOKE_KEY)
        await self._record(key.user, REVOKE_KEY, {"credential": f"key:{id}"})
        await self._authenticator.revoke_key(id)

    async def end_session(self, id: str) -> None:
        """Ends a session of the member's own. Raises NotFound or Forbidden."""
        user = self._member.user
        self.check_may(user, REVOKE_SESSION)
        sessions = await asyncio.to_thread(self._authenticator.sessions.of_user, self._space, user)
        if id not in {session.id for session in sessions}:
            raise NotFound(f"There is no session {id[:40]}.")
        await self._record(user, REVOKE_SESSION, {"credential": f"session:{id}"})
        await self._authenticator.end_session(id)

    def _is_here(self, key: Key) -> bool:
        return key.space in (None, self._space)

    def _made(self, text: str) -> Key:
        id = self._registry.api_keys.id_of(text)
        key = self._registry.api_keys.find(id) if id is not None else None
        assert key is not None
        return key

    def _limited(self, wanted: Scope, expires_ms: int | None) -> tuple[Scope, int | None]:
        """What a new key is limited to: unless it is said, as the member's own credential is. Raises Forbidden."""
        own, until = self._member.rights.scope, self._member.identity.expires_ms
        scope = Scope(wanted.actions or own.actions, wanted.items or own.items)
        if not self._member.identity.credential.startswith("key:"):
            until = None  # a session's tokens are renewed
        expires_ms = until if expires_ms is None else expires_ms
        if not own.includes(scope) or (until is not None and expires_ms is not None and expires_ms > until):
            raise Forbidden("A key cannot be wider, or last longer, than the credential it is made with.")
        return scope, expires_ms

    async def _record(self, user: str, action: str, payload: object = UNSET) -> None:
        rights = self._member.rights._replace(is_own=user == self._member.user and action in OWN)
        await record(self._member, user_item(user), action, payload, rights=rights)


def _unknown(name: str) -> UnknownUser:
    return UnknownUser(f"There is no user {name}.")
