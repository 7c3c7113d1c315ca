"""Serving a snapshot of a space, part by part, as one user may see it.

A part is filtered by what holds when it is asked for; the cursor of the first one tells what held then, so whatever
has changed meanwhile is brought or forgotten by the first pages after it. The work for one part is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from syncline.core import patterns
from syncline.core.access.views import View
from syncline.core.bases import Base
from syncline.core.cursors import Cursor
from syncline.core.events import Entry
from syncline.core.limits import MAX_PAGE_BYTES, MAX_PAGE_ENTRIES
from syncline.core.log import NO_TAIL
from syncline.core.messages import AskSnapshot, Snapshot, encode
from syncline.errors import SnapshotGone
from syncline.server.standing import Standing
from syncline.stores import LogStore
from syncline.stores.bases import Point
from syncline.stores.tables.item_index import just_before

LOOKED_AT = 10_000
"""Items that are looked at for one part."""
BATCH = 500
NOTHING = Point(0, 0)


class Part(NamedTuple):
    """What one answer holds; ``after``: the last item that was looked at, None at the end."""

    bases: list[Base]
    entries: list[Entry]
    after: str | None


async def snapshot(member: Standing, ask: AskSnapshot) -> bytes:
    """The encoded answer. Raises SnapshotGone, BadRequest, and what ``catch_up`` raises."""
    items = patterns.check(ask.items)
    await member.catch_up()
    space = member.space
    point = await space.run(_point, space.store, ask.seq)
    if point.seq > space.hub.head.seq:  # another server has made it just now
        await space.refresh()
    view, stand = member.stand(items)
    head = space.hub.head.seq  # bases are made again before an act of erasure is told
    part = await space.run(_part, space.store, view, point, ask.after)
    member.check()
    tail = await space.run(space.store.tail, point.seq)
    cursor = space.codec.encode(Cursor(space.hub.head.epoch, point.seq, tail or NO_TAIL, stand, erased=head))
    answer = Snapshot(ref=ask.ref, seq=point.seq, at=point.at, cursor=cursor, **part._asdict())
    return await space.run(encode, answer)


def _point(store: LogStore, seq: int | None) -> Point:
    """Where the snapshot stands. Raises SnapshotGone unless it is the one that was asked for."""
    point = store.points().newest or NOTHING
    if seq is not None and seq != point.seq:
        raise SnapshotGone(f"The snapshot at seq {seq} was replaced: ask from its beginning.")
    return point


def _part(store: LogStore, view: View, point: Point, after: str) -> Part:
    """What comes after an item, in order of the items. Raises SnapshotGone."""
    bases, entries = list[Base](), list[Entry]()
    size = looked = 0
    last: str | None = None
    for item, base in _items(store, point, after):
        found = _entries(store, item, point.seq) if base is None and view.shows(item) else []
        bytes = sum(len(entry.raw) for entry in found) + (weight(base) if base and view.shows(item) else 0)
        if last is not None and (size + bytes > MAX_PAGE_BYTES or looked == LOOKED_AT):
            return Part(bases, entries, last)
        bases += [base] if base and view.shows(item) else []
        entries += found
        size, looked, last = size + bytes, looked + 1, item
    return Part(bases, entries, None)


def weight(base: Base) -> int:
    """About how many bytes it has as it is sent."""
    return len(base.state) + 64 * len(base.clock) + 200


def _items(store: LogStore, point: Point, after: str) -> Iterator[tuple[str, Base | None]]:
    """The items after one, in order: those with bases, and those of the system."""
    system = _system_items(store, point, after)
    for base in _bases(store, point, after):
        while system and system[0] < base.item:
            yield system.pop(0), None
        yield base.item, base
    yield from ((item, None) for item in system)


def _system_items(store: LogStore, point: Point, after: str) -> list[str]:
    """The first of the system's items after one."""
    return store.items(".*", max(after, just_before(".")), LOOKED_AT + 1, point.seq) if point.seq else []


def _bases(store: LogStore, point: Point, after: str) -> Iterator[Base]:
    while point.seq and (part := store.bases(point, after, BATCH)):
        yield from part
        after = part[-1].item


def _entries(store: LogStore, item: str, until: int) -> list[Entry]:
    """The entries of an item up to a seq."""
    part = store.gather([item], 0, MAX_PAGE_ENTRIES, until, MAX_PAGE_BYTES)
    found = part.entries
    while part.stopped is not None:
        part = store.gather([item], part.stopped[1], MAX_PAGE_ENTRIES, until, MAX_PAGE_BYTES)
        found += part.entries
    return [Entry.read(entry) for entry in found]
