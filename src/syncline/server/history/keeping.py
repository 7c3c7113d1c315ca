"""Keeping the history of one space within bounds: its snapshot fresh, and no more of its past than it is to keep.

The work is done in a thread that all spaces share, in short steps with as long a rest after each, so that pushes go on.
Of several servers that share a log one at a time does it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Event as Flag
from typing import NamedTuple

from syncline.core.retention import KEEP_ALL
from syncline.errors import Overloaded, SynclineError
from syncline.server.history.archives import Archives
from syncline.server.history.remaking import remake
from syncline.server.history.retaining import retain
from syncline.server.history.snapshotting import Snapshotting, Steps
from syncline.stores import LogStore
from syncline.stores.bases import Point, Points

log = logging.getLogger("syncline.keeping")

WORTH = 10_000


def worth(head: int) -> int:
    """The entries since the last snapshot after which there is another one: a tenth of the log, and no few."""
    return max(WORTH, head // 10)


class Rewritten(NamedTuple):
    """The items of which something was rewritten, and those of them of which that was so before the horizon."""

    items: Collection[str]
    below: Collection[str]


class Means(NamedTuple):
    """What a server provides for this."""

    folder: Path | None = None
    """Where its archives are; None: its history stays whole."""
    holding: Callable[[str], AbstractContextManager[bool]] = lambda name: nullcontext(True)
    """Holds a lock, by its name, for as long as the block lasts; False: another server has it."""


KEPT_WHOLE = Means()


class Keeping:
    """Belongs to the event loop, but for what is done in the thread."""

    def __init__(self, name: str, store: LogStore, thread: Executor, means: Means, now_ms: Callable[[], int]) -> None:
        self.retention = KEEP_ALL
        """How much of its history the space keeps."""
        self.failure: str | None = None
        """Why the last piece of work was not finished; None: it was."""
        self.taken = 0
        """How many snapshots were made here."""
        self._name, self._store, self._thread, self._means, self._now_ms = name, store, thread, means, now_ms
        self._archives = Archives(means.folder, name) if means.folder else None
        self._work: asyncio.Task[None] | None = None
        self._is_asked = False
        self._seen = 0
        self._closing = Flag()

    def points(self) -> Points:
        """Where snapshot and floor stand. May ask the database: call it in a thread."""
        return self._store.points()

    def note(self, head: int) -> None:
        """The log has grown: perhaps there is to be another snapshot."""
        if head - self._seen >= worth(head):
            self._seen = head  # if it is not worth it yet, a few entries make no difference
            self.look()

    def look(self, *, is_asked: bool = False) -> None:
        """Begins the work, unless it is under way; ``is_asked``: also where it would not be worth it yet."""
        self._is_asked |= is_asked
        if self._work is None and not self._closing.is_set():
            self._work = asyncio.create_task(self._do())

    @property
    def is_working(self) -> bool:
        """Whether something is being done just now."""
        return self._work is not None

    async def keep_up(self) -> Points:
        """Makes a snapshot of now, and lets go of what is not to be kept; ``failure`` tells what hindered it."""
        self.look(is_asked=True)  # what is being done just now is done first
        while self._work is not None:
            await asyncio.shield(self._work)
        return await asyncio.get_running_loop().run_in_executor(None, self.points)

    @property
    def archives(self) -> Archives | None:
        """Where history goes before its content does; None: it stays."""
        return self._archives

    async def rewrite(self, change: Callable[[], Rewritten]) -> None:
        """Carries out a change of what was, and makes the bases again that told of it: see ``remaking``.

        Nothing goes from the log meanwhile, nor into an archive or a base. Raises Overloaded, before anything is done.
        """
        while self._work is not None:
            await asyncio.shield(self._work)
        await asyncio.get_running_loop().run_in_executor(self._thread, self._rewrite, change)

    def _rewrite(self, change: Callable[[], Rewritten]) -> None:
        with self._means.holding(f"history of {self._name}") as is_alone:
            if not is_alone:
                raise Overloaded("Another server makes a snapshot of this space. Try again in a moment.")
            for _ in remake(self._store, self._archives, *change()):
                pass

    async def _do(self) -> None:
        is_asked, self._is_asked = self._is_asked, False
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._run, is_asked)
            self.failure = None
        except SynclineError as error:
            self.failure = error.message
            log.warning("the history of the space %s is not kept up: %s", self._name, error.message)
        except Exception:
            self.failure = "it failed; the server's log says why"
            log.exception("the history of the space %s is not kept up", self._name)
        finally:
            self._work = None
        if self._is_asked:
            self.look()

    # In the thread

    def _run(self, is_asked: bool) -> None:  # noqa: FBT001
        if not is_asked and not self._is_due():
            return
        with self._means.holding(f"history of {self._name}") as is_alone:
            for _ in self._rested(self._steps(is_asked=is_asked)) if is_alone else ():
                if self._closing.is_set():
                    return

    def _is_due(self) -> bool:
        """Whether there may be something to do."""
        covered, head = self._store.points().covered, self._store.refresh().seq
        return not self.retention.keeps_all or head - covered >= worth(head)

    def _rested(self, steps: Steps) -> Iterator[None]:
        """The steps, each with as long a rest after it."""
        began = time.monotonic()
        for _ in steps:
            self._closing.wait(time.monotonic() - began)
            yield
            began = time.monotonic()

    def _steps(self, *, is_asked: bool) -> Steps:
        store, head = self._store, self._store.refresh()
        if head.seq - store.points().covered >= (1 if is_asked else worth(head.seq)):
            yield from Snapshotting(store, Point(head.seq, head.at), is_floor=False).steps()
            self.taken += 1
        if self._archives is not None:
            yield from retain(store, self._archives, self.retention, self._now_ms(), is_asked=is_asked)

    async def close(self) -> None:
        """Breaks off what is being done, and begins nothing more."""
        self._closing.set()
        if self._work is not None:
            await asyncio.gather(self._work, return_exceptions=True)
