"""Users and keys in a data directory, also while its server does not run. What is done here is in no log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from syncline.errors import NotFound, UnknownUser
from syncline.server.auth.passwords import Passwords
from syncline.server.auth.second_factor import SecondFactors
from syncline.server.auth.sessions import Sessions
from syncline.server.auth.setup_tokens import SetupTokens
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
        if hashed is None:
            return {"name": name, "setup_token": self._setup_tokens.issue(self._space, name)}
        self._registry.users.set_password(self._space, name, hashed)
        return {"name": name, "setup_token": None}

    async def remove_user(self, name: str) -> None:
        """Removes a user for ever. Raises UnknownUser."""
        self._registry.users.remove(self._space, name)

    async def change_user(self, name: str, how: str) -> dict[str, Any]:
        """``suspend``, ``resume`` or ``setup``. Raises UnknownUser."""
        if how == "setup":
            await self.user(name)
            return {"name": name, "setup_token": self._setup_tokens.issue(self._space, name)}
        change = self._registry.users.suspend if how == "suspend" else self._registry.users.resume
        change(self._space, name)
        return await self.user(name)

    async def reset_totp(self, name: str) -> None:
        """Takes away a second factor. Raises UnknownUser or NotFound."""
        await self.user(name)
        if not self._second_factors.is_on(self._space, name):
            raise NotFound(f"{name} has no second factor.")
        self._sessions.end_all(self._space, name)
        self._second_factors.turn_off(self._space, name)

    async def keys(self) -> list[dict[str, Any]]:
        """The keys of all spaces."""
        return [_key(key) for key in self._registry.api_keys.all()]

    async def create_key(self, name: str, user: str, **scope: Any) -> dict[str, Any]:
        """A new key. Raises BadRequest or UnknownUser."""
        keys = self._registry.api_keys
        text = self._registry.create_key(name, user, self._space, **scope)
        made = keys.find(keys.identify(text).credential.partition(":")[2])
        assert made is not None
        return {**_key(made), "key": text}

    async def revoke_key(self, id: str) -> None:
        """Revokes a key. Raises NotFound."""
        if not self._registry.api_keys.revoke(id):
            raise NotFound(f"There is no key {id}.")


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
    passwords = Passwords()
    try:
        return await passwords.hash(password, user=user)
    finally:
        passwords.close()
