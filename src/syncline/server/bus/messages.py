"""What servers tell each other, and how it travels: a version, a seal with a key that they share, and JSON.

The wire may be anybody's: what is not sealed with the key, not of this version or not of these shapes is nobody's word.
Whoever can listen there reads it; what is told twice does no harm but to rates.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from syncline.core.limits import MAX_SAFE_INTEGER
from syncline.core.messages import Peer
from syncline.server.bus import MAX_MESSAGE_BYTES

__all__ = ["Expense", "Message", "Present", "Reached", "Registered", "Seal", "Spent", "batches"]

T = TypeVar("T")

VERSION = b"1"
SEAL_DIGITS = 32
BATCH_BYTES = MAX_MESSAGE_BYTES - 500
"""What the list in a message may come to; the rest is for all that stands around it."""

Key = str | tuple[str | None, str]


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    server: str
    """Who says so: a random name for each start of a server."""


class Reached(_Message, frozen=True, kw_only=True, tag="reached"):
    """The logs of some spaces go up to these seqs by now."""

    heads: dict[str, Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]]


class Registered(_Message, frozen=True, kw_only=True, tag="registered"):
    """The register has changed."""


class Expense(msgspec.Struct, frozen=True, array_like=True):
    """What was spent of the bucket of a rate: which policy, whose, how much."""

    policy: str
    key: Key
    cost: Annotated[float, Meta(ge=0, le=1e9)]


class Spent(_Message, frozen=True, kw_only=True, tag="spent"):
    """What was spent of rates since it was told last."""

    expenses: list[Expense]


class Present(_Message, frozen=True, kw_only=True, omit_defaults=True, tag="present"):
    """Who is here at this server, or (without a state) has gone; ``asks``: everybody else may say who is there."""

    space: str
    peers: list[Peer] = []
    asks: bool = False


Message = Reached | Registered | Spent | Present
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_encode = msgspec.json.Encoder().encode


class Seal:
    """Makes and reads messages with a key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, message: Message) -> bytes:
        """A message as it travels, in printable UTF-8."""
        body = _encode(message)
        return VERSION + self._digits(body) + body

    def decode(self, text: bytes) -> Message | None:
        """The message of a text; None if it is not one of ours, or of another version."""
        digits, body = text[1 : 1 + SEAL_DIGITS], text[1 + SEAL_DIGITS :]
        is_ours = text[:1] == VERSION and len(text) <= MAX_MESSAGE_BYTES
        if not is_ours or not hmac.compare_digest(self._digits(body), digits):
            return None
        try:
            return _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None

    def _digits(self, body: bytes) -> bytes:
        size = SEAL_DIGITS // 2
        return hashlib.blake2b(body, key=self._key, digest_size=size, person=b"syncline-bus").hexdigest().encode()


def batches(parts: Iterable[T]) -> Iterator[list[T]]:
    """Parts of messages in lots that fit into one each; those are left out that fit into none."""
    lot: list[T] = []
    size = 0
    for part in parts:
        own = len(_encode(part)) + 1
        if own > BATCH_BYTES:
            continue
        if size + own > BATCH_BYTES:
            yield lot
            lot, size = [], 0
        lot.append(part)
        size += own
    if lot:
        yield lot
