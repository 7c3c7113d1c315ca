"""The log of a space in pages, as one user may read it: pulled, waited for, and followed live.

A page is never judged by rules older than its last entry: the rules of now are taken before the head of now, and what
is announced later is on a later page. What a page holds is made in ``reading``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress

from syncline.core import patterns
from syncline.core.access.views import View
from syncline.core.cursors import Cursor, Stand, check_place
from syncline.core.log import NO_TAIL
from syncline.core.messages import Live, Pull
from syncline.errors import CursorReset
from syncline.server import reading
from syncline.server.frames import Frame
from syncline.server.reading import Part, Place
from syncline.server.standing import Standing

PAGE_ENTRIES = 1_000
SKIPPED_ENTRIES = 1_000
"""A follower who sees none of this many entries is sent an empty page, to keep its cursor near the head."""


class Reader(Standing):
    """A user who reads a log."""

    async def pull(self, pull: Pull) -> bytes:
        """One encoded page."""
        items = patterns.check(pull.items)
        await self.catch_up()
        place = await self._place(pull.cursor, items)
        while place.access is not self.space.access:  # the rules have changed meanwhile
            place = await self._place(pull.cursor, items)
        part = await self._part(place, pull.limit)
        return part.encode(self._text(part.next), pull.ref or None)

    async def cursor_back(self, entries: int, items: Sequence[str]) -> str:
        """The cursor that many entries before the head (0: at the head), for a reader of these items who holds none.

        It is where the history begins if that is later.
        """
        await self.catch_up()
        head, deep = self.space.hub.head, self.space.erasures.deep
        seq = max(head.seq - entries, (await self.space.run(self.space.store.points)).horizon)
        tail = await self.space.run(self.space.store.tail, seq)
        asked = patterns.check(items)
        access = self.space.access
        stand = Stand(self._view(access, asked).digest, access.seq, asked)
        return self._text(Cursor(head.epoch, seq, tail or NO_TAIL, stand, erased=deep if deep > seq else 0))

    async def wait(self, cursor: str | None, items: Sequence[str], seconds: float) -> None:
        """Returns when there is something after a cursor that shows, or after some seconds."""
        asked = patterns.check(items)
        await self.catch_up()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                place = await self._place(cursor, asked)
                while self.space.end is None and not place.is_on_the_way:
                    frame = await self._frame(place)
                    if not frame.is_empty:
                        return
                    self.check()  # just before it waits: what ended meanwhile wakes nobody again
                    if frame.next.seq >= self.space.hub.head.seq and self.space.end is None:
                        await self._news()
                    self.check()
                    place = await self._turned(frame.next, asked)

    async def follow(self, live: Live) -> AsyncGenerator[Frame, None]:
        """Pages from a cursor on, for ever. Ends with ShuttingDown, SpaceDeleted, or what ``check`` raises."""
        items, hub = patterns.check(live.items), self.space.hub
        await self.catch_up()
        place = await self._place(live.cursor, items)
        sent = -SKIPPED_ENTRIES  # the first page is sent even if it is empty: the follower learns that it is live
        while self.space.end is None:
            self.check()
            cursor = place.cursor
            if place.access is not self.space.access:
                place = await self._turned(cursor, items, is_lost=place.is_lost)
                continue
            if sent >= 0 and not place.is_on_the_way and cursor.seq >= hub.head.seq:
                await self._news()
                continue
            frame = await self._frame(place)
            place = Place(frame.next, place.view, place.access)
            if not frame.is_empty or frame.next.seq - sent >= SKIPPED_ENTRIES:
                sent = frame.next.seq
                yield frame
        raise self.space.end

    async def _frame(self, place: Place) -> Frame:
        """The next page as followers are sent it. Call it as ``_part``."""
        cursor, hub = place.cursor, self.space.hub
        if not place.is_on_the_way and cursor.seq < hub.head.seq:
            frame = hub.frame(cursor.seq, place.view, cursor.stand)
            if frame is not None:
                return frame
        part = await self._part(place, PAGE_ENTRIES)
        return part.frame(self._text(part.next))

    def _text(self, cursor: Cursor) -> str:
        return self.space.codec.encode(cursor)

    async def _place(self, text: str | None, items: tuple[str, ...]) -> Place:
        """Where a reader stands. Raises BadCursor, EpochChanged or CursorReset."""
        self.check()
        head = self.space.store.head()
        if not text:
            access = self.space.access
            view = self._view(access, items)
            return Place(Cursor(head.epoch, 0, NO_TAIL, Stand(view.digest, access.seq, items)), view, access)
        cursor = self.space.codec.decode(text)
        if cursor[:3] != head[:3]:
            try:
                await self.space.run(check_place, cursor, head, self.space.store.tail)
            except CursorReset:
                self.space.recovery.prove()
                raise
        return await self._turned(cursor, items)

    async def _turned(self, cursor: Cursor, items: tuple[str, ...], *, is_lost: bool = False) -> Place:
        """Where a cursor leads with the view of now."""
        access = self.space.access  # once: a writer's thread may put the next in its place
        view = self._view(access, items)
        stand = Stand(view.digest, access.seq, items)
        if is_lost or (cursor.stand.view == stand.view and cursor.way is None):
            return Place(cursor._replace(stand=stand), view, access, is_lost)
        return await self.space.run(reading.turned, self._view_of, Place(cursor, view, access), stand)

    def _view_of(self, stand: Stand) -> View:
        """The view that a cursor tells of, if it was this user's. May read the log: call it in a thread."""
        return self._view(self.space.access_at(stand.rules), stand.items)

    async def _part(self, place: Place, limit: int) -> Part:
        """The next page. Call it when the place knows the rules of now: what is announced later is not in it."""
        until = self.space.hub.head.seq
        return await self.space.run(
            reading.part, self.space.store, self._view_of, place, limit, until, self.space.erasures
        )
