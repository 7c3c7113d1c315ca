"""The authority over one space's log: concurrent pushes share a commit, and each is answered after it.

Submissions wait in a list; a thread of the pool takes all that wait, hands them to the store as one transaction, and
looks again. If a group fails as a whole (a poisoned submission, a full disk), it is retried one by one, so that only
the guilty ones get the error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from threading import Condition
from typing import NamedTuple

from syncline.core.access.state import Access
from syncline.core.admission import Outcome, Submission
from syncline.core.log import NO_TAIL, Head, Row
from syncline.core.quotas import UNLIMITED, Quotas
from syncline.errors import InternalError, ShuttingDown, SynclineError
from syncline.stores import Appended, EventStore, load

log = logging.getLogger("syncline.authority")

GROUP_EVENTS = 10_000
"""A group takes no further submission once it holds this many events."""


class Committed(NamedTuple):
    """The outcomes of one submission, and the head after its commit."""

    outcomes: list[Outcome]
    head: Head


class _Waiting(NamedTuple):
    submission: Submission
    future: asyncio.Future[Committed]


class _Part(NamedTuple):
    """What came of some submissions, together."""

    members: Sequence[_Waiting]
    result: Appended | SynclineError


class Authority:
    """The one writer of a store. ``announce`` is called in the event loop with the rows of each commit."""

    def __init__(
        self,
        store: EventStore,
        executor: Executor,
        announce: Callable[[Sequence[Row], Head], None],
        now_ms: Callable[[], int],
        access: Access,
        quotas: Quotas = UNLIMITED,
    ) -> None:
        self.quotas = quotas
        """How much the log may hold."""
        self.access = access
        """Who may do what; never older than the head that was announced."""
        self._store, self._executor, self._announce, self._now_ms = store, executor, announce, now_ms
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiting] = []
        self._changed = Condition()
        self._draining = self._closed = False
        self._seq = store.head().seq  # of the last entry that is, or will be, announced
        self._has_failed = False

    async def submit(self, submission: Submission) -> Committed:
        """Judges and stores events; returns after the durable commit."""
        future: asyncio.Future[Committed] = self._loop.create_future()
        with self._changed:
            if self._closed:
                raise ShuttingDown("The server is stopping; push again in a moment.")
            self._waiting.append(_Waiting(submission, future))
            idle, self._draining = not self._draining, True
        if idle:
            self._executor.submit(self._drain)
        return await future

    def _drain(self) -> None:
        """Commits one group, then gets in line again, so that the spaces share the writers."""
        group = self._take()
        if group:
            self._loop.call_soon_threadsafe(self._deliver, list(self._commit(group)))
            self._executor.submit(self._drain)

    def _take(self) -> list[_Waiting]:
        with self._changed:
            count = events = 0
            while count < len(self._waiting) and events < GROUP_EVENTS:
                events += len(self._waiting[count].submission.events)
                count += 1
            group, self._waiting = self._waiting[:count], self._waiting[count:]
            self._draining = bool(group)
            self._changed.notify_all()
            return group

    def _commit(self, group: Sequence[_Waiting]) -> Iterator[_Part]:
        """What came of a group: one part, or one for each member if the whole failed."""
        try:
            if self._has_failed:
                yield _Part((), self._catch_up())
            yield _Part(group, self._append([each.submission for each in group]))
        except Exception as error:
            self._has_failed = True
            if len(group) == 1:
                yield _Part(group, _known(error))
                return
            log.warning("a group of %d pushes failed and is retried one by one", len(group), exc_info=error)
            for each in group:
                yield from self._commit([each])

    def _append(self, submissions: Sequence[Submission]) -> Appended:
        appended = self._store.append(submissions, now_ms=self._now_ms(), access=self.access, quotas=self.quotas)
        self.access, self._seq = appended.access, appended.head.seq
        return appended

    def _catch_up(self) -> Appended:
        """What is in the log that nobody knows of: a commit that failed may have been carried out after all."""
        rows = [
            Row(entry.seq, self._store.tail(entry.seq) or NO_TAIL, entry.event, entry.encoded)
            for entry in load(self._store, self._seq)
        ]
        head = self._store.head()
        self.access, self._seq, self._has_failed = self.access.after(rows), head.seq, False
        return Appended([], rows, head, self.access)

    def _deliver(self, parts: Sequence[_Part]) -> None:
        for members, result in parts:
            if isinstance(result, SynclineError):
                _settle(members[0].future, result)
                continue
            if result.rows:
                self._announce(result.rows, result.head)
            for each, outcomes in zip(members, result.outcomes, strict=True):
                _settle(each.future, Committed(outcomes, result.head))

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
