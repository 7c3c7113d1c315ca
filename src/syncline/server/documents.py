"""The documents of one space: folded from its log when somebody looks, and changed for those who keep no log.

What reads and folds runs in the reader threads, one at a time for each space. New rows only wait: in a queue until the
next look, then until somebody looks at their item; nothing is folded for nobody. A write is drafted on the document
itself, committed if nothing has come to its item meanwhile, and otherwise drafted anew; so it is always made against
the state that it changes. Until its commit nobody else looks at that item.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from secrets import randbits
from threading import Lock
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from msgspec import UNSET

from syncline.core.admission import Submission
from syncline.core.bases import Base
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.revisions import Placed
from syncline.core.documents.settings import POLICIES_ITEM, Policies
from syncline.core.erasure import Erasures, salted
from syncline.core.events import Entry, Event
from syncline.core.log import NO_TAIL, Head, Row
from syncline.core.stamps import NIL_ID
from syncline.errors import DocumentChanged, HistoryExpired, Overloaded, ShuttingDown, SynclineError
from syncline.replica.documents.library import Library
from syncline.replica.documents.shelf import Shelf
from syncline.server.author import Author
from syncline.server.authority import Committed
from syncline.server.conditions import Version
from syncline.server.desk import Change, Desk, Written
from syncline.server.waiting import Waiting
from syncline.stores import LogStore, load
from syncline.stores.snapshots import SnapshotStore

T = TypeVar("T")

WAITING_BYTES = 8 * 1024 * 1024
"""Rows that wait to be folded. Of more, those that wait longest go, and their documents; all if nobody looks at any."""
TRIES = 16
"""How often a write is drafted anew because something came first."""


class Source:
    """A space's log, as a library reads it."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    def entries(self, item: str, since: int) -> Iterable[Entry]:
        """The entries of an item after a seq. Raises HistoryExpired if some of them are gone."""
        yield from load(self._store, since, items=[item])
        base = self.base(item)  # asked afterwards: the floor is raised before content goes
        if base is not None and since < base.seq:
            raise HistoryExpired(f"The history of {item} begins at seq {base.seq} by now.", seq=base.seq, at=base.at)

    def pending(self, item: str, after: str = NIL_ID) -> list[Event]:
        """Nothing: what a server has is in its log."""
        return []

    def holds(self, id: str) -> bool:
        """Whether the log holds an event; nobody asks, as nothing is pending here."""
        return True

    def base(self, item: str) -> Base | None:
        """Where the history begins that the log keeps of an item; None: with its first entry."""
        return self._store.base(item)

    def place(self) -> tuple[int, int]:
        """The head."""
        return self._store.head().seq, 0


class _Draft(NamedTuple):
    """An event whose ops were carried out on a document while it was drafted, and which is not in the log yet."""

    event: Event
    document: Document
    has_changed: bool


