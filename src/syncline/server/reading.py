"""Reading a space from a cursor on, as one user may: pages in order of seq, and what became visible or hidden.

When the rules, or the patterns that are asked for, change what a reader may see, the difference between the view of
then and that of now is brought first, in order of items; the cursor says how far. A view of then that is not known
any more is forgotten as a whole. The functions here read the log: they are called in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from syncline.core.access.state import Access
from syncline.core.access.views import View, differences
from syncline.core.answers import encode_page
from syncline.core.bases import Base
from syncline.core.cursors import Cursor, Stand, Way
from syncline.core.erasure import ERASURES, Erasures, erased_entry, events_of, items_of
from syncline.core.events import Entry
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.log import NO_TAIL
from syncline.errors import CursorExpired
from syncline.server.frames import Frame
from syncline.server.healing.snapshots import weight
from syncline.stores import EVERYTHING, LogStore, load
from syncline.stores.tables.item_index import just_before

NOTHING_ERASED = Erasures()
ITEMS = 1_000
"""Items of a difference that are looked at for one page."""


class Place(NamedTuple):
    """Where a reader stands, the view of now and whence it comes. ``is_lost``: what they have seen is not known."""

    cursor: Cursor
    view: View
    access: Access
    is_lost: bool = False

    @property
    def is_on_the_way(self) -> bool:
        """Whether something comes before the next entries."""
        return self.is_lost or self.cursor.way is not None


class Part(NamedTuple):
    """A page, encoded, and where it leads."""

    entries: bytes
    next: Cursor
    length: int
    more: bool
    late: bytes = b""
    forget: tuple[str, ...] = ()
    bases: tuple[Base, ...] = ()

    def encode(self, text: str, ref: int | None = None) -> bytes:
        """The page with the text of its cursor."""
        return encode_page(
            self.entries, text, more=self.more, ref=ref, late=self.late, forget=self.forget, bases=self.bases
        )

    def frame(self, text: str) -> Frame:
        """The page as it is sent to a follower."""
        is_empty = not (self.length or self.late or self.forget or self.bases)
        return Frame.of(self.encode(text), text, self.next, is_empty=is_empty)


ViewOf = Callable[[Stand], View]
"""The view that a cursor tells of, if it was this reader's."""


def turned(view_of: ViewOf, place: Place, stand: Stand) -> Place:
    """Where a cursor leads with the view of now, which is not that of then, or was not brought whole."""
    cursor = place.cursor
    old = cursor.way.old if cursor.way else cursor.stand
    has_turned_twice = cursor.way is not None and cursor.stand.view != stand.view
    if has_turned_twice or view_of(old).digest != old.view:
        return place._replace(cursor=Cursor(cursor.epoch, 0, NO_TAIL, stand), is_lost=True)
    return place._replace(cursor=cursor._replace(stand=stand, way=cursor.way or Way(old)))


def part(
    store: LogStore, view_of: ViewOf, place: Place, limit: int, until: int, erasures: Erasures = NOTHING_ERASED
) -> Part:
    """The next page for a reader, up to a seq; past an act of erasure it brings what that has left.

    Raises CursorExpired if the log does not keep what comes after the cursor.
    """
    found = _part(store, view_of, place, limit, until, erasures)
    known = max(place.cursor.seq, place.cursor.erased)
    horizon = max(store.points().horizon, erasures.deep if 0 < known < erasures.deep else 0)
    if place.cursor.seq < horizon:  # asked after it was read: the horizon moves before content goes
        raise CursorExpired(
            "The log does not keep what comes after this place any more: take a snapshot, and go on from there.",
            horizon=horizon,
        )
    return found


def _part(store: LogStore, view_of: ViewOf, place: Place, limit: int, until: int, erasures: Erasures) -> Part:
    cursor, view = place.cursor, place.view
    if cursor.way is not None:
        return _difference(store, view_of(cursor.way.old), view, cursor, limit)
    act, *others = [*erasures.between(max(cursor.seq, cursor.erased), until), until + 1]
    found = store.slice(cursor.seq, view=view, until=others[0] - 1 if others else until, limit=limit)
    forget = (EVERYTHING,) if place.is_lost else ()
    late = _erased(store, view, act, cursor.seq) if act <= found.seq else b""
    reached = cursor._replace(seq=found.seq, tail=found.tail)
    return Part(found.encoded, reached, found.length, found.more or found.seq < until, late, forget)


