"""Finding documents and watching them: the half of ``DocumentReplica`` that is about all of them.

It hears of every change of the log (``_commit``), and keeps in mind which items may show something else since. The
index is brought up to date when somebody asks; the watchers are told when the change is done and no lock is held.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, overload

from msgspec import UNSET

from syncline.core import canonical, patterns
from syncline.core.bases import Base
from syncline.core.documents.document import Document
from syncline.core.documents.revisions import Placed
from syncline.core.documents.settings import POLICIES_ITEM
from syncline.core.documents.values import from_wire, to_plain, to_wire
from syncline.core.events import Event
from syncline.core.queries import Query, parse_path
from syncline.replica import Replica
from syncline.replica.documents.catalog import Catalog, is_op
from syncline.replica.documents.library import Library
from syncline.replica.documents.live import LiveDocument
from syncline.replica.documents.upcasts import FIRST_SCHEMA, UPCASTS, Upcasts, schema_of
from syncline.replica.documents.watching import Callback, Results, Stop, WatchedDocuments, WatchedQuery, Watchers
from syncline.replica.drafts import Draft
from syncline.replica.traces import spoiled
from syncline.stores import EVERYTHING, ON_ITS_WAY, Change, ReplicaStore, is_on_its_way
from syncline.stores.digests import all_digests
from syncline.stores.documents import DocumentIndex, MemoryDocumentIndex

MANY = 50
"""More documents than this are folded in one go, from the beginning; fewer from their snapshots."""


class FindingReplica(Replica):
    """A replica whose documents can be found and watched."""

    library: Library

    def __init__(
        self, store: ReplicaStore, *, index: DocumentIndex | None = None, upcasts: Upcasts = UPCASTS, **sources: Any
    ) -> None:
        super().__init__(store, **sources)
        self._upcasts = upcasts
        self._schemas: dict[str, int] = {}
        self._catalog = Catalog(index or MemoryDocumentIndex(), store, self._bodies, self._reading)
        self._watched = Watchers(self.document)
        self._quiet = 0
        self._untold: list[Event] | None = None

    def document(self, item: str) -> LiveDocument:
        """The document of an item, whether it is there yet or not."""
        raise NotImplementedError

    def _drafted(self) -> Collection[str]:
        """The items that are being edited."""
        raise NotImplementedError

    def _bodies(self, items: Sequence[str]) -> dict[str, bytes | None]:
        many = len(items) > MANY
        strangers = [item for item in items if item not in self.library] if many else []
        bodies = {item: self._body(item, document) for item, document in self._fold(strangers)}
        return bodies | {item: self._body(item, self.library.document(item)) for item in items if item not in bodies}

    def _body(self, item: str, document: Document) -> bytes | None:
        if not document.exists:
            return None
        wire = self.upcasted(item, document.value()) if self.is_outdated(item) else UNSET
        return canonical.encode(document.plain() if wire is UNSET else to_plain(wire))

    def _fold(self, items: Sequence[str]) -> Iterator[tuple[str, Document]]:
        """Many documents that are not in memory, and need not stay there, from one walk through the log."""
        bases = {base.item: base for base in self._store.bases(items)} if items else {}
        events: dict[str, list[Placed]] = {item: [] for item in items}
        for entry in self._store.load(items=items) if items else ():
            events[entry.event.item].append(Placed.of(entry))
        for each in self._store.outbox(*ON_ITS_WAY, items=items) if items else ():
            events[each.event.item].append(Placed(each.event))
        for item, placed in events.items():
            base = bases.get(item)
            self._schemas[item] = _schema((each.event for each in placed), base)
            yield item, self.library.fold(item, placed, base)

    def _reading(self) -> str:
        return str(self._upcasts)

    # Versions of the app's own format

    def schema(self, item: str) -> int:
        """The version of a document's format: the greatest of its events, or this program's if there are none."""
        with self._lock:
            if item not in self._schemas:
                self._schemas[item] = _schema(self.events(items=[item]), next(self._store.bases([item]), None))
            return self._schemas[item] or self._upcasts.version(item)

    def is_outdated(self, item: str) -> bool:
        """Whether a document is of a version that this program reads through upcasts."""
        known = self._upcasts.version(item)
        return known > FIRST_SCHEMA and self.schema(item) < known

    def upcasted(self, item: str, wire: Any) -> Any:
        """What a document shows (as it travels), in the form this program knows."""
        return to_wire(self._upcasts.apply(item, from_wire(wire), self.schema(item)))

    def payload(self, event: Event) -> Any:
        """The payload of an event in the form this program knows; None if it has none."""
        if event.payload is UNSET:
            return None
        return self._upcasts.apply(event.item, deepcopy(event.payload), schema_of(event))

    def _made(self, draft: Draft, *arguments: Any) -> Event:
        known = self._upcasts.version(draft.item)
        if known > FIRST_SCHEMA:
            draft = draft._replace(meta={"schema": known, **(draft.meta or {})})
        return super()._made(draft, *arguments)

    def _note_schemas(self, change: Change) -> None:
        if change.forget or change.rewind is not None or change.part is not None or change.bases:
            self._schemas.clear()
        events = [*(entry.event for entry in change.entries), *(each.event for each in change.outbox)]
        for event in events if self._schemas else ():
            if event.item in self._schemas:
                self._schemas[event.item] = max(self._schemas[event.item], schema_of(event))

    # Finding

    def items(self, pattern: str = "*") -> list[str]:
        """The items of the documents that are there, sorted. Of a pattern: a literal, or a prefix with one ``*``."""
        return self._find(Query.of(pattern))

    def documents(self, pattern: str = "*") -> list[LiveDocument]:
        """The documents that are there, sorted by their items."""
        return [self.document(item) for item in self.items(pattern)]

    def query(
        self,
        pattern: str = "*",
        *,
        where: Mapping[str, Any] | None = None,
        order_by: str | Sequence[str] = (),
        limit: int | None = None,
        text: str = "",
    ) -> list[LiveDocument]:
        """The documents that fulfil all conditions, in order; what may be asked is told in ``core.queries``.

            notes.query("task.*", where={"done": False, "tags": ("has", "shop")}, order_by="-due", text="milk OR bread")

        Raises BadRequest for what is no query.
        """
        query = Query.of(pattern, where=where, order_by=order_by, limit=limit, text=text)
        return [self.document(item) for item in self._find(query)]

    def index(self, pattern: str, *paths: str) -> None:
        """Makes queries fast that compare what stands at these paths, in documents whose items fit the pattern.

        It is kept beside the replica. What is there already costs nothing, so a program says it at every start.
        """
        patterns.check([pattern])
        for path in map(parse_path, paths):
            with self._lock:
                self._catalog.add_field(pattern, path)

    def _find(self, query: Query) -> list[str]:
        with self._lock:
            return self._catalog.find(query, self._drafted())

    # Watching

    @overload
    def watch(self, pattern: str = "*") -> WatchedDocuments: ...
    @overload
    def watch(self, pattern: str, callback: Callback) -> Stop: ...
    def watch(self, pattern: str = "*", callback: Callback | None = None) -> WatchedDocuments | Stop:
        """Calls back with the documents that changed, in the thread of the change, and returns the way to stop.

        That is the thread that edits, or the one that syncs, which waits meanwhile. Without a callback: an asynchronous
        iterator over what changed, for any event loop.
        """
        patterns.check([pattern])
        return WatchedDocuments(self._watched, pattern) if callback is None else self._watched.add(pattern, callback)

    @overload
    def watch_query(self, pattern: str = "*", callback: None = None, **asked: Any) -> WatchedQuery: ...
    @overload
    def watch_query(self, pattern: str, callback: Callback, **asked: Any) -> Stop: ...
    def watch_query(self, pattern: str = "*", callback: Callback | None = None, **asked: Any) -> WatchedQuery | Stop:
        """Calls back with the answer to a ``query``, at once and whenever it or a document in it changes.

        Otherwise like ``watch``: with a callback it returns the way to stop, without one an asynchronous iterator.
        """
        query = Query.of(pattern, **asked)

        def find() -> list[LiveDocument]:
            return [self.document(item) for item in self._find(query)]

        if callback is None:
            return WatchedQuery(self._watched, pattern, find)
        results = Results(find)
        stop = self._watched.add(pattern, lambda changed: results.call(callback, changed))
        results.call(callback)
        return stop

    # What happens to the log

    def _commit(self, change: Change) -> None:
        touched = self._touched(change)
        changed = self._changed(change, touched) if self._watched else ()
        if gone := spoiled(change, self._store):  # first, so that a crash leaves nothing of what the log has forgotten
            self._catalog.forget(gone, more=change.more)
        try:
            super()._commit(change)
        finally:  # a commit that failed may have been carried out after all
            self._catalog.touch(touched)
            self._note_schemas(change)
            self._watched.note(changed)
        if change.part is not None and change.part.is_last:
            self._note_snapshot()

    def _note_snapshot(self) -> None:
        """All documents may show something else: what was aside a moment ago stands now."""
        items = {base.item for base in self._store.bases() if base.state}
        self._catalog.touch(items)
        self._watched.note(items if self._watched else ())

    def _touched(self, change: Change) -> set[str]:
        """The items on which something happens."""
        events = [*(entry.event for entry in change.entries), *(each.event for each in change.outbox)]
        items = {event.item for event in events if is_op(event)} | (set(change.forget) - {EVERYTHING})
        items.update(base.item for base in change.bases)
        if EVERYTHING in change.forget and self._watched:  # the index begins anew in any case
            items.update(filter(self._has_ops, {each.item for each in all_digests(self._store)}))
            items.update(base.item for base in self._store.bases() if base.state)
        if change.rewind is not None:
            items.update(entry.event.item for entry in self._store.load(change.rewind))
        if any(event.item == POLICIES_ITEM for event in events):
            items.update(each.event.item for each in self._store.outbox(*ON_ITS_WAY))
        return items

    def _has_ops(self, item: str) -> bool:
        return any(is_op(entry.event) for entry in self._store.load(items=[item]))

    def _changed(self, change: Change, touched: set[str]) -> set[str]:
        """Those of them that may show something else: an event that is only confirmed or acknowledged is no news."""
        coming = [entry.event for entry in change.entries]
        coming += [each.event for each in change.outbox if is_on_its_way(each.status)]
        hidden = {each.event.id for each in self._store.outbox("refused", "orphan")}
        shown = self._store.holds(event.id for event in coming) - hidden
        quiet = {event.item for event in coming if event.id in shown}
        news = {event.item for event in coming if event.id not in shown}
        news.update(each.event.item for each in change.outbox if not is_on_its_way(each.status))
        if change.rewind is not None or EVERYTHING in change.forget:
            return touched
        return touched - (quiet - news - set(change.forget) - {base.item for base in change.bases})

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Holds the lock; what there is to tell is told when it is free again."""
        try:
            with self._lock:
                self._quiet += 1
                try:
                    yield
                finally:
                    self._quiet -= 1
        finally:
            self._speak()

    def _speak(self) -> None:
        with self._lock:
            if self._quiet:
                return
            untold, self._untold = self._untold, None
        if untold is not None:
            self._announce(untold)

    def _tell(self, events: Sequence[Event]) -> None:
        with self._lock:
            self._untold = [*(self._untold or ()), *events]
        self._speak()

    def _announce(self, events: Sequence[Event]) -> None:
        """Tells everybody who watches."""
        super()._tell(events)
        self._watched.tell()

    def close(self) -> None:
        """Closes the stores."""
        self._watched.close()
        with self._lock:
            self._catalog.close()
            super().close()


def _schema(events: Iterable[Event], base: Base | None) -> int:
    """The version of a document's format; 0 if there is nothing of it."""
    return max([base.schema or FIRST_SCHEMA if base else 0, *map(schema_of, events)])
