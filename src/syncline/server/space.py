"""One space of a running server: its store, its authority, its hub and its documents. Users see it as a ``Member``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar

from syncline.core.access.state import OPEN, ROOT, Access
from syncline.core.admission import Submission
from syncline.core.cursors import CursorCodec
from syncline.core.erasure import ERASURES, Erasures
from syncline.core.log import Head, Receipts, Row
from syncline.core.quotas import UNLIMITED, Quotas
from syncline.core.rates import Buckets
from syncline.core.retention import KEEP_ALL, Retention
from syncline.errors import (
    EpochChanged,
    Overloaded,
    SpaceDeleted,
    SpaceSuspended,
    SynclineError,
    TooManyConnections,
)
from syncline.replica.documents.library import BUDGET_BYTES
from syncline.server.authority import Authority, Committed
from syncline.server.catching_up import CatchingUp
from syncline.server.documents import Documents
from syncline.server.folds import PastAccess
from syncline.server.healing.recovery import Recovery
from syncline.server.healing.trees import Trees
from syncline.server.history.keeping import KEPT_WHOLE, Keeping, Means
from syncline.server.hub import Hub
from syncline.server.limits import SPACE_EVENTS, Account, rate
from syncline.server.presence import Presences
from syncline.stores import LogStore
from syncline.stores.snapshots import MemorySnapshotStore, SnapshotStore

T = TypeVar("T")

CONNECT_AGAIN_SECONDS = 10
"""After which a session is worth another try that found no room."""


class Crew(NamedTuple):
    """The server's threads: few writers for all spaces, readers, and those that look what other servers have stored."""

    writers: Executor
    readers: Executor
    lookers: Executor
    keepers: Executor
    """One thread, in which the history of all spaces is kept within bounds."""


class Terms(NamedTuple):
    """What administrators have decided about a space."""

    quotas: Quotas = UNLIMITED
    is_suspended: bool = False
    retention: Retention = KEEP_ALL
    burst_seconds: float = 1.0


NO_TERMS = Terms()
NO_RECEIPTS = Receipts(b"of nobody")


