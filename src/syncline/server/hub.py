"""The hub of one space: recent entries in memory, encoded once, and a wake-up for everybody who follows.

There are no queues. A follower keeps its place in the log; while the recent entries continue that place it takes a
shared frame from here, otherwise it reads from the store. So a slow reader holds nothing but its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from syncline.core.access.views import View
from syncline.core.answers import encode_page
from syncline.core.cursors import Cursor, CursorCodec, Stand
from syncline.core.erasure import ERASURES
from syncline.core.log import Head, Row
from syncline.server.frames import Frame

RECENT_ENTRIES = 4_096
RECENT_BYTES = 4 * 1024 * 1024
FRAME_ENTRIES = 1_000
FRAME_BYTES = 256 * 1024


class Hub:
    """What is new in one space. All methods belong to the event loop."""

    def __init__(self, head: Head, codec: CursorCodec) -> None:
        self.head = head
        self._codec = codec
        self._rows: list[Row] = []
        self._size = 0
        self._frames: dict[tuple[int, Stand], Frame] = {}
        self._waiting: list[asyncio.Future[None]] = []

    def announce(self, rows: Sequence[Row], head: Head) -> None:
        """Takes the rows of a commit and wakes all who wait."""
        self.head = head
        if any(row.event.item == ERASURES for row in rows):
            self._clear()  # who was behind reads from the store, where nothing of it is left
            self.wake()
            return
        self._rows += rows
        self._size += sum(len(row.encoded) for row in rows)
        self._frames.clear()
        if len(self._rows) > RECENT_ENTRIES or self._size > RECENT_BYTES:
            self._trim()
        self.wake()

    def _clear(self) -> None:
        self._rows, self._size = [], 0
        self._frames.clear()

    def _trim(self) -> None:
        """Drops the older half, so that trimming is rare."""
        while len(self._rows) > RECENT_ENTRIES // 2 or self._size > RECENT_BYTES // 2:
            half = max(1, len(self._rows) // 2)
            self._size -= sum(len(row.encoded) for row in self._rows[:half])
            del self._rows[:half]

    def wake(self) -> None:
        """Wakes all who wait, whether there is news or the server stops."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def wait(self) -> None:
        """Returns at the next ``announce`` or ``wake``."""
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(news)
        await news

    def frame(self, since: int, view: View, stand: Stand) -> Frame | None:
        """The page after ``since``, if the recent entries begin there or before."""
        if not self._rows or since + 1 < self._rows[0].seq:
            return None
        frame = self._frames.get((since, stand))
        if frame is None:
            frame = self._frames[since, stand] = self._make(since, view, stand)
        return frame

    def _make(self, since: int, view: View, stand: Stand) -> Frame:
        first = since + 1 - self._rows[0].seq
        rows = self._rows[first : first + FRAME_ENTRIES]
        size, count = 0, 0
        while count < len(rows) and (not count or size + len(rows[count].encoded) <= FRAME_BYTES):
            size += len(rows[count].encoded)
            count += 1
        rows = rows[:count]
        encoded = [row.encoded for row in rows if view.shows(row.event.item)]
        last = rows[-1]
        cursor = Cursor(self.head.epoch, last.seq, last.tail, stand)
        text = self._codec.encode(cursor)
        page = encode_page(b",".join(encoded), text, more=last.seq < self.head.seq)
        return Frame.of(page, text, cursor, is_empty=not encoded)
