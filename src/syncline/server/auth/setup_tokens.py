"""Setup tokens: a short code, said over the telephone, with which a user sets a first password or takes a first key.

``ABCD-1234``: eight characters of Crockford's Base32, 40 random bits, without I, L, O and U; read back however they are
typed. One at a time for each user, for 24 hours, once. 40 bits are enough against guessing, which is slowed down (see
``guard``), but not for a plain hash: they are kept as an HMAC with a secret of the register (RFC 2104).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any

from syncline.errors import InvalidCredentials
from syncline.server.auth.identity import home
from syncline.server.register.database import Database
from syncline.server.register.users import ensure

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
HALF = 4
VALID_MS = 24 * 3_600_000
MISREAD = str.maketrans("OIL", "011", "- ")

ISSUE = """
    INSERT INTO setup_tokens VALUES (?, ?, ?, ?)
    ON CONFLICT (space, "user") DO UPDATE SET hash = excluded.hash, expires = excluded.expires
"""
FIND = """
    SELECT users.space, users.name FROM setup_tokens
    JOIN users ON users.space = setup_tokens.space AND users.name = setup_tokens."user"
    WHERE hash = ? AND expires > ? AND suspended IS NULL AND removed IS NULL
"""
USE = "DELETE FROM setup_tokens WHERE hash = ?"


class SetupTokens:
    """The table of setup tokens. Thread-safe."""

    def __init__(self, database: Database, now_ms: Callable[[], int], secret: bytes) -> None:
        """``secret``: what the tokens are hashed with."""
        self._db, self._now_ms, self._secret = database, now_ms, secret

    def issue(self, space: str, user: str) -> str:
        """A new token for a user, who is made if need be; an earlier one is void. Raises BadRequest or UnknownUser."""
        token = code(HALF)
        with self._db.writing() as cursor:
            ensure(cursor, space, user, self._now_ms())
            cursor.execute(ISSUE, (home(space, user), user, self._hash(token), self._now_ms() + VALID_MS))
        return token

    def peek(self, token: str) -> tuple[str, str]:
        """Whose token this is, as (space, user), without using it. Raises InvalidCredentials."""
        with self._db.reading() as cursor:
            return self._find(cursor, token)

    def redeem(self, token: str) -> tuple[str, str]:
        """Whose token this was, as (space, user); it is not valid afterwards. Raises InvalidCredentials."""
        with self._db.writing() as cursor:
            found = self._find(cursor, token)
            cursor.execute(USE, (self._hash(token),))
        return found

    def _find(self, cursor: Any, token: str) -> tuple[str, str]:
        row = cursor.execute(FIND, (self._hash(token), self._now_ms())).fetchone()
        if row is None:
            raise InvalidCredentials("This setup token is not (or no longer) valid: ask for a new one.")
        return row[0], row[1]

    def _hash(self, token: str) -> bytes:
        return keyed_hash(self._secret, token)


def code(half: int) -> str:
    """A random code of two halves of so many characters, 5 bits each: ``ABCD-1234``."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(half)) for _ in range(2))


def keyed_hash(secret: bytes, typed: str) -> bytes:
    """What is kept of such a code, however somebody types it: in small letters, with O for 0, without its hyphen."""
    read = typed[:64].upper().translate(MISREAD)
    return hmac.digest(secret, read.encode(errors="replace"), hashlib.sha256)
