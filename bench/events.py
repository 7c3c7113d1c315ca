"""The events that every figure uses: about 200 bytes each, in canonical form, one author per connection.

An author is one node: its ids (UUIDv7) and its counter rise, as the protocol wants it. Every contender gets
the same bodies, so that no one has an easier text.
"""

import random
import time
from typing import NamedTuple

ITEMS = 10_000
USER = "anyone"  # as a replica learns it from a server without accounts
COUNTER_LIMIT = 1 << 12

THINGS = ["milk", "apples", "coffee", "stamps", "paint", "brush", "rope", "lamp", "battery", "tickets"]
WHENS = ["today", "tomorrow", "on Monday", "this week", "next month", "in spring", "soon"]
TITLES = [f"{first} and {second} {when}" for first in THINGS for second in THINGS for when in WHENS]


class Event(NamedTuple):
    id: str
    body: bytes


class Author:
    """Writes events of one node. Not a clock to rely on elsewhere: it runs ahead rather than wait."""

    def __init__(self) -> None:
        self.node = random.randbytes(6).hex()
        self.n = 0
        self._node_bits = random.getrandbits(30)
        self._milliseconds = 0
        self._counter = 0

    def write(self, count: int) -> list[Event]:
        return [self._event() for _ in range(count)]

    def _event(self) -> Event:
        self.n += 1
        id = self._next_id()
        item = self.n * 7919 % ITEMS
        title = TITLES[self.n % len(TITLES)]
        body = (
            f'{{"action":"update","clock":{{"{self.node}":{self.n}}},"id":"{id}","item":"task.{item}",'
            f'"node":"{self.node}","payload":{{"done":false,"title":"{title}"}},"user":"{USER}"}}'
        )
        return Event(id, body.encode())

    def _next_id(self) -> str:
        self._tick()
        time_bits, low = self._milliseconds, 0x80000000 | self._node_bits
        return (
            f"{time_bits >> 16:08x}-{time_bits & 0xFFFF:04x}-7{self._counter:03x}-"
            f"{low >> 16:04x}-{low & 0xFFFF:04x}{random.getrandbits(32):08x}"
        )

    def _tick(self) -> None:
        now = time.time_ns() // 1_000_000
        self._counter += 1
        if now > self._milliseconds:
            self._milliseconds, self._counter = now, 0
        elif self._counter == COUNTER_LIMIT:
            self._milliseconds, self._counter = self._milliseconds + 1, 0
