"""The documents of one log, kept up to date in memory: opened from a snapshot and what came after it.

A ``Shelf`` holds one document and the events of its last stretch, from a snapshot on; the stretch is what undo folds
again. When it has grown, the state becomes the next snapshot; so opening, undo and time travel cost what lies between
two snapshots, never the length of history. The log remains the truth: whatever changes a document otherwise than by
another event lets go of its shelf.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from msgspec import UNSET

from syncline.core.documents import snapshots
from syncline.core.documents.document import Document
from syncline.core.documents.policies import SERVER_WINS
from syncline.core.documents.revisions import Revision, Revisions
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


class Placed(NamedTuple):
    """An event and where it is: its seq and the log's time, or zeros while it is pending."""

    event: Event
    seq: int = 0
    at: int = 0

    @classmethod
    def of(cls, entry: Entry) -> Placed:
        """Where an entry is."""
        return cls(entry.event, entry.seq, entry.at)


class Shelf:
    """One document, the snapshot its last stretch begins with, and that stretch, confirmed events first."""

    def __init__(self, item: str, kept: Kept | None) -> None:
        self.kept = kept or Kept(item=item, count=0, revision=0, seq=0, at=0, pending=0, head=0, rewritten=0, group=None, body=b"")
        self.document = snapshots.unpack(item, kept.body) if kept else Document(item)
        self.revisions = Revisions(self.document, self.kept.revision, self.kept.group)
        self.stretch: list[Placed] = []
        self.pending = self.kept.pending
        self.is_in_order = True
        self.bytes = len(self.kept.body)
        self.before: Shelf | None = None

    def fold(self, placed: Placed, policy: str) -> bool:
        """Folds the next event; whether the document shows something else."""
        self.stretch.append(placed)
        self.bytes += len(placed.event.body)
        return self.revisions.count(placed.event, policy=policy)

    @property
    def last(self) -> Placed | None:
        """The last confirmed event of the stretch."""
        return next((each for each in reversed(self.stretch) if each.seq), None)


class Library:
    """Documents by item. Not thread-safe: whoever owns it holds a lock."""

    def __init__(self, source: Source, store: SnapshotStore, policies: Policies, *, budget_bytes: int = BUDGET_BYTES) -> None:
        self._source, self._store, self._policies = source, store, policies
        self._budget_bytes = budget_bytes
        self._shelves: OrderedDict[str, Shelf] = OrderedDict()

    def document(self, item: str) -> Document:
        """The document of an item as it is now. It changes as events come; nobody else may change it."""
        return self._shelf(item).document

    def _shelf(self, item: str) -> Shelf:
        shelf = self._shelves.get(item)
        if shelf is None:
            shelf = self._shelves[item] = self._open(item)
            self._make_room()
        self._shelves.move_to_end(item)
        return shelf

    def _make_room(self) -> None:
        total = sum(shelf.bytes for shelf in self._shelves.values())
        while total > self._budget_bytes and len(self._shelves) > 1:
            _, gone = self._shelves.popitem(last=False)
            total -= gone.bytes

    def _open(self, item: str) -> Shelf:
        head, rewritten = self._source.place()
        kept = self._store.nearest(item, rewritten=rewritten)
        if kept is not None and kept.pending:
            shelf = Shelf(item, kept)
            if all(shelf.document.has_seen(entry.event) for entry in self._source.entries(item, kept.head)):
                return self._fill(shelf)
            kept = self._store.nearest(item, rewritten=rewritten, confirmed=True)
        return self._fill(Shelf(item, kept))
