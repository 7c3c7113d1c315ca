"""Signing in with a code that is typed elsewhere: the device authorization grant (RFC 8628) of an OpenID provider.

A program without a browser shows a short code and an address; somebody who has a browser signs in there and types it.
Meanwhile the program asks the provider, every few seconds, whether that has happened.
"""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any
from urllib.parse import urlsplit

import msgspec

from syncline.errors import BadRequest, ConnectionLost, Forbidden, IssuerUnavailable, TokenExpired, Unauthorized
from syncline.transports.http import fetch, post_form

__all__ = ["DeviceGrant", "Invitation", "Tokens", "is_safe"]

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
SCOPE = "openid offline_access"
MAX_BYTES = 256 * 1024
SECONDS = 10.0
SLOWER_SECONDS = 5.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Invitation(msgspec.Struct, frozen=True):
    """What to show, and how long to wait for somebody who follows it (RFC 8628, section 3.2)."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: float
    """Seconds."""
    interval: float = 5.0
    """Seconds between two questions."""
    verification_uri_complete: str | None = None


class Tokens(msgspec.Struct, frozen=True):
    """What a provider gives. ``token`` is the one that is meant for the server."""

    token: str
    expires_in: float
    """Seconds."""
    refresh_token: str


class _Discovery(msgspec.Struct):
    issuer: str
    token_endpoint: str
    device_authorization_endpoint: str | None = None


class _Answer(msgspec.Struct):
    access_token: str = ""
    id_token: str = ""
    refresh_token: str = ""
    expires_in: float = 300.0
    error: str = ""
    error_description: str = ""


class DeviceGrant:
    """One provider, as one public client; ``audience`` is what tokens for the server have in ``aud``."""

    def __init__(self, issuer: str, client_id: str, audience: str) -> None:
        self.issuer, self._client_id, self._audience = issuer, client_id, audience

    async def invite(self) -> Invitation:
        """A code to show. Raises BadRequest if the provider has none, IssuerUnavailable if it cannot be asked."""
        endpoint = (await self._discover()).device_authorization_endpoint
        if endpoint is None:
            raise BadRequest(f"{self.issuer} does not offer signing in by a code.")
        body = await self._post(endpoint, scope=SCOPE)
        invitation: Invitation = self._read(body, Invitation)
        if not is_safe(invitation.verification_uri) or not invitation.user_code.isprintable():
            raise BadRequest(f"{self.issuer} names an address to sign in at that cannot be trusted.")
        return invitation

    async def wait(self, invitation: Invitation) -> Tokens:
        """The tokens, when somebody has signed in there.

        Raises Forbidden if they declined, or TokenExpired when the code ran out.
        """
        endpoint, pause = (await self._discover()).token_endpoint, invitation.interval
        limit = time.monotonic() + invitation.expires_in
        while time.monotonic() < limit:
            await asyncio.sleep(pause)
            try:
                answer = await self._ask(endpoint, grant_type=GRANT_TYPE, device_code=invitation.device_code)
            except IssuerUnavailable:
                pause *= 2  # section 3.5
                continue
            if not answer.error:
                return self._chosen(answer)
            if answer.error == "slow_down":
                pause += SLOWER_SECONDS
            elif answer.error != "authorization_pending":
                raise _declined(answer)
        raise TokenExpired("Nobody typed the code in time.")

    async def refresh(self, refresh_token: str) -> Tokens:
        """The next tokens. Raises Unauthorized if the provider gives none any more, or IssuerUnavailable."""
        endpoint = (await self._discover()).token_endpoint
        answer = await self._ask(endpoint, grant_type="refresh_token", refresh_token=refresh_token)
        if answer.error:
            raise Unauthorized(f"{self.issuer} does not go on with this sign-in ({answer.error[:40]}).")
        return self._chosen(answer, refresh_token)

    def _chosen(self, answer: _Answer, refresh_token: str = "") -> Tokens:
        """The token for the server's audience: some providers have it in the one, some in the other."""
        for token in (answer.access_token, answer.id_token):
            if self._audience in _audiences(token):
                return Tokens(token, answer.expires_in, answer.refresh_token or refresh_token)
        raise Unauthorized(f"{self.issuer} gave no token for {self._audience}: it is not set up for this server.")

    async def _discover(self) -> _Discovery:
        """The provider's own description (OpenID Connect Discovery 1.0, section 4.3)."""
        if not is_safe(self.issuer):
            raise BadRequest(f"{self.issuer} is no https URL.")
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            body = await fetch(url, max_bytes=MAX_BYTES, seconds=SECONDS)
        except ConnectionLost as error:
            raise IssuerUnavailable(error.message) from None
        found: _Discovery = self._read(body, _Discovery)
        endpoints = (found.token_endpoint, found.device_authorization_endpoint or self.issuer)
        if found.issuer != self.issuer or not all(map(is_safe, endpoints)):
            raise BadRequest(f"The description at {url} is another issuer's, or names addresses without https.")
        return found

    async def _ask(self, endpoint: str, **fields: str) -> _Answer:
        answer: _Answer = self._read(await self._post(endpoint, **fields), _Answer)
        if not answer.error and not answer.access_token:
            raise IssuerUnavailable(f"{self.issuer} answered without a token.")
        return answer

    async def _post(self, endpoint: str, **fields: str) -> bytes:
        try:
            form = {"client_id": self._client_id, **fields}
            return await post_form(endpoint, form, max_bytes=MAX_BYTES, seconds=SECONDS)
        except ConnectionLost as error:
            raise IssuerUnavailable(error.message) from None

    def _read(self, body: bytes, kind: type[Any]) -> Any:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.MsgspecError:
            raise IssuerUnavailable(f"{self.issuer} answered something that cannot be read.") from None


def _declined(answer: _Answer) -> Forbidden | TokenExpired | Unauthorized:
    if answer.error == "access_denied":
        return Forbidden("The sign-in was declined there.")
    if answer.error == "expired_token":
        return TokenExpired("Nobody typed the code in time.")
    return Unauthorized(f"The provider does not give a token ({answer.error[:40]}).")


def _audiences(token: str) -> list[str]:
    """The audiences a JWT names, without verifying it, which is the server's part; of anything else none."""
    try:
        part = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), type=dict[str, Any])
    except (IndexError, ValueError, msgspec.MsgspecError):
        return []
    audience = claims.get("aud")
    return audience if isinstance(audience, list) else [str(audience)]


def is_safe(url: str) -> bool:
    """Whether nobody on the way can change what comes from a URL: https, or this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_local = parts.scheme == "http" and parts.hostname in LOOPBACK
    return url.isprintable() and (parts.scheme == "https" or is_local)
