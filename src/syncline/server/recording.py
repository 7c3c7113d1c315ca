"""Brings what was administered in the data directory into the logs that it concerns, as acts of ``.root``.

Of several servers one does it at a time, so that each act is told once and in its order. A crash between an event's
commit and taking the act off the list records it twice; a user is in the same state then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from typing import TypeVar

from syncline.core.access.scope import TRUSTED
from syncline.errors import SpaceDeleted, SynclineError
from syncline.server.administration import Act, write
from syncline.server.auth.identity import ROOT
from syncline.server.register.acts import ActTable, WaitingAct
from syncline.server.space import Space

T = TypeVar("T")

log = logging.getLogger("syncline.recording")

AGAIN_SECONDS = 1.0
"""After which it is tried again what another server is doing just now, or what could not be done just now."""


class Recording:
    """Records the acts of a table. Belongs to the event loop."""

    def __init__(self, table: ActTable, use: Callable[[str], AbstractAsyncContextManager[Space]]) -> None:
        """``use``: opens a space for a block. May raise UnknownSpace, and SpaceDeleted."""
        self._table, self._use = table, use
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._later: asyncio.TimerHandle | None = None
        self._has_warned = False

    def look(self) -> None:
        """Records what there is, now or when what is under way is done."""
        self._look_later(None)
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._record())

    async def finish(self) -> None:
        """Returns when what was begun is done; nothing is begun by itself any more."""
        if self._task is not None:
            await self._task
        self._look_later(None)

    def _look_later(self, seconds: float | None) -> None:
        """Looks again after so long, and not before; None: not by itself."""
        if self._later is not None:
            self._later.cancel()
        self._later = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self.look)

    async def _record(self) -> None:
        while self._again:
            self._again = False
            self._look_later(None if await self._is_recorded() else AGAIN_SECONDS)

    async def _is_recorded(self) -> bool:
        """Records what there is, unless another server does; whether all is told that can be for now."""
        try:
            if not await asyncio.to_thread(self._table.waiting):
                return True
            async with _in_threads(self._table.claimed()) as is_ours:
                is_done = is_ours and await self._record_all()
        except SynclineError as error:
            self._warn("What was administered cannot be told yet: %s", error.message)
            return False
        except Exception:  # the next attempt may go well
            log.exception("what was administered cannot be told")
            return False
        self._has_warned &= not is_done
        return is_done

    async def _record_all(self) -> bool:
        """Whether those that are left wait for something that is decided here: a space that is to be made, say."""
        held_up: dict[str, bool] = {}
        for act in await asyncio.to_thread(self._table.waiting):
            if act.space in held_up:
                continue  # a log tells acts in their order
            try:
                await self._tell(act)
            except SynclineError as error:
                held_up[act.space] = error.retryable
                self._warn("%s on %s is not told in %s yet: %s", act.action, act.item, act.space, error.message)
        return not any(held_up.values())

    def _warn(self, words: str, *about: str) -> None:
        """Warns of what goes wrong, and when it goes on doing so says it to those who look closely."""
        log.log(logging.DEBUG if self._has_warned else logging.WARNING, words, *about)
        self._has_warned = True

    async def _tell(self, act: WaitingAct) -> None:
        try:
            async with self._use(act.space) as space:
                await write(space, ROOT, [Act(act.item, act.action, act.payload)], TRUSTED)
        except SpaceDeleted:
            pass
        await asyncio.to_thread(self._table.settle, act.id)


@asynccontextmanager
async def _in_threads(context: AbstractContextManager[T]) -> AsyncIterator[T]:
    """A block within a context that asks a database."""
    entered = await asyncio.to_thread(context.__enter__)
    try:
        yield entered
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)
