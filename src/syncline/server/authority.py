"""The authority over one space's log: concurrent pushes share a commit, and each is answered after it.

Submissions wait in a list; a thread of the pool takes all that wait, hands them to the store as one transaction, and
looks again. If a group fails as a whole (a poisoned submission, a full disk), it is retried one by one, so that only
the guilty ones get the error.

Other servers may append to the same log. What they did is read from the store, before what this one did next is
announced; so every seq is announced once, in order. Who wants to know what there is now waits in the same list.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from threading import Condition
from threading import Event as Flag
from typing import NamedTuple

from syncline.core.access.state import Access
from syncline.core.admission import Outcome, Submission
from syncline.core.log import Head, Row
from syncline.core.quotas import UNLIMITED, Quotas
from syncline.errors import InternalError, Overloaded, ShuttingDown, SynclineError, Unavailable
from syncline.server import elsewhere
from syncline.server.elsewhere import Piece
from syncline.stores import Appended, LogStore

log = logging.getLogger("syncline.authority")

GROUP_EVENTS = 10_000
"""A group takes no further submission once it holds this many events."""

TOLD_SECONDS = 10.0
"""For so long one page waits until the one before was announced."""


class Committed(NamedTuple):
    """The outcomes of one submission, and the head after its commit."""

    outcomes: list[Outcome]
    head: Head


class _Waiting(NamedTuple):
    submission: Submission | None
    """None: somebody who asks what others have stored."""
    future: asyncio.Future[Committed]


class _Part(NamedTuple):
    """What came of some of those who waited, together."""

    members: Sequence[_Waiting]
    result: Appended | SynclineError


class Authority:
    """The one writer of a store on this server. ``announce`` is called in the event loop with what was stored."""

    def __init__(
        self,
        store: LogStore,
        writers: Executor,
        lookers: Executor,
        announce: Callable[[Sequence[Row], Head], None],
        now_ms: Callable[[], int],
        access: Access,
        quotas: Quotas = UNLIMITED,
        on_stored: Callable[[int], None] = lambda seq: None,
        on_replaced: Callable[[], None] = lambda: None,
    ) -> None:
        """``lookers`` are the threads for those who ask alone, so that pushes do not wait behind them.

        ``on_stored`` is called with the last seq of what was stored here, after it was announced; ``on_replaced``
        when the database was put back from a copy, so that what was announced is not in the log.
        """
        self.quotas = quotas
        """How much the log may hold."""
        self.access = access
        """Who may do what; never older than the head that was announced."""
        self._store, self._announce, self._now_ms = store, announce, now_ms
        self._writers, self._lookers = writers, lookers
        self._on_stored, self._on_replaced = on_stored, on_replaced
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiting] = []
        self._changed = Condition()
        self._draining = self._closed = False
        self._turn, self._is_for_lookers = 0, False  # who drains next; whether that is one of those, and has not begun
        self._head = store.head()  # where what is, or will be, announced ends
        self._has_failed = False

    async def submit(self, submission: Submission) -> Committed:
        """Judges and stores events; returns after the durable commit."""
        return await self._wait(submission)

    async def refresh(self) -> None:
        """Returns when all is announced that was stored, here or elsewhere, when this was called."""
        await self._wait(None)

    async def _wait(self, submission: Submission | None) -> Committed:
        future: asyncio.Future[Committed] = self._loop.create_future()
        with self._changed:
            if self._closed:
                raise ShuttingDown("The server is stopping; push again in a moment.")
            self._waiting.append(_Waiting(submission, future))
            if not self._draining or (submission is not None and self._is_for_lookers):
                self._get_in_line()
        return await future

    def _get_in_line(self) -> None:
        """Has all served who wait, as soon as there is a thread; nobody else does any more who has not begun."""
        self._draining = True
        self._turn += 1
        self._is_for_lookers = all(each.submission is None for each in self._waiting)
        (self._lookers if self._is_for_lookers else self._writers).submit(self._drain, self._turn)

    def _drain(self, turn: int) -> None:
        """Serves all who wait, then gets in line again, so that the spaces share the threads."""
        group = self._take(turn)
        if group:
            try:
                self._serve(group)
            finally:
                self._go_on()

    def _serve(self, group: Sequence[_Waiting]) -> None:
        pushes = [each for each in group if each.submission is not None]
        is_fresh = False
        for part in self._commit(pushes) if pushes else ():
            is_fresh |= isinstance(part.result, Appended)
            self._loop.call_soon_threadsafe(self._deliver, part)
        if asked := [each for each in group if each.submission is None]:
            error = None if is_fresh else self._look()
            self._loop.call_soon_threadsafe(self._deliver, _Part(asked, error or self._nothing(len(asked))))

    def _nothing(self, count: int) -> Appended:
        return Appended([[]] * count, [], self._head, self.access)

    def _take(self, turn: int) -> list[_Waiting]:
        with self._changed:
            if turn != self._turn:
                return []
            self._is_for_lookers = False
            count = events = 0
            while count < len(self._waiting) and events < GROUP_EVENTS:
                submission = self._waiting[count].submission
                events += len(submission.events) if submission else 0
                count += 1
            group, self._waiting = self._waiting[:count], self._waiting[count:]
            return group

    def _go_on(self) -> None:
        """Has those served who came meanwhile."""
        with self._changed:
            if self._waiting:
                self._get_in_line()
            else:
                self._draining = False
                self._changed.notify_all()

    def _commit(self, group: Sequence[_Waiting]) -> Iterator[_Part]:
        """What came of a group: one part, or one for each member if the whole failed."""
        try:
            if self._has_failed:
                self._catch_up()
            yield _Part(group, self._append([each.submission for each in group if each.submission]))
        except Exception as error:
            self._has_failed = True
            if len(group) == 1 or isinstance(error, Unavailable):  # nobody is guilty
                yield _Part(group, _known(error))
                return
            log.warning("a group of %d pushes failed and is retried one by one", len(group), exc_info=error)
            for each in group:
                yield from self._commit([each])

    def _append(self, submissions: Sequence[Submission]) -> Appended:
        appended = self._store.append(submissions, now_ms=self._now_ms(), access=self.access, quotas=self.quotas)
        self.access = appended.access
        self._catch_up_to(appended.head.seq - len(appended.rows))
        self._head = appended.head
        return appended

    # What others did

    def _look(self) -> SynclineError | None:
        """Announces what there is; why it could not."""
        try:
            self._catch_up()
        except SynclineError as error:
            return error
        except Exception as error:
            log.exception("the log could not be read")
            return _known(error)
        return None

    def _catch_up(self) -> None:
        """Announces what is in the log and was not announced.

        That may be one's own: a commit that failed may have been carried out after all.
        """
        head = self._store.refresh()
        if head.epoch != self._head.epoch:
            raise self._replaced()
        self._catch_up_to(head.seq)
        self._has_failed = False

    def _catch_up_to(self, seq: int) -> None:
        if seq < self._head.seq:
            raise self._replaced()
        told = Flag()
        while self._head.seq < seq:
            pieces = elsewhere.read(self._store, self._head, seq)
            if pieces is None:
                raise self._replaced()
            for rows, head in pieces:
                self.access, self._head = self.access.after(rows), head
            self._loop.call_soon_threadsafe(self._tell, pieces, told)
            if self._head.seq < seq:
                told.wait(TOLD_SECONDS)  # what is read does not pile up before whoever is told
                told.clear()

    def _tell(self, pieces: Sequence[Piece], told: Flag) -> None:
        for rows, head in pieces:
            self._announce(rows, head)
        told.set()

    def _replaced(self) -> SynclineError:
        """The error that it is another log than the one that was announced."""
        self._loop.call_soon_threadsafe(self._on_replaced)
        return Overloaded("The log of this space was put back from a copy. Try again in a moment.")

    def _deliver(self, part: _Part) -> None:
        members, result = part
        if isinstance(result, SynclineError):
            for each in members:
                _settle(each.future, result)
            return
        if result.rows:
            self._announce(result.rows, result.head)
        for each, outcomes in zip(members, result.outcomes, strict=True):
            _settle(each.future, Committed(outcomes, result.head))
        if result.rows:
            self._on_stored(result.head.seq)

    def close(self) -> None:
        """Takes nothing new, finishes what waits, and returns when it is stored. Call it from another thread."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._draining)


def _settle(future: asyncio.Future[Committed], result: Committed | SynclineError) -> None:
    if future.done():  # whoever waited has gone
        return
    if isinstance(result, SynclineError):
        future.set_exception(result)
    else:
        future.set_result(result)


def _known(error: Exception) -> SynclineError:
    if isinstance(error, SynclineError):
        return error
    log.error("a push failed", exc_info=error)
    return InternalError("The server failed to store this; its log says why.")
