"""Users and keys in a data directory, also while its server does not run.

What is done takes effect in the register at once, and is noted there as an act of the administrator, of which the log
of the space is to tell (``server.recording``). What takes away is noted first, what gives afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from syncline.core.access.state import (
    CREATE_USER,
    REMOVE_USER,
    RESUME_USER,
    REVOKE_KEY,
    ROOT,
    SUSPEND_USER,
    user_item,
)
from syncline.errors import BadRequest, NotFound, UnknownUser
from syncline.server.administration import key_made
from syncline.server.api.keys import check_name, check_scope
from syncline.server.auth.passwords import Passwords
from syncline.server.auth.second_factor import SecondFactors
from syncline.server.auth.sessions import Sessions
from syncline.server.auth.setup_tokens import SetupTokens
from syncline.server.people import RESET_TOTP, SETUP_USER
from syncline.server.register.acts import ActTable
from syncline.server.register.keys import Key
from syncline.server.register.users import User
from syncline.server.registry import Registry


class LocalRegister:
    """See ``registers.Register``. Keys are listed of all spaces."""

    def __init__(self, registry: Registry, space: str, now_ms: Callable[[], int]) -> None:
        self._registry, self._space = registry, space
        database = registry.database
        self._setup_tokens = SetupTokens(database, now_ms, registry.secret("setup tokens"))
        self._second_factors = SecondFactors(database, now_ms, registry.secret("recovery codes"))
        self._sessions = Sessions(database, now_ms, registry.secret("sessions"))
        self._acts = ActTable(database)

    async def users(self) -> list[dict[str, Any]]:
        """The users of the space."""
        return [_user(user) for user in self._registry.users.of_space(self._space)]

    async def user(self, name: str) -> dict[str, Any]:
        """One user. Raises UnknownUser."""
        found = self._registry.users.find(self._space, name)
        if found is None or found.removed is not None:
            raise UnknownUser(f"There is no user {name} in {self._space}.")
        return _user(found)

    async def create_user(self, name: str, password: str | None = None) -> dict[str, Any]:
        """A new user. Raises UserExists, BadRequest or WeakPassword."""
        hashed = None if password is None else await _hashed(password, name)
        self._registry.users.create(self._space, name)
        self._note(name, CREATE_USER)
        if hashed is None:
            return {"name": name, "setup_token": self._setup_tokens.issue(self._space, name)}
        self._registry.users.set_password(self._space, name, hashed)
        return {"name": name, "setup_token": None}

    async def remove_user(self, name: str) -> None:
        """Removes a user for ever. Raises UnknownUser or BadRequest."""
        await self._ordinary(name)
        self._note(name, REMOVE_USER)
        self._registry.users.remove(self._space, name)

    async def change_user(self, name: str, how: str) -> dict[str, Any]:
        """``suspend``, ``resume`` or ``setup``. Raises UnknownUser or BadRequest."""
        if how == "setup":
            await self.user(name)
            self._note(name, SETUP_USER)
            return {"name": name, "setup_token": self._setup_tokens.issue(self._space, name)}
        await self._ordinary(name)
        users = self._registry.users
        action, change = (SUSPEND_USER, users.suspend) if how == "suspend" else (RESUME_USER, users.resume)
        self._note(name, action)
        change(self._space, name)
        return await self.user(name)

    async def reset_totp(self, name: str) -> None:
        """Takes away a second factor. Raises UnknownUser or NotFound."""
        await self.user(name)
        if not self._second_factors.is_on(self._space, name):
            raise NotFound(f"{name} has no second factor.")
        self._note(name, RESET_TOTP)
        self._sessions.end_all(self._space, name)
        self._second_factors.turn_off(self._space, name)

    async def keys(self) -> list[dict[str, Any]]:
        """The keys of all spaces."""
        return [_key(key) for key in self._registry.api_keys.all()]

    async def create_key(self, name: str, user: str, **scope: Any) -> dict[str, Any]:
        """A new key. Raises BadRequest or UnknownUser."""
        check_name(name)
        scope.update(check_scope(scope["actions"], scope["items"])._asdict())
        keys, is_new = self._registry.api_keys, self._registry.users.find(self._space, user) is None
        text = self._registry.create_key(name, user, self._space, **scope)
        made = keys.find(keys.identify(text).credential.partition(":")[2])
        assert made is not None
        if is_new:
            self._note(user, CREATE_USER)
        self._acts.add(self._space, *key_made(made))
        return {**_key(made), "key": text}

    async def revoke_key(self, id: str) -> None:
        """Revokes a key. Raises NotFound."""
        key = self._registry.api_keys.find(id)
        if key is None or key.revoked is not None:
            raise NotFound(f"There is no key {id}.")
        self._acts.add(key.space or self._space, user_item(key.user), REVOKE_KEY, {"credential": f"key:{id}"})
        self._registry.api_keys.revoke(id)

    async def _ordinary(self, name: str) -> None:
        if name == ROOT:
            raise BadRequest(f"{ROOT} administers the server and cannot be suspended or removed.")
        await self.user(name)

    def _note(self, user: str, action: str) -> None:
        self._acts.add(self._space, user_item(user), action)


def _user(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "created_ms": user.created,
        "suspended_ms": user.suspended,
        "has_password": user.has_password,
        "second_factor": user.has_second_factor,
    }


def _key(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "user": key.user,
        "space": key.space,
        "actions": key.actions,
        "items": key.items,
        "created_ms": key.created,
        "expires_ms": key.expires,
        "used_ms": key.used,
    }


async def _hashed(password: str, user: str) -> str:
    passwords = Passwords(apart=False)
    try:
        return await passwords.hash(password, user=user)
    finally:
        passwords.close()
