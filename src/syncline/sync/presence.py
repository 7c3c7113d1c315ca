"""Who is here, for programs: what a replica says of itself while it is live, and whom it is told of.

The network's half (``attend``) belongs to the event loop of the session, the rest to any thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing, suppress
from threading import Lock
from typing import Any

from syncline.core import patterns
from syncline.core.effects import WAIT_SECONDS, Meet, retry_seconds
from syncline.core.limits import PRESENCES_PER_SECOND
from syncline.core.messages import Peers
from syncline.core.presence import Announcements, Peer, Roster
from syncline.core.session import ClientSession
from syncline.errors import BadSettings, SynclineError
from syncline.transports import PresenceTransport

log = logging.getLogger("syncline.sync")

PACE_SECONDS = 1 / PRESENCES_PER_SECOND

Callback = Callable[[list[Peer]], Any]


class Presence:
    """Who is in the space just now, and what they point at. Nothing of it is stored.

    It is said and told while the replica is live (``start``, ``start_auto_sync``), from the first use on: what was set
    before is said then, and again after each reconnection. Offline nobody is here.
    """

    def __init__(self, refusal: str | None = None) -> None:
        """``refusal``: why nothing can be said; see ``refuse``."""
        self.error: SynclineError | None = None
        """Why the server has not taken what was said last; what may pass is said again."""
        self._refusal = refusal
        self._lock = Lock()
        self._mine, self._roster = Announcements(), Roster()
        self._watchers: list[_Watcher] = []
        self._is_used = False
        self._wake: Callable[[], object] | None = None

    def refuse(self, refusal: str) -> None:
        """From now on ``set`` raises BadSettings with these words: nothing here could carry it."""
        self._refusal = refusal

    # Of oneself

    def set(self, state: Any, item: str | None = None, *, key: str = "") -> None:
        """Shows this state (any JSON of at most 4,096 bytes) to who may read an item; without one to the whole space.

        ``key`` tells several presences of one replica apart, at most 100. At most 20 times a second something is sent,
        the last state alone. Raises BadSettings without a live WebSocket to come, and BadRequest, NumberOutOfRange,
        TooDeep, TooLarge or TooManyPresences for what no server would take.
        """
        if self._refusal is not None:
            raise BadSettings(self._refusal)
        with self._lock:
            self._mine.set(key, item, state)
        self._use()

    def clear(self, *, key: str = "") -> None:
        """Shows nothing any more."""
        with self._lock:
            self._mine.set(key, None, None)
        self._use()

    def _listen(self) -> None:
        if not self._is_used:
            self._use()

    def _use(self) -> None:
        """From the first use on the session takes part; wakes the one that is live, if one is."""
        with self._lock:
            self._is_used, wake = True, self._wake
        if wake is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                wake()

    # Of others

    def peers(self, item: str | None = None) -> list[Peer]:
        """The others who are here: all, or those at an item, or at items of a pattern such as ``note.*``."""
        self._listen()
        with self._lock:
            return _at(self._roster.peers(), item)

    def watch(self, callback: Callback, item: str | None = None) -> Callable[[], None]:
        """Calls back with what ``peers`` returns, at once and whenever it has changed; returns the way to stop.

        Later calls come in the thread that syncs, which waits meanwhile.
        """
        watcher = _Watcher(callback, item)
        with self._lock:
            self._watchers.append(watcher)
        self._listen()
        self._tell(watcher)
        return lambda: self._unwatch(watcher)

    def _unwatch(self, watcher: _Watcher) -> None:
        with self._lock:
            self._watchers = [each for each in self._watchers if each is not watcher]

    def _tell(self, *watchers: _Watcher) -> None:
        for watcher in watchers or tuple(self._watchers):
            with self._lock:
                peers = _at(self._roster.peers(), watcher.item)
                is_news, watcher.last = peers != watcher.last, peers
            if is_news:
                try:
                    watcher.callback(peers)
                except Exception:  # a mistake in it must not end syncing
                    log.exception("a watcher of presence failed")

    # On a live session

    async def attend(self, transport: PresenceTransport, session: ClientSession, user: str, node: str) -> None:
        """Says and hears, until it is cancelled or the connection ends."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            self._roster.begin(user, node)
            self._mine.begin()
            self._wake = lambda: loop.call_soon_threadsafe(news.set)
            self.error = None
        if self._is_used:
            news.set()
        tasks = [
            asyncio.create_task(self._say(transport, news)),
            asyncio.create_task(self._hear(transport, session, news)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with self._lock:
                self._wake = None
                self._roster.begin(user, node)
            self._tell()

    async def _say(self, transport: PresenceTransport, news: asyncio.Event) -> None:
        while True:
            await news.wait()
            news.clear()
            with self._lock:
                said = self._mine.take()
            for presence in said:
                await transport.tell(presence)
            await asyncio.sleep(PACE_SECONDS)

    async def _hear(self, transport: PresenceTransport, session: ClientSession, news: asyncio.Event) -> None:
        async with aclosing(transport.peers()) as everything:
            async for told in everything:
                if isinstance(told, Peers):
                    self._meet(session, told)
                else:
                    self._note(told, news)

    def _note(self, error: SynclineError, news: asyncio.Event) -> None:
        """The server has not taken something; after a while all is said again, if that may help."""
        log.warning("the server has not taken a presence: %s (%s)", error.message, error.code)
        if error.retryable and (self.error is None or not self.error.retryable):
            seconds = retry_seconds(error) or WAIT_SECONDS
            asyncio.get_running_loop().call_later(seconds, self._say_again, news)
        self.error = error

    def _say_again(self, news: asyncio.Event) -> None:
        with self._lock:
            self._mine.begin()
            self.error = None
        news.set()

    def _meet(self, session: ClientSession, told: Peers) -> None:
        for effect in session.receive(told):
            if isinstance(effect, Meet):
                with self._lock:
                    self._roster.take(effect.peers)
        self._tell()


class _Watcher:
    """Who is called back, about what; ``last``: what they were told."""

    def __init__(self, callback: Callback, item: str | None) -> None:
        self.callback, self.item = callback, item
        self.last: list[Peer] | None = None
        patterns.check([] if item is None else [item])


def _at(peers: list[Peer], item: str | None) -> list[Peer]:
    if item is None:
        return peers
    fits = patterns.matcher(patterns.check([item]))
    return [peer for peer in peers if peer.item is not None and fits(peer.item)]
