"""Resolvers inside the server: a replica of each open space asks them about events that were made apart.

What is in the log stays there, so an answer is always another event, which has seen what it decides about. It is
written by a user of the server's own; what that user's events have seen is decided, also after a restart. Of several
servers that share a log each asks, and the first answer is stored: one to what has changed meanwhile is withdrawn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from inspect import isawaitable, iscoroutinefunction
from typing import Any, TypeVar

from msgspec.structs import replace

from syncline.core import patterns
from syncline.core.admission import Outcome, Submission
from syncline.core.answers import expect
from syncline.core.beginning import Beginning, Take
from syncline.core.documents.settings import POLICIES_ITEM
from syncline.core.effects import Apply, Settle
from syncline.core.events import Event
from syncline.core.messages import Live, Page, Snapshot
from syncline.errors import (
    BadRequest,
    BadSettings,
    DocumentChanged,
    ShuttingDown,
    SnapshotGone,
    SpaceDeleted,
    SynclineError,
)
from syncline.replica import Draft
from syncline.replica.documents import DocumentReplica, LiveDocument
from syncline.server.apart import Apart
from syncline.server.auth.identity import Identity
from syncline.server.author import Author
from syncline.server.frames import Frame
from syncline.server.healing.snapshots import snapshot
from syncline.server.member import Member
from syncline.server.space import Space
from syncline.stores import Change
from syncline.stores.memory import MemoryReplicaStore
from syncline.sync.resolvers import Answer, ConflictResolver
from syncline.sync.rulings import ask_about

T = TypeVar("T")

log = logging.getLogger("syncline.resolving")

Resolver = ConflictResolver | Callable[[LiveDocument], Any]
"""Who decides: a ``ConflictResolver`` about events, or a function that writes over the conflicts of a document."""

USER = ".resolver"
ACTION = "resolve"
THREADS = 4


def check(resolvers: Mapping[str, Resolver]) -> None:
    """Raises BadSettings for what is no pattern of items or no resolver."""
    try:
        patterns.check(list(resolvers))
    except BadRequest as error:
        raise BadSettings(f"resolvers: {error.message}") from None
    for pattern, resolver in resolvers.items():
        is_function = callable(resolver) and not iscoroutinefunction(resolver)
        if isinstance(resolver, type) or not (hasattr(resolver, "resolve") or is_function):
            raise BadSettings(f"resolvers: {pattern} needs a ConflictResolver or a plain function of a document.")


class Resolving:
    """The resolvers of a server by item pattern, of which the first that matches decides. Belongs to the event loop."""

    def __init__(
        self, resolvers: Mapping[str, Resolver], now_ms: Callable[[], int], instance: str | None = None
    ) -> None:
        """``instance``: what tells this server from others that share its logs."""
        self._resolvers, self._now_ms, self._instance = resolvers, now_ms, instance
        self._threads = ThreadPoolExecutor(THREADS, "syncline-resolver")  # no thread before it is needed
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def join(self, space: Space) -> None:
        """From now on this space is followed, until ``leave``."""
        if self._resolvers:
            self._tasks[space.name] = asyncio.create_task(self._stay(space))

    async def leave(self, space: Space) -> None:
        """Ends that. What is not decided yet is asked about when the space is open again."""
        task = self._tasks.pop(space.name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _stay(self, space: Space) -> None:
        while True:
            try:
                await _Follower(space, self._resolvers, self._threads, self._now_ms, self._instance).follow()
            except (ShuttingDown, SpaceDeleted):
                return
            except Exception:  # a full disk, say: the log is read again when something has come
                log.exception("resolving conflicts in the space %s failed", space.name)
            await space.hub.wait()

    def close(self) -> None:
        """Asks nobody any more. Call it when every space was left."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Follower:
    """The replica of one space. It works in threads, one step after the other, so that it holds up nobody."""

    def __init__(
        self,
        space: Space,
        resolvers: Mapping[str, Resolver],
        threads: ThreadPoolExecutor,
        now_ms: Callable[[], int],
        instance: str | None,
    ) -> None:
        self._instance = instance
        self._space, self._resolvers, self._threads, self._now_ms = space, resolvers, threads, now_ms
        self._member = Member(space, Identity(USER, None))
        self._matchers = [(patterns.matcher([pattern]), resolver) for pattern, resolver in resolvers.items()]

    async def follow(self) -> None:
        """Reads the log and decides whenever its end is reached. Ends as ``Member.follow`` does."""
        await self._run(self._open)
        items = (*self._resolvers, POLICIES_ITEM)
        live = Live(cursor=await self._begin(items), items=items)
        async with aclosing(self._member.follow(live)) as frames:
            async for frame in frames:
                if await self._run(self._take, frame):
                    await self._decide()

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    def _open(self) -> None:
        """A replica that has nothing yet, but goes on counting where its node stopped."""
        node = Author(self._space.store, self._now_ms).node(USER, self._instance)
        known = self._space.store.node(node)
        store = MemoryReplicaStore(node)
        state = replace(store.state(), user=USER)
        store.commit(Change(state=replace(state, n=known.n, stamp=known.own) if known else state))
        self._replica = DocumentReplica(store, now_ms=self._now_ms)
        self._apart = Apart(USER)
        self._seq = 0

    async def _begin(self, items: tuple[str, ...]) -> str | None:
        """Begins from a snapshot if the log does not keep its beginning; the cursor to go on from."""
        if not (await self._space.run(self._space.store.points)).horizon:
            return None
        beginning, is_last, cursor = Beginning(patterns.check(items)), False, ""
        while not is_last:
            try:
                part = expect(await snapshot(self._member, beginning.question()), Snapshot)
            except SnapshotGone as error:
                beginning.begin_again(error)
                continue
            take = beginning.receive(part)
            await self._run(self._take_part, take)
            is_last, cursor = take.is_last, take.cursor
        return cursor

    def _take_part(self, take: Take) -> None:
        self._replica.perform(take)
        for base in take.part.bases:
            self._apart.begin(base.item, base.clock)

    def _take(self, frame: Frame) -> bool:
        """Takes a page; whether it is the last one for now."""
        page = expect(frame.text.encode(), Page)
        self._replica.perform(Apply(page, ()))
        for entry in page.entries:
            self._seq = entry.seq
            if self._resolver(entry.event.item) is not None:
                self._apart.note(entry.event)
        return not page.more

    def _resolver(self, item: str) -> Resolver | None:
        """Who decides about an item; about those of the system nobody does."""
        matching = (resolver for matches, resolver in self._matchers if matches(item))
        return None if item.startswith(".") else next(matching, None)

    # Deciding

    async def _decide(self) -> None:
        """Has decided what came apart. Meanwhile the space is in use, and is not closed to make room."""
        self._space.users += 1
        try:
            for item in self._apart.news():
                if await self._ask(item) and not await self._push(item):
                    self._apart.leave(item)
        finally:
            self._space.users -= 1

    async def _ask(self, item: str) -> bool:
        """Asks about an item and records the answer; False if there is none, so that it is asked about again."""
        resolver: Any = self._resolver(item)
        try:
            if hasattr(resolver, "resolve"):
                return await self._ask_about_events(item, resolver)
            await self._run(self._write_over, item, resolver)
        except Exception:
            log.exception("the conflict resolver failed on %s in the space %s", item, self._space.name)
            return False
        return True

    def _write_over(self, item: str, resolver: Callable[[LiveDocument], Any]) -> None:
        document = self._replica.document(item)
        if document.conflicts().values:
            with document.edit(ACTION):
                resolver(document)

    async def _ask_about_events(self, item: str, resolver: ConflictResolver) -> bool:
        conflict = await self._run(lambda: self._apart.conflict(item, self._replica.events(items=[item])))
        if conflict is None:
            return True
        ruling = await ask_about(conflict, resolver, self._replica.check, self._ask_in_thread)
        if drafts := ruling.verdict.drafts:
            await self._run(self._record, drafts)
        return ruling.error is None

    async def _ask_in_thread(
        self, resolver: ConflictResolver, local: Sequence[Event], remote: Sequence[Event]
    ) -> Answer:
        """The answer of a plain resolver from a thread, that of an asynchronous one from the server's event loop."""
        answer = await self._run(resolver.resolve, local, remote)
        return await self._run(list, await answer if isawaitable(answer) else answer)

    def _record(self, drafts: Sequence[Draft]) -> None:
        """Several drafts are stored together: an answer is in the log as a whole or not at all."""
        self._replica.record_many(drafts, together=len(drafts) > 1)

    async def _push(self, item: str) -> bool:
        """Writes into the log what was recorded about an item; whether there was anything."""
        events = self._replica.pending()
        if not events:
            return False
        self._member.check()
        expects = {item: self._seq} if self._space.store.is_shared else {}  # alone, it decides about the rest next
        outcomes, _ = await self._space.submit(Submission(events, USER, expects, rights=self._member.rights))
        await self._run(self._settle, list(zip(events, outcomes, strict=True)))
        if any(isinstance(outcome, DocumentChanged) for outcome in outcomes):
            self._apart.look_again(item)
        return True

    def _settle(self, answers: list[tuple[Event, Outcome]]) -> None:
        self._replica.perform(Settle(answers))
        for event, answer in answers:
            if isinstance(answer, DocumentChanged):
                self._replica.drop(event.id)
            elif isinstance(answer, SynclineError):
                log.error("the answer of a conflict resolver about %s was refused: %s", event.item, answer.message)
