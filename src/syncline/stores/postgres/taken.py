"""Taking out of a log what a view shows, as much as there is room for: chosen by the database, in one statement.

What a view hides is left out by an expression over the item; a stub is left out because its entry is NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncline.core.access.views import View
from syncline.core.log import NO_TAIL
from syncline.errors import SpaceDeleted
from syncline.stores import Gathered
from syncline.stores.conditions import condition
from syncline.stores.postgres import item_index

STRETCH = "seq > %(since)s AND seq <= %(until)s"
OF_SEQS = "seq = ANY(%(seqs)s::bigint[])"
SHOWN = """
    SELECT seq, tail, shown FROM (
        SELECT seq, tail, shown, sum(octet_length(shown) + 1) OVER upwards - octet_length(shown) - 1 AS before
        FROM (SELECT seq, tail, {shown} AS shown FROM entries WHERE log = %(log)s AND {rows}) AS rows
        WHERE shown IS NOT NULL
        WINDOW upwards AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)
    ) AS placed
    WHERE before < %(room)s ORDER BY seq LIMIT %(limit)s
"""
"""The entries that begin where there is room; the last of them may be too long for it."""
ITEMS = f"SELECT seq, item FROM entries WHERE log = %(log)s AND {STRETCH} ORDER BY log, seq"
TAIL = "SELECT tail FROM entries WHERE log = %s AND seq = %s"
OF_PLACES = "SELECT seq, entry FROM entries WHERE log = %s AND seq = ANY(%s) AND entry IS NOT NULL"

SCANNED = 20_000
"""Rows that are looked at for one slice."""
MAX_CASES = 64
"""Of a view with more decisions Python is asked, which remembers its answers by item: that is quicker then."""


class Taken:
    """What a slice is: its entries, and the seq where it ends with the tail there."""

    def __init__(self, cursor: Any, key: int, view: View, *, limit: int, max_bytes: int) -> None:
        self.entries: list[bytes] = []
        self.last, self.tail = 0, NO_TAIL
        self._cursor, self._key, self._view = cursor, key, view
        self._limit, self._max_bytes = limit, max_bytes
        self._is_asked = len(view.decisions) > MAX_CASES

    def take(self, since: int, end: int) -> None:
        """Takes what shows up to a seq: by the index while that is little, otherwise from a stretch of the log.

        Raises SpaceDeleted.
        """
        found, patterns = None, self._view.patterns
        until = min(end, since + (self._limit if self._view.is_everything else SCANNED))
        if patterns and end - since > item_index.SCANNED:
            found = item_index.seqs_of(self._cursor, self._key, patterns, since, self._limit, end)
        if found is None and self._is_asked:
            found = self._ask(since, until)
        if found is None:
            self._take_rows(STRETCH, until, since=since)
        else:
            self._take_rows(OF_SEQS, found[1], seqs=found[0])

    def _ask(self, since: int, until: int) -> tuple[list[int], int]:
        """Up to so many seqs as are wanted, and how far that is all that shows."""
        rows = self._cursor.execute(ITEMS, {"log": self._key, "since": since, "until": until})
        shows = self._view.shows
        seqs = [seq for seq, item in rows if shows(item)]
        return (seqs[: self._limit], seqs[self._limit - 1]) if len(seqs) > self._limit else (seqs, until)

    def _take_rows(self, rows: str, until: int, **which: Any) -> None:
        """Takes rows, which are all that shows up to a seq, as far as there is room."""
        shown = "entry" if self._is_asked or self._view.is_everything else condition(self._view, "entry", "NULL")
        asked = {"log": self._key, "limit": self._limit, "room": max(1, self._max_bytes), "until": until, **which}
        found = self._cursor.execute(SHOWN.format(shown=shown, rows=rows), asked, binary=True).fetchall()
        size = sum(len(entry) + 1 for _, _, entry in found)
        if size > self._max_bytes and len(found) > 1:
            found.pop()
        self.entries = [entry for _, _, entry in found]
        if found and (size >= self._max_bytes or len(found) == self._limit or found[-1][0] == until):
            self.last, self.tail, _ = found[-1]
        else:
            self.last, self.tail = until, tail(self._cursor, self._key, until)


def tail(cursor: Any, key: int, seq: int) -> bytes:
    """The tail at a seq that was reached. Raises SpaceDeleted."""
    row = cursor.execute(TAIL, (key, seq), binary=True).fetchone()
    if row is None:
        raise SpaceDeleted("The log of this space was deleted.")
    return bytes(row[0])


def gather(
    cursor: Any, key: int, places: Sequence[tuple[str, int, int | None]], limit: int, max_bytes: int
) -> Gathered:
    """The entries at these places, in their order, at least one and about ``max_bytes``."""
    wanted, left, stopped = list[int](), max_bytes, None
    for place, (_, seq, length) in enumerate(places):
        if length is not None and wanted and length + 1 > left:
            stopped = places[place - 1][:2]
            break
        if length is not None:
            wanted.append(seq)
            left -= length + 1
    if stopped is None and len(places) == limit:
        stopped = places[-1][:2]
    if not wanted:
        return Gathered([], stopped)
    found = dict(cursor.execute(OF_PLACES, (key, wanted), binary=True).fetchall())
    return Gathered([found[seq] for seq in wanted if seq in found], stopped)
