"""One space of a running server: its store, its authority, its hub, and the answers to a session's requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple, TypeVar

from syncline.core import patterns
from syncline.core.admission import Submission
from syncline.core.batch import decode_events
from syncline.core.cursors import Cursor, CursorCodec, resume, view_of
from syncline.core.events import Event
from syncline.core.log import NO_TAIL, Head, Row
from syncline.core.messages import Live, Pull, Welcome, encode_ack, encode_page
from syncline.errors import EventError, SpaceDeleted, SynclineError
from syncline.replica.documents.library import BUDGET_BYTES
from syncline.server.authority import Authority
from syncline.server.documents import Documents
from syncline.server.frames import Frame
from syncline.server.hub import Hub
from syncline.stores import Slice
from syncline.stores.snapshots import MemorySnapshotStore, SnapshotStore
from syncline.stores.sqlite import SqliteEventStore

T = TypeVar("T")

INLINE_BYTES = 16 * 1024
"""Larger pushes are decoded in a thread, so that they hold up nobody."""
SKIPPED_ENTRIES = 1_000
"""A follower who sees none of this many entries is sent an empty page, to keep its cursor near the head."""


class Crew(NamedTuple):
    """The server's threads: few writers for all spaces, and readers."""

    writers: Executor
    readers: Executor


class Space:
    """One space. Make it in the event loop; its methods belong there."""

    def __init__(
        self,
        name: str,
        store: SqliteEventStore,
        codec: CursorCodec,
        crew: Crew,
        now_ms: Callable[[], int],
        open_snapshots: Callable[[], SnapshotStore] = MemorySnapshotStore,
        documents_bytes: int = BUDGET_BYTES,
    ) -> None:
        """``open_snapshots``: where documents are kept; ``documents_bytes``: what those in memory may take."""
        self.name = name
        self.users = 0
        """How many requests and sessions use this space just now."""
        self.store = store
        self.hub = Hub(store.head(), codec)
        self._codec, self._crew, self._now_ms = codec, crew, now_ms
        self._authority = Authority(store, crew.writers, self._announce, now_ms)
        self.documents = Documents(store, open_snapshots, crew.readers, self._authority.submit, now_ms, documents_bytes)
        self._end: SynclineError | None = None
        """Why followers have to go, once they have to."""

    def _announce(self, rows: Sequence[Row], head: Head) -> None:
        self.documents.note(rows, head)
        self.hub.announce(rows, head)

    async def welcome(self, node: str, user: str) -> Welcome:
        """The answer to a hello."""
        state = await self.run(self.store.node, node)
        own = state.own if state is not None and state.user == user else None
        head = self.hub.head
        return Welcome(epoch=head.epoch, head=head.seq, time=self._now_ms(), user=user, own=own)

    async def push(self, array: bytes, user: str) -> bytes:
        """Stores what may be stored of a JSON array of events; the members of the answer, encoded."""
        self.check_exists()
        if len(array) <= INLINE_BYTES:
            events = _prepare(array, user)
        else:
            events = await self.run(_prepare, array, user)
        if not any(isinstance(event, Event) for event in events):
            return encode_ack(events, [event for event in events if isinstance(event, EventError)], self.hub.head.seq)
        outcomes, head = await self._authority.submit(Submission(events, user))
        return encode_ack(events, outcomes, head.seq)

    async def pull(self, pull: Pull) -> bytes:
        """One encoded page."""
        self.check_exists()
        items = patterns.check(pull.items)
        view = view_of(items)
        since = await self._resume(pull.cursor, view)
        part = await self.run(self._slice, since, items, pull.limit)
        return encode_page(part.encoded, self._cursor(part, view), more=part.more, ref=pull.ref or None)

    async def cursor_back(self, entries: int, items: Sequence[str]) -> str:
        """The cursor that many entries before the head (0: at the head), for a reader of these items."""
        head = self.hub.head
        seq = max(0, head.seq - entries)
        tail = await self.run(self.store.tail, seq)
        return self._codec.encode(Cursor(head.epoch, seq, tail or NO_TAIL, view_of(patterns.check(items))))

    async def wait(self, cursor: str | None, items: Sequence[str], seconds: float) -> None:
        """Returns when there may be entries after a cursor, or after some seconds."""
        since = await self._resume(cursor, view_of(patterns.check(items)))
        try:
            async with asyncio.timeout(seconds):
                while self.hub.head.seq <= since and self._end is None:
                    await self.hub.wait()
        except TimeoutError:
            return

    async def follow(self, live: Live) -> AsyncGenerator[Frame, None]:
        """Pages from a cursor on, for ever. Ends with ShuttingDown or SpaceDeleted."""
        self.check_exists()
        items = patterns.check(live.items)
        view = view_of(items)
        first = await self._stored(await self._resume(live.cursor, view), items, view)
        since = sent = first.seq
        yield first  # at once, even if it is empty: the follower learns that it is live
        while self._end is None:
            if since >= self.hub.head.seq:
                await self.hub.wait()
                continue
            frame = self.hub.frame(since, items, view) or await self._stored(since, items, view)
            since = frame.seq
            if not frame.is_empty or since - sent >= SKIPPED_ENTRIES:
                sent = since
                yield frame
        raise self._end

    async def slice(self, since: int, items: Sequence[str], limit: int) -> Slice:
        """A stretch of the log."""
        return await self.run(self._slice, since, items, limit)

    async def items(self, pattern: str, after: str, limit: int) -> list[str]:
        """The first items after one, in order, that fit a pattern."""
        return await self.run(self.store.items, pattern, after, limit)

    async def grown(self, since: int) -> None:
        """Returns when there are entries after a seq. Ends as ``follow`` does."""
        while self._end is None:
            if self.hub.head.seq > since:
                return
            await self.hub.wait()
        raise self._end

    async def news(self, item: str, since: int) -> None:
        """Returns when something has come after a seq to an item that is followed. Ends as ``follow`` does."""
        while self._end is None:
            if self.documents.news[item] > since:
                return
            await self.hub.wait()
        raise self._end

    async def _stored(self, since: int, items: Sequence[str], view: bytes) -> Frame:
        part = await self.run(self._slice, since, items, 1_000)
        cursor = self._cursor(part, view)
        page = encode_page(part.encoded, cursor, more=part.more)
        return Frame.of(page, cursor, part.seq, is_empty=not part.length)

    def _slice(self, since: int, items: Sequence[str], limit: int) -> Slice:
        return self.store.slice(since, items=items, limit=limit)

    def _cursor(self, part: Slice, view: bytes) -> str:
        return self._codec.encode(Cursor(self.hub.head.epoch, part.seq, part.tail, view))

    async def _resume(self, text: str | None, view: bytes) -> int:
        if not text:
            return 0
        cursor = self._codec.decode(text)
        head = self.store.head()
        if cursor == (head.epoch, head.seq, head.tail, view):
            return head.seq
        return await self.run(resume, cursor, head, view, self.store.tail)

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """What a function returns that is called in a reader thread."""
        return await asyncio.get_running_loop().run_in_executor(self._crew.readers, function, *args)

    def stop_following(self, end: SynclineError) -> None:
        """Ends all followers for this reason; pushes go on, unless it is that the space was deleted."""
        self._end = end
        self.hub.wake()

    def check_exists(self) -> None:
        """Raises SpaceDeleted if it was deleted."""
        if isinstance(self._end, SpaceDeleted):
            raise self._end

    def close(self) -> None:
        """Finishes what was begun and closes the store. Call it from a thread."""
        self._authority.close()
        self.documents.close()
        self.store.close()


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
