"""The documents of one log, kept up to date in memory: opened from a snapshot and what came after it.

A ``Shelf`` holds one document and the events of its last stretch, from a snapshot on; the stretch is what undo folds
again. When it has grown, the state becomes the next snapshot; so opening, undo and time travel cost what lies between
two snapshots, never the length of history. The log remains the truth: whatever changes a document otherwise than by
another event lets go of its shelf.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

from msgspec import UNSET

from syncline.core.documents import snapshots
from syncline.core.documents.document import Document
from syncline.core.documents.policies import SERVER_WINS
from syncline.core.documents.revisions import Placed, Revision, replay
from syncline.core.documents.settings import Policies
from syncline.core.documents.undo import History, Step, fold_without
from syncline.core.events import Entry, Event
from syncline.errors import NotFound
from syncline.stores.snapshots import Kept, SnapshotStore

STRETCH = 128
"""Events between two snapshots, at least; more when the snapshots are larger than the events."""
BUDGET_BYTES = 64 * 1024 * 1024
"""What the documents in memory may take, roughly: those that were not looked at for longest are let go."""


class Source(Protocol):
    """The log whose documents these are."""

    def entries(self, item: str, since: int) -> Iterable[Entry]:
        """The confirmed entries of an item after a seq, in order."""

    def pending(self, item: str) -> list[Event]:
        """The local events of an item that are not entries yet, in order."""

    def place(self) -> tuple[int, int]:
        """The head up to which ``entries`` knows, and how often the log was changed otherwise than at its end."""


class Shelf:
    """One document, the snapshot its last stretch begins with, and that stretch: confirmed events, pending ones."""

    def __init__(self, item: str, kept: Kept | None) -> None:
        self.kept = kept or nothing(item)
        self.document = open_kept(item, kept)
        self.revision, self.group = self.kept.revision, self.kept.group
        self.stretch: list[Placed] = []
        self.is_in_order = True
        self.bytes = len(self.kept.body)

    def fold(self, placed: Placed, policy: str) -> None:
        """Folds the next event of the stretch."""
        self.stretch.append(placed)
        self.bytes += len(placed.event.body)
        self.counted(placed.event, has_changed=self.document.fold(placed.event, policy=policy))

    def counted(self, event: Event, *, has_changed: bool) -> None:
        """Counts a revision: a visible change, or several neighbours of one group."""
        group = group_of(event)
        if has_changed and (group is None or group != self.group):
            self.revision += 1
        self.group = group if has_changed or group == self.group else None

    @property
    def pending(self) -> int:
        """How many events of the stretch are not confirmed."""
        return sum(not each.seq for each in self.stretch)


def group_of(event: Event) -> str | None:
    """The group of an event, told apart from others' groups; None if it is in none."""
    group = event.meta.get("group") if event.meta is not UNSET else None
    return f"{event.node}/{group}" if group else None


def nothing(item: str) -> Kept:
    """The snapshot of a document without events."""
    zero = dict.fromkeys(("count", "revision", "seq", "at", "pending", "head", "rewritten"), 0)
    return Kept(item=item, group=None, body=b"", **zero)


def open_kept(item: str, kept: Kept | None) -> Document:
    """The document of a snapshot, or an empty one."""
    return snapshots.decode(item, snapshots.unpack(kept.body)) if kept and kept.body else Document(item)


