"""Cursors: how far a reader has come, as an opaque text that only the server can make.

    1 byte   format, 1
    16 bytes epoch
    8 bytes  seq, big-endian
    8 bytes  tail at that seq
    8 bytes  view: SHA-256 of what the reader asked to see, zeros for everything
    16 bytes keyed BLAKE2b over all before it

as base64url without padding, 76 characters. The epoch tells logs apart, the tail histories of one log.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from typing import NamedTuple

from syncline.core.log import Head
from syncline.errors import BadCursor, CursorReset, EpochChanged, ViewChanged

FORMAT = b"\x01"
BODY_BYTES = 41
MAC_BYTES = 16
KEPT_CURSORS = 64
WHOLE_VIEW = bytes(8)


class Cursor(NamedTuple):
    """What a cursor says once it is proven genuine."""

    epoch: str
    seq: int
    tail: bytes
    view: bytes = WHOLE_VIEW


def view_of(items: Sequence[str]) -> bytes:
    """The view (8 bytes) of a reader who asks for these item patterns; of everything if there are none."""
    if not items:
        return WHOLE_VIEW
    return hashlib.sha256("\n".join(sorted(set(items))).encode()).digest()[:8]


class CursorCodec:
    """Makes and reads the texts of cursors with the server's secret key."""

    def __init__(self, key: bytes) -> None:
        self._base = hashlib.blake2b(key=key, digest_size=MAC_BYTES, person=b"syncline-cursor")

    def encode(self, cursor: Cursor) -> str:
        """The text of a cursor."""
        body = FORMAT + bytes.fromhex(cursor.epoch) + cursor.seq.to_bytes(8, "big") + cursor.tail + cursor.view
        return urlsafe_b64encode(body + self._mac(body)).decode().rstrip("=")

    def decode(self, text: str) -> Cursor:
        """The cursor of a text. Raises BadCursor."""
        try:
            data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (Base64Error, ValueError):
            data = b""
        body, mac = data[:BODY_BYTES], data[BODY_BYTES:]
        genuine = hmac.compare_digest(self._mac(body), mac) and body[:1] == FORMAT
        if not genuine or urlsafe_b64encode(data).decode().rstrip("=") != text:
            raise BadCursor("This cursor was not made by this server. Leave it out to read from the start.")
        return Cursor(body[1:17].hex(), int.from_bytes(body[17:25], "big"), body[25:33], body[33:41])

    def _mac(self, body: bytes) -> bytes:
        mac = self._base.copy()
        mac.update(body)
        return mac.digest()


def resume(cursor: Cursor, head: Head, view: bytes, tail_at: Callable[[int], bytes | None]) -> int:
    """The seq after which a reader goes on. ``tail_at`` gives the log's tail at a seq.

    Raises EpochChanged, CursorReset or ViewChanged.
    """
    if cursor.epoch != head.epoch:
        raise EpochChanged("This cursor belongs to another log: the space was made anew.", epoch=head.epoch)
    if cursor.seq > head.seq or (cursor.seq and tail_at(cursor.seq) != cursor.tail):
        raise CursorReset("The log does not know this cursor's place: it was restored from an older copy.")
    if cursor.view != view:
        raise ViewChanged("This cursor was made for other items. Read these from the start, without a cursor.")
    return cursor.seq


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
