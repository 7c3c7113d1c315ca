"""Tokens of other issuers: any OpenID provider whose keys can be read where its discovery document says they are.

OpenID Connect Discovery 1.0 and RFC 7517. An issuer that is in the settings is trusted to name users, those of one
space or, by ``space_claim``, of any; never ``.root``. Its keys are kept for an hour; a key nobody knows makes one
request fetch them again while the others wait, at most every 30 s. While an issuer cannot be reached, its keys of the
last 24 hours do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from syncline.errors import BadRequest, ConnectionLost, IssuerUnavailable, Unauthorized
from syncline.server.auth import jwts
from syncline.server.auth.identity import ROOT, Identity
from syncline.server.register.users import check_user
from syncline.server.registry import check_space
from syncline.server.settings import OidcIssuer, is_safe_url
from syncline.transports import http

TYPES = ("", "jwt", "at+jwt")
"""Tokens that say who somebody is; not those of a logout, say."""
FRESH_MS = 3_600_000
KEPT_MS = 24 * 3_600_000
FLOOR_MS = 30_000
RETRY_MS = 5_000
MAX_BYTES = 256 * 1024
MAX_KEYS = 100
FETCH_SECONDS = 5.0


class Fetch(Protocol):
    """How a document comes from the network; see ``transports.http.fetch``."""

    def __call__(self, url: str, *, max_bytes: int, seconds: float) -> Awaitable[bytes]: ...


class Discovery(msgspec.Struct):
    """What matters here of a provider's own description."""

    issuer: str
    jwks_uri: str


class KeySet(msgspec.Struct):
    """A JWK Set (RFC 7517, section 5)."""

    keys: list[dict[str, Any]]


class Issuers:
    """All issuers of the settings. Use it in one event loop."""

    def __init__(self, settings: Sequence[OidcIssuer], now_ms: Callable[[], int], *, fetch: Fetch = http.fetch) -> None:
        self._issuers = {one.issuer: Issuer(one, now_ms, fetch) for one in settings}

    async def identify(self, token: str) -> Identity:
        """Whose token this is. Raises Unauthorized, TokenExpired or IssuerUnavailable."""
        issuer = self._issuers.get(jwts.issuer_of(token))
        if issuer is None:
            raise Unauthorized("This token's issuer is not one that this server trusts.")
        return await issuer.identify(token)


class Issuer:
    """One issuer, and its keys as they were read last."""

    def __init__(self, settings: OidcIssuer, now_ms: Callable[[], int], fetch: Fetch) -> None:
        self._settings, self._now_ms, self._fetch = settings, now_ms, fetch
        self._keys: dict[str, jwts.PublicKey] = {}
        self._read: int | None = None
        self._not_before = 0
        self._reading = asyncio.Lock()

    async def identify(self, token: str) -> Identity:
        """Whose token this is. Raises Unauthorized, TokenExpired or IssuerUnavailable."""
        header, settings = jwts.header_of(token), self._settings
        if header.typ not in TYPES:
            raise Unauthorized(f"A token of type {header.typ[:40]!r} says nothing about who somebody is.")
        key = await self._key(header.kid)
        claims = jwts.verify(token, key, issuer=settings.issuer, audience=settings.audience, now_ms=self._now_ms())
        expires_ms = int(claims["exp"] * 1_000) + jwts.LEEWAY_MS
        return Identity(self._user(claims), self._space(claims), f"oidc:{settings.issuer}", expires_ms=expires_ms)

    async def _key(self, kid: str) -> jwts.PublicKey:
        if not self._is_fresh() or kid not in self._keys:
            async with self._reading:  # who waited here finds what another read
                if (not self._is_fresh() or kid not in self._keys) and self._now_ms() >= self._not_before:
                    await self._read_keys()
        if self._read is None or self._now_ms() - self._read >= KEPT_MS:
            raise IssuerUnavailable(f"The keys of {self._settings.issuer} cannot be read; try again later.")
        if kid not in self._keys:
            raise Unauthorized("This token was signed with a key that its issuer does not (or no longer) name.")
        return self._keys[kid]

    def _is_fresh(self) -> bool:
        return self._read is not None and self._now_ms() - self._read < FRESH_MS

    async def _read_keys(self) -> None:
        self._not_before = self._now_ms() + RETRY_MS
        try:
            found = await self._get(await self._keys_url(), KeySet)
        except (ConnectionLost, msgspec.MsgspecError):
            return  # with what was read before, or without
        keys = [jwts.key_of(jwk) for jwk in found.keys[:MAX_KEYS]]
        self._keys = {key.id: key for key in keys if key is not None}
        self._read = self._now_ms()
        self._not_before = self._read + FLOOR_MS

    async def _keys_url(self) -> str:
        """Where the keys are: the description has to be this issuer's own (Discovery 1.0, section 4.3)."""
        issuer = self._settings.issuer
        found: Discovery = await self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", Discovery)
        is_safe = found.jwks_uri.startswith("https:") or (issuer.startswith("http:") and is_safe_url(found.jwks_uri))
        if found.issuer != issuer or not is_safe:
            raise ConnectionLost("The description is another issuer's, or its keys do not come over https.")
        return found.jwks_uri

    async def _get(self, url: str, kind: type[Any]) -> Any:
        return msgspec.json.decode(await self._fetch(url, max_bytes=MAX_BYTES, seconds=FETCH_SECONDS), type=kind)

    def _user(self, claims: Mapping[str, Any]) -> str:
        name = claims.get(self._settings.user_claim)
        if self._settings.user_claim == "email" and claims.get("email_verified") is not True:
            raise Unauthorized("This token's email address was not verified by its issuer.")
        return _named(name, check_user, "user")

    def _space(self, claims: Mapping[str, Any]) -> str:
        name = claims.get(self._settings.space_claim) if self._settings.space_claim else self._settings.space
        return _named(name, check_space, "space")


def _named(name: object, check: Callable[[str], str], what: str) -> str:
    try:
        if isinstance(name, str) and name != ROOT:
            return check(name)
    except BadRequest:
        pass
    raise Unauthorized(f"This token names no {what} that there can be.")
