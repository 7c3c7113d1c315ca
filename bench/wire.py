"""The two wire formats the load generators speak: HTTP/1.1 requests and answers, and WebSocket frames.

Made for measuring: nothing is parsed that need not be, and every answer is checked by counting a marker in
it, so that a refused or missing event is an error and not a fast answer.
"""

import struct
from typing import Protocol


class WrongAnswer(ValueError):
    """A server answered something else than success."""


class Reply(Protocol):
    """Collects the answer to one request."""

    def feed(self, data: bytes) -> bool:
        """Take what arrived; True when the answer is whole. Raises WrongAnswer."""
        ...


class MarkedReply:
    """An answer that is whole when a marker has come `wanted` times: NATS, Redis and Yjs."""

    def __init__(self, marker: bytes, wanted: int, error: bytes) -> None:
        self.marker, self.wanted, self.error = marker, wanted, error
        self.seen = 0
        self.tail = b""

    def feed(self, data: bytes) -> bool:
        data = self.tail + data
        if self.error in data:
            raise WrongAnswer(data[:200].decode(errors="replace"))
        self.seen += data.count(self.marker)
        self.tail = data[max(0, len(data) - len(self.marker) + 1) :]
        return self.seen >= self.wanted


class HttpReply:
    """An HTTP answer, by its length or in chunks; the body must hold `marker` exactly `wanted` times."""

    def __init__(self, marker: bytes, wanted: int) -> None:
        self.marker, self.wanted = marker, wanted
        self.data = bytearray()
        self.body_start = 0
        self.length: int | None = None

    def feed(self, data: bytes) -> bool:
        self.data += data
        if not self.body_start and not self._head():
            return False
        if not self._is_whole():
            return False
        if self.data.count(self.marker, self.body_start) != self.wanted:
            raise WrongAnswer(self.data[:400].decode(errors="replace"))
        return True

    def _head(self) -> bool:
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return False
        self.body_start = end + 4
        self.length = body_length(bytes(self.data[:end]))
        return True

    def _is_whole(self) -> bool:
        if self.length is not None:
            return len(self.data) - self.body_start >= self.length
        return self.data.endswith(b"0\r\n\r\n")


def body_length(head: bytes) -> int | None:
    """From an answer's head; None where the body comes in chunks. Raises WrongAnswer unless it is a 2xx."""
    if not head.startswith(b"HTTP/1.1 2"):
        raise WrongAnswer(head[:400].decode(errors="replace"))
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else None


def http_post(path: str, body: bytes, headers: str = "") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"{headers}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def http_get(path: str, headers: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode()


def upgrade(path: str) -> bytes:
    """The opening of a WebSocket. The key may be any 16 bytes; no compression is offered."""
    return http_get(
        path,
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n",
    )


def text_frame(text: bytes) -> bytes:
    return frame(0x81, text)


def binary_frame(data: bytes) -> bytes:
    return frame(0x82, data)


def frame(kind: int, data: bytes) -> bytes:
    """A client's frame, masked as the protocol demands, with the mask that changes nothing."""
    length = len(data)
    if length < 126:
        head = struct.pack("!BB", kind, 0x80 | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", kind, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", kind, 0x80 | 127, length)
    return head + b"\0\0\0\0" + data


PING = frame(0x89, b"")