class Library:
    """Documents by item. Not thread-safe: whoever owns it holds a lock."""

    def __init__(
        self, source: Source, store: SnapshotStore, policies: Policies, *, budget_bytes: int = BUDGET_BYTES
    ) -> None:
        self._source, self._store, self._policies = source, store, policies
        self._budget_bytes = budget_bytes
        self._shelves: OrderedDict[str, Shelf] = OrderedDict()

    def __contains__(self, item: str) -> bool:
        """Whether the document of an item is in memory."""
        return item in self._shelves

    # The document as it is now

    def document(self, item: str) -> Document:
        """The document of an item. It changes as events come; only an ``Editor`` whose event follows may change it."""
        return self._shelf(item).document

    def revision(self, item: str) -> int:
        """The number of the last revision."""
        return self._in_order(item).revision

    def note(self, placed: Placed) -> None:
        """Folds an event that came to the end of its item, if the document is in memory."""
        self._policies.note(placed)
        shelf = self._shelves.get(placed.event.item)
        if shelf is None:
            return
        if shelf.document.has_seen(placed.event):
            self._confirm(shelf, placed)
        elif placed.seq and shelf.pending and self._policies.of(placed.event.item) == SERVER_WINS:
            self.let_go(placed.event.item)
        else:
            shelf.is_in_order = shelf.is_in_order and not (placed.seq and shelf.pending)
            shelf.fold(placed, self._policies.of(placed.event.item, placed.seq or None))
            self._turn(shelf)

    def adopt(self, event: Event, *, has_changed: bool) -> None:
        """Takes note of an event whose ops were carried out on the document while it was drafted."""
        shelf = self._shelf(event.item)
        shelf.document.clock[event.node] = event.n
        shelf.stretch.append(Placed(event))
        shelf.bytes += len(event.body)
        shelf.counted(event, has_changed=has_changed)
        self._turn(shelf)

    def _confirm(self, shelf: Shelf, placed: Placed) -> None:
        """A pending event has its entry now."""
        where = next((i for i, each in enumerate(shelf.stretch) if each.event.id == placed.event.id), None)
        if where is None:
            return  # it lies before the stretch, in a snapshot
        if placed.seq:
            shelf.is_in_order = shelf.is_in_order and (where == 0 or bool(shelf.stretch[where - 1].seq))
        shelf.stretch[where] = placed

    def let_go(self, item: str | None = None) -> None:
        """Forgets what is in memory of an item, or of all."""
        if item is None:
            self._shelves.clear()
        else:
            self._shelves.pop(item, None)

    def _shelf(self, item: str) -> Shelf:
        shelf = self._shelves.get(item)
        if shelf is None:
            shelf = self._shelves[item] = self._open(item)
            self._make_room()
        self._shelves.move_to_end(item)
        return shelf

    def _in_order(self, item: str) -> Shelf:
        """The shelf, opened again if events came between pending ones and their confirmation."""
        if not self._shelf(item).is_in_order:
            self.let_go(item)
        return self._shelf(item)

    def _make_room(self) -> None:
        total = sum(shelf.bytes for shelf in self._shelves.values())
        while total > self._budget_bytes and len(self._shelves) > 1:
            _, gone = self._shelves.popitem(last=False)
            total -= gone.bytes

    def _open(self, item: str) -> Shelf:
        kept = self._nearest(item)
        shelf = Shelf(item, kept)
        if kept is not None and kept.pending and not self._is_at_end(shelf):
            kept = self._nearest(item, confirmed=True)
            shelf = Shelf(item, kept)
        for placed in self._after(item, kept, shelf.document):
            shelf.fold(placed, self._policies.of(item, placed.seq or None))
            shelf = self._turned(shelf)
        return shelf

    def _is_at_end(self, shelf: Shelf) -> bool:
        """Whether nobody else's event came before the pending ones that a snapshot holds."""
        return all(
            shelf.document.has_seen(entry.event) for entry in self._source.entries(shelf.kept.item, shelf.kept.head)
        )

    def _nearest(self, item: str, **bounds: Any) -> Kept | None:
        return self._store.nearest(item, rewritten=self._source.place()[1], **bounds)

    def _after(self, item: str, kept: Kept | None, document: Document) -> Iterator[Placed]:
        """The events that a snapshot does not hold, in order; ``document`` is what was folded so far."""
        for entry in self._source.entries(item, kept.head if kept else 0):
            if not document.has_seen(entry.event):
                yield Placed.of(entry)
        for event in self._source.pending(item):
            if not document.has_seen(event):
                yield Placed(event)

    # Snapshots

    def _turn(self, shelf: Shelf) -> None:
        """Begins a new stretch if this one is long enough."""
        self._shelves[shelf.kept.item] = self._turned(shelf)

    def _turned(self, shelf: Shelf) -> Shelf:
        if len(shelf.stretch) < STRETCH or not shelf.is_in_order or group_of(shelf.stretch[-1].event) is not None:
            return shelf
        if shelf.bytes < 2 * len(shelf.kept.body):
            return shelf
        return self._begin(shelf)

    def _begin(self, shelf: Shelf) -> Shelf:
        kept, document = self._keep(shelf), shelf.document
        fresh = Shelf(kept.item, None)
        fresh.kept, fresh.document = kept, document
        fresh.revision, fresh.group, fresh.bytes = kept.revision, kept.group, len(kept.body)
        return fresh

    def _keep(self, shelf: Shelf) -> Kept:
        old, pending = shelf.kept, shelf.pending
        last = next(
            (each for each in reversed(shelf.stretch) if each.seq), Placed(shelf.stretch[0].event, old.seq, old.at)
        )
        head, rewritten = self._source.place()
        kept = Kept(
            item=old.item,
            count=old.count + len(shelf.stretch),
            revision=shelf.revision,
            seq=last.seq,
            at=last.at,
            pending=pending + (old.pending if not last.seq else 0),
            head=last.seq if not pending else head,
            rewritten=rewritten,
            group=shelf.group,
            body=snapshots.pack(snapshots.encode(shelf.document)),
        )
        self._store.keep(kept)
        return kept

    # The past

    def at(
        self, item: str, *, revision: int | None = None, seq: int | None = None, time: int | None = None
    ) -> tuple[Document, int]:
        """The document as it was, and the number of its last revision then. Raises NotFound for what is to come."""
        self._in_order(item)
        kept = self._nearest(item, revision=revision, seq=seq, at=time, confirmed=revision is None)
        shelf = Shelf(item, kept)
        until = self._reach(shelf, revision, seq, time)
        if shelf.revision > (revision if revision is not None else shelf.revision):
            shelf = Shelf(item, kept)
            for placed in until:
                shelf.fold(placed, self._policies.of(item, placed.seq or None))
        if revision is not None and shelf.revision != revision:
            raise NotFound(f"{item} has {shelf.revision} revisions; there is no number {revision}.")
        return shelf.document, shelf.revision

    def _reach(self, shelf: Shelf, revision: int | None, seq: int | None, time: int | None) -> list[Placed]:
        """Folds up to a bound, or one event beyond the revision; the events up to the bound."""
        folded: list[Placed] = []
        for placed in self._after(shelf.kept.item, shelf.kept, open_kept(shelf.kept.item, shelf.kept)):
            if (seq is not None and not 0 < placed.seq <= seq) or (
                time is not None and not (placed.seq and placed.at <= time)
            ):
                break
            shelf.fold(placed, self._policies.of(shelf.kept.item, placed.seq or None))
            if revision is not None and shelf.revision > revision:
                break
            folded.append(placed)
        return folded

    def revisions(self, item: str, *, after: int = 0, limit: int | None = None) -> list[Revision]:
        """The revisions with numbers beyond ``after``, ascending."""
        self._in_order(item)
        kept = self._nearest(item, revision=after)
        document = open_kept(item, kept)
        placed = list(self._after(item, kept, document))
        numbered = replay(
            document, placed, (kept.revision if kept else 0) + 1, lambda seq: self._policies.of(item, seq)
        )
        return list(islice((each for each in numbered if each.number > after), limit))

    def undo(self, item: str, user: str | None) -> tuple[Step, Document] | None:
        """What undoes the user's last standing edit, and the document without it; None if there is none."""
        return self._step(item, lambda history: history.undo(user))

    def redo(self, item: str, user: str | None) -> tuple[Step, Document] | None:
        """The same for the user's last undo."""
        return self._step(item, lambda history: history.redo(user))

    def _step(self, item: str, find: Callable[[History], Step | None]) -> tuple[Step, Document] | None:
        shelf = self._in_order(item)
        kept, events = shelf.kept, [each.event for each in shelf.stretch]
        while True:
            step = find(History(events))
            if step is not None:
                base = open_kept(item, kept if kept.count else None)
                return step, fold_without(base, events, step.left_out, shelf.document.overruled)
            if not kept.count:
                return None
            older = self._nearest(item, count=kept.count - 1)
            kept = older or nothing(item)
            events = [each.event for each in self._after(item, older, open_kept(item, older))]
