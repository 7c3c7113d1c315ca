"""JSON Web Tokens (RFC 7519), signed and read by the rules of RFC 8725. The only module that knows PyJWT.

A token does not say how it is to be verified: who calls gives one key, and the key says which algorithms go with it
(RFC 8725, section 3.1). Headers that bring or name a key of their own are refused whatever they hold (sections 3.5 and
3.10). HMAC and ``none`` are no algorithms here, so a public key is never taken for a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jwt

from syncline.errors import TokenExpired, Unauthorized
from syncline.server.ciphers import Ed25519PrivateKey

MAX_CHARACTERS = 8_192
LEEWAY_MS = 30_000
"""How far two clocks may be apart."""
LAST_SECOND = 2**53
REFUSED_HEADERS = {"jku", "jwk", "x5u", "x5c", "crit", "b64"}
OURS = "EdDSA"
ALGORITHMS = {("RSA", None): ("RS256", "PS256"), ("EC", "P-256"): ("ES256",), ("OKP", "Ed25519"): ("EdDSA",)}
"""By type of key and curve (RFC 7518, section 6; RFC 8037, section 2)."""
NO_CHECKS = {"verify_signature": False}
CHECKS = {
    "require": ["exp", "iss", "aud", "sub"],
    "enforce_minimum_key_length": True,
    "verify_exp": False,  # by the clock that was given, below
    "verify_nbf": False,
    "verify_iat": False,
}


class Header(NamedTuple):
    """What a token says of itself, before anything is known to be true."""

    kid: str
    typ: str
    """In small letters and without ``application/``: ``jwt``, ``at+jwt``; empty if it does not say."""


class PublicKey(NamedTuple):
    """A key to verify with, and the algorithms that go with its type."""

    id: str
    algorithms: tuple[str, ...]
    key: Any


def is_jwt(token: str) -> bool:
    """Whether a token has the shape of a signed JWT (RFC 7515, section 3.1)."""
    return token.count(".") == 2


def header_of(token: str) -> Header:
    """The header, nothing of it verified. Raises Unauthorized."""
    _check_shape(token)
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise _unreadable() from None
    kid, typ = header.get("kid"), header.get("typ", "")
    if header.keys() & REFUSED_HEADERS or not isinstance(kid, str) or not isinstance(typ, str):
        raise Unauthorized("This token names no key, or tells how to verify it; neither is accepted.")
    return Header(kid, typ.lower().removeprefix("application/"))


def issuer_of(token: str) -> str:
    """Who says to have issued a token, not verified. Raises Unauthorized."""
    _check_shape(token)
    try:
        issuer = jwt.decode(token, options=NO_CHECKS).get("iss")  # type: ignore[arg-type]
    except (jwt.PyJWTError, RecursionError):
        raise _unreadable() from None
    return issuer if isinstance(issuer, str) else ""


def verify(token: str, key: PublicKey, *, issuer: str, audience: str, now_ms: int) -> dict[str, Any]:
    """The claims of a token that this key signed. Raises Unauthorized or TokenExpired."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=key.algorithms,
            issuer=issuer,
            audience=audience,
            options=CHECKS,  # type: ignore[arg-type]
        )
    except (jwt.PyJWTError, RecursionError):
        raise Unauthorized(
            "This token is not valid: its signature, issuer or audience is not the one expected."
        ) from None
    _check_times(claims, now_ms)
    return claims


def sign(claims: Mapping[str, Any], seed: bytes, *, kid: str, typ: str) -> str:
    """A token, signed with Ed25519 (RFC 8037)."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return jwt.encode(dict(claims), key, algorithm=OURS, headers={"kid": kid, "typ": typ})


def public_key(seed: bytes, kid: str) -> PublicKey:
    """The key that verifies what ``sign`` signed."""
    return PublicKey(kid, (OURS,), Ed25519PrivateKey.from_private_bytes(seed).public_key())


def key_of(jwk: Mapping[str, Any]) -> PublicKey | None:
    """The public key of a JWK (RFC 7517). None for one that is not for verifying, or not of a kind known here."""
    kid, kind = jwk.get("kid"), (str(jwk.get("kty")), jwk.get("crv"))
    try:
        algorithms = tuple(name for name in ALGORITHMS.get(kind, ()) if jwk.get("alg", name) == name)
        is_public = jwk.get("use", "sig") == "sig" and "verify" in jwk.get("key_ops", ["verify"]) and "d" not in jwk
        if algorithms and is_public and isinstance(kid, str):
            return PublicKey(kid, algorithms, jwt.PyJWK(dict(jwk), algorithms[0]).key)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        pass
    return None


def _check_shape(token: str) -> None:
    if len(token) > MAX_CHARACTERS or not token.isascii() or not is_jwt(token):
        raise _unreadable()


def _check_times(claims: Mapping[str, Any], now_ms: int) -> None:
    """RFC 7519, sections 4.1.4 to 4.1.6, by the clock that was given. What is no time fails every comparison."""
    expires, starts, issued = (_time_ms(claims.get(name, 0)) for name in ("exp", "nbf", "iat"))
    if max(starts, issued) > now_ms + LEEWAY_MS:
        raise Unauthorized("This token is not valid yet: the clocks are too far apart.")
    if now_ms >= expires + LEEWAY_MS:
        raise TokenExpired("This token has expired: refresh it.")


def _time_ms(seconds: object) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < LAST_SECOND:
        raise _unreadable()  # also NaN, which is greater and less than nothing
    return int(seconds * 1_000)


def _unreadable() -> Unauthorized:
    return Unauthorized("This token cannot be read.")