def _erased(store: LogStore, view: View, seq: int, since: int) -> bytes:
    """What an act has left of entries that a reader holds. Raises CursorExpired if the log let go of some since."""
    (act,) = load(store, seq - 1, items=[ERASURES], limit=1)
    ids = set(events_of(act.event))
    found, horizon = store.find(ids), store.points().horizon  # which moves before content goes
    if len(found) < len(ids) and horizon and any(map(view.shows, items_of(act.event))):
        words = "The log has let go of something that was erased: take a snapshot, and go on from there."
        raise CursorExpired(words, horizon=horizon)
    held = [entry for entry in found if entry.seq <= since and view.shows(entry.event.item)]
    return b",".join(erased_entry(entry).encoded for entry in held)


def _difference(store: LogStore, old: View, new: View, cursor: Cursor, limit: int) -> Part:
    """What the new view shows and the old did not, and the other way round, from where ``cursor.way`` is."""
    brought = _Brought(store, old, new, cursor, limit)
    way = brought.go()
    late, forget = b",".join(brought.late), tuple(brought.forget)
    next = cursor._replace(way=way)
    return Part(b"", next, length=0, more=True, late=late, forget=forget, bases=tuple(brought.bases))


class _Brought:
    """What one page brings of a difference."""

    def __init__(self, store: LogStore, old: View, new: View, cursor: Cursor, limit: int) -> None:
        assert cursor.way is not None
        self.late: list[bytes] = []
        self.forget: list[str] = []
        self.bases: list[Base] = []
        self._has_floor = store.points().floor is not None
        self._store, self._old, self._new, self._limit = store, old, new, limit
        self._way, self._until = cursor.way, cursor.seq
        self._bytes, self._looked = 0, 0

    def go(self) -> Way | None:
        """Goes on item by item; where it came to, or None at the end."""
        for pattern in differences(self._old, self._new):
            while not self._is_full and (items := self._below(pattern)):
                if not self._bring(items):
                    return self._way
            if self._is_full:
                return self._way
        return None

    @property
    def _is_full(self) -> bool:
        return len(self.late) >= self._limit or self._bytes >= MAX_PAGE_BYTES or self._looked >= ITEMS

    def _below(self, pattern: str) -> list[str]:
        """The next items below a pattern to which something came until then: of others nothing is known, nor told."""
        done = self._way.item if not self._way.seq else just_before(self._way.item)
        if pattern.endswith("*"):
            is_done, limit = bool(pattern[:-1]) and pattern[:-1] + "\x7f" < done, ITEMS
        else:
            is_done, limit = pattern <= done, 1
        return [] if is_done else self._store.items(pattern, done, limit, self._until)

    def _bring(self, items: list[str]) -> bool:
        """Brings what there is to say of some items; whether that is all."""
        came = [item for item in items if self._new.shows(item) and not self._old.shows(item)]
        bases, last = self._bases_of(came)
        if last is not None:
            items, came = [item for item in items if item <= last], [item for item in came if item <= last]
        stopped = self._bring_late(came, {base.item: base.seq for base in bases}) if came else None
        self.bases += [base for base in bases if stopped is None or base.item <= stopped[0]]
        gone = [item for item in items if self._old.shows(item) and not self._new.shows(item)]
        if stopped is not None:
            self.forget += [item for item in gone if item < stopped[0]]
            self._way = Way(self._way.old, *stopped)
            return False
        self.forget += gone
        self._way = Way(self._way.old, items[-1])
        self._looked += len(items)
        return True

    def _bases_of(self, items: list[str]) -> tuple[list[Base], str | None]:
        """The bases of items that became visible, as many as there is room for; the last item, if it was not all."""
        bases = list[Base]()
        for item in items if self._has_floor else ():
            is_brought = self._way.seq > 0 and item == self._way.item
            base = None if is_brought else self._store.base(item)
            if base is not None:
                bases.append(base)
                self._bytes += weight(base)
            if self._bytes >= MAX_PAGE_BYTES:
                return bases, item
        return bases, None

    def _bring_late(self, items: list[str], floors: Mapping[str, int]) -> tuple[str, int] | None:
        """Brings entries of items that became visible; where it stopped, if there is more of them."""
        since = self._way.seq if items[0] == self._way.item else 0
        room = self._limit - len(self.late), self._until, MAX_PAGE_BYTES - self._bytes
        entries, stopped = self._store.gather(items, since, *room)
        self.late += [entry for entry in entries if _is_beyond(entry, floors)] if floors else entries
        self._bytes += sum(map(len, entries))
        return stopped


def _is_beyond(encoded: bytes, floors: Mapping[str, int]) -> bool:
    """Whether an entry is not in the base of its item: perhaps its content is about to go."""
    entry = Entry.read(encoded)
    return entry.seq > floors.get(entry.event.item, 0)
