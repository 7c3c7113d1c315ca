"""Frames: pages that are encoded once, for all who stand at the same place with the same view."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from syncline.core.cursors import Cursor
from syncline.server.packing import deflated

WIRE = "syncline.wire"
"""Member of a ``websocket.send`` message that holds the frame as it goes over the wire, for servers that know it."""
PACKED = "syncline.packed"
"""Member that holds what will be that frame with permessage-deflate, once somebody has asked for it."""


class Frame(NamedTuple):
    """An encoded page: its text, where it leads (also as text), and the message that sends it over a WebSocket."""

    text: str
    cursor: str
    next: Cursor
    is_empty: bool
    message: dict[str, Any]

    @classmethod
    def of(cls, page: bytes, cursor: str, next: Cursor, *, is_empty: bool) -> Frame:
        """The frame of an encoded page."""
        text = page.decode()
        return cls(text, cursor, next, is_empty, {"type": "websocket.send", "text": text, WIRE: wire(page)})


def plain(message: dict[str, Any]) -> bytes:
    """The frame of a ``websocket.send`` message with a text, as it goes over the wire."""
    shared: bytes | None = message.get(WIRE)
    return wire(message["text"].encode()) if shared is None else shared


async def packed(message: dict[str, Any]) -> bytes:
    """The same with permessage-deflate; it is packed once, in a thread, also if it goes to many."""
    if PACKED not in message:
        message[PACKED] = asyncio.ensure_future(asyncio.to_thread(_packed, message["text"]))
    return bytes(await asyncio.shield(message[PACKED]))


def _packed(text: str) -> bytes:
    return wire(deflated(text.encode()), COMPRESSED_TEXT)


TEXT, COMPRESSED_TEXT = b"\x81", b"\xc1"
"""How a whole message begins (RFC 6455, section 5.2; RFC 7692, section 6)."""


def wire(payload: bytes, first: bytes = TEXT) -> bytes:
    """One unmasked frame, as servers send them."""
    size = len(payload)
    if size < 126:
        return first + size.to_bytes(1, "big") + payload
    if size < 1 << 16:
        return first + b"\x7e" + size.to_bytes(2, "big") + payload
    return first + b"\x7f" + size.to_bytes(8, "big") + payload
