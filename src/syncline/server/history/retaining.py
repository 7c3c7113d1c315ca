"""Letting go of history as a space's retention says: archived first, then the floor is raised, then content goes.

Whatever interrupts this leaves either the content or its archive, and the next pass goes on from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial

from syncline.core.bases import Base
from syncline.core.documents.folded import Folded
from syncline.core.documents.revisions import Placed
from syncline.core.retention import DAY_MS, LABELS_ITEM, Retention, labels_of
from syncline.server.history.archives import ENTRIES, Archives, Writing
from syncline.server.history.snapshotting import LOOKED_AT, Snapshotting, Steps, fold_on
from syncline.stores import LogStore, load
from syncline.stores.bases import Point

WORTH = 1_000
"""Entries by which the horizon moves at least, unless somebody has just asked for it."""


def retain(store: LogStore, archives: Archives, retention: Retention, now_ms: int, *, is_asked: bool) -> Steps:
    """Moves the horizon to where it may be, in steps."""
    horizon = store.points().horizon
    target = horizon_for(store, retention, now_ms)
    if target is not None and target.seq - horizon >= (1 if is_asked else WORTH):
        yield from _archive(store, archives, target)
        make = partial(keep_last, revisions=retention.revisions) if retention.revisions else fold_on
        yield from Snapshotting(store, target, is_floor=True, make=make).steps()
    while store.drop():
        yield


def horizon_for(store: LogStore, retention: Retention, now_ms: int) -> Point | None:
    """Where the horizon may be; None: where it is."""
    points = store.points()
    if retention.keeps_all or points.newest is None:
        return None
    seqs = [points.newest.seq]
    if retention.days:
        seqs.append(_last_before(store, now_ms - retention.days * DAY_MS, points.horizon, points.newest.seq))
    if retention.labels:
        labels = labels_of(load(store, items=[LABELS_ITEM]))
        seqs.append(min(labels.values(), default=0))
    seq = min(seqs)
    return Point(seq, _time(store, seq)) if seq > points.horizon else None


def _last_before(store: LogStore, time: int, low: int, high: int) -> int:
    """The last seq, between two, of an entry that came before a time; times never fall."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _time(store, middle) < time else (low, middle - 1)
    return low


def _time(store: LogStore, seq: int) -> int:
    """When the entry at a seq beyond the horizon came."""
    (entry,) = load(store, seq - 1, limit=1)
    return entry.at


def _archive(store: LogStore, archives: Archives, target: Point) -> Steps:
    """Archives what was not archived yet, up to a point."""
    archives.check(store.tail)
    done = max(store.points().horizon, min(archives.last, target.seq))
    epoch = store.head().epoch
    while done < target.seq:
        writing = archives.begin(epoch, done + 1, store.tail(done) or b"")
        yield from _fill(writing, store, min(target.seq, done + ENTRIES))
        writing.finish()
        done = writing.last


def _fill(writing: Writing, store: LogStore, until: int) -> Steps:
    while writing.last < until:
        part = store.slice(writing.last, until=until, limit=LOOKED_AT)
        writing.add(part.entries)
        yield


def keep_last(making: Snapshotting, item: str, before: Base | None, *, revisions: int) -> Iterator[Base | None]:
    """The base of an item before its last so many ``revisions``; the old one, if fewer have come after that."""
    folded, number = Folded(item, before), 0
    ends = deque([(number, folded.seq)], maxlen=revisions + 1)  # where each of the last revisions ends
    for entry in making.entries(item, folded.seq):
        revision = folded.revision
        folded.fold(Placed.of(entry), making.policies.of(item, entry.seq))
        if folded.revision > revision or not folded.is_document:
            number += 1
        if ends[-1][0] == number:
            ends.pop()
        ends.append((number, folded.seq))
        if making.is_time():
            yield None
    if len(ends) > revisions and ends[0][1] > (before.seq if before else 0):
        yield from fold_on(making, item, before, ends[0][1])
    else:
        yield before