class Space:
    """One space. Make it in the event loop; its methods belong there."""

    def __init__(
        self,
        name: str,
        store: LogStore,
        codec: CursorCodec,
        crew: Crew,
        now_ms: Callable[[], int],
        access: Access = OPEN,
        erasures: Erasures | None = None,
        *,
        receipts: Receipts = NO_RECEIPTS,
        terms: Terms = NO_TERMS,
        means: Means = KEPT_WHOLE,
        open_snapshots: Callable[[], SnapshotStore] = MemorySnapshotStore,
        documents_bytes: int = BUDGET_BYTES,
        on_stored: Callable[[str, int], None] = lambda name, seq: None,
    ) -> None:
        """``access``, ``erasures``: see ``folds``. ``receipts`` are those of the store.

        ``means``: for keeping its history within bounds. ``open_snapshots``: where documents are kept;
        ``documents_bytes``: what those in memory may take. ``on_stored`` is called with the space's name and its head
        after each commit of this server.
        """
        self.name, self.store, self.codec = name, store, codec
        self.now_ms, self.receipts, self._crew = now_ms, receipts, crew
        self.erasures = erasures or Erasures()
        """What was erased; it knows of all that was announced."""
        self.hub = Hub(store.head(), codec)
        self.recovery = Recovery(now_ms)
        """Whether what the log has lost comes first just now."""
        self._authority = Authority(
            store,
            crew.writers,
            crew.lookers,
            self._announce,
            now_ms,
            access,
            on_stored=partial(on_stored, name),
            on_replaced=self.replace,
        )
        self._past = PastAccess(store)
        self._catching_up = CatchingUp(name, self.refresh)
        self.documents = Documents(
            store, open_snapshots, crew.readers, self.submit, now_ms, documents_bytes, self.erasures
        )
        self.trees = Trees(store, self.run, lambda: self.hub.head.seq)
        self.presences = Presences()
        self._reviewed = self.access  # as of when it was looked who may see whose presence
        self.keeping = Keeping(name, store, crew.keepers, means, now_ms)
        self.administering = asyncio.Lock()
        """Held while system events are drafted and stored; see ``administration``."""
        self.users = 0
        """How many requests and sessions use this space just now."""
        self.connections = 0
        """How many sessions and streams are open just now."""
        self.end: SynclineError | None = None
        """Why followers have to go, once they have to."""
        self.is_stale = False
        """Whether the store has another log than this one by now: the space has to be opened anew."""
        self.take_epoch: Callable[[str], Awaitable[None]] = _keep_epoch
        """Has the log take another epoch if it is empty; then the space has to be opened anew. Raises EpochChanged."""
        self.confirm: Callable[[], Awaitable[None]] = _nothing
        """Raises SpaceDeleted if the space was deleted, and not only its log."""
        self.set_terms(terms)

    def _announce(self, rows: Sequence[Row], head: Head) -> None:
        for row in rows:
            if row.event.item == ERASURES:
                self.erasures.note(row.seq, row.event)
        self.documents.note(rows, head)
        self.hub.announce(rows, head)
        self.keeping.note(head.seq)
        if self.access is not self._reviewed:
            self._reviewed = self.access
            self.presences.review()

    def replace(self) -> None:
        """The store has another log by now: all who use this one begin anew."""
        self.stop_following(Overloaded("The log of this space was put back from a copy. Connect again in a moment."))
        self.is_stale = True

    async def refresh(self) -> None:
        """Returns when all is known that was stored when this was called, by whichever server.

        Raises StoreUnavailable if the store cannot be reached.
        """
        if self.store.is_shared:
            async with self._of_a_log_that_is_there():
                await self._authority.refresh()

    def hear(self, seq: int) -> None:
        """Another server says that it has stored something, up to a seq: it is looked for soon."""
        if seq > self.hub.head.seq:
            self.look()

    def look(self) -> None:
        """What other servers have stored is looked for soon."""
        if self.store.is_shared:
            self._catching_up.look()

    @property
    def access(self) -> Access:
        """Who may do what in this space."""
        return self._authority.access

    def access_at(self, seq: int) -> Access:
        """The same as of a seq. May read the log: call it in a thread."""
        return self.access if seq == self.access.seq else self._past.at(seq)

    def set_terms(self, terms: Terms) -> None:
        """What administrators have decided about the space, from now on."""
        self.terms, self._authority.quotas = terms, terms.quotas
        self.keeping.retention = terms.retention
        per_second = terms.quotas.events_per_second
        self.rate: Account | None = None
        if per_second:
            self.rate = Account(SPACE_EVENTS, Buckets(rate(per_second, terms.burst_seconds)), self.name)
        self.hub.wake()  # whoever follows looks again whether it may
        self.presences.wake()

    def check_resumed(self, user: str) -> None:
        """Raises SpaceSuspended if the space is suspended, unless it is one of the server's own voices that asks."""
        if self.terms.is_suspended and not user.startswith("."):
            raise SpaceSuspended(f"The space {self.name} is suspended.")

    async def settle(self) -> None:
        """Returns when what was taken before is stored."""
        await self._authority.submit(Submission([], ROOT))

    @contextmanager
    def connected(self, user: str) -> Iterator[None]:
        """As long as the block lasts there is one more session or stream. Raises TooManyConnections."""
        most = self.terms.quotas.connections
        if most and self.connections >= most and not user.startswith("."):
            words = f"The space has {most} sessions and streams open, as many as it may."
            raise TooManyConnections(words, retry_after=CONNECT_AGAIN_SECONDS)
        self.connections += 1
        try:
            yield
        finally:
            self.connections -= 1

    async def submit(self, submission: Submission) -> Committed:
        """Judges and stores events; returns after the durable commit. Raises SpaceSuspended."""
        self.check_resumed(submission.user)
        hold = None if submission.user.startswith(".") else self.recovery.hold
        async with self._of_a_log_that_is_there():
            return await self._authority.submit(submission if hold is None else submission._replace(hold=hold))

    @asynccontextmanager
    async def _of_a_log_that_is_there(self) -> AsyncIterator[None]:
        """A log is gone when its space is, but also when it takes another epoch, on whatever server."""
        try:
            yield
        except SpaceDeleted:
            await self.confirm()
            self.replace()
            raise Overloaded("The log of this space was made anew. Try again in a moment.") from None

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """What a function returns that is called in a reader thread."""
        return await asyncio.get_running_loop().run_in_executor(self._crew.readers, function, *args)

    def stop_following(self, end: SynclineError) -> None:
        """Ends all followers for this reason; pushes go on, unless it is that the space was deleted."""
        self.end = end
        self.hub.wake()
        self.presences.wake()

    def check_exists(self) -> None:
        """Raises SpaceDeleted if it was deleted, Overloaded if it has to be opened anew."""
        if self.end is not None and (self.is_stale or isinstance(self.end, SpaceDeleted)):
            raise self.end

    def close(self) -> None:
        """Finishes what was begun and closes the store. Call it from a thread."""
        self._authority.close()
        self.documents.close()
        self.store.close()


async def _keep_epoch(epoch: str) -> None:
    raise EpochChanged("What is given was in another log.")


async def _nothing() -> None: ...
