"""Bringing the index up to where the log ends: from where it stands, or from the first line if it is no help."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncline.core.adoption import nodes_after
from syncline.errors import StoreDamaged
from syncline.stores.jsonl import index, lines
from syncline.stores.jsonl.index import Reached
from syncline.stores.jsonl.scan import Batch, Mark, Scan
from syncline.stores.jsonl.segments import Segments
from syncline.stores.tables import item_index, nodes
from syncline.stores.tables.database import Database

ROWS = 8_192
"""Rows that are indexed in one transaction, or a batch's if those are more."""


def catch_up(db: Database, segments: Segments, run: int) -> Reached:
    """Indexes what the log has beyond its index, and cuts off a torn batch; how far the log goes.

    Raises StoreDamaged if the log is damaged there, or the index is not of this log.
    """
    with db.reading() as cursor:
        reached = index.reached(cursor)
    if reached is None:
        reached = Reached(_mark(segments, 1), 1, 1)
        if reached.mark.head.seq:
            raise StoreDamaged(f"{segments.path(1)} says that there was a segment before it.")
    elif not _stands(segments, reached):
        raise StoreDamaged(f"The index in {segments.folder} is of another log.")
    return _follow(db, segments, reached, run)


def _follow(db: Database, segments: Segments, reached: Reached, run: int) -> Reached:
    """Indexes the rest of the segment that was reached, and those that follow."""
    for first in segments.firsts[reached.segments - 1 :]:
        if first != reached.segment:
            reached = reached.within(first, _next_mark(segments, first, reached))
        scan = Scan(segments.path(first), reached.mark, is_last=first == segments.firsts[-1])
        for part in _parts(scan.batches()):
            reached = _index(db, part, reached, run)
        if scan.is_torn:
            segments.cut(scan.mark.offset)
    return reached


def _stands(segments: Segments, reached: Reached) -> bool:
    """Whether the log has what the index says: as many segments, and the end of that commit where it says."""
    head, offset, line = reached.mark
    if segments.firsts[reached.segments - 1 : reached.segments] != [reached.segment]:
        return False
    begin = _mark(segments, reached.segment)
    if line == 1:
        return begin == reached.mark
    wanted = lines.mark_line(head.seq, head.tail)
    found = segments.bytes_of(reached.segment, offset - len(wanted), len(wanted))
    return begin.head.epoch == head.epoch and found == wanted


def _mark(segments: Segments, first: int) -> Mark:
    """The place below a segment's first line."""
    line = segments.bytes_of(first, 0, lines.LONGEST_BYTES).partition(b"\n")[0] + b"\n"
    head = lines.read_head(line)
    if head is None or head.seq + 1 != first:
        raise StoreDamaged(f"{segments.path(first)}, line 1: it does not read as the first line of this segment.")
    return Mark(head, len(line), 1)


def _next_mark(segments: Segments, first: int, reached: Reached) -> Mark:
    mark, before = _mark(segments, first), reached.mark.head
    if mark.head != before:
        raise StoreDamaged(f"{segments.path(first)} does not follow on seq {before.seq}, where the one before it ends.")
    return mark


def _parts(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Batches in parts that are worth a transaction each."""
    part: list[Batch] = []
    rows = 0
    for batch in batches:
        part.append(batch)
        rows += len(batch.rows)
        if rows >= ROWS:
            yield part
            part, rows = [], 0
    if part:
        yield part


def _index(db: Database, batches: list[Batch], reached: Reached, run: int) -> Reached:
    rows = [row for batch in batches for row in batch.rows]
    offsets = [offset for batch in batches for offset in batch.offsets]
    events = [row.event for row in rows]
    reached = reached.after(batches[-1].mark, rows)
    with db.writing() as cursor:
        writers = nodes.Nodes(cursor)
        states = writers.states(cursor, {event.node for event in events})
        index.add(cursor, rows, offsets, writers.put(cursor, nodes_after(states, events)))
        index.keep(cursor, reached)
        item_index.extend(cursor, item_index.indexed(cursor), reached.mark.head.seq, run)
    return reached
