"""A local event as it is kept in the outbox of a replica's file: sealed, so that it is known again wherever it lies.

A seal begins with bytes that no text contains, tells how long it is, and has a digest of what it holds. So an event is
proven to be whole when it is read; and it is found in a file whose B-trees are gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from struct import Struct
from typing import Any

import msgspec

from syncline.core.events import Event
from syncline.core.gifts import Voucher
from syncline.errors import StoreDamaged
from syncline.stores import Outboxed

HEAD = Struct(">8sI16s")
"""What every seal begins with, the length of what follows, and its digest (BLAKE2b, 16 bytes)."""
MAGIC = b"\xff\xfeSYNOB1"
BYTES = HEAD.size

Packed = tuple[str, int | None, Mapping[str, Any] | None, bytes, Voucher | None]
_decoder = msgspec.msgpack.Decoder(Packed)


def seal(outboxed: Outboxed) -> bytes:
    """A local event, sealed."""
    event, status, seq, error, voucher = outboxed
    packed = msgspec.msgpack.encode((status, seq, error, event.body, voucher))
    return HEAD.pack(MAGIC, len(packed), _digest(packed)) + packed


def seal_row(status: str, seq: int | None, error: str | None, body: bytes) -> bytes:
    """The same of the columns of a file that was made before there were seals; ``error`` is JSON."""
    return seal(Outboxed(Event.read(body), status, seq, msgspec.json.decode(error) if error else None))


def unseal(sealed: bytes) -> Outboxed:
    """The event in a seal. Raises StoreDamaged."""
    if len(sealed) < BYTES or not is_whole(sealed[:BYTES], sealed[BYTES:]):
        raise StoreDamaged("A local event is damaged.")
    status, seq, error, body, voucher = _decoder.decode(sealed[BYTES:])
    return Outboxed(voucher.event(body) if voucher else Event.read(body), status, seq, error, voucher)


def length(head: bytes) -> int:
    """How long it is what follows the head of a seal."""
    return int(HEAD.unpack(head)[1])


def is_whole(head: bytes, packed: bytes) -> bool:
    """Whether this is what was sealed under a head."""
    magic, length, digest = HEAD.unpack(head)
    return bool(magic == MAGIC and length == len(packed) and digest == _digest(packed))


def _digest(packed: bytes) -> bytes:
    return blake2b(packed, digest_size=16).digest()
