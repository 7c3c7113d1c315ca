"""Access tokens: what a login is shown by for ten minutes, without asking a table for a password again.

A JWT as RFC 9068 has it (``typ: at+jwt``), signed with Ed25519. Keys are the server's own, in its register, and a token
names one by its exact id. Each signs for 90 days and verifies for 24 hours more; what it signed is long expired then.
Whether the session behind a token still goes on is for ``sessions`` to say.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from threading import Lock
from typing import NamedTuple

from syncline.errors import Unauthorized
from syncline.server.auth import jwts
from syncline.server.register.database import Cursor, Database

VALID_MS = 10 * 60_000
SIGNS_MS = 90 * 24 * 3_600_000
OVERLAP_MS = 24 * 3_600_000
TYPE = "at+jwt"

LOAD = "SELECT id, seed, created FROM signing_keys"
ADD = "INSERT INTO signing_keys VALUES (?, ?, ?)"
DROP = "DELETE FROM signing_keys WHERE created <= ?"


class SigningKey(NamedTuple):
    """A private key: 32 random bytes, which are the seed of an Ed25519 key."""

    id: str
    seed: bytes
    created: int


class Access(NamedTuple):
    """What a valid access token says. ``space`` is None for ``.root``."""

    user: str
    space: str | None
    session: str
    expires_ms: int


class AccessTokens:
    """Issues and verifies access tokens. Thread-safe."""

    def __init__(self, database: Database, now_ms: Callable[[], int], issuer: str) -> None:
        """``issuer``: this server's own name, which is also the audience of its tokens."""
        self._db, self._now_ms, self.issuer = database, now_ms, issuer
        self._lock = Lock()
        with database.reading() as cursor:
            self._keys = _load(cursor)

    def issue(self, space: str | None, user: str, session: str) -> tuple[str, int]:
        """A new token, and when it expires (milliseconds since 1970, a whole second)."""
        now = self._now_ms() // 1_000
        expires = now + VALID_MS // 1_000
        claims = {
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": user,
            "sid": session,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": expires,
            **({} if space is None else {"space": space}),
        }
        key = self._signing_key()
        return jwts.sign(claims, key.seed, kid=key.id, typ=TYPE), expires * 1_000

    def verify(self, token: str) -> Access:
        """What a token says. Raises Unauthorized or TokenExpired."""
        header, now = jwts.header_of(token), self._now_ms()
        key = self._key(header.kid)
        if key is None or now >= key.created + SIGNS_MS + OVERLAP_MS or header.typ != TYPE:
            raise Unauthorized("This is no access token of this server.")
        public = jwts.public_key(key.seed, key.id)
        claims = jwts.verify(token, public, issuer=self.issuer, audience=self.issuer, now_ms=now)
        return Access(claims["sub"], claims.get("space"), claims["sid"], claims["exp"] * 1_000)

    def _key(self, id: str) -> SigningKey | None:
        """The key of this id: perhaps another server has made it since it was looked."""
        if id not in self._keys and self._db.is_remote:
            with self._db.reading() as cursor:
                self._keys = _load(cursor)
        return self._keys.get(id)

    def _signing_key(self) -> SigningKey:
        """The newest key, or a new one if that has signed for long enough."""
        now = self._now_ms()
        with self._lock:
            return _signing(self._keys, now) or self._rotate(now)

    def _rotate(self, now: int) -> SigningKey:
        """The key that another server has made just now, or else a new one."""
        with self._db.writing() as cursor:
            keys = _load(cursor)
            newest = _signing(keys, now)
            if newest is None:
                newest = SigningKey(secrets.token_hex(8), secrets.token_bytes(32), now)
                oldest = now - SIGNS_MS - OVERLAP_MS
                cursor.execute(DROP, (oldest,))
                cursor.execute(ADD, newest)
                keys = {key.id: key for key in (*keys.values(), newest) if key.created > oldest}
        self._keys = keys
        return newest


def _load(cursor: Cursor) -> dict[str, SigningKey]:
    return {id: SigningKey(id, seed, created) for id, seed, created in cursor.execute(LOAD)}


def _signing(keys: Mapping[str, SigningKey], now: int) -> SigningKey | None:
    """The newest of these keys, if it still signs."""
    newest = max(keys.values(), key=lambda key: key.created, default=None)
    return newest if newest is not None and now < newest.created + SIGNS_MS else None
