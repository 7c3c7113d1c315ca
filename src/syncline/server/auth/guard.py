"""Guessing: five free tries, then a wait of one second that doubles up to 15 minutes, for each user and each address.

An attempt counts as failed from its beginning, so that a thousand at once are a thousand; what succeeds is given back.
Users that do not exist are counted like others. Counts are kept in the register: no restart and no crash of the server
forgives any. A power cut may forgive those of the last seconds, since no attempt waits for the disk. The table is
bounded: where there are too many rows, those go first that belong to no user and are oldest, so nobody pushes a real
user's count out by guessing at names that are none.

Whoever guesses at a user makes that user wait too, for at most 15 minutes after each guess; sessions and keys go on.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable
from typing import Any, NamedTuple

from syncline.errors import TooManyAttempts
from syncline.server.auth.identity import home
from syncline.server.register.database import Database

FREE_TRIES = 5
FIRST_WAIT_MS, LONGEST_WAIT_MS = 1_000, 15 * 60_000
USER_FORGOTTEN_MS, ADDRESS_FORGOTTEN_MS = 24 * 3_600_000, LONGEST_WAIT_MS
"""Time without an attempt after which a count begins anew; many people may share an address."""
MAX_ROWS = 20_000
"""Rows that belong to no user: addresses, and names that were guessed."""
IPV6_NETWORK = 64
"""Bits of an address that one household or server has to itself."""

FIND = "SELECT failed, last FROM attempts WHERE subject = ?"
COUNT = """
    INSERT INTO attempts VALUES (?, ?, ?, ?)
    ON CONFLICT (subject) DO UPDATE SET known = excluded.known, failed = excluded.failed, last = excluded.last
"""
GIVE_BACK = "UPDATE attempts SET failed = failed - 1 WHERE subject = ? AND failed > 0"
FORGET = "DELETE FROM attempts WHERE subject = ?"
SIZE = "SELECT count(*) FROM attempts WHERE known = 0"
TRIM = "DELETE FROM attempts WHERE subject IN (SELECT subject FROM attempts WHERE known = 0 ORDER BY last LIMIT ?)"
KNOWN = "SELECT 1 FROM users WHERE space = ? AND name = ?"


class Subject(NamedTuple):
    """What attempts are counted for."""

    hash: bytes
    is_known: bool
    forgotten_ms: int


class Attempt(NamedTuple):
    """One attempt under way; say how it ended, or it has failed."""

    user: Subject | None
    address: Subject | None

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Those it counts for."""
        return tuple(subject for subject in self if subject is not None)


class Guard:
    """The table of attempts. Thread-safe."""

    def __init__(self, database: Database, now_ms: Callable[[], int], *, max_rows: int = MAX_ROWS) -> None:
        self._db, self._now_ms, self._max_rows = database, now_ms, max_rows

    def begin(self, address: str, space: str = "", user: str = "") -> Attempt:
        """Counts an attempt. Raises TooManyAttempts, with the seconds to wait as ``retry_after``, and counts nothing.

        Without a user it counts for the address alone, and without an address (in-process) for the user alone.
        """
        now = self._now_ms()
        with self._db.writing(durable=False) as cursor:
            attempt = Attempt(_user(cursor, space, user) if user else None, _address(address) if address else None)
            failed = [(subject, _failed(cursor, subject, now)) for subject in attempt.subjects]
            for subject, count in failed:
                cursor.execute(COUNT, (subject.hash, int(subject.is_known), count + 1, now))
            self._trim(cursor)
        return attempt

    def succeeded(self, attempt: Attempt) -> None:
        """The user's count begins anew; the address's stands as it was before."""
        with self._db.writing(durable=False) as cursor:
            if attempt.user is not None:
                cursor.execute(FORGET, (attempt.user.hash,))
            if attempt.address is not None:
                cursor.execute(GIVE_BACK, (attempt.address.hash,))

    def withdrawn(self, attempt: Attempt) -> None:
        """The attempt was none: nothing was found out by it."""
        with self._db.writing(durable=False) as cursor:
            for subject in attempt.subjects:
                cursor.execute(GIVE_BACK, (subject.hash,))

    def _trim(self, cursor: Any) -> None:
        surplus = cursor.execute(SIZE).get - self._max_rows
        if surplus > 0:
            cursor.execute(TRIM, (surplus + self._max_rows // 10,))


def wait_ms(failed: int) -> int:
    """Time from the last of so many failed attempts to the next that is allowed."""
    if failed < FREE_TRIES:
        return 0
    return int(min(FIRST_WAIT_MS * 2 ** min(failed - FREE_TRIES, 32), LONGEST_WAIT_MS))


def _failed(cursor: Any, subject: Subject, now: int) -> int:
    """How many failed. Raises TooManyAttempts."""
    failed, last = cursor.execute(FIND, (subject.hash,)).fetchone() or (0, now)
    passed = max(now - last, 0)
    if passed >= subject.forgotten_ms:
        return 0
    left = wait_ms(failed) - passed
    if left > 0:
        seconds = -(-left // 1_000)
        raise TooManyAttempts(f"Too many attempts: the next is allowed in {seconds} s.", retry_after=seconds)
    return int(failed)


def _user(cursor: Any, space: str, user: str) -> Subject:
    place = home(space, user), user
    is_known = cursor.execute(KNOWN, place).get is not None
    return Subject(_hash("user", *place), is_known, USER_FORGOTTEN_MS)


def _address(address: str) -> Subject:
    return Subject(_hash("address", network(address)), False, ADDRESS_FORGOTTEN_MS)


def network(address: str) -> str:
    """Where an address belongs: itself, or its /64 if it is one of IPv6. What is no address is taken as it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), IPV6_NETWORK), strict=False))
    return str(parsed)


def _hash(*words: str) -> bytes:
    return hashlib.sha256("\0".join(words).encode(errors="replace")).digest()
