"""A space as one user sees it. Every request and every session reads and writes through a ``Member``.

What may be read is decided here alone: entries by the user's view, documents by ``check_read``. A document that may
not be read answers like one that is not there. What may be written is decided where it is stored; asking here first
spares a write that would be refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import TypeVar

from syncline.core import patterns
from syncline.core.access.scope import Rights, Scope
from syncline.core.access.state import READ, ROOT, Access
from syncline.core.access.views import EMPTY_VIEW, View
from syncline.core.admission import Submission
from syncline.core.batch import decode_events
from syncline.core.cursors import Cursor, Stand, check_place
from syncline.core.events import Event
from syncline.core.log import NO_TAIL
from syncline.core.messages import Authenticated, Live, Pull, Welcome, encode_ack
from syncline.errors import (
    EventError,
    Forbidden,
    NotFound,
    SynclineError,
    TokenExpired,
    Unauthorized,
    UserMismatch,
)
from syncline.replica.documents.library import Library
from syncline.server import reading
from syncline.server.auth.identity import Identity
from syncline.server.desk import Change, Written
from syncline.server.endings import Endings
from syncline.server.frames import Frame
from syncline.server.limits import UNMETERED, Meter
from syncline.server.reading import Part, Place
from syncline.server.space import Space
from syncline.stores import Slice

T = TypeVar("T")

INLINE_BYTES = 16 * 1024
"""Larger pushes are decoded in a thread, so that they hold up nobody."""
ASKED_MS = 1_000
PAGE_ENTRIES = 1_000
HEARD_SECONDS = 1.0
"""How long a commit that a thread has seen is waited for; it is announced within the millisecond."""
SKIPPED_ENTRIES = 1_000
"""A follower who sees none of this many entries is sent an empty page, to keep its cursor near the head."""


class Member:
    """A space as one user sees it. Its methods belong to the event loop."""

    def __init__(
        self,
        space: Space,
        identity: Identity,
        is_valid: Callable[[Identity], bool] = lambda identity: True,
        endings: Endings | None = None,
        meter: Meter = UNMETERED,
    ) -> None:
        """``is_valid`` tells whether what the user came with is still accepted; it is asked once a second, and at once
        when ``endings`` says that something has ended.
        """
        self.space, self.identity, self._is_valid = space, identity, is_valid
        self._endings = endings or Endings()
        self.meter = meter
        """Counts what the user asks for."""
        self._asked = space.now_ms(), self._endings.count
        self.on_refused: Callable[[Forbidden], None] = lambda error: None
        """Called with each event of a push that is forbidden."""
        self.user = identity.user
        self.rights = _rights(identity)

    def connected(self) -> AbstractContextManager[None]:
        """As long as the block lasts, the user has one more session or stream. Raises TooManyConnections."""
        return self.space.connected(self.user)

    # What is allowed

    def check(self) -> None:
        """Raises SpaceDeleted, TokenExpired, Unauthorized or SpaceSuspended if the user has no business here."""
        self.space.check_exists()
        now, expires = self.space.now_ms(), self.identity.expires_ms
        if expires is not None and now >= expires:
            raise TokenExpired("The token has expired: sign in again, or refresh it.")
        is_barred = not self.rights.is_trusted and self.space.access.is_barred(self.user, self.rights.credential)
        if is_barred or not self._is_still_valid(now):
            raise Unauthorized("These credentials were revoked.")
        self.space.check_resumed(self.user)

    def _is_still_valid(self, now: int) -> bool:
        at, count = self._asked
        if now - at < ASKED_MS and count == self._endings.count:
            return True
        asked = now, self._endings.count
        is_valid = self._is_valid(self.identity)
        if is_valid:  # otherwise it is asked again, whenever
            self._asked = asked
        return is_valid

    def renew(self, identity: Identity, ref: int) -> Authenticated:
        """Goes on with other credentials of the same user. Raises UserMismatch for those of others.

        Those with another scope are refused, too: what is read already was begun with this one.
        """
        rights = _rights(identity)
        is_same = (identity.user, identity.space) == (self.user, self.identity.space)
        if not is_same or rights.scope != self.rights.scope:
            raise UserMismatch(f"These credentials are not {self.user}'s, or of another scope: connect anew with them.")
        self.identity, self.rights = identity, rights
        return Authenticated(ref=ref, user=self.user, time=self.space.now_ms(), expires=identity.expires_ms)

    def view(self, items: Sequence[str] = ()) -> View:
        """What the user may see of these items (all: none are named)."""
        return self._view(self.space.access, tuple(items))

    def _view(self, access: Access, items: tuple[str, ...]) -> View:
        scope = self.rights.scope
        if not scope.allows_action(READ):
            return EMPTY_VIEW
        return access.view(ROOT if self.rights.is_trusted else self.user, items, scope.items)

    def may(self, item: str, action: str) -> bool:
        """Whether the user may do this."""
        allowed = self.rights.scope.allows(item, action)
        return allowed and (self.rights.is_trusted or self.space.access.may(self.user, item, action))

    def check_may(self, item: str, action: str) -> None:
        """Raises Forbidden unless the user may do this."""
        if not self.may(item, action):
            raise Forbidden(f"{self.user} may not {action} {item}.", item=item, action=action)

    def may_read(self, item: str) -> bool:
        """Whether the user may read an item: the one question of every path on which something is read."""
        return self.view().shows(item)

    def check_read(self, item: str) -> None:
        """Raises NotFound unless the user may read an item, with the words for one that is not there."""
        self.check()
        if not self.may_read(item):
            raise missing(item)

    # The log

    async def welcome(self, node: str) -> Welcome:
        """The answer to a hello."""
        self.check()
        space = self.space
        state = await space.run(space.store.node, node)
        own = state.own if state is not None and state.user == self.user else None
        rules = None if self.rights.is_trusted else space.access.rules_of(self.user)
        head = space.hub.head
        return Welcome(
            epoch=head.epoch,
            head=head.seq,
            time=space.now_ms(),
            user=self.user,
            own=own,
            rules=rules,
            expires=self.identity.expires_ms,
        )

    async def push(self, array: bytes) -> bytes:
        """Stores what may be stored of a JSON array of events; the members of the answer, encoded."""
        self.check()
        if len(array) <= INLINE_BYTES:
            events = _prepare(array, self.user)
        else:
            events = await self.space.run(_prepare, array, self.user)
        self.meter.events(len(events), self.space.rate)
        if not any(isinstance(event, Event) for event in events):
            refused = [event for event in events if isinstance(event, EventError)]
            return encode_ack(events, refused, self.space.hub.head.seq)
        outcomes, head = await self.space.submit(Submission(events, self.user, rights=self.rights))
        for outcome in outcomes[:1]:
            if isinstance(outcome, Unauthorized):
                raise outcome
        for outcome in outcomes if Forbidden in set(map(type, outcomes)) else ():
            if isinstance(outcome, Forbidden):
                self.on_refused(outcome)
        return encode_ack(events, outcomes, head.seq)

    async def pull(self, pull: Pull) -> bytes:
        """One encoded page."""
        items = patterns.check(pull.items)
        place = await self._place(pull.cursor, items)
        while place.access is not self.space.access:  # the rules have changed meanwhile
            place = await self._place(pull.cursor, items)
        part = await self._part(place, pull.limit)
        return part.encode(self._text(part.next), pull.ref or None)

    async def cursor_back(self, entries: int, items: Sequence[str]) -> str:
        """The cursor that many entries before the head (0: at the head), for a reader of these items."""
        head = self.space.hub.head
        seq = max(0, head.seq - entries)
        tail = await self.space.run(self.space.store.tail, seq)
        asked = patterns.check(items)
        access = self.space.access
        stand = Stand(self._view(access, asked).digest, access.seq, asked)
        return self._text(Cursor(head.epoch, seq, tail or NO_TAIL, stand))

    async def wait(self, cursor: str | None, items: Sequence[str], seconds: float) -> None:
        """Returns when there is something after a cursor that shows, or after some seconds."""
        asked = patterns.check(items)
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

    async def _news(self) -> None:
        """Returns when something has happened in the space, or the user's credentials expire."""
        expires = self.identity.expires_ms
        if expires is None:
            await self.space.hub.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, (expires - self.space.now_ms()) / 1000)):
                await self.space.hub.wait()

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
            await self.space.run(check_place, cursor, head, self.space.store.tail)
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
        return await self.space.run(reading.part, self.space.store, self._view_of, place, limit, until)

    # Documents

    async def slice(self, since: int, items: Sequence[str], limit: int) -> Slice:
        """A stretch of the log."""
        self.check()
        view, until = self.view(patterns.check(items)), self.space.hub.head.seq
        return await self.space.run(lambda: self.space.store.slice(since, view=view, until=until, limit=limit))

    async def items(self, pattern: str, after: str, limit: int) -> list[str]:
        """The first items after one, in order, that fit a pattern and may be read."""
        found, until = list[str](), self.space.hub.head.seq
        while len(found) < limit:
            self.check()
            several = await self.space.run(self.space.store.items, pattern, after, limit, until)
            found += filter(self.view().shows, several)
            if len(several) < limit:
                break
            after = several[-1]
        return list(filter(self.view().shows, found))[:limit]

    async def grown(self, since: int) -> None:
        """Returns when there are entries after a seq. Ends as ``follow`` does."""
        while self.space.end is None:
            self.check()
            if self.space.hub.head.seq > since:
                return
            await self._news()
        raise self.space.end

    async def news(self, item: str, since: int) -> None:
        """Returns when something has come after a seq to an item that is followed. Ends as ``follow`` and ``look``."""
        while self.space.end is None:
            self.check_read(item)
            if self.space.documents.news[item] > since:
                return
            await self._news()
        raise self.space.end

    async def look(self, item: str, function: Callable[[Library], T]) -> T:
        """What a function finds in the library about one item. Raises NotFound if it may not be read."""
        self.check_read(item)
        found, seen = await self.space.documents.look(item, self._noting(function))
        await self._heard_of(seen)
        self.check_read(item)  # it may have been forbidden by what was folded meanwhile
        return found

    async def look_or(self, default: T, item: str, function: Callable[[Library], T]) -> T:
        """The same for one of several items: something else if it may not be read."""
        try:
            return await self.look(item, function)
        except NotFound:
            return default

    async def write(self, item: str, change: Change, function: Callable[[Library], T]) -> tuple[Written, T]:
        """Carries out a change of one item; also what a function finds then. Raises what is refused."""
        self.check()
        self.check_may(item, change.action)
        self.meter.events(1, self.space.rate)
        self.check_may(item, READ)
        change = change._replace(user=self.user, rights=self.rights)
        try:
            written, (found, seen) = await self.space.documents.write(item, change, self._noting(function))
        except SynclineError:
            self.check_read(item)  # why it was refused is not for those who may not read it any more
            raise
        await self._heard_of(seen)
        self.check_read(item)
        return written, found

    def _noting(self, function: Callable[[Library], T]) -> Callable[[Library], tuple[T, int]]:
        """The function, and how much of the log it may have seen."""
        return lambda library: (function(library), self.space.store.reached())

    async def _heard_of(self, seq: int) -> None:
        """Returns when the commit with this seq was announced, from when on its rules are known."""
        if seq > self.space.hub.head.seq:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARD_SECONDS):
                    while seq > self.space.hub.head.seq:
                        await self.space.hub.wait()


def _rights(identity: Identity) -> Rights:
    return Rights(identity.space is None, identity.credential, Scope(identity.actions, identity.items))


def missing(item: str) -> NotFound:
    """The error for a document that is not there, or that may not be read."""
    return NotFound(f"There is no document {item}.")


def _prepare(array: bytes, user: str) -> list[Event | EventError]:
    """The events of a push, each with its user."""
    return [_named(event, user) if isinstance(event, Event) else event for event in decode_events(array)]


def _named(event: Event, user: str) -> Event | EventError:
    if isinstance(event.user, str):
        return event
    try:
        return event.with_user(user)
    except EventError as error:
        error.tx = event.tx
        return error
