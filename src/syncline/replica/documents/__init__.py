"""Documents on a replica: created, edited and undone offline, and brought along as events come.

``DocumentReplica`` is the ``Replica`` with documents. Whatever changes its log goes through ``_commit``, so its
``Library`` is always up to date; an edit drafts its ops on the document itself, which is let go of if the edit fails.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, TypeVar

from msgspec import UNSET

from syncline.core.bases import Base
from syncline.core.documents.edit import Editor
from syncline.core.documents.revisions import Placed
from syncline.core.documents.settings import POLICIES_ITEM, Policies
from syncline.core.documents.undo import Difference
from syncline.core.documents.values import from_wire
from syncline.core.events import Entry, Event
from syncline.core.stamps import NIL_ID, StampClock
from syncline.errors import DocumentExists, InvalidEvent
from syncline.replica.documents import upcasts
from syncline.replica.documents.finding import FindingReplica
from syncline.replica.documents.library import Library
from syncline.replica.documents.live import Edit, LiveDocument
from syncline.replica.documents.upcasts import UPCAST
from syncline.replica.drafts import Draft
from syncline.replica.traces import spoiled
from syncline.stores import ON_ITS_WAY, Change, ReplicaStore
from syncline.stores.snapshots import MemorySnapshotStore, SnapshotStore

__all__ = ["DocumentReplica", "LiveDocument"]

T = TypeVar("T")

CHUNK = 256
"""Local events that are read at a time."""


class _Source:
    """A replica's log, as a library reads it."""

    def __init__(self, store: ReplicaStore) -> None:
        self._store = store

    def entries(self, item: str, since: int) -> Iterable[Entry]:
        return self._store.load(since, items=[item])

    def pending(self, item: str, after: str = NIL_ID) -> Iterator[Event]:
        while found := self._store.outbox(*ON_ITS_WAY, items=[item], after=after, limit=CHUNK):
            yield from (each.event for each in found)
            after = found[-1].event.id

    def holds(self, id: str) -> bool:
        return bool(self._store.holds([id]))

    def base(self, item: str) -> Base | None:
        return next(self._store.bases([item]), None) if self._store.state().horizon else None

    def place(self) -> tuple[int, int]:
        state = self._store.state()
        return state.seq, state.rewritten


class _Open(NamedTuple):
    """An edit that is under way, and the event it will be."""

    edit: Edit
    action: str
    payload: Any
    meta: Mapping[str, str]

    @property
    def draft(self) -> Draft | None:
        """The event; None if there is nothing to record."""
        editor = self.edit.editor
        if not editor.ops and not self.meta:
            return None
        payload = UNSET if self.payload is ... else self.payload
        return Draft(self.edit.item, self.action, payload, editor.wire(), self.meta or None, editor.event)


