"""Stamps: event ids that are also hybrid logical time (Kulkarni et al. 2014) in the layout of UUIDv7 (RFC 9562).

    48 bits  milliseconds since 1970, UTC
     4 bits  version, 7
    12 bits  counter: events of the same millisecond
     2 bits  variant
    30 bits  hash of the node
    32 bits  random

A node's ids rise strictly, and above every id the node has seen, whatever its wall clock does. So the byte
order of ids is a total order that respects causality, with the node as the tie-break of equal times.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from syncline.core.limits import MAX_DRIFT_MS
from syncline.errors import InvalidEvent

NIL_ID = "00000000-0000-0000-0000-000000000000"
"""Before every id; never an event's."""

MAX_COUNTER = 0xFFF
MAX_MS = 2**48 - 1

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Stamp(NamedTuple):
    """The parts of an id, in the order in which they are compared."""

    ms: int
    counter: int
    node_hash: int
    random: int

    @classmethod
    def parse(cls, id: str) -> Stamp:
        """The parts of an event id. Raises InvalidEvent."""
        bits = int(check_id(id).replace("-", ""), 16)
        return cls(bits >> 80, bits >> 64 & MAX_COUNTER, bits >> 32 & 0x3FFF_FFFF, bits & 0xFFFF_FFFF)

    def __str__(self) -> str:
        bits = self.ms << 80 | 7 << 76 | self.counter << 64 | 2 << 62 | self.node_hash << 32 | self.random
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def check_id(id: str) -> str:
    """The id itself if it is a lowercase UUIDv7. Raises InvalidEvent."""
    if not _ID.fullmatch(id):
        raise InvalidEvent(f"id: {id[:64]!r} is not a lowercase UUIDv7.")
    return id


def key(id: str) -> bytes:
    """The 16 bytes of an id; they sort as the ids do."""
    return bytes.fromhex(id.replace("-", ""))


def from_key(key: bytes) -> str:
    """The id of its 16 bytes."""
    text = key.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def drift_limit(now_ms: int, drift_ms: int = MAX_DRIFT_MS) -> str:
    """The least id that is too far ahead of ``now_ms`` to be accepted: by more than five minutes, or ``drift_ms``."""
    return str(Stamp(min(now_ms + drift_ms + 1, MAX_MS), 0, 0, 0))


def node_hash(node: str) -> int:
    """30 bits that stand for a node inside its ids."""
    return int.from_bytes(hashlib.sha256(node.encode()).digest()[:4], "big") >> 2


def maker(key: bytes) -> int:
    """The hash of the node in the 16 bytes of an id."""
    return int.from_bytes(key[8:12], "big") & 0x3FFF_FFFF


class StampClock:
    """Makes a node's ids. ``last`` is the greatest id made or seen; persist it with the event that used it."""

    def __init__(self, node: str, last: str = NIL_ID) -> None:
        self._node_hash = node_hash(node)
        self.last = last

    def next(self, now_ms: int, entropy: int) -> str:
        """A new id above all before it. ``entropy`` is 32 random bits."""
        bits = int(self.last.replace("-", ""), 16)
        ms, counter = bits >> 80, bits >> 64 & MAX_COUNTER
        if now_ms > ms:
            ms, counter = now_ms, 0
        elif counter < MAX_COUNTER:
            counter += 1
        else:  # the counter is used up: borrow the next millisecond
            ms, counter = ms + 1, 0
        if not 0 <= ms <= MAX_MS:
            raise InvalidEvent(f"id: the clock reads {ms} ms, which no id can hold.")
        self.last = str(Stamp(ms, counter, self._node_hash, entropy))
        return self.last

    def receive(self, id: str) -> None:
        """Takes note of an id seen elsewhere, so that later ids are greater."""
        self.last = max(self.last, id)
