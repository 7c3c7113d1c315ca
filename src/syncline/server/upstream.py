"""An edge and its centre: spaces of this server that stay in agreement with those of another server.

For each of them there is a ``Relay``, which a ``SyncManager`` syncs as it does any replica, over a WebSocket. All run
in one thread with an event loop of its own, because a replica's store waits for its disk, and here for a writer, too.
What it leaves to others: what goes up and down, and why that is safe (``relay``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from syncline.core.admission import Outcome
from syncline.core.erasure import ERASE, ERASURES
from syncline.core.events import Event
from syncline.errors import ShuttingDown, SpaceDeleted, StoreClosed, SynclineError
from syncline.replica import Refused, Status
from syncline.server.history.erasing import erase_too, renew
from syncline.server.register.erasures import ErasureTable
from syncline.server.service import Service
from syncline.server.settings import Settings
from syncline.server.space import Space
from syncline.server.spaces import Spaces
from syncline.sync import SyncManager, SyncOptions, SyncResult
from syncline.sync.relay import EdgeStore, Relay, forget, vouched
from syncline.transports.websocket import WebSocketTransport

T = TypeVar("T")

log = logging.getLogger("syncline.upstream")

AGAIN_SECONDS = 15.0
"""After which it is tried again what only a person could help: new credentials, say, or a suspended space."""
SOON_SECONDS = 0.5
"""After which it is looked what has become of a space whose log was closed."""
SUFFIX = ".upstream"


def start(service: Service) -> None:
    """Begins to follow the centre, if there is one."""
    if service.settings.upstream:
        service.upstream = Upstream(service.settings, service.registry.erasures)
        service.upstream.start(service.spaces)
        service.links["upstream"] = service.upstream.__str__


class Upstream:
    """The spaces that have a centre. Start and stop it in the server's event loop, when the service has started."""

    def __init__(self, settings: Settings, erasures: ErasureTable) -> None:
        self._settings, self._erasures = settings, erasures
        self._relays: dict[str, Relay] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="syncline-upstream", daemon=True)

    def start(self, spaces: Spaces) -> None:
        """From now on they are in agreement whenever the centre can be reached."""
        self._thread.start()
        self._tasks = [asyncio.create_task(self._stay(spaces, name)) for name in self._settings.upstream_spaces]

    async def stop(self) -> None:
        """Ends that; what is not agreed on yet is when the server runs again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    def state(self) -> dict[str, Status]:
        """How each space stands to the centre."""
        return {name: relay.status for name, relay in self._relays.items()}

    def refused(self, space: str) -> list[Refused]:
        """What the centre has refused of a space, and why. Call it in a thread."""
        relay = self._relays.get(space)
        return relay.refused() if relay is not None else []

    def __str__(self) -> str:
        """The states in one line, which does not tell the spaces' names: it is for everybody."""
        states = list(self.state().values())
        live = sum(each.state == "live" for each in states)
        pending, refused = sum(each.pending for each in states), sum(each.refused for each in states)
        of = len(self._settings.upstream_spaces)
        return f"{live} of {of} spaces live, {pending} pending, {refused} refused"

    async def _stay(self, spaces: Spaces, name: str) -> None:
        while True:
            try:
                async with spaces.use(name, create=True) as space:
                    await self._follow(space)
            except ShuttingDown:
                return
            except SpaceDeleted:
                await asyncio.to_thread(forget, self._path(name))
                return
            except StoreClosed:  # deleted, or put back from a copy, in the middle of something
                await asyncio.sleep(SOON_SECONDS)
                continue
            except SynclineError as error:
                log.warning("the space %s cannot follow its centre: %s", name, error.message)
            except Exception:
                log.exception("the space %s cannot follow its centre", name)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _follow(self, space: Space) -> None:
        """Relays until the space ends. Raises why it does."""
        path, home = self._path(space.name), asyncio.get_running_loop()

        def bring(events: Sequence[Event]) -> Sequence[Outcome]:
            return asyncio.run_coroutine_threadsafe(_bring(space, events, self._erasures), home).result()

        link = _Link(await asyncio.to_thread(lambda: Relay(EdgeStore(space.store, bring, path))), self._settings, space)
        self._relays[space.name] = link.relay
        try:
            await self._call(link.start())
            await self._offer(space, link)
        finally:
            del self._relays[space.name]
            await asyncio.shield(self._call(link.stop()))

    def _path(self, space: str) -> Path:
        return Path(self._settings.data) / "spaces" / f"{space}{SUFFIX}"

    async def _offer(self, space: Space, link: _Link) -> None:
        """Offers the log to the centre as it grows, and looks now and then whether syncing goes on."""
        while space.end is None:
            seq = space.hub.head.seq
            while await self._call(link.offer()):
                pass
            if space.hub.head.seq == seq and space.end is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN_SECONDS):
                        await space.hub.wait()
        raise space.end

    async def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns that runs in the relays' loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))


class _Link:
    """A relay and what syncs it. Its methods belong to the relays' loop."""

    def __init__(self, relay: Relay, settings: Settings, space: Space) -> None:
        self.relay, self._settings, self._space = relay, settings, space.name
        self._manager: SyncManager | None = None
        self._tried = 0.0

    async def start(self) -> None:
        transport = WebSocketTransport(self._settings.upstream)
        self._manager = SyncManager(
            self.relay, transport, SyncOptions(), space=self._space, token=self._settings.upstream_token or None
        )
        self._manager.subscribe(self._note)
        await self._try()

    async def offer(self) -> bool:
        """Offers what is new, a part at a time; whether there may be more. Now and then syncs again if that ended."""
        if asyncio.get_running_loop().time() - self._tried >= AGAIN_SECONDS:
            await self._try()
        return self.relay.offer()

    async def _try(self) -> None:
        """Stays in sync, or goes on doing so."""
        assert self._manager is not None
        self._tried = asyncio.get_running_loop().time()
        await self._manager.start_auto_sync()

    def _note(self, result: SyncResult) -> None:
        for error in result.errors:
            level = logging.DEBUG if error.retryable else logging.ERROR
            log.log(level, "the space %s and its centre: %s: %s", self._space, error.code, error.message)

    async def stop(self) -> None:
        if self._manager is not None:
            await self._manager.close()
        self.relay.close()


async def _bring(space: Space, events: Sequence[Event], erasures: ErasureTable) -> Sequence[Outcome]:
    """Puts events of the centre into a log of this server, as the system; what it has erased is erased here, before
    the log tells of it. Raises SpaceSuspended."""
    space.check_resumed("")
    acts = [event for event in events if event.item == ERASURES and event.action == ERASE]
    await erase_too(space, acts, erasures)
    outcomes, _ = await space.submit(vouched(events))
    if acts:
        await renew(space)
    return outcomes
