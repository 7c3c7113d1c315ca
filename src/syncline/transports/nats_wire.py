"""How the protocol's messages travel over NATS: subjects, headers, and answers in parts.

    syncline.v1.<space>.<verb>      a request: a message of ``spec/PROTOCOL.md``, section 5, with its credentials
    _INBOX.…                        its answer, where the request asks for it

A space's name is one token, with ``=`` for each ``.`` of the name: nothing else in a name means anything to NATS. An
answer that is larger than a message of NATS comes in several.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from syncline.core.limits import MAX_SPACE_LENGTH
from syncline.errors import BadRequest, ConnectionLost, InternalError
from syncline.transports.nats_connection import Message

__all__ = [
    "ANY",
    "AUTHORIZATION",
    "HEADROOM",
    "INBOXES",
    "LEAST_PAYLOAD",
    "MAX_PAYLOAD",
    "PART",
    "Parts",
    "QUEUE",
    "VERBS",
    "WAIT",
    "cut",
    "place_of",
    "subject_of",
]

SPACE = re.compile(rf"[a-z0-9][a-z0-9_.-]{{0,{MAX_SPACE_LENGTH - 1}}}")
ROOT = "syncline.v1"
ANY = f"{ROOT}.*.*"
"""What a server listens to, as one of the group ``QUEUE``."""
QUEUE = "syncline"
VERBS = ("hello", "auth", "push", "pull", "live", "merkle", "fetch", "give", "snapshot")
INBOXES = "_"
"""How the subjects begin on which answers are given, so that nobody has a server talk to other subjects."""

AUTHORIZATION = "Authorization"
"""``Bearer`` and a key or token."""
WAIT = "Wait"
"""Of ``live``: seconds after which an empty page is the answer."""
MAX_PAYLOAD = "Max-Payload"
"""The largest message, with its headers, that reaches who asks."""
PART = "Part"
"""``2/3``: the second of three messages that are one answer."""

LEAST_PAYLOAD = 128 * 1024
"""The largest message of a NATS has to be as large as this, so that every event fits."""
HEADROOM = 256
"""Bytes that the headers of a part may take."""


def subject_of(space: str, verb: str) -> str:
    """Where a request is sent. Raises BadRequest for what no space may be called."""
    if not SPACE.fullmatch(space):
        raise BadRequest(f"space: {space[:80]!r} is not 1 to {MAX_SPACE_LENGTH} of a-z, 0-9, '_', '.', '-'.")
    return f"{ROOT}.{space.replace('.', '=')}.{verb}"


def place_of(subject: str) -> tuple[str, str]:
    """The space and the verb of a subject that fits ``ANY``; what the space is called is for the server to check."""
    token, _, verb = subject.removeprefix(f"{ROOT}.").partition(".")
    return token.replace("=", "."), verb


def cut(answer: bytes, most: int) -> Iterator[tuple[dict[str, str], bytes]]:
    """The messages of an answer, each with its headers, of at most so many bytes; usually it is one."""
    size = most - HEADROOM
    count = max(1, -(-len(answer) // size))
    for number in range(count):
        headers = {PART: f"{number + 1}/{count}"} if count > 1 else {}
        yield headers, answer[number * size : (number + 1) * size]


class Parts:
    """Puts the messages of one answer together."""

    def __init__(self) -> None:
        self._found: list[bytes] = []

    def take(self, message: Message) -> bytes | None:
        """The answer, when all of it has come. Raises ConnectionLost if a part is missing."""
        place = message.headers.get(PART)
        if place is None and not self._found:
            return message.data
        number, _, count = (place or "").partition("/")
        if not (number.isdecimal() and count.isdecimal()):
            raise InternalError("A part of the answer does not say which part it is.")
        self._found.append(message.data)
        if int(number) != len(self._found):
            raise ConnectionLost("A part of the answer was lost on its way.")
        return b"".join(self._found) if number == count else None
