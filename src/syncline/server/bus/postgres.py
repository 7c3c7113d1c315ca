"""A bus in the database that has the logs: LISTEN on one connection, NOTIFY on another, outside of any commit.

A NOTIFY makes commits that notify wait for each other, so it is sent apart from them, many in one transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any

from syncline.errors import SynclineError
from syncline.stores.postgres.database import connected

__all__ = ["PostgresBus"]

log = logging.getLogger("syncline.bus")

LISTEN = "LISTEN syncline"
NOTIFY = "SELECT pg_notify('syncline', message) FROM unnest(%s::text[]) AS message"
WITHOUT_WAITING = "SET synchronous_commit TO off"
STEP_SECONDS = 0.2
"""How long one listens before one looks whether it is over."""
AGAIN_SECONDS, MOST_SECONDS = 0.1, 2.0
"""After a break it is tried again after the first, then after twice as long, up to the second."""
WAITING_MESSAGES = 1_000
AT_A_TIME = 100


class PostgresBus:
    """See ``Bus``."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: Queue[bytes] = Queue(WAITING_MESSAGES)
        self._is_over = Event()
        self._is_listening = False
        self._threads = [
            Thread(target=self._keep, args=(each,), name=f"syncline-bus-{each.__name__}", daemon=True)
            for each in (self._listen, self._notify)
        ]

    @property
    def state(self) -> str:
        """See ``Bus.state``."""
        return "connected" if self._is_listening else "connecting"

    def start(self, hear: Callable[[bytes], None], on_gap: Callable[[], None]) -> None:
        """See ``Bus.start``."""
        self._hear, self._on_gap = hear, on_gap
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()

    def send(self, message: bytes) -> None:
        """See ``Bus.send``."""
        try:
            self._waiting.put_nowait(message)
        except Full:
            return  # the database is away, or much slower than those who write: the heads will be looked at

    async def stop(self) -> None:
        """See ``Bus.stop``."""
        self._is_over.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    # In the threads

    def _keep(self, work: Callable[[Any], None]) -> None:
        """Works until it is over, on one connection after the other."""
        pause = AGAIN_SECONDS
        while not self._is_over.is_set():
            try:
                with connected(self._url) as connection:
                    pause = AGAIN_SECONDS
                    work(connection)
            except SynclineError as error:
                log.log(logging.WARNING if pause == AGAIN_SECONDS else logging.DEBUG, "the bus: %s", error.message)
            self._is_over.wait(pause)
            pause = min(2 * pause, MOST_SECONDS)

    def _listen(self, connection: Any) -> None:
        connection.execute(LISTEN)
        self._is_listening = True
        self._loop.call_soon_threadsafe(self._on_gap)
        try:
            while not self._is_over.is_set():
                for notified in connection.notifies(timeout=STEP_SECONDS):
                    self._loop.call_soon_threadsafe(self._hear, notified.payload.encode())
        finally:
            self._is_listening = False

    def _notify(self, connection: Any) -> None:
        connection.execute(WITHOUT_WAITING)
        while not (self._is_over.is_set() and self._waiting.empty()):
            if messages := self._next():
                connection.execute(NOTIFY, ([message.decode() for message in messages],))

    def _next(self) -> list[bytes]:
        """What waits to be sent, as soon as something does."""
        found: list[bytes] = []
        with suppress(Empty):
            found.append(self._waiting.get(timeout=STEP_SECONDS))
            while len(found) < AT_A_TIME:
                found.append(self._waiting.get_nowait())
        return found
