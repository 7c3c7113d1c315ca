"""One session's part in presence: what it says of itself, at a bounded pace, and what it is told of others.

A session may say more than is taken: of each presence the last state waits, a few are taken at a time, and only those
are looked into. Being told has a pace of its own, so that a message tells what has become of many.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from syncline.core.access.state import READ
from syncline.core.limits import MAX_SESSION_PRESENCES, PRESENCES_PER_SECOND
from syncline.core.messages import ErrorMessage, encode
from syncline.core.requests import state_of
from syncline.core.server_session import Announce
from syncline.errors import SynclineError, TooManyPresences, Unauthorized
from syncline.server.presence import AGAIN_SECONDS, Listener, Sight
from syncline.server.standing import Standing

PACE_SECONDS = 1 / PRESENCES_PER_SECOND
TAKEN_AT_A_TIME = 5
"""Presences of one session that are looked into at each step of its pace."""

SendText = Callable[[bytes], Awaitable[None]]


class Attendance:
    """Who a session says is there; an ``Owner`` in its space's table. Belongs to the event loop."""

    def __init__(
        self,
        standing: Standing,
        node: str,
        send: SendText,
        on_unauthorized: Callable[[Unauthorized], Awaitable[None]],
        away_seconds: float,
    ) -> None:
        """``send`` sends one message; ``on_unauthorized`` ends the session."""
        self.user, self.node, self.is_away = standing.user, node, False
        self._standing, self._send, self._on_unauthorized = standing, send, on_unauthorized
        self._table = standing.space.presences
        self._away_seconds = away_seconds
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._waiting: dict[str, Announce] = {}
        self._taken = set[str]()  # keys, in this step
        self._errors: dict[str, ErrorMessage] = {}  # by key: of each presence the last
        self._news = asyncio.Event()
        self._listener: Listener | None = None
        self._teller: asyncio.Task[None] | None = None
        self._pace: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None

    def sight(self) -> Sight:
        """See ``Owner.sight``."""
        return Sight(self._standing.view(), self._standing.rights.scope.allows_action(READ))

    # Saying

    def announce(self, deed: Announce) -> None:
        """Takes a presence, now or in a moment; the first one begins to listen. Raises what refuses it."""
        self._standing.check()
        key = deed.presence.key
        if key not in self._waiting and len(self._waiting) >= MAX_SESSION_PRESENCES:
            words = f"A session has at most {MAX_SESSION_PRESENCES} presences."
            raise TooManyPresences(words, limit=MAX_SESSION_PRESENCES, retry_after=AGAIN_SECONDS)
        if self._listener is None:
            self._listen(deed.ref)
        self._waiting[key] = deed
        self._take()

    def _take(self) -> None:
        """Takes what waits, the longest first, as far as this step allows."""
        if len(self._taken) < TAKEN_AT_A_TIME:
            for key in [key for key in self._waiting if key not in self._taken][: TAKEN_AT_A_TIME - len(self._taken)]:
                self._taken.add(key)
                self._put(key, self._waiting.pop(key))
        if self._pace is None:
            self._pace = self._loop.call_later(PACE_SECONDS, self._step)

    def _step(self) -> None:
        self._pace = None
        self._taken.clear()
        if self._waiting:
            self._take()

    def _put(self, key: str, deed: Announce) -> None:
        try:
            self._table.put(self, key, deed.presence.item, state_of(deed.text))
        except SynclineError as error:
            self._errors[key] = ErrorMessage.of(error, deed.ref)
            self._news.set()

    # Being heard

    def heard(self) -> None:
        """Something has come from the session."""
        self._heard = self._loop.time()
        if self.is_away:
            self._set_away(is_away=False)

    def _set_away(self, *, is_away: bool) -> None:
        self.is_away = is_away
        self._table.note(self)
        self._watch = None if is_away else self._loop.call_later(self._away_seconds, self._look)

    def _look(self) -> None:
        """Looks whether the session has been silent for too long."""
        left = self._heard + self._away_seconds - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look)
        else:
            self._set_away(is_away=True)

    # Being told

    def _listen(self, ref: int) -> None:
        self._listener = self._table.listen(self, self._news)
        self._news.set()
        self._teller = asyncio.create_task(self._tell(self._listener, ref))
        if self._watch is None:
            self._watch = self._loop.call_later(self._away_seconds, self._look)

    async def _tell(self, listener: Listener, ref: int) -> None:
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                await self._tell_errors()
                while (message := self._next(listener)) is not None:
                    await self._send(message)
                    await asyncio.sleep(PACE_SECONDS)
        except Unauthorized as error:
            await self._on_unauthorized(error)
        except SynclineError as error:
            self._hang_up()  # the next presence begins to listen again
            with suppress(OSError):
                await self._send(encode(ErrorMessage.of(error, ref)))
        except OSError:
            return  # the client has gone; the reader will notice

    def _next(self, listener: Listener) -> bytes | None:
        self._standing.check()
        return listener.next()

    def _hang_up(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _tell_errors(self) -> None:
        errors, self._errors = self._errors, {}
        for error in errors.values():
            await self._send(encode(error))

    async def leave(self) -> None:
        """The session is over, and so is all that it said."""
        for timer in (self._pace, self._watch):
            if timer is not None:
                timer.cancel()
        self._waiting.clear()
        self._hang_up()
        self._table.leave(self)
        if self._teller is not None:
            self._teller.cancel()
            await asyncio.gather(self._teller, return_exceptions=True)
