"""Which documents there are and what they show: the index of a replica's documents, brought up to date when asked.

While the program runs it is told of every item that may have changed, and folds those again when somebody asks. After a
start it finds out what changed since the index was written: the entries that came after, the local events that are not
those it knew. If the log was changed otherwise meanwhile, it begins anew. The index is written after the log, so it may
lag behind and is never ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from syncline.core.events import Event
from syncline.core.queries import Path, Query
from syncline.errors import StorageFull, StoreDamaged
from syncline.stores import EVERYTHING, ON_ITS_WAY, ReplicaStore
from syncline.stores.documents import DocumentIndex, Indexed

BATCH = 500
UNKNOWN = "?"
"""Stands for local events where the document has to be looked at again in any case."""


class Place(Struct, frozen=True, array_like=True):
    """What the index was written for."""

    node: str
    seq: int
    rewritten: int
    reading: str
    """Tells how documents were read: another program may read them otherwise."""


NOWHERE = Place("", 0, 0, "")


class Catalog:
    """The documents of one log. Not thread-safe: whoever owns it holds a lock."""

    def __init__(
        self,
        index: DocumentIndex,
        store: ReplicaStore,
        bodies: Callable[[Sequence[str]], Mapping[str, bytes | None]],
        reading: Callable[[], str],
    ) -> None:
        """``bodies``: what documents show, as canonical plain JSON; None for one that is not there."""
        self._index, self._store, self._bodies, self._reading = index, store, bodies, reading
        self._dirty: set[str] = set()
        self._place = NOWHERE
        self._is_caught_up = self._begins_anew = False

    def touch(self, items: Iterable[str]) -> None:
        """These items may show something else now."""
        self._dirty.update(items)

    def forget(self, items: Collection[str], *, more: bool = False) -> None:
        """Takes items out at once, so that no byte of them stays on the disk; what is left of them is found out again.

        If they are all, or ``more`` follow, the index begins anew when somebody asks: that is cheaper than to clean it
        every time.
        """
        begins_anew = more or EVERYTHING in items
        gone = {} if begins_anew else dict.fromkeys(items, Indexed(None))
        self._is_caught_up &= not begins_anew
        try:
            self._index.update(gone, "", anew=begins_anew, scrub=True)
        except StoreDamaged:  # it was lost, and so are they
            self._is_caught_up = False
        self._place = replace(self._place, rewritten=-1)

    def add_field(self, pattern: str, path: Path) -> None:
        """Makes queries fast that compare what stands at a path."""
        self._index.add_field(pattern, path)

    def find(self, query: Query, drafted: Collection[str] = ()) -> list[str]:
        """The items that a query asks for. ``drafted`` are edited just now: they are read as they are."""
        with suppress(StoreDamaged):
            self._bring_up(drafted)
            return self._index.find(query)
        self._is_caught_up = False  # the index was lost, and is made again
        self._bring_up(drafted)
        return self._index.find(query)

    def _bring_up(self, drafted: Collection[str]) -> None:
        if not self._is_caught_up or self._place.reading != self._reading():
            self._catch_up()
        items = sorted(self._dirty.union(drafted))
        if not items and not self._begins_anew:
            return
        for start in range(0, max(len(items), 1), BATCH):
            is_last = start + BATCH >= len(items)
            place = self._now() if is_last else None
            self._update(items[start : start + BATCH], drafted, place)
        self._dirty = set(drafted)

    def _update(self, items: Sequence[str], drafted: Collection[str], place: Place | None) -> None:
        local = self._local(items) | dict.fromkeys(drafted, UNKNOWN) if items else {}
        documents = {item: Indexed(body, local.get(item, "")) for item, body in self._bodies(items).items()}
        written = msgspec.json.encode(place).decode() if place else "" if self._begins_anew else None
        self._index.update(documents, written, anew=self._begins_anew)
        self._begins_anew, self._place = False, place or self._place

    def _catch_up(self) -> None:
        """Finds out what changed since the index was written."""
        self._place = _read(self._index.place())
        now = self._now()
        is_like = self._place.node == now.node and self._place.rewritten == now.rewritten
        self._begins_anew = not is_like or self._place.reading != now.reading or self._place.seq > now.seq
        since = 0 if self._begins_anew else self._place.seq
        self._dirty.update(entry.event.item for entry in self._store.load(since) if is_op(entry.event))
        if self._begins_anew:
            self._dirty.update(base.item for base in self._store.bases() if base.state)
        known, local = self._index.local(), self._local()
        self._dirty.update(local if self._begins_anew else (item for item, _ in known.items() ^ local.items()))
        self._is_caught_up = True

    def _local(self, items: Sequence[str] = ()) -> dict[str, str]:
        """For each item that has local events: the last of them."""
        local = (each.event for each in self._store.outbox(*ON_ITS_WAY, items=items))
        return {event.item: event.id for event in local if is_op(event)}

    def _now(self) -> Place:
        state = self._store.state()
        return Place(state.node, state.seq, state.rewritten, self._reading())

    def close(self) -> None:
        """Writes down what has to be looked at again, if a start would not find it out, and closes the index."""
        if self._is_caught_up and not self._begins_anew and self._place.rewritten != self._now().rewritten:
            with suppress(StoreDamaged, StorageFull):
                self._index.update(dict.fromkeys(self._dirty, Indexed(None, UNKNOWN)))
                self._index.update({}, msgspec.json.encode(self._now()).decode())
        self._is_caught_up = False
        self._index.close()


def is_op(event: Event) -> bool:
    """Whether an event changes a document."""
    return event.ops is not UNSET


def _read(place: str) -> Place:
    try:
        return msgspec.json.decode(place, type=Place)
    except msgspec.DecodeError:
        return NOWHERE
