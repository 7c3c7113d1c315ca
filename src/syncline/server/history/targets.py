"""What is to be erased: the entries that somebody means, in the log and in the archives before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import chain, takewhile
from typing import NamedTuple

from syncline.core import patterns, stamps
from syncline.core.erasure import put_back_by
from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_ITEM_PATTERNS
from syncline.core.lots import lots
from syncline.errors import BadRequest, HistoryExpired, NotFound
from syncline.server.history.archives import Archives
from syncline.stores import LogStore, load

MAX_NAMED = 1_000
"""Events that one request names one by one."""


class Target(NamedTuple):
    """What is to be erased: events by id, all of some items (patterns), or all that some users wrote."""

    events: Sequence[str] = ()
    items: Sequence[str] = ()
    users: Sequence[str] = ()


class Found(NamedTuple):
    """What a target means: entries that still say something, in order of seq, and whether each is gone from the log."""

    entries: list[Entry]
    dropped: set[int]
    """The seqs of those that only archives have, or soon will."""

    @property
    def items(self) -> set[str]:
        """Of which something was found."""
        return {entry.event.item for entry in self.entries}

    @property
    def items_below(self) -> set[str]:
        """Of which something is before the horizon."""
        return {entry.event.item for entry in self.entries if entry.seq in self.dropped}

    def first(self, count: int) -> Found:
        """The first of them."""
        entries = self.entries[:count]
        return Found(entries, self.dropped & {entry.seq for entry in entries})


def check(target: Target) -> None:
    """Raises BadRequest or InvalidEvent for a target that names nothing, or what is no name."""
    patterns.check(target.items)
    if len(target.events) > MAX_NAMED:
        raise BadRequest(f"events: at most {MAX_NAMED} in one request.")
    for id in target.events:
        stamps.check_id(id)
    if not any(target):
        raise BadRequest("Say what to erase: events, items or users.")


def find(
    store: LogStore, archives: Archives | None, target: Target, shows: Callable[[str], bool] = lambda item: True
) -> Found:
    """What a target means, with whatever puts it back later. Reads as much of the history as that takes.

    ``shows``: whether who asks may know of an item; all others are as if they were not there.
    Raises NotFound for an event that is not there, BadRequest for one of the system's, HistoryExpired if there may be
    some before the horizon of which the archives are not at hand.
    """
    past = _Past(store, archives)
    entries = {entry.seq: entry for entry in _named(past, store, target.events, shows)}
    means = _meaning(target, shows)
    if means is not None:
        history = past.read(() if target.users else target.items)
        entries |= {entry.seq: entry for entry in history if _speaks(entry.event) and means(entry)}
    _add_copies(past, entries)
    return _in_order(past, entries)


def copies(store: LogStore, archives: Archives | None, found: Found) -> Found:
    """What has put back since what these had put: it was let in while they were being erased."""
    past, entries = _Past(store, archives), {entry.seq: entry for entry in found.entries}
    _add_copies(past, entries)
    return _in_order(past, {seq: entries[seq] for seq in entries.keys() - {entry.seq for entry in found.entries}})


def since_found(store: LogStore, found: Found) -> Found:
    """The same entries, with what the floor stands for since, whether its content has gone from the log yet or not."""
    held = {entry.seq for entry in store.find([entry.event.id for entry in found.entries])}
    floors = {item: base.seq for item in found.items if (base := store.base(item))}
    below = {entry.seq for entry in found.entries if entry.seq <= floors.get(entry.event.item, 0)}
    return found._replace(dropped=({entry.seq for entry in found.entries} - held) | below)


def _in_order(past: _Past, entries: Mapping[int, Entry]) -> Found:
    return Found([entries[seq] for seq in sorted(entries)], entries.keys() & past.dropped)


def _speaks(event: Event) -> bool:
    return not event.is_erased and event.item[0] != "."


def _meaning(target: Target, shows: Callable[[str], bool]) -> Callable[[Entry], bool] | None:
    """Whether an entry is meant by its item or its user; None if none is."""
    if not (target.items or target.users):
        return None
    users, is_item = frozenset(target.users), patterns.matcher(patterns.check(target.items))

    def means(entry: Entry) -> bool:
        is_meant = entry.event.user in users or (bool(target.items) and is_item(entry.event.item))
        return is_meant and shows(entry.event.item)

    return means


def _named(past: _Past, store: LogStore, ids: Sequence[str], shows: Callable[[str], bool]) -> Iterator[Entry]:
    """The entries of these events."""
    held = {entry.event.id: entry for entry in store.find(ids)}
    missing = set(ids) - held.keys()
    if missing and past.horizon:
        held |= {entry.event.id: entry for entry in past.archived() if entry.event.id in missing}
    for id in ids:
        if id not in held or not shows(held[id].event.item):
            raise NotFound(f"There is no event {id}.")
        if held[id].event.item[0] == ".":
            raise BadRequest("What the system wrote cannot be erased: it says who may do what.")
    yield from (entry for entry in held.values() if _speaks(entry.event))


def _add_copies(past: _Past, found: dict[int, Entry]) -> None:
    """Adds those that put back what one of these had put: they hold its values, too."""
    ids = {entry.event.id for entry in found.values()}
    for entry in past.of({entry.event.item for entry in found.values()}):  # of each in order: copies of copies, too
        if _speaks(entry.event) and not ids.isdisjoint(put_back_by(entry.event)):
            ids.add(entry.event.id)
            found[entry.seq] = entry


class _Past:
    """All that a space's events have ever said: what its archives have, then what its log has."""

    def __init__(self, store: LogStore, archives: Archives | None) -> None:
        self.horizon = store.points().horizon
        self.dropped: set[int] = set()
        """The seqs of entries that were read and of which only the archives have the content."""
        self._store, self._archives = store, archives

    def read(self, items: Sequence[str]) -> Iterator[Entry]:
        """The entries of some items (none: all), in order of seq."""
        wanted = patterns.matcher(patterns.check(items))
        archived = (entry for entry in self.archived() if wanted(entry.event.item)) if self.horizon else ()
        yield from chain(archived, load(self._store, items=patterns.check(items)))

    def of(self, items: Set[str]) -> Iterator[Entry]:
        """The entries of items that are named one by one, however many: those of each in order of seq."""
        if self.horizon and items:
            yield from (entry for entry in self.archived() if entry.event.item in items)
        for several in lots(sorted(items), MAX_ITEM_PATTERNS):
            yield from load(self._store, items=several)

    def archived(self) -> Iterator[Entry]:
        """The entries of which the log has no content any more. Raises HistoryExpired."""
        if self._archives is None or not self._archives.covers(self.horizon):
            raise HistoryExpired("What lies before the horizon is erased in its archives: put all of them back first.")
        before = takewhile(lambda entry: entry.seq <= self.horizon, self._archives.entries())
        for lot in lots(before, MAX_NAMED):
            kept = {entry.event.id for entry in self._store.find(entry.event.id for entry in lot)}
            gone = [entry for entry in lot if entry.event.id not in kept]
            self.dropped.update(entry.seq for entry in gone)
            yield from gone
