"""Cursors: how far a reader has come, as an opaque text that only the server can make.

    1 byte   format, 2
    16 bytes epoch
    8 bytes  seq, big-endian
    8 bytes  tail at that seq
    8 bytes  view: a digest of what the reader may see and asked for (``core.access.views``), zeros for everything
    8 bytes  rules: the seq of the last system event that this view knew
    n bytes  JSON, nothing if there is nothing to say: ``[items,null]``, the patterns that were asked for, or
             ``[items,[view,rules,items,item,seq]]``, while the difference from an older view is being brought; with a
             third member, the seq up to which acts of erasure are known, if that is beyond the cursor's own
    16 bytes keyed BLAKE2b over all before it

as base64url without padding, 87 characters or more. The epoch tells logs apart, the tail histories of one log.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from syncline.core.access.views import WHOLE
from syncline.core.log import Head
from syncline.errors import BadCursor, CursorReset, EpochChanged

FORMAT = b"\x02"
BODY_BYTES = 49
MAC_BYTES = 16
KEPT_CURSORS = 64


class Stand(NamedTuple):
    """A view as a cursor tells it: its digest, the rules it knew, and the patterns that were asked for."""

    view: bytes = WHOLE
    rules: int = 0
    items: tuple[str, ...] = ()


class Way(NamedTuple):
    """How far the difference from an older view is brought: all items before ``item``, and of it up to ``seq``."""

    old: Stand
    item: str = ""
    seq: int = 0


class Cursor(NamedTuple):
    """What a cursor says once it is proven genuine."""

    epoch: str
    seq: int
    tail: bytes
    stand: Stand = Stand()
    way: Way | None = None
    erased: int = 0
    """Acts of erasure up to this seq are known to the reader, though it comes before them: its bases have them."""


class _Way(msgspec.Struct, array_like=True):
    view: str
    rules: int
    items: tuple[str, ...]
    item: str
    seq: int


class _Rest(msgspec.Struct, array_like=True, omit_defaults=True):
    items: tuple[str, ...]
    way: _Way | None = None
    erased: int = 0


_rest = msgspec.json.Decoder(_Rest).decode


class CursorCodec:
    """Makes and reads the texts of cursors with the server's secret key."""

    def __init__(self, key: bytes) -> None:
        self._base = hashlib.blake2b(key=key, digest_size=MAC_BYTES, person=b"syncline-cursor")

    def encode(self, cursor: Cursor) -> str:
        """The text of a cursor."""
        view, rules, items = cursor.stand
        place = FORMAT + bytes.fromhex(cursor.epoch) + cursor.seq.to_bytes(8, "big") + cursor.tail
        body = place + view + rules.to_bytes(8, "big") + _written(items, cursor)
        return urlsafe_b64encode(body + self._mac(body)).decode().rstrip("=")

    def decode(self, text: str) -> Cursor:
        """The cursor of a text. Raises BadCursor."""
        try:
            data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (Base64Error, ValueError):
            data = b""
        body, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
        genuine = hmac.compare_digest(self._mac(body), mac) and body[:1] == FORMAT
        if not genuine or urlsafe_b64encode(data).decode().rstrip("=") != text:
            raise BadCursor("This cursor was not made by this server. Leave it out to read from the start.")
        return _read(body)

    def _mac(self, body: bytes) -> bytes:
        mac = self._base.copy()
        mac.update(body)
        return mac.digest()


def _written(items: tuple[str, ...], cursor: Cursor) -> bytes:
    way, erased = cursor.way, cursor.erased if cursor.erased > cursor.seq else 0
    if not items and way is None and not erased:
        return b""
    brought = _Way(way.old.view.hex(), way.old.rules, way.old.items, way.item, way.seq) if way else None
    return msgspec.json.encode([items, brought, erased] if erased else [items, brought])


def _read(body: bytes) -> Cursor:
    rest = _rest(body[BODY_BYTES:]) if len(body) > BODY_BYTES else _Rest(())
    brought, way = rest.way, None
    if brought is not None:
        way = Way(Stand(bytes.fromhex(brought.view), brought.rules, brought.items), brought.item, brought.seq)
    stand = Stand(body[33:41], int.from_bytes(body[41:49], "big"), rest.items)
    return Cursor(body[1:17].hex(), int.from_bytes(body[17:25], "big"), body[25:33], stand, way, rest.erased)


def check_place(cursor: Cursor, head: Head, tail_at: Callable[[int], bytes | None]) -> None:
    """Raises EpochChanged or CursorReset unless the log knows a cursor's place; ``tail_at`` gives its tail at a seq."""
    if cursor.epoch != head.epoch:
        raise EpochChanged("This cursor belongs to another log: read this one from its start.", epoch=head.epoch)
    if cursor.seq > head.seq or (cursor.seq and tail_at(cursor.seq) != cursor.tail):
        raise CursorReset("The log does not know this cursor's place: it was restored from an older copy.")


def thin(seqs: Sequence[int]) -> list[int]:
    """Which of several ascending seqs a replica keeps old cursors of: at most 64, exponentially spaced.

    A seq goes when the gap this leaves is no wider than the gap's distance from the newest. Applied at every
    step it keeps, for whatever age of the copy a server was restored from, a cursor at most about twice as old.
    """
    kept: list[int] = []
    for seq in seqs:
        while len(kept) > 1 and seq - kept[-2] <= seqs[-1] - seq:
            kept.pop()
        kept.append(seq)
    return kept[-KEPT_CURSORS:]
