"""The spaces of a running server: opened when they are used, at most so many at a time, closed when they are not."""

from __future__ import annotations

import asyncio
import hmac
import logging
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from msgspec import structs

from syncline.core.access.state import Access
from syncline.core.cursors import CursorCodec
from syncline.core.erasure import Erasures
from syncline.core.log import Receipts
from syncline.core.retention import Retention
from syncline.errors import Overloaded, ShuttingDown, SpaceDeleted, SynclineError
from syncline.replica.documents.library import BUDGET_BYTES
from syncline.server.anchored import AnchoredSnapshots
from syncline.server.closings import Closings
from syncline.server.folds import read_access, read_erasures
from syncline.server.healing import epochs
from syncline.server.history.erasing import make_up
from syncline.server.history.keeping import Means
from syncline.server.register.spaces import SpaceState
from syncline.server.registry import Registry
from syncline.server.resolving import Resolving
from syncline.server.space import NO_TERMS, Crew, Space, Terms
from syncline.stores import Logs, LogStore
from syncline.stores.snapshots import MemorySnapshotStore, SnapshotStore
from syncline.stores.sqlite import SqliteSnapshotStore

log = logging.getLogger("syncline.spaces")

MAX_OPEN_SPACES = 256
WRITERS = 4
READERS = 4
LOOKERS = 4
CHECKPOINT_SECONDS = 0.2
KEEP_UP_SECONDS = 60 * 60
STOPPING = ShuttingDown("The server is stopping; connect again in a moment.")
FILE_SUFFIXES = ("", "-wal", "-shm", ".lock")
"""Of a file of snapshots."""


