"""Brings what was administered in the data directory into the logs that it concerns, as acts of ``.root``.

A crash between an event's commit and taking the act off the list records it twice; a user is in the same state then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress

from syncline.core.access.scope import TRUSTED
from syncline.errors import SpaceDeleted, SynclineError
from syncline.server.administration import Act, write
from syncline.server.auth.identity import ROOT
from syncline.server.register.acts import ActTable, WaitingAct
from syncline.server.space import Space

log = logging.getLogger("syncline.recording")


class Recording:
    """Records the acts of a table. Belongs to the event loop."""

    def __init__(self, table: ActTable, use: Callable[[str], AbstractAsyncContextManager[Space]]) -> None:
        """``use``: opens a space for a block. May raise UnknownSpace, and SpaceDeleted."""
        self._table, self._use = table, use
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def look(self) -> None:
        """Records what there is, now or when what is under way is done."""
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._record())

    async def finish(self) -> None:
        """Returns when what was begun is done."""
        if self._task is not None:
            with suppress(SynclineError):  # the register cannot be read: at the next start
                await self._task

    async def _record(self) -> None:
        while self._again:
            self._again = False
            held_up: set[str] = set()  # spaces that are not there yet, or whose disk is full: at the next look
            for act in await asyncio.to_thread(self._table.waiting):
                if act.space in held_up:
                    continue  # a log tells acts in their order
                try:
                    await self._tell(act)
                except SynclineError as error:
                    held_up.add(act.space)
                    log.warning("%s on %s is not told in %s yet: %s", act.action, act.item, act.space, error.message)

    async def _tell(self, act: WaitingAct) -> None:
        try:
            async with self._use(act.space) as space:
                await write(space, ROOT, [Act(act.item, act.action, act.payload)], TRUSTED)
        except SpaceDeleted:
            pass
        await asyncio.to_thread(self._table.settle, act.id)
