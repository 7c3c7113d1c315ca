"""Passwords: which are accepted, and that they are hashed one at a time.

A hash is computed in a process that stands back (``hasher``), and a bounded number waits for it, so that logins slow
each other down and little else.

Text is normalised to NFC, and its spaces to U+0020, as the OpaqueString profile for passwords says (RFC 8265, section
4.2): the same password comes as other code points from other keyboards and systems. NFKC would take more keys together
("²" and "2") and lose what somebody meant to be different.
"""

from __future__ import annotations

import asyncio
import string
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from typing import Any

from syncline.errors import Overloaded, WeakPassword
from syncline.server.auth import argon2id
from syncline.server.auth.argon2id import Cost
from syncline.server.auth.hasher import Hasher

MIN_CHARACTERS, MAX_CHARACTERS = 8, 1_024
MAX_RAW_CHARACTERS = 4 * MAX_CHARACTERS
"""What is longer is not even normalised."""
MAX_WAITING = 64
"""Hashes that may wait for the one that is computed, in all about 3 s of work."""
TODAY = Cost()
AROUND = string.digits + string.punctuation + " "
LETTERS = str.maketrans("@430$5!17", "aaeossiit")
"""What is commonly written for letters."""
NOBODY = "$argon2id$v=19$m={m},t={t},p={p}$c29tZSBzYWx0IG9mIG91cg$" + "A" * 43
"""The hash of no password: comparing with it takes as long as with any other of these parameters, and fails."""


class Passwords:
    """Hashes and verifies. Use it in one event loop and ``close`` it."""

    def __init__(
        self,
        *,
        memory_kib: int = TODAY.memory_kib,
        passes: int = TODAY.passes,
        lanes: int = TODAY.lanes,
        waiting: int = MAX_WAITING,
        apart: bool = True,
    ) -> None:
        """``waiting``: hashes that may wait for one. ``apart``: in a process that stands back, see ``hasher``."""
        self._cost = cost = Cost(memory_kib, passes, lanes)
        self._nobody = NOBODY.format(m=cost.memory_kib, t=cost.passes, p=cost.lanes)
        self.hasher = Hasher(apart=apart)
        self._executor = ThreadPoolExecutor(1, "argon2")
        self._free = 1 + waiting

    async def hash(self, password: str, *, user: str = "") -> str:
        """The encoded hash of a new password of this user. Raises WeakPassword or Overloaded."""
        check(password, user=user)
        return await self.rehash(password)

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether a password has this hash; None is nobody's, which takes the same time. Raises Overloaded."""
        try:
            text = normalised(password)
        except WeakPassword:
            return False  # it was never accepted, whoever is meant
        return bool(await self._compute("verify", hashed or self._nobody, text)) and hashed is not None

    def is_outdated(self, hashed: str) -> bool:
        """Whether a hash was made with other parameters than today's: make it anew while the password is at hand."""
        return argon2id.is_outdated(hashed, self._cost)

    async def rehash(self, password: str) -> str:
        """The hash of a password that was accepted before, whatever would be thought of it today. Raises Overloaded."""
        return str(await self._compute("hash", self._cost, normalised(password)))

    def close(self) -> None:
        """Waits for what was begun."""
        self._executor.shutdown(cancel_futures=True)
        self.hasher.close()

    async def _compute(self, what: str, how: Any, text: str) -> str | bool:
        if self._free == 0:
            raise Overloaded("Too many logins at once; try again in a moment.")
        self._free -= 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, self.hasher.compute, what, how, text)
        future.add_done_callback(self._release)  # and not when a caller gives up: the thread is busy until it is done
        return await asyncio.shield(future)

    def _release(self, _future: object) -> None:
        self._free += 1


def check(password: str, *, user: str = "") -> None:
    """Raises WeakPassword, with ``reason`` ``length``, ``text`` or ``common``, unless it may be a password."""
    if len(normalised(password)) < MIN_CHARACTERS:
        raise WeakPassword(f"A password has {MIN_CHARACTERS} characters or more.", reason="length")
    if is_common(password, user=user):
        raise WeakPassword("This password is among the first that anybody would guess; take another.", reason="common")


def normalised(password: str) -> str:
    """The text that is hashed (RFC 8265, section 4.2.2). Raises WeakPassword for what is too long or no text."""
    if len(password) <= MAX_RAW_CHARACTERS:
        spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in password)
        text = unicodedata.normalize("NFC", spaced)
        if any(unicodedata.category(character) == "Cs" for character in text):
            raise WeakPassword("A password is text: this one holds half of a surrogate pair.", reason="text")
        if len(text) <= MAX_CHARACTERS:
            return text
    raise WeakPassword(f"A password has at most {MAX_CHARACTERS:,} characters.", reason="length")


def is_common(password: str, *, user: str = "") -> bool:
    """Whether a password is one of the commonest, or the user's name, but for digits and signs around it."""
    folded = normalised(password).casefold()
    forms = {folded, folded.strip(AROUND), folded.strip(AROUND).translate(LETTERS), folded.translate(LETTERS)}
    return len(set(folded)) <= 2 or user.casefold() in forms - {""} or not forms.isdisjoint(_common())


@cache
def _common() -> frozenset[str]:
    text = files("syncline.server.auth").joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