class Spaces:
    """Opens and closes the spaces of one server. Belongs to the event loop."""

    def __init__(
        self,
        logs: Logs,
        directory: Path,
        registry: Registry,
        now_ms: Callable[[], int],
        resolving: Resolving,
        *,
        max_open: int = MAX_OPEN_SPACES,
        documents_bytes: int = BUDGET_BYTES,
        terms: Terms = NO_TERMS,
        archives: Path | None = None,
    ) -> None:
        """``directory``: for what is derived from the logs, on this machine; ``archives``: for what they let go of.

        ``documents_bytes``: what the documents of one space may take in memory; ``terms``: where it has none.
        """
        self._logs, self._terms = logs, terms
        self._directory, self._documents_bytes, self._resolving = directory, documents_bytes, resolving
        self._archives = archives or directory.parent / "archives"
        self._registry, self._now_ms, self._max_open = registry, now_ms, max_open
        self._cursors, self._receipts = registry.secret("cursors"), Receipts(registry.secret("receipts"))
        self._crew = Crew(
            ThreadPoolExecutor(WRITERS, "syncline-writer"),
            ThreadPoolExecutor(READERS, "syncline-reader"),
            ThreadPoolExecutor(LOOKERS, "syncline-looker"),  # no thread where no log is shared
            ThreadPoolExecutor(1, "syncline-keeper"),
        )
        self._open: OrderedDict[str, Space] = OrderedDict()
        self._opening, self._closings = asyncio.Lock(), Closings()
        self._checkpoints = asyncio.create_task(self._checkpoint())
        self._keeping = asyncio.create_task(self._keep_up())
        self._stopping = False
        self.on_stored: Callable[[str, int], None] = lambda name, seq: None
        """Called with a space's name and head after each commit of this server."""
        self.on_changed: Callable[[], None] = lambda: None
        """Called when this server has changed what was decided about a space."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # what is in it is for whoever the rules say

    @asynccontextmanager
    async def use(self, name: str, *, create: bool) -> AsyncIterator[Space]:
        """The space, open for as long as the block lasts. ``create``: made if it does not exist yet."""
        while (space := self._open.get(name)) is None or space.is_stale:
            opening = asyncio.ensure_future(self._get(name, create=create))
            opening.add_done_callback(_look_at)
            await asyncio.shield(opening)  # whoever asked may go meanwhile: half open, a space would be nobody's
        self._open.move_to_end(name)
        space.users += 1
        try:
            yield space
        finally:
            space.users -= 1

    async def _get(self, name: str, *, create: bool) -> None:
        async with self._opening:
            if name in self._open:
                if not self._open[name].is_stale:
                    return
                await self._close(self._open.pop(name))
            if self._stopping:
                raise ShuttingDown("The server is stopping.")
            exists = self._registry.create_space if create else self._terms_of
            await asyncio.to_thread(exists, name)
            await self._closings.ended(name)
            await self._make_room()
            await self._begin(name)

    async def _begin(self, name: str) -> None:
        """Opens a space that exists."""
        store, access, erasures, terms = await asyncio.to_thread(self._open_log, name)
        space = Space(
            name,
            store,
            self._codec(name),
            self._crew,
            self._now_ms,
            access,
            erasures,
            receipts=self._receipts,
            terms=terms,
            means=Means(self._archives / name, self._registry.database.holding),
            open_snapshots=partial(_open_snapshots, self._snapshots_path(name), store),
            documents_bytes=self._documents_bytes,
            on_stored=self._note_stored,
        )
        space.take_epoch, space.confirm = partial(self._take_epoch, name), partial(self._confirm, name)
        self._open[name] = space
        await self._erase_again(space)
        self._resolving.join(space)
        space.keeping.look()
        if self._stopping:  # since it was begun
            space.stop_following(STOPPING)

    async def _erase_again(self, space: Space) -> None:
        """What breaks off here is begun anew at the next opening."""
        try:
            await make_up(space, self._registry.erasures)
        except SynclineError as error:
            log.warning("what was erased in the space %s may be there yet: %s", space.name, error.message)

    def _open_log(self, name: str) -> tuple[LogStore, Access, Erasures, Terms]:
        """The log, and what holds there. Raises SpaceDeleted if the space was deleted meanwhile, by another server."""
        epochs.finish(self._logs, self._registry, self._receipts, name)
        store = self._logs.open(name)
        try:
            self._registry.epochs.note(store.head().epoch, name)
            return store, read_access(store), read_erasures(store), self._terms_of(name)
        except BaseException as error:
            store.close()
            if isinstance(error, SpaceDeleted):  # opening the log may have made it anew
                self._logs.delete(name)
            raise

    async def _take_epoch(self, name: str, epoch: str) -> None:
        """Has an empty log take another epoch; who uses it begins anew. Raises EpochChanged or SpaceDeleted."""
        async with self._opening:
            space = self._open.get(name)
            if space is None or space.is_stale:
                raise Overloaded("The log of this space is being opened anew. Try again in a moment.")
            await asyncio.to_thread(epochs.check_free, self._registry, epoch, name)
            await asyncio.to_thread(epochs.check_empty, space.store)
            del self._open[name]
            space.replace()
            await self._close(space)
            await asyncio.to_thread(epochs.take, self._logs, self._registry, self._receipts, name, epoch)
        self.on_changed()

    async def _confirm(self, name: str) -> None:
        await asyncio.to_thread(self._terms_of, name)

    async def _make_room(self) -> None:
        """Has the space closed that was used longest ago and is not in use now."""
        if len(self._open) < self._max_open:
            return
        idle = next((space for space in self._open.values() if not space.users), None)
        if idle is None:
            raise Overloaded(f"{self._max_open} spaces are in use; try again in a moment.")
        del self._open[idle.name]
        await self._closings.begin(idle.name, self._close(idle))

    async def change(
        self,
        name: str,
        *,
        quotas: Mapping[str, int | None] | None = None,
        suspended: bool | None = None,
        retention: Retention | None = None,
    ) -> None:
        """Changes quotas of a space (None: to the server's default) or what it keeps, or suspends or resumes it.

        When this returns nothing is stored any more in a suspended space. Raises UnknownSpace or SpaceDeleted.
        """
        table = self._registry.space_table
        async with self._opening:
            if quotas:
                await asyncio.to_thread(table.set_quotas, name, quotas)
            if retention is not None:
                await asyncio.to_thread(table.set_retention, name, retention)
            if suspended is not None:
                await asyncio.to_thread(table.suspend if suspended else table.resume, name)
            terms, space = await asyncio.to_thread(self._terms_of, name), self._open.get(name)
            if space is not None:
                space.set_terms(terms)
                await space.settle()
        self.on_changed()

    def _note_stored(self, name: str, seq: int) -> None:
        self.on_stored(name, seq)

    @property
    def open(self) -> Mapping[str, Space]:
        """The spaces that are open just now, by name."""
        return self._open

    async def review(self) -> None:
        """What others have decided about spaces that are open holds here, too."""
        async with self._opening:
            states = await asyncio.to_thread(self._registry.space_table.states, list(self._open))
            for space in list(self._open.values()):
                if space.name not in states:
                    await self._end(space)
                    continue
                if (terms := self._terms_for(states[space.name])) != space.terms:
                    space.set_terms(terms)
                space.look()  # its log may have taken another epoch

    async def _end(self, space: Space) -> None:
        """Closes a space that was deleted."""
        del self._open[space.name]
        space.stop_following(SpaceDeleted(f"The space {space.name} was deleted."))
        await self._close(space)

    def _codec(self, name: str) -> CursorCodec:
        """What makes and reads the cursors of one space: another's mean nothing here."""
        return CursorCodec(hmac.digest(self._cursors, name.encode(), "sha256"))

    def _terms_of(self, name: str) -> Terms:
        return self._terms_for(self._registry.space_table.state(name))

    def _terms_for(self, state: SpaceState) -> Terms:
        quotas = structs.replace(self._terms.quotas, **state.quotas)
        suspended, retention = state.suspended is not None, state.retention
        return self._terms._replace(quotas=quotas, is_suspended=suspended, retention=retention)

    async def delete(self, name: str) -> None:
        """Deletes a space and its log; its name is not used again."""
        await asyncio.to_thread(self._registry.delete_space, name)
        async with self._opening:
            space = self._open.get(name)
            if space is not None:
                await self._end(space)
            await self._closings.ended(name)
            await asyncio.to_thread(self._remove, name)
        self.on_changed()

    async def _close(self, space: Space) -> None:
        await self._resolving.leave(space)
        await space.keeping.close()
        await asyncio.to_thread(space.close)

    def _remove(self, name: str) -> None:
        self._logs.delete(name)
        shutil.rmtree(self._archives / name, ignore_errors=True)
        for suffix in FILE_SUFFIXES:
            Path(f"{self._snapshots_path(name)}{suffix}").unlink(missing_ok=True)

    def _snapshots_path(self, name: str) -> Path:
        """The file of what is derived from a space's log. It may be deleted while the server does not run."""
        return self._directory / f"{name}.snapshots"

    async def _checkpoint(self) -> None:
        """Moves pages from the WALs into the files, beside the writers."""
        while True:
            await asyncio.sleep(CHECKPOINT_SECONDS)
            for space in [each for each in self._open.values() if each.store.wants_checkpoint]:
                with suppress(SynclineError):  # the space was closed, or its disk is full: its writer will say so
                    await asyncio.to_thread(space.store.checkpoint)

    async def _keep_up(self) -> None:
        """Has open spaces look now and then whether history may go: time passes where nothing is pushed, too."""
        while True:
            await asyncio.sleep(KEEP_UP_SECONDS)
            for space in self._open.values():
                if not space.terms.retention.keeps_all:
                    space.keeping.look()

    def wake(self) -> None:
        """Wakes all who follow: their credentials may have ended."""
        for space in self._open.values():
            space.hub.wake()

    def stop_following(self) -> None:
        """Ends all live sessions; what was pushed is still stored and answered."""
        self._stopping = True
        for space in self._open.values():
            space.stop_following(STOPPING)

    async def close(self) -> None:
        """Finishes what was begun and closes every space."""
        self.stop_following()
        self._checkpoints.cancel()
        self._keeping.cancel()
        spaces: Sequence[Space] = list(self._open.values())
        self._open.clear()
        await asyncio.gather(*map(self._close, spaces))
        await self._closings.all_ended()
        self._resolving.close()
        for executor in self._crew:
            executor.shutdown()
        await asyncio.to_thread(self._logs.close)


def _open_snapshots(path: Path, store: LogStore) -> SnapshotStore:
    """The snapshots beside a log; if they cannot be opened, some in memory."""
    try:
        snapshots: SnapshotStore = SqliteSnapshotStore(path)
    except SynclineError as error:
        log.warning("documents are kept in memory alone: %s", error.message)
        snapshots = MemorySnapshotStore()
    return AnchoredSnapshots(snapshots, store.tail)


def _look_at(opening: asyncio.Future[None]) -> None:
    """Whoever waits for it is told why it failed; if nobody does, that is no news."""
    if not opening.cancelled():
        opening.exception()
