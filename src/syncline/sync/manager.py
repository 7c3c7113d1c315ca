"""The SyncManager: brings a replica and a server to agreement, once, every so often, or live."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from syncline.core.effects import retry_seconds
from syncline.core.session import ClientSession
from syncline.errors import ConnectionLost, InternalError, SynclineError
from syncline.replica import Replica
from syncline.stores import EventStore, ReplicaStore
from syncline.stores.versioned import VersionedStore
from syncline.sync.conversation import Conversation
from syncline.sync.credentials import Credentials, Token, is_about_credentials
from syncline.sync.options import LONGEST_SECONDS, SyncOptions, SyncResult, pause_seconds
from syncline.sync.presence import Presence
from syncline.transports import PresenceTransport, Transport

log = logging.getLogger("syncline.sync")

HELD_SECONDS = 2.0
"""How long a live session holds back the items whose events had a retryable answer."""


class SyncManager:
    """Syncs a replica, or a store, over a transport. Its methods belong to one event loop.

    A log (an ``EventStore``, also a versioned one) gets what the server's has, and is pushed there: events of others
    than the credentials' user only with the right ``.give``. What was pushed is known as long as the manager lives; a
    new one offers the log again, which changes nothing. While live, ``sync`` says that the log has grown.
    """

    def __init__(
        self,
        replica: Replica | ReplicaStore | EventStore | VersionedStore,
        transport: Transport,
        options: SyncOptions | None = None,
        *,
        space: str = "default",
        token: Token = None,
        chance: Callable[[], float] = random.random,
        presence: Presence | None = None,
    ) -> None:
        self.presence = presence or Presence()
        """Who is here, and what they point at."""
        self.replica = _replica_of(replica)
        self._transport, self._options, self._space = transport, options or SyncOptions(), space
        self._credentials = Credentials(token)
        self._chance = chance
        self._callbacks: list[Callable[[SyncResult], Any]] = []
        self._automatic: asyncio.Task[None] | None = None
        self._busy = asyncio.Lock()
        self._wake = asyncio.Event()
        self._rounds: list[asyncio.Future[SyncResult]] = []
        self._is_live = self._heals = False
        self._releasing: asyncio.TimerHandle | None = None
        self._giving: asyncio.TimerHandle | None = None
        if not isinstance(transport, PresenceTransport):
            self.presence.refuse("Presence needs a WebSocket: this transport has no session on which it could be said.")
        elif self._options.sync_interval is not None:
            self.presence.refuse("Presence needs a session that stays live: leave out sync_interval.")

    # Once

    async def sync(self) -> SyncResult:
        """Pushes what is pending and pulls what is new. Errors are in the result, not raised."""
        if self._is_live:
            return await self._next_round()
        return await self._once(push=not self._options.pull_only, pull=not self._options.push_only)

    async def push(self) -> SyncResult:
        """Pushes what is pending."""
        return await (self._next_round() if self._is_live else self._once(push=True, pull=False))

    async def pull(self) -> SyncResult:
        """Pulls what is new."""
        return await (self._next_round() if self._is_live else self._once(push=False, pull=True))

    async def heal(self) -> SyncResult:
        """Syncs, and compares all that the replica holds with the server: what either lacks, it gets.

        It finds what no cursor tells of: a file that was damaged, a log that lost something in its midst. Where both
        hold an event and differ, the server's stands. A peer is compared with at each sync in any case.
        """
        self._heals = True
        try:
            return await self.sync()
        finally:
            self._heals = False

    async def _once(self, *, push: bool, pull: bool) -> SyncResult:
        began = time.monotonic()
        async with self._busy:
            for attempt in range(self._options.attempts):
                conversation, error = await self._converse(push=push, pull=pull)
                if error is None or not error.retryable or attempt == self._options.attempts - 1:
                    break
                if retry_seconds(error) > self._options.max_backoff_seconds:
                    break  # whoever called does not wait for that
                await asyncio.sleep(pause_seconds(attempt, self._options, self._chance(), error))
            await self._hang_up()
        self._show(error)
        return self._report(conversation, began, error)

    async def _converse(
        self, *, push: bool, pull: bool, gives_all: bool = True
    ) -> tuple[Conversation, SynclineError | None]:
        """One conversation, up to where there is nothing more to say, or another one with a fresh token."""
        while True:
            conversation = self._begin(push=push, pull=pull, gives_all=gives_all)
            error = await _outcome(self._run(conversation))
            await conversation.end()
            if not self._credentials.may_help(error):
                return conversation, error

    async def _run(self, conversation: Conversation) -> None:
        conversation.session.token = await self._credentials.ask()
        await self._run_on(conversation)

    async def _run_on(self, conversation: Conversation) -> None:
        await conversation.run()
        if self._heals:
            await conversation.heal()

    def _begin(self, *, push: bool, pull: bool, gives_all: bool) -> Conversation:
        self.replica.set_connection("connecting")
        session = ClientSession(
            space=self._space,
            items=tuple(self._options.items),
            push=push,
            pull=pull,
            batch_size=self._options.batch_size,
            gives_all=gives_all,
            history=self._options.history,
        )
        return Conversation(self.replica, self._transport, self._options, session)

    async def _hang_up(self) -> None:
        self.replica.keep_acks()
        await self._transport.close()

    def _show(self, error: SynclineError | None) -> None:
        self.replica.set_connection("needs_auth" if is_about_credentials(error) else "offline", error)

    def _report(self, conversation: Conversation, began: float, error: SynclineError | None = None) -> SyncResult:
        """Closes the books of what a conversation did since the last report."""
        result, conversation.result = conversation.result, SyncResult()
        result.errors += [error] if error is not None else []
        result.failure = error
        result.duration = time.monotonic() - began
        for callback in tuple(self._callbacks):
            callback(result)
        return result

    # Credentials

    async def sign_in(self, token: Token) -> None:
        """New credentials, after ``status`` said ``needs_auth`` or before. What was started goes on with them at once.

        A replica is one user's. If the server says that these are another's, nothing is pushed or pulled: all that is
        there and all that is pending stays as it was, and ``status`` says ``needs_auth``, with the error
        ``user_mismatch``, until its own user signs in. For another user open another file.
        """
        self._credentials = Credentials(token)
        if self._automatic is not None:
            await self.stop_auto_sync()
            await self.start_auto_sync()
        elif self.replica.status.state == "needs_auth":
            self._show(None)

    # Automatically

    def subscribe(self, callback: Callable[[SyncResult], Any]) -> Callable[[], None]:
        """Calls back with the result of every sync, and of every exchange while live; returns the way to stop."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    async def start_auto_sync(self) -> None:
        """Syncs from now on, in the background: live, or every ``sync_interval`` seconds."""
        if self.replica.status.state == "needs_auth":
            await self.stop_auto_sync()  # it may wait for somebody to sign in
        if self._automatic is None or self._automatic.done():
            self._automatic = asyncio.create_task(self._stay_in_sync())

    async def stop_auto_sync(self) -> None:
        """Stops syncing; what was begun is finished by the next sync."""
        if self._automatic is not None:
            automatic, self._automatic = self._automatic, None
            automatic.cancel()
            with suppress(asyncio.CancelledError):
                await automatic
            self._show(None)
            stopped = ConnectionLost("Syncing was stopped meanwhile; sync again.")
            self._answer_rounds(SyncResult(errors=[stopped], failure=stopped))

    async def _stay_in_sync(self) -> None:
        """Goes on until stopped, or until only a person can help: new credentials, another log, another user.

        That somebody runs ``syncline login`` is noticed, where the credentials are its.
        """
        attempt = 0
        while True:
            if self._options.sync_interval is not None:
                error, pause = (await self.sync()).failure, self._options.sync_interval
            else:
                error, was_live = await self._live()
                if was_live and self._credentials.may_help(error):
                    error = None  # the token expired meanwhile
                attempt = 0 if was_live else attempt + 1
                pause = pause_seconds(attempt, self._options, self._chance(), error)
                self._show(error)
            if is_about_credentials(error) and await self._credentials.renewed():
                continue
            if error is not None and not error.retryable:
                return
            await asyncio.sleep(pause)

    async def _live(self) -> tuple[SynclineError | None, bool]:
        """One connection, for as long as it lasts: why it ended (None: to begin anew), and whether it ever was live."""
        began = time.monotonic()
        was_live = False
        async with self._busy:
            self._is_live = True  # from the first word on: whoever wants to sync meanwhile waits for the next exchange
            try:
                conversation, error = await self._converse(push=not self._options.pull_only, pull=True, gives_all=False)
                if error is None:
                    was_live = True
                    self._report(conversation, began)
                    error = await self._stay_live(conversation)
            finally:
                self._is_live = False
                await self._hang_up()
        result = self._report(conversation, began, error)
        self._answer_rounds(result)
        return error, was_live

    async def _stay_live(self, conversation: Conversation) -> SynclineError | None:
        conversation.session.live = True
        self.replica.set_connection("live")
        try:
            return await _outcome(self._exchange(conversation))
        finally:
            conversation.session.live = False

    async def _exchange(self, conversation: Conversation) -> None:
        """Applies pages as they come and pushes events as they are recorded."""
        loop = asyncio.get_running_loop()
        unwatch = self.replica.watch_events(lambda _: loop.call_soon_threadsafe(self._wake.set))
        follower = asyncio.create_task(conversation.follow(self._wake.set))
        renewal = asyncio.create_task(conversation.renewal.keep_valid(self._credentials, self._wake.set))
        attendance = asyncio.create_task(_outcome(self._attend(conversation.session)))
        try:
            while not follower.done():
                self._wake.clear()
                await self._round(conversation)
                await _first(follower, self._wake.wait())
            follower.result()
        finally:
            unwatch()
            for timer in filter(None, (self._releasing, self._giving)):
                timer.cancel()
            self._releasing = self._giving = None
            for task in (follower, renewal, attendance):
                task.cancel()
            await asyncio.gather(follower, renewal, attendance, return_exceptions=True)

    async def _round(self, conversation: Conversation) -> None:
        """One exchange, and what it leaves for later."""
        began, session = time.monotonic(), conversation.session
        if self._rounds:  # somebody asked to sync now
            session.release()
            session.giving.gives_all = True
        await self._run_on(conversation)
        self._try_later(session)
        result = conversation.result
        if self._rounds or result.pushed or result.pulled or result.errors:
            self._answer_rounds(self._report(conversation, began))

    def _try_later(self, session: ClientSession) -> None:
        """What is held back is tried again after a while, and what others may give back is given, if nobody has."""
        loop = asyncio.get_running_loop()
        if session.holds_back and self._releasing is None:
            pause = max(HELD_SECONDS, min(session.postponed.seconds, LONGEST_SECONDS))
            self._releasing = loop.call_later(pause, self._release, session)
        if session.giving.withholds and self._giving is None:
            pause = self._chance() * self._options.give_seconds
            self._giving = loop.call_later(pause, self._give_all, session)

    async def _attend(self, session: ClientSession) -> None:
        if isinstance(self._transport, PresenceTransport):
            await self.presence.attend(self._transport, session, self.replica.user or "", self.replica.node)

    def _give_all(self, session: ClientSession) -> None:
        """What others have not given back meanwhile, this replica does."""
        self._giving, session.giving.gives_all = None, True
        self._wake.set()

    def _release(self, session: ClientSession) -> None:
        self._releasing = None
        session.release()
        self._wake.set()

    async def _next_round(self) -> SyncResult:
        """While live: the result of the next exchange."""
        future: asyncio.Future[SyncResult] = asyncio.get_running_loop().create_future()
        self._rounds.append(future)
        self._wake.set()
        return await future

    def _answer_rounds(self, result: SyncResult) -> None:
        rounds, self._rounds = self._rounds, []
        for future in rounds:
            if not future.done():
                future.set_result(result)

    async def close(self) -> None:
        """Stops syncing and closes the transport; the replica stays open."""
        await self.stop_auto_sync()
        await self._transport.close()


def _replica_of(given: Replica | ReplicaStore | EventStore | VersionedStore) -> Replica:
    if isinstance(given, Replica):
        return given
    log = given.log if isinstance(given, VersionedStore) else given
    if hasattr(log, "outbox"):
        return Replica(cast(ReplicaStore, log))
    from syncline.sync.relay import Relay  # which brings SQLite along; a replica in a page has none

    return Relay.of(log)


async def _outcome(steps: Any) -> SynclineError | None:
    """The error that ended some steps, if one did; a bug (in a watcher, say) must not end syncing in silence."""
    try:
        await steps
    except SynclineError as error:
        return error
    except Exception as error:
        log.exception("syncing failed")
        return InternalError(f"Syncing failed on this side: {error!r}")
    return None


async def _first(task: asyncio.Task[None], other: Any) -> None:
    """Returns when one of both is done; the task goes on."""
    waiting = asyncio.ensure_future(other)
    try:
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
