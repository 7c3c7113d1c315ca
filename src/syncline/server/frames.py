"""Frames: pages that are encoded once, for all who stand at the same place with the same view."""

from __future__ import annotations

from typing import Any, NamedTuple

from syncline.core.cursors import Cursor

WIRE = "syncline.wire"
"""Member of a ``websocket.send`` message that holds the frame as it goes over the wire, for servers that know it."""


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


def wire(payload: bytes) -> bytes:
    """One unmasked text frame (RFC 6455, section 5.2), as servers send them."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload
