"""Signing in at a server, staying so, and leaving: the client's side of ``/v1/auth``."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from syncline.errors import InternalError
from syncline.transports.requests import Requests

__all__ = ["Grant", "KnownIssuer", "SigningIn"]


T = TypeVar("T")


class Grant(msgspec.Struct, frozen=True):
    """Who signed in, and the tokens to come back with."""

    user: str
    space: str | None
    """None: all of them."""
    access_token: str
    expires_ms: int
    """When the access token expires, in milliseconds since 1970 by the server's clock."""
    refresh_token: str
    """To be used once."""


class KnownIssuer(msgspec.Struct, frozen=True):
    """An OpenID provider whose tokens the server accepts."""

    issuer: str
    audience: str
    client_id: str | None = None
    """The public client that programs without a browser sign in as. None: they cannot."""


class SigningIn(Requests):
    """Requests to one server, about the space that was named. Raises the server's errors, or ConnectionLost."""

    async def login(self, user: str, password: str, *, code: str | None = None, label: str = "") -> Grant:
        """A new session. Raises InvalidCredentials, SecondFactorRequired or TooManyAttempts."""
        body = {"user": user, "password": password, "label": label} | ({"code": code} if code else {})
        return await self._grant("login", body)

    async def set_up(self, token: str, password: str, *, label: str = "") -> Grant:
        """Sets a password by a setup token; a new session. Raises InvalidCredentials or WeakPassword."""
        return await self._grant("setup", {"token": token, "password": password, "label": label})

    async def refresh(self, token: str) -> Grant:
        """The next tokens of a session. Raises Unauthorized if it has ended."""
        return await self._grant("refresh", {"refresh_token": token})

    async def logout(self, token: str) -> None:
        """Ends the session of a refresh token."""
        await self.ask("POST", "v1/auth/logout", {"refresh_token": token})

    async def me(self) -> dict[str, Any]:
        """Who the server takes these credentials for, and what they are for."""
        return await self.ask("GET", "v1/auth/me")

    async def issuers(self) -> list[KnownIssuer]:
        """The OpenID providers whose tokens the server accepts."""
        return _convert((await self.ask("GET", "v1/auth/issuers")).get("issuers"), list[KnownIssuer])

    # One's own account, for whoever signed in with a password

    async def change_password(self, old: str, new: str) -> None:
        """Another password; other sessions end. Raises InvalidCredentials, WeakPassword or Forbidden."""
        await self.ask("POST", "v1/auth/password", {"old": old, "new": new})

    async def enrol(self) -> dict[str, Any]:
        """Begins a second factor: ``secret`` and ``uri``. Raises BadRequest if there is one, or Forbidden."""
        return await self.ask("POST", "v1/auth/totp")

    async def confirm(self, code: str) -> list[str]:
        """Turns the second factor on, by a first code; the recovery codes. Raises InvalidCredentials or BadRequest."""
        return list((await self.ask("POST", "v1/auth/totp/confirm", {"code": code}))["recovery_codes"])

    async def turn_off(self, code: str) -> None:
        """Turns the second factor off, by a code. Raises InvalidCredentials or TooManyAttempts."""
        await self.ask("DELETE", "v1/auth/totp", {"code": code})

    async def sessions(self) -> list[dict[str, Any]]:
        """The sessions that go on, the one used last first."""
        return list((await self.ask("GET", "v1/auth/sessions"))["sessions"])

    async def end_session(self, id: str) -> None:
        """Ends a session. Raises NotFound."""
        await self.ask("DELETE", f"v1/auth/sessions/{quote(id, safe='')}")

    async def _grant(self, verb: str, body: dict[str, str]) -> Grant:
        return _convert(await self.ask("POST", f"v1/auth/{verb}", body), Grant)


def _convert(value: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InternalError(f"The server's answer cannot be read: {error}") from None
