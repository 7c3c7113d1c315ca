"""Who watches which documents: callbacks in the thread of the change, and asynchronous iterators in any event loop."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from threading import Lock, RLock
from typing import Any, Generic, Self, TypeVar

from syncline.core.patterns import matcher
from syncline.replica.documents.live import LiveDocument

T = TypeVar("T")
Callback = Callable[[list[LiveDocument]], Any]
Stop = Callable[[], None]


class Watchers:
    """The callbacks of one replica, and what they have not been told yet."""

    def __init__(self, document: Callable[[str], LiveDocument]) -> None:
        self._document = document
        self._watchers: list[tuple[Callable[[str], bool], Callback]] = []
        self._changed: set[str] = set()
        self._lock = Lock()
        self.iterators: weakref.WeakSet[Watch[Any]] = weakref.WeakSet()

    def __bool__(self) -> bool:
        return bool(self._watchers)

    def add(self, pattern: str, callback: Callback) -> Stop:
        """Calls back with the documents that change; returns the way to stop."""
        watcher = (matcher([pattern]), callback)
        self._watchers.append(watcher)

        def stop() -> None:
            with suppress(ValueError):
                self._watchers.remove(watcher)

        return stop

    def note(self, items: Iterable[str]) -> None:
        """These documents changed."""
        with self._lock:
            self._changed.update(items)

    def tell(self) -> None:
        """Tells everybody what changed."""
        with self._lock:
            changed, self._changed = sorted(self._changed), set()
        for wanted, callback in tuple(self._watchers) if changed else ():
            if found := [self._document(item) for item in changed if wanted(item)]:
                callback(found)

    def close(self) -> None:
        """Ends the iterators."""
        for iterator in tuple(self.iterators):
            iterator.stop()


class Watch(Generic[T]):
    """What changes, to be waited for: ``async for news in watch``. It ends with ``stop``, or when the replica closes.

    One task waits at a time. Changes that come while nobody waits are told together. A watch nobody holds is stopped.
    """

    def __init__(self, watchers: Watchers, pattern: str) -> None:
        self._news: dict[str, LiveDocument] = {}
        self._waiting: asyncio.Future[None] | None = None
        self._is_stopped = False
        self._lock = Lock()
        me = weakref.ref(self)
        self._unwatch = weakref.finalize(self, watchers.add(pattern, lambda documents: _note(me, documents)))
        watchers.iterators.add(self)

    def _note(self, documents: Sequence[LiveDocument]) -> None:
        with self._lock:
            self._news.update((document.item, document) for document in documents)
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            with suppress(RuntimeError):  # the event loop that waited is closed
                waiting.get_loop().call_soon_threadsafe(_set, waiting)

    def _take(self) -> list[LiveDocument]:
        with self._lock:
            news, self._news = self._news, {}
        return [news[item] for item in sorted(news)]

    def _next(self) -> T | None:
        """What there is to tell; None if there is nothing."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ends the iteration."""
        self._is_stopped = True
        self._unwatch()
        self._wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while True:
            waiting = self._waiting = asyncio.get_running_loop().create_future()
            if self._is_stopped:
                raise StopAsyncIteration
            if (news := self._next()) is not None:
                return news
            await waiting

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()


def _note(watch: weakref.ref[Watch[Any]], documents: Sequence[LiveDocument]) -> None:
    found = watch()
    if found is not None:
        found._note(documents)


def _set(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class WatchedDocuments(Watch[list[LiveDocument]]):
    """The documents that changed since the last time."""

    def _next(self) -> list[LiveDocument] | None:
        return self._take() or None


class Results:
    """The answer to a query, as it was told last. ``find`` asks again."""

    def __init__(self, find: Callable[[], list[LiveDocument]]) -> None:
        self._find = find
        self._told: list[str] | None = None
        self.lock = RLock()

    def again(self, changed: Collection[LiveDocument] = ()) -> list[LiveDocument] | None:
        """The answer, if it is another one, or one of its documents changed."""
        documents = self._find()
        items = [document.item for document in documents]
        is_same = items == self._told and not {document.item for document in changed}.intersection(items)
        self._told = items
        return None if is_same else documents

    def call(self, callback: Callback, changed: Collection[LiveDocument] = ()) -> None:
        """Calls back with the answer if there is something to tell."""
        with self.lock:
            if (documents := self.again(changed)) is not None:
                callback(documents)


class WatchedQuery(Watch[list[LiveDocument]]):
    """The answer to a query: as it is, then whenever it changes."""

    def __init__(self, watchers: Watchers, pattern: str, find: Callable[[], list[LiveDocument]]) -> None:
        super().__init__(watchers, pattern)
        self._results = Results(find)
        self._is_first = True

    def _next(self) -> list[LiveDocument] | None:
        changed = self._take()
        if not changed and not self._is_first:
            return None
        self._is_first = False
        return self._results.again(changed)
