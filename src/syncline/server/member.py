"""A space as one user sees it. Every request and every session reads and writes through a ``Member``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from syncline.core import patterns
from syncline.core.access.state import READ
from syncline.core.access.views import View
from syncline.core.admission import Submission
from syncline.core.answers import encode_ack
from syncline.core.batch import decode_events
from syncline.core.events import Event
from syncline.core.messages import Inquiry, Welcome
from syncline.errors import EventError, Forbidden, HistoryExpired, NotFound, SynclineError, Unauthorized
from syncline.replica.documents.library import Library
from syncline.server.desk import Change, Written
from syncline.server.healing import answers, giving
from syncline.server.reader import Reader
from syncline.stores import LogStore, Slice

T = TypeVar("T")

INLINE_BYTES = 16 * 1024
"""Larger pushes are decoded in a thread, so that they hold up nobody."""
HEARD_SECONDS = 1.0
"""How long a commit that a thread has seen is waited for; it is announced within the millisecond."""


class Member(Reader):
    """A user who reads and writes: the log in pages (``Reader``), documents, and events."""

    async def welcome(self, node: str) -> Welcome:
        """The answer to a hello."""
        await self.catch_up()
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
            actions=self.identity.actions,
            items=self.identity.items,
            expires=self.identity.expires_ms,
            erasable=space.erasures.erasable,
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
        stored, vouched = giving.pushed(events, self.user, self.may, self.space.erasures)
        submission = Submission(stored, self.user, rights=self.rights, vouched=vouched)
        outcomes, head = await self.space.submit(submission)
        for outcome in outcomes[:1]:
            if isinstance(outcome, Unauthorized):
                raise outcome
        for outcome in outcomes if Forbidden in set(map(type, outcomes)) else ():
            if isinstance(outcome, Forbidden):
                self.on_refused(outcome)
        return encode_ack(events, outcomes, head.seq)

    async def answer(self, inquiry: Inquiry) -> bytes:
        """The encoded reply to what heals."""
        return await answers.answer(self, inquiry)

    # Documents

    async def slice(self, since: int, items: Sequence[str], limit: int) -> Slice:
        """A stretch of the log. Raises HistoryExpired if what comes after that seq is not kept any more."""
        await self.catch_up()
        view, until = self.view(patterns.check(items)), self.space.hub.head.seq
        return await self.space.run(_slice, self.space.store, since, view, until, limit)

    async def items(self, pattern: str, after: str, limit: int) -> list[str]:
        """The first items after one, in order, that fit a pattern and may be read."""
        await self.catch_up()
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
        await self.catch_up()
        return await self.look_again(item, function)

    async def look_again(self, item: str, function: Callable[[Library], T]) -> T:
        """The same, with what is known by now: for one who follows, or who has just looked for others."""
        self.check_read(item)
        found, seen = await self.space.documents.look(item, self._noting(function))
        await self._heard_of(seen)
        self.check_read(item)  # it may have been forbidden by what was folded meanwhile
        return found

    async def look_or(self, default: T, item: str, function: Callable[[Library], T]) -> T:
        """The same again for one of several items: something else if it may not be read."""
        try:
            return await self.look_again(item, function)
        except NotFound:
            return default

    async def write(self, item: str, change: Change, function: Callable[[Library], T]) -> tuple[Written, T]:
        """Carries out a change of one item; also what a function finds then. Raises what is refused."""
        await self.catch_up()
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
            await self.space.refresh()
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARD_SECONDS):
                    while seq > self.space.hub.head.seq:
                        await self.space.hub.wait()


def _slice(store: LogStore, since: int, view: View, until: int, limit: int) -> Slice:
    part, horizon = store.slice(since, view=view, until=until, limit=limit), store.points().horizon  # in this order
    item = view.items[0] if len(view.items) == 1 and not view.items[0].endswith("*") else None
    base = store.base(item) if since < horizon and item is not None else None
    begins = horizon if item is None else base.seq if base is not None else 0
    if since < begins:
        raise HistoryExpired(f"The history that is kept here begins after seq {begins}.", seq=begins)
    return part


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