class Documents:
    """The documents of one space. The methods belong to the event loop; what they are given runs in other threads."""

    def __init__(
        self,
        store: LogStore,
        open_snapshots: Callable[[], SnapshotStore],
        readers: Executor,
        submit: Callable[[Submission], Awaitable[Committed]],
        now_ms: Callable[[], int],
        budget_bytes: int,
        erasures: Erasures,
    ) -> None:
        """``open_snapshots`` is called when somebody looks for the first time, and the store closed with the space."""
        self.news: dict[str, int] = {}
        """Of items that somebody follows: the seq of the last entry that came since they began."""
        self.remembered: OrderedDict[Any, Any] = OrderedDict()
        """What was made for those who follow; see ``following``."""
        self._followers: Counter[str] = Counter()
        self._store, self._open_snapshots = store, open_snapshots
        self._readers, self._submit, self._now_ms = readers, submit, now_ms
        self._budget_bytes, self._erasures = budget_bytes, erasures
        self._gate = asyncio.Lock()  # holds one reader thread at most, so that the others serve other spaces
        self._lock = Lock()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._queue: deque[tuple[Sequence[Row] | None, Head]] = deque()
        self._queued_bytes = 0
        self._is_used = self._is_closed = False
        self._snapshots: SnapshotStore | None = None
        self._drafts: dict[str, _Draft] = {}
        self._seen = 0

    def note(self, rows: Sequence[Row], head: Head) -> None:
        """Takes the rows of a commit, to be folded when somebody looks."""
        if not self._is_used:
            return
        for row in rows if self.news else ():
            if row.event.item in self.news:
                self.news[row.event.item] = row.seq
        self._queued_bytes += sum(len(row.encoded) for row in rows)
        if self._queued_bytes > WAITING_BYTES:
            self._queue.clear()
            self._queue.append((None, head))
        else:
            self._queue.append((rows, head))

    async def look(self, item: str, function: Callable[[Library], T]) -> T:
        """What a function finds in the library about one item, while nothing changes it."""
        async with self._turn(item):
            return await self._run(self._looked, item, function)

    async def write(self, item: str, change: Change, function: Callable[[Library], T]) -> tuple[Written, T]:
        """Carries out a change of one item; also what a function finds then. Raises what the draft or log refuses."""
        async with self._turn(item):
            for _ in range(TRIES):
                submission, did_exist = await self._run(self._draft, item, change)
                outcome: Any = None
                if submission is not None:
                    ((outcome,), _) = await self._submit(submission)
                if not isinstance(outcome, DocumentChanged):
                    found = await self._run(self._looked, item, function)
                    if isinstance(outcome, SynclineError):
                        raise outcome
                    event = (submission.good[0].id, outcome) if submission is not None else None
                    return Written(event, did_exist), found
            raise Overloaded(f"{item} changes all the time; try again in a moment.")

    @contextmanager
    def following(self, item: str) -> Iterator[None]:
        """As long as the block lasts, ``news`` tells of an item."""
        self._followers[item] += 1
        self.news.setdefault(item, 0)
        try:
            yield
        finally:
            self._followers[item] -= 1
            if not self._followers[item]:
                del self._followers[item], self.news[item]

    async def forget(self, items: Collection[str]) -> None:
        """Lets go of what was made of these items, in memory, and of all snapshots on the disk: they are made again."""
        await self._run(self._forget, items)

    def _turn(self, item: str) -> asyncio.Lock:
        """The lock of an item: whoever looks at it or writes it waits for the others."""
        lock = self._turns.get(item)
        if lock is None:
            lock = self._turns[item] = asyncio.Lock()
        return lock

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        self._is_used = True
        async with self._gate:
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._locked, function, *args)

    # In the threads

    def _locked(self, function: Callable[..., T], *args: Any) -> T:
        with self._lock:
            if self._is_closed:
                raise ShuttingDown("The space is being closed; try again in a moment.")
            return function(*args)

    def _looked(self, item: str, function: Callable[[Library], T]) -> T:
        return function(self._up_to_date(item))

    def _forget(self, items: Collection[str]) -> None:
        for item in items:
            self._up_to_date(item).let_go(item)
        if self._snapshots is not None:
            self._snapshots.forget()  # all of them: only that leaves no byte on the disk

    def _draft(self, item: str, change: Change) -> tuple[Submission | None, bool]:
        """The event to be committed, None if there is nothing to do; and whether there is a document."""
        library = self._up_to_date(item)
        shelf = library.shelf(item)
        if shelf.seq > self._seen:  # it was read from the log, with what is about to be announced
            self._author.catch_up()
        did_exist = shelf.document.exists
        change.conditions.check(self.version(shelf))
        node = self._author.node(change.user, change.node)
        desk = Desk(library, shelf, Editor(shelf.document, self._author.next_id(node)), change.user)
        try:
            change.draft(desk)
            if desk.is_empty:
                return None, did_exist
            event = self._event(desk, node, change)
        except BaseException:
            if desk.editor.ops:  # the document is spoiled
                library.let_go(item)
            raise
        if desk.editor.ops:
            self._drafts[item] = _Draft(event, shelf.document, desk.editor.has_changed)
        expects = {item: max(self._seen, shelf.seq)}
        return Submission([event], change.user, expects, change.is_system, change.rights), did_exist

    def _event(self, desk: Desk, node: str, change: Change) -> Event:
        return self._author.event(
            desk.editor.event,
            node,
            desk.shelf.document.clock,
            item=desk.item,
            action=change.action,
            user=change.user,
            ops=desk.ops,
            payload=desk.payload,
            meta=self._meta(desk) or UNSET,
        )

    def _meta(self, desk: Desk) -> dict[str, Any]:
        return salted(desk.meta, partial(randbits, 32)) if self._erasures.is_erasable(desk.item) else desk.meta

    def version(self, shelf: Shelf) -> Version:
        """Where a document stands. Call it while looking."""
        return Version(shelf.seq, self._store.tail(shelf.seq) or NO_TAIL, shelf.document.exists)

    @property
    def policies(self) -> Policies:
        """The space's conflict policies. Read them while looking."""
        return self._policies

    def _up_to_date(self, item: str) -> Library:
        """The library with all that has come; of ``item`` nothing in it that is only a draft."""
        if self._snapshots is None:
            self._snapshots = self._open_snapshots()
            self._author = Author(self._store, self._now_ms)
            self._begin()
        self._queued_bytes = 0
        while (news := self._next()) is not None:
            self._take(*news)
            self._seen = news[1].seq
        for placed in self._waiting.take(item):
            self._fold(placed)
        for other in self._waiting.give_up():
            self._library.let_go(other)
        if self._drafts.pop(item, None) is not None:  # it was refused
            self._library.let_go(item)
        return self._library

    def _next(self) -> tuple[Sequence[Row] | None, Head] | None:
        """The next rows that wait, or None in place of those that were too many."""
        try:
            return self._queue.popleft()
        except IndexError:  # perhaps the queue was emptied just now
            return None

    def _begin(self) -> None:
        """Begins with nothing in memory."""
        assert self._snapshots is not None
        self._waiting = Waiting(WAITING_BYTES)
        self._policies = Policies(load(self._store, items=[POLICIES_ITEM]))
        self._library = Library(Source(self._store), self._snapshots, self._policies, budget_bytes=self._budget_bytes)

    def _take(self, rows: Sequence[Row] | None, head: Head) -> None:
        if rows is None:
            self._drafts.clear()
            self._author.catch_up()
            self._begin()
            return
        for row in rows:
            self._author.saw(row.event.id)
            placed = Placed(row.event, row.seq, head.at)
            if row.event.item == POLICIES_ITEM:  # it judges what comes to other items
                self._fold(placed)
            elif row.event.item in self._library:
                self._waiting.add(placed)

    def _fold(self, placed: Placed) -> None:
        item, library = placed.event.item, self._library
        if item in library and placed.seq <= library.shelf(item).seq and item not in self._drafts:
            return  # it was in the log when the document was opened
        draft = self._drafts.pop(item, None)
        if draft is None:
            library.note(placed)
        elif draft.event.id != placed.event.id:  # something came first
            library.let_go(item)
        elif item in library and library.document(item) is draft.document:
            library.adopt(placed, has_changed=draft.has_changed)

    def close(self) -> None:
        """Closes the snapshots. Call it from a thread."""
        with self._lock:
            self._is_closed = True
            if self._snapshots is not None:
                self._snapshots.close()
