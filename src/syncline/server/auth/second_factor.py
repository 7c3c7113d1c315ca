"""The second factor: time-based codes (TOTP, RFC 6238), and recovery codes. The only module that knows pyotp.

A user enrols, confirms with a code, and from then on every login asks for one. A code of the step before or after is
accepted as well (section 5.2), each step once: the last one used is kept. What the codes are made from has to be read
again, so it is not hashed; it stands in the register beside the other secrets, where a key to encrypt it would be too.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

import pyotp

from syncline.errors import BadRequest
from syncline.server.auth.identity import home, wrong
from syncline.server.auth.setup_tokens import code, keyed_hash
from syncline.server.register.database import Database

STEP_SECONDS = 30
AROUND = (0, -1, 1)
"""Steps beside the present one that are accepted."""
SECRET_BYTES = 20
RECOVERY_CODES = 10
HALF = 5
"""Characters of half a recovery code, which has 50 bits."""
NAME = "Syncline"

PLACE = 'space = ? AND "user" = ?'
FIND = f"SELECT secret, confirmed, step FROM second_factors WHERE {PLACE}"
ENROL = """
    INSERT INTO second_factors VALUES (?, ?, ?, NULL, 0)
    ON CONFLICT (space, "user") DO UPDATE SET secret = excluded.secret, confirmed = NULL, step = 0
"""
ACCEPT = f"UPDATE second_factors SET confirmed = coalesce(confirmed, ?), step = ? WHERE {PLACE}"
IS_ON = f"SELECT 1 FROM second_factors WHERE {PLACE} AND confirmed IS NOT NULL"
TURN_OFF = f"DELETE FROM second_factors WHERE {PLACE}"
DROP_CODES = f"DELETE FROM recovery_codes WHERE {PLACE}"
ADD_CODE = "INSERT INTO recovery_codes VALUES (?, ?, ?)"
USE_CODE = f"DELETE FROM recovery_codes WHERE {PLACE} AND hash = ? RETURNING 1"

Place = tuple[str, str]


class Enrolment(NamedTuple):
    """What a user's telephone needs to know: the secret in Base32, and a URI with it, to be shown as a QR code."""

    secret: str
    uri: str


class SecondFactors:
    """The tables of second factors. Thread-safe."""

    def __init__(self, database: Database, now_ms: Callable[[], int], secret: bytes) -> None:
        """``secret``: what recovery codes are hashed with."""
        self._db, self._now_ms, self._secret = database, now_ms, secret

    def enrol(self, space: str, user: str) -> Enrolment:
        """A new secret, which is nothing until it is confirmed. Raises BadRequest if there is a confirmed one."""
        secret = base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()
        place = home(space, user), user
        with self._db.writing() as cursor:
            if cursor.execute(IS_ON, place).get is not None:
                raise BadRequest("The second factor is on already: turn it off first.")
            cursor.execute(ENROL, (*place, secret))
        return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=f"{user}@{space}", issuer_name=NAME))

    def confirm(self, space: str, user: str, typed: str) -> list[str]:
        """Turns it on with a first code; the recovery codes, shown once. Raises BadRequest or InvalidCredentials."""
        place = home(space, user), user
        with self._db.writing() as cursor:
            secret, confirmed, last = cursor.execute(FIND, place).fetchone() or ("", None, 0)
            if not secret or confirmed is not None:
                raise BadRequest("There is no second factor to confirm: enrol first.")
            self._accept_code(cursor, place, secret, last, typed)
            return self._new_codes(cursor, place)

    def is_on(self, space: str, user: str) -> bool:
        """Whether this user's logins need a code."""
        with self._db.reading() as cursor:
            return cursor.execute(IS_ON, (home(space, user), user)).get is not None

    def accept(self, space: str, user: str, typed: str) -> None:
        """Uses up a code, of the telephone's or for recovery. Raises InvalidCredentials."""
        place = home(space, user), user
        with self._db.writing() as cursor:
            if cursor.execute(USE_CODE, (*place, keyed_hash(self._secret, typed))).get is not None:
                return
            secret, confirmed, last = cursor.execute(FIND, place).fetchone() or ("", None, 0)
            if confirmed is None:
                raise wrong()
            self._accept_code(cursor, place, secret, last, typed)

    def turn_off(self, space: str, user: str) -> None:
        """Logins need no code afterwards."""
        with self._db.writing() as cursor:
            cursor.execute(TURN_OFF, (home(space, user), user))
            cursor.execute(DROP_CODES, (home(space, user), user))

    def _accept_code(self, cursor: Any, place: Place, secret: str, last: int, typed: str) -> None:
        now = self._now_ms()
        totp, present = pyotp.TOTP(secret, interval=STEP_SECONDS), now // 1_000 // STEP_SECONDS
        digits = typed[:16].replace(" ", "").encode(errors="replace")
        steps = [present + near for near in AROUND if present + near > last]
        matching = [step for step in steps if hmac.compare_digest(totp.generate_otp(step).encode(), digits)]
        if not matching:
            raise wrong()
        cursor.execute(ACCEPT, (now, matching[0], *place))

    def _new_codes(self, cursor: Any, place: Place) -> list[str]:
        codes = [code(HALF) for _ in range(RECOVERY_CODES)]
        cursor.execute(DROP_CODES, place)
        cursor.executemany(ADD_CODE, [(*place, keyed_hash(self._secret, one)) for one in codes])
        return codes
