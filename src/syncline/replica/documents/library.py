"""The documents of one log, kept up to date in memory: opened from a snapshot and what came after it.

A ``Shelf`` holds one document and the events of its last stretch, from a snapshot on; the stretch is what undo folds
again. When it has grown, the state becomes the next snapshot; so opening, undo and time travel cost what lies between
two snapshots, never the length of history. The log remains the truth: whatever changes a document otherwise than by
another event lets go of its shelf. Where the log no longer has an item's beginning, its base stands for that, and what
lies before the base is refused.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, islice, takewhile
from typing import Any, Protocol

from msgspec.structs import replace

from syncline.core.bases import Base
from syncline.core.documents import snapshots
from syncline.core.documents.conflicts import Conflicts, conflicts_of
from syncline.core.documents.document import Document
from syncline.core.documents.folded import document_of
from syncline.core.documents.history import History, Step
from syncline.core.documents.policies import SERVER_WINS
from syncline.core.documents.revisions import Placed, Revision, fold_placed, group_of, replay
from syncline.core.documents.settings import POLICIES_ITEM, Policies
from syncline.core.documents.undo import fold_without
from syncline.core.events import Entry, Event
from syncline.core.stamps import NIL_ID
from syncline.errors import HistoryExpired, NotFound
from syncline.replica.documents.shelf import Shelf, beginning, open_kept
from syncline.stores.snapshots import Kept, SnapshotStore

STRETCH = 128
"""Events between two snapshots, at least; more when the snapshots are larger than the events."""
BUDGET_BYTES = 64 * 1024 * 1024
"""What the documents in memory may take, roughly: those that were not looked at for longest are let go."""

LOOKED_AT = 16
"""After so many openings it is looked at what they take."""


class Source(Protocol):
    """The log whose documents these are."""

    def entries(self, item: str, since: int) -> Iterable[Entry]:
        """The confirmed entries of an item after a seq, in order."""

    def pending(self, item: str, after: str = NIL_ID) -> Iterable[Event]:
        """The local events of an item that are not entries yet, with ids beyond ``after``, in order."""

    def holds(self, id: str) -> bool:
        """Whether an event is in the log, or local."""

    def base(self, item: str) -> Base | None:
        """Where an item stands before its entries, if those that were first are not here."""

    def place(self) -> tuple[int, int]:
        """The head up to which ``entries`` knows, and how often the log was changed otherwise than at its end."""


class Library:
    """Documents by item. Not thread-safe: whoever owns it holds a lock."""

    def __init__(
        self, source: Source, store: SnapshotStore, policies: Policies, *, budget_bytes: int = BUDGET_BYTES
    ) -> None:
        self._source, self._store, self._policies = source, store, policies
        self._budget_bytes = budget_bytes
        self._shelves: OrderedDict[str, Shelf] = OrderedDict()
        self._opened = 0
        self.drafted: Collection[str] = ()
        """The items that are being edited: until the event is there, only their documents in memory know of it."""

    def __contains__(self, item: str) -> bool:
        """Whether the document of an item is in memory."""
        return item in self._shelves

    # The document as it is now

    def document(self, item: str) -> Document:
        """The document of an item. It changes as events come; only an ``Editor`` whose event follows may change it."""
        is_ordered = self._policies.of(item) == SERVER_WINS  # else all orders lead to the same
        return (self._in_order(item) if is_ordered else self._shelf(item)).document

    def shelf(self, item: str) -> Shelf:
        """The same with its place in history: the number of the last revision, the seq and time of the last entry."""
        return self._in_order(item)

    def revision(self, item: str) -> int:
        """The number of the last revision."""
        return self._in_order(item).revision

    def note(self, placed: Placed) -> None:
        """Folds an event that came to the end of its item, if the document is in memory."""
        if placed.event.item == POLICIES_ITEM:
            self._note_policy(placed)
        shelf = self._shelves.get(placed.event.item)
        if shelf is None:
            return
        if shelf.document.has_seen(placed.event):
            if placed.seq and not shelf.holds(placed.event):
                self.let_go(placed.event.item)  # it was forgotten, and is back below later events of its node
            elif placed.seq:
                shelf.confirm(placed)
        elif placed.seq and shelf.pending and self._matters_to_pending(shelf, placed.event):
            self.let_go(placed.event.item)
        else:
            shelf.fold(placed, self._policies.of(placed.event.item, placed.seq or None))
            if placed.event.item not in self.drafted:  # a snapshot holds no draft
                self._turn(shelf)

    def _note_policy(self, placed: Placed) -> None:
        """Whatever is pending will be judged by this one, not by that which it was folded under."""
        if placed.seq:
            self._policies.note(placed)
            for item in [item for item, shelf in self._shelves.items() if shelf.pending or not shelf.is_in_order]:
                if self._policies.has_changed(item, placed.seq - 1):
                    self.let_go(item)

    def _matters_to_pending(self, shelf: Shelf, event: Event) -> bool:
        """Whether pending events have to be folded again on top of this one: after a rewind they may have seen it."""
        if shelf.kept.pending or self._policies.of(event.item) == SERVER_WINS:
            return True
        return any(not each.seq and each.event.clock.get(event.node, 0) >= event.n for each in shelf.stretch)

    def adopt(self, placed: Placed, *, has_changed: bool) -> None:
        """Takes note of an event whose ops were carried out on the document while it was drafted."""
        event = placed.event
        shelf = self._shelf(event.item)
        if not placed.seq and event.id < shelf.last:  # another event was recorded while this one was drafted
            self._store.forget(event.item)
            self.let_go(event.item)
            return
        shelf.document.clock[event.node] = event.n
        shelf.add(placed, has_changed=has_changed)
        self._turn(shelf)

    def fold(self, item: str, events: Iterable[Placed], base: Base | None) -> Document:
        """The document of these events, which are all of an item after its base; it is not kept in memory."""
        document = Document(item) if base is None else document_of(base)
        for placed in events:
            fold_placed(document, placed, self._policies.of(item, placed.seq or None))
        return document

    def let_go(self, item: str | None = None) -> None:
        """Forgets what is in memory of an item; or of all and the policies, as the log was changed before its end."""
        if item is None:
            self._shelves.clear()
            self._policies.begin(self._source.entries(POLICIES_ITEM, 0))
        else:
            self._shelves.pop(item, None)

    def _shelf(self, item: str) -> Shelf:
        shelf = self._shelves.get(item)
        if shelf is None:
            shelf = self._shelves[item] = self._open(item)
            self._opened += 1
            if self._opened % LOOKED_AT == 0:
                self._make_room()
        self._shelves.move_to_end(item)
        return shelf

    def _in_order(self, item: str) -> Shelf:
        """The shelf, opened again if events came between pending ones and their confirmation."""
        if not self._is_in_order(self._shelf(item)) and item not in self.drafted:
            self.let_go(item)
        return self._shelf(item)

    def _make_room(self) -> None:
        total = sum(shelf.bytes for shelf in self._shelves.values())
        for item in list(self._shelves)[:-1]:
            if total <= self._budget_bytes:
                break
            if item not in self.drafted:
                total -= self._shelves.pop(item).bytes

    def _open(self, item: str) -> Shelf:
        shelf = self._base(item)
        for placed in self._after(item, shelf.kept, shelf.document):
            shelf.fold(placed, self._policies.of(item, placed.seq or None))
            shelf = self._turned(shelf)
        return shelf

    def _base(self, item: str, **bounds: Any) -> Shelf:
        """The nearest snapshot within some bounds, or else the item's base, with nothing after it."""
        base = self._source.base(item)
        _check_bounds(item, base, **bounds)
        kept = self._nearest(item, base, **bounds)
        if kept is not None and not self._is_of_this_log(kept):
            self._store.forget(item)
            kept = None
        shelf = Shelf(item, kept, base)
        is_judged_anew = shelf.pending > 0 and self._policies.has_changed(item, shelf.kept.head)
        if kept is None or (not is_judged_anew and self._catch_up(shelf)):
            self._settle(shelf)
            return shelf
        return Shelf(item, self._nearest(item, base, **(bounds | {"confirmed": True})), base)

    def _nearest(self, item: str, base: Base | None, **bounds: Any) -> Kept | None:
        """The nearest snapshot; none before the base, since what came between them may be gone."""
        kept = self._store.nearest(item, rewritten=self._source.place()[1], **bounds)
        return kept if kept is None or base is None or kept.head >= base.seq else None

    def _is_of_this_log(self, kept: Kept) -> bool:
        """Whether a snapshot knows no more than the log, which may have been put back as of an older copy."""
        return kept.head <= self._source.place()[0] and (not kept.pending or self._source.holds(kept.last))

    def _catch_up(self, shelf: Shelf) -> bool:
        """Confirms the pending events that a snapshot holds; False if somebody else's event came between them."""
        for entry in self._source.entries(shelf.kept.item, shelf.kept.head) if shelf.pending else ():
            if not shelf.pending or not shelf.document.has_seen(entry.event):
                break
            shelf.confirm(Placed.of(entry))
        return self._is_in_order(shelf) and (not shelf.pending or self._still_waits(shelf))

    def _is_in_order(self, shelf: Shelf) -> bool:
        """Whether events were confirmed in the order in which they were folded; of several authors they need not be."""
        if shelf.is_in_order and shelf.looked_at != shelf.confirmed:
            first = next(iter(self._source.pending(shelf.kept.item)), None)
            shelf.is_in_order = first is None or first.id > (shelf.confirmed if shelf.pending else shelf.kept.last)
            shelf.looked_at = shelf.confirmed
        return shelf.is_in_order

    def _settle(self, shelf: Shelf) -> None:
        """Keeps a snapshot again once many of its pending events have their entries: these are not read twice."""
        if shelf.kept.pending - shelf.pending >= STRETCH:
            shelf.kept = replace(shelf.kept, **self._place(shelf))
            self._store.keep(shelf.kept)

    def _still_waits(self, shelf: Shelf) -> bool:
        """Whether what a snapshot holds and nobody has confirmed comes after all entries."""
        return all(shelf.document.has_seen(each.event) for each in self._source.entries(shelf.kept.item, shelf.seq))

    def _after(self, item: str, kept: Kept, document: Document) -> Iterator[Placed]:
        """The events that a snapshot does not hold, in order; ``document`` is what was folded so far."""
        for entry in self._source.entries(item, kept.head):
            if not (kept.pending and document.has_seen(entry.event)):
                yield Placed.of(entry)
        for event in self._source.pending(item, kept.last):
            if not document.has_seen(event):
                yield Placed(event)

    # Snapshots

    def _turn(self, shelf: Shelf) -> None:
        """Begins a new stretch if this one is long enough."""
        self._shelves[shelf.kept.item] = self._turned(shelf)

    def _turned(self, shelf: Shelf) -> Shelf:
        if len(shelf.stretch) < STRETCH or group_of(shelf.stretch[-1].event) is not None:
            return shelf
        if not self._is_in_order(shelf) or shelf.bytes < 2 * len(shelf.kept.body) or not self._holds_pending(shelf):
            return shelf
        return self._begin(shelf)

    def _holds_pending(self, shelf: Shelf) -> bool:
        """Whether all pending events up to the last one are folded: not one of which its node has a later entry."""
        waiting = self._source.pending(shelf.kept.item) if shelf.pending else ()
        return sum(event.id <= shelf.last for event in waiting) == shelf.pending

    def _begin(self, shelf: Shelf) -> Shelf:
        kept, document = self._keep(shelf), shelf.document
        fresh = Shelf(kept.item, None)
        fresh.kept, fresh.document = kept, document
        fresh.revision, fresh.group, fresh.bytes = kept.revision, kept.group, len(kept.body)
        fresh.seq, fresh.at, fresh.pending, fresh.last = kept.seq, kept.at, kept.pending, kept.last
        return fresh

    def _keep(self, shelf: Shelf) -> Kept:
        kept = Kept(
            item=shelf.kept.item,
            count=shelf.kept.count + len(shelf.stretch),
            revision=shelf.revision,
            group=shelf.group,
            body=snapshots.pack(snapshots.encode(shelf.document)),
            **self._place(shelf),
        )
        self._store.keep(kept)
        return kept

    def _place(self, shelf: Shelf) -> dict[str, Any]:
        """Where a snapshot of a shelf stands among the entries and the local events."""
        head, rewritten = self._source.place()
        place = {"seq": shelf.seq, "at": shelf.at, "pending": shelf.pending, "last": shelf.last}
        return {**place, "head": head if shelf.pending else shelf.seq, "rewritten": rewritten}

    # The past

    def at(
        self, item: str, *, revision: int | None = None, seq: int | None = None, time: int | None = None
    ) -> tuple[Document, int]:
        """The document as it was, and the number of its last revision then.

        Raises NotFound for what is to come, HistoryExpired for what lies before the item's base.
        """
        shelf = self.back(item, revision=revision, seq=seq, time=time)
        return shelf.document, shelf.revision

    def back(self, item: str, *, revision: int | None = None, seq: int | None = None, time: int | None = None) -> Shelf:
        """The same with the seq and time of the last entry then."""
        shelf = self._base(item, revision=revision, seq=seq, at=time, confirmed=revision is None)
        for placed in self._after(item, shelf.kept, shelf.document):
            if (
                (seq is not None and not 0 < placed.seq <= seq)
                or (time is not None and not (placed.seq and placed.at <= time))
                or (shelf.revision == revision and not shelf.goes_on(placed.event))
            ):
                break
            shelf.fold(placed, self._policies.of(item, placed.seq or None))
        if revision is not None and shelf.revision != revision:
            raise NotFound(f"{item} has {shelf.revision} revisions; there is no number {revision}.")
        return shelf

    def first_revision(self, item: str) -> int:
        """The number of the first revision that can be told; it, or the next, is there once something changes."""
        base = self._source.base(item)
        return 1 if base is None else base.revision + 1

    def revisions(self, item: str, *, after: int = 0, limit: int | None = None) -> list[Revision]:
        """The revisions with numbers beyond ``after``, ascending, from ``first_revision`` on."""
        after = max(after, self.first_revision(item) - 1)
        base = self._base(item, revision=after)
        placed = self._after(item, base.kept, base.document)
        numbered = replay(
            base.document, placed, base.revision + 1, lambda seq: self._policies.of(item, seq), group=base.group
        )
        return list(islice((each for each in numbered if each.number > after), limit))

    def has_overruled(self, event: Event) -> bool:
        """Whether a policy overruled an event. Opens no document whose policy overrules nothing."""
        item = event.item
        return self._policies.of(item) == SERVER_WINS and event.id in self.document(item).overruled

    def conflicts(self, item: str) -> Conflicts:
        """What people do not agree on. Reads the item's history if something was overruled, or the document deleted.

        Who was overruled before the item's base is not known any more.
        """
        document = self._in_order(item).document
        base = self._source.base(item)
        entries = (entry.event for entry in self._source.entries(item, base.seq if base else 0))
        return conflicts_of(document, chain(entries, self._source.pending(item)), self._policies.of(item))

    def undo(self, item: str, user: str | None) -> tuple[Step, Document] | None:
        """What undoes the user's last standing edit, and the document without it; None if there is none.

        Raises HistoryExpired if it may be one before the item's base.
        """
        found = self._step(item, lambda history: history.undo(user))
        if found is None and (base := self._source.base(item)) is not None and base.revision:
            raise HistoryExpired(f"What was edited in {item} up to seq {base.seq} cannot be undone here.", seq=base.seq)
        return found

    def redo(self, item: str, user: str | None) -> tuple[Step, Document] | None:
        """The same for the user's last undo. One before the item's base is not known any more."""
        return self._step(item, lambda history: history.redo(user))

    def _step(self, item: str, find: Callable[[History], Step | None]) -> tuple[Step, Document] | None:
        shelf, first = self._in_order(item), beginning(item, self._source.base(item))
        overruled, kept, base = shelf.document.overruled, shelf.kept, None
        events = [each.event for each in shelf.stretch]
        while True:
            step = find(History(events))
            if step is not None and self._is_whole(step, events, kept):
                base = base or self._as_kept(item, kept)
                return step, fold_without(base, events, step.left_out, overruled, about=step.touched)
            if kept.count <= first.count:
                return None
            older = self._base(item, count=kept.count - 1)
            kept, base = older.kept, older.document
            events = [each.event for each in self._after(item, kept, base)]

    def _as_kept(self, item: str, kept: Kept) -> Document:
        """The document of a snapshot, or as it began."""
        base = self._source.base(item)
        return document_of(base) if base is not None and kept.count == base.count else open_kept(item, kept)

    def _is_whole(self, step: Step, events: Sequence[Event], kept: Kept) -> bool:
        """Whether the events after a snapshot hold the whole of what is undone: a group may have begun before them."""
        first, base = step.touched[0], self._source.base(step.touched[0].item)
        before = takewhile(lambda event: event.id != first.id, events)
        is_new = not kept.count or (base is not None and kept.count == base.count and first.node not in base.clock)
        return is_new or group_of(first) is None or any(event.node == first.node for event in before)


def _check_bounds(
    item: str,
    base: Base | None,
    *,
    revision: int | None = None,
    seq: int | None = None,
    at: int | None = None,
    **_: Any,
) -> None:
    """Raises HistoryExpired for what lies before an item's base."""
    if base is None:
        return
    for bound, first in ((revision, base.revision), (seq, base.seq), (at, base.at)):
        if bound is not None and bound < first:
            raise HistoryExpired(
                f"The history of {item} begins with revision {base.revision}, at seq {base.seq}; what was before it is "
                f"not kept here.",
                revision=base.revision,
                seq=base.seq,
                at=base.at,
            )