class DocumentReplica(FindingReplica):
    """A replica and its documents. ``snapshots`` keeps derived states, so that opening a document is fast."""

    def __init__(self, store: ReplicaStore, *, snapshots: SnapshotStore | None = None, **sources: Any) -> None:
        super().__init__(store, **sources)
        self._snapshots = snapshots or MemorySnapshotStore()
        self.library = Library(_Source(store), self._snapshots, Policies(store.load(items=[POLICIES_ITEM])))
        self._under_way: dict[str, _Open] = {}
        self.library.drafted = self._under_way.keys()
        self._transactions = 0
        self._reserved = ""
        self._overruled_watchers: list[Callable[[LiveDocument, Event], Any]] = []

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Held while something is read that other threads may change."""
        return self._lock

    # Documents

    def document(self, item: str) -> LiveDocument:
        """The document of an item, whether it is there yet or not."""
        return LiveDocument(self, item)

    def get(self, item: str) -> LiveDocument | None:
        """The document of an item, if there is one."""
        document = LiveDocument(self, item)
        return document if document.exists else None

    def create(self, item: str, value: Mapping[str, Any] = {}, *, action: str = "create") -> LiveDocument:
        """Makes a document. What several replicas make of it apart merges, nested sets, texts and lists included.

        One that was deleted is restored, with this content. Raises DocumentExists.
        """
        with self.editing(item, action) as edit:
            if edit.document.exists:
                raise DocumentExists(f"There is a document {item} already; update it.")
            edit.create(value)
        return LiveDocument(self, item)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Changes of several documents that are recorded together when the block ends, and stored all or none.

        Each document's changes become one event. If the block raises, nothing is recorded.
        """
        with self._quietly():
            self._transactions += 1
            try:
                yield
            except BaseException:
                self._give_up()
                raise
            finally:
                self._transactions -= 1
            if not self._transactions:
                self._record_open(together=True)

    @contextmanager
    def editing(
        self, item: str, action: str = "update", payload: Any = ..., meta: Mapping[str, str] = {}
    ) -> Iterator[Edit]:
        """One event on a document; see ``LiveDocument.edit``. An edit inside another one of the same item joins it."""
        with self._quietly():
            if item in self._under_way:
                if meta:
                    raise InvalidEvent(f"{item} is being edited: an undo or a group is an event of its own.")
                yield self._under_way[item].edit
                return
            if self.is_outdated(item):
                self._write_upcast(item)
            edit = Edit(item, Editor(self.library.document(item), self._reserve()))
            self._under_way[item] = _Open(edit, action, payload, meta)
            try:
                yield edit
            except BaseException:
                self._give_up(item)
                raise
            if not self._transactions:
                self._record_open(item)

    def _write_upcast(self, item: str) -> None:
        """Makes the newer form of a document last: an event of its own, recorded before whatever is edited."""
        document = self.library.document(item)
        edit = Edit(item, Editor(document, self._reserve()))
        self._under_way[item] = _Open(edit, UPCAST, ..., {})
        try:
            if document.is_made:  # a deleted one, too: it may come back
                upcasts.write(edit.editor, from_wire(self.upcasted(item, document.show(document.root))))
        except BaseException:
            self._give_up(item)
            raise
        self._record_open(item)

    def _reserve(self) -> str:
        """An id for an event that is being drafted."""
        state = self._state
        clock = StampClock(state.node, max(state.stamp, self._reserved))
        self._reserved = clock.next(self._now_ms() + state.skew_ms, self._entropy())
        return self._reserved

    def _record_open(self, item: str | None = None, *, together: bool = False) -> None:
        items = list(self._under_way) if item is None else [item]
        try:
            drafts = self._drafts(items)
            if drafts:
                self.record_many(drafts, together=together and len(drafts) > 1)
        except BaseException:
            self._give_up(item)
            raise
        for each in items:
            self._under_way.pop(each, None)

    def _drafts(self, items: Iterable[str]) -> list[Draft]:
        """The events to be, with ids in the order in which they will be pushed.

        One whose id has been overtaken, by an event recorded amid it, gets a new one; its document is read again.
        """
        drafts, last = [], self._state.stamp
        for draft in [draft for each in items if (draft := self._under_way[each].draft)]:
            if draft.id is not None and draft.id <= last:
                self._give_up(draft.item)
                draft = draft.under(self._reserve())
            drafts.append(draft)
            last = draft.id or last
        return drafts

    def _give_up(self, item: str | None = None) -> None:
        """Lets go of documents whose edits came to nothing: they are read again."""
        for each in list(self._under_way) if item is None else [item]:
            self._under_way.pop(each, None)
            self.library.let_go(each)

    # For the documents

    def past(self, look: Callable[[Library], T]) -> T:
        """Looks into the library while nothing changes it."""
        with self._lock:
            return look(self.library)

    def step(self, item: str, action: str) -> bool:
        """Undoes or redoes (``action``) this user's last edit of a document; False if there is nothing to."""
        with self._quietly():
            if self.is_outdated(item):
                self._write_upcast(item)
            find = self.library.undo if action == "undo" else self.library.redo
            found = find(item, self.user)
            if found is None or found[0].touched[0].action == UPCAST:
                return False
            step, target = found
            with self.editing(item, action, meta={"undoes": step.undoes}) as edit:
                Difference(edit.editor, target, step.once).touched(step.touched)
            return True

    def watch_overruled(self, callback: Callable[[LiveDocument, Event], Any]) -> Callable[[], None]:
        """Calls back when the space's policy has overruled an edit of this replica; returns the way to stop."""
        self._overruled_watchers.append(callback)
        return lambda: self._overruled_watchers.remove(callback)

    def _announce(self, events: Sequence[Event]) -> None:
        super()._announce(events)
        for event in events if self._overruled_watchers else ():
            if event.node == self.node and self.past(lambda library, event=event: library.has_overruled(event)):  # type: ignore[misc]
                for callback in tuple(self._overruled_watchers):
                    callback(LiveDocument(self, event.item), event)

    def _drafted(self) -> Collection[str]:
        return self._under_way.keys()

    def _read_clock(self, item: str) -> dict[str, int]:
        return dict(self.library.document(item).clock) if item in self.library else super()._read_clock(item)

    def _commit(self, change: Change) -> None:
        rewritten = self._state.rewritten
        if spoiled(change, self._store):  # none of them holds after that
            self._snapshots.forget()
        super()._commit(change)
        if self._state.rewritten != rewritten:
            self.library.let_go()
        for entry in change.entries:
            self.library.note(Placed.of(entry))
        for outboxed in change.outbox:
            if outboxed.status in ("pending", "heard"):
                self._note_local(outboxed.event)

    def _note_local(self, event: Event) -> None:
        under_way = self._under_way.get(event.item)
        if under_way is not None and under_way.edit.editor.event == event.id:
            self.library.adopt(Placed(event), has_changed=under_way.edit.editor.has_changed)
        else:
            self.library.note(Placed(event))

    def close(self) -> None:
        """Closes the stores."""
        super().close()
        self._snapshots.close()
