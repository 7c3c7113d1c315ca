"""Taking out of a log what a view shows: joined by the database itself, as much as there is room for, in one row.

What a view hides is left out by an expression over the item; a stub is left out because its entry is NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncline.core.access.views import View
from syncline.errors import SpaceDeleted
from syncline.stores import Gathered
from syncline.stores.postgres import item_index

STRETCH = "seq > %(since)s AND seq <= %(until)s"
OF_SEQS = "seq = ANY(%(seqs)s::bigint[])"
JOINED = """
    SELECT joined, length, last, tail FROM (
        SELECT string_agg(shown, ',' ORDER BY seq) AS joined, count(shown) AS length, max(seq) AS last FROM (
            SELECT
                seq,
                shown,
                coalesce(sum(octet_length(shown) + 1) OVER upwards, 0) AS size,
                count(shown) OVER upwards AS nth
            FROM (SELECT seq, {shown} AS shown FROM entries WHERE log = %(log)s AND {rows}) AS rows
            WINDOW upwards AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)
        ) AS sized
        WHERE nth <= %(limit)s AND (size <= %(room)s OR nth <= %(least)s)
    ) AS taken LEFT JOIN entries ON log = %(log)s AND seq = last
"""
"""Of the first entry of a slice there is always room for one (``least``)."""
ITEMS = f"SELECT seq, item FROM entries WHERE log = %(log)s AND {STRETCH} ORDER BY log, seq"
OF_PLACES = "SELECT seq, entry FROM entries WHERE log = %s AND seq = ANY(%s) AND entry IS NOT NULL"

SCANNED = 20_000
"""Rows that are looked at for one slice."""
MAX_CASES = 64
"""Of a view with more decisions Python is asked, which remembers its answers by item: that is quicker then."""


class Taken:
    """What a slice has so far."""

    def __init__(self, cursor: Any, key: int, view: View, since: int, *, limit: int, max_bytes: int) -> None:
        self.parts: list[bytes] = []
        self.length = 0
        self.last = since
        self.tail: bytes | None = None
        """The tail at ``last``, where it was read along the way."""
        self.is_full = False
        self._cursor, self._key, self._view = cursor, key, view
        self._limit, self._room = limit, max_bytes
        self._condition = condition(view) if len(view.decisions) <= MAX_CASES else None

    def take(self, end: int) -> None:
        """Takes what shows up to a seq: by the index while that is little, otherwise from a stretch of the log."""
        patterns = self._view.patterns
        found = None
        if patterns and end - self.last > item_index.SCANNED:
            found = item_index.seqs_of(self._cursor, self._key, patterns, self.last, self._limit, end)
        if found is None:
            self._take_stretch(min(end, self.last + SCANNED))
        else:
            self._take_seqs(*found)

    def _take_stretch(self, end: int) -> None:
        """Takes entries up to a seq, as there are no gaps: so many rows at first as are wanted, and then more."""
        rows = self._limit
        while self.last < end and not self.is_full:
            until = min(end, self.last + rows)
            if self._condition is None:
                self._take_asking(until)
            else:
                self._take_rows(STRETCH, until, since=self.last, until=until)
            rows *= 4

    def _take_asking(self, end: int) -> None:
        rows = self._cursor.execute(ITEMS, {"log": self._key, "since": self.last, "until": end})
        shows = self._view.shows
        self._take_seqs([seq for seq, item in rows if shows(item)], end)

    def _take_seqs(self, seqs: Sequence[int], end: int) -> None:
        """Takes entries of which the seqs are known, and which are all up to a seq."""
        if seqs:
            self._take_rows(OF_SEQS, seqs[-1], seqs=list(seqs))
        if not self.is_full and self.last < end:
            self.last, self.tail = end, None

    def _take_rows(self, rows: str, end: int, **asked: Any) -> None:
        """Takes rows, the last of which is at ``end``, as far as there is room."""
        shown = "entry" if self._condition is None or self._view.is_everything else self._condition
        asked |= {
            "log": self._key,
            "limit": self._limit - self.length,
            "room": self._room,
            "least": int(not self.length),
        }
        query = JOINED.format(shown=shown, rows=rows)
        joined, length, last, tail = self._cursor.execute(query, asked, binary=True).fetchone()
        if last is None and not self.length:
            raise SpaceDeleted("The log of this space was deleted.")
        if joined is not None:
            self.parts.append(joined)
            self._room -= len(joined) + 1
        if last is not None:
            self.last, self.tail = last, tail
        self.length += length
        self.is_full = self.last < end or self.length == self._limit


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


def condition(view: View) -> str:
    """The entry if a view shows it, as an expression of SQL over ``item``: its decisions, the most specific first."""
    cases = "".join(
        f" WHEN {_matches(pattern)} THEN {'entry' if shown else 'NULL'}" for pattern, shown in view.decisions
    )
    return f"CASE{cases} END" if cases else "NULL::bytea"


def _matches(pattern: str) -> str:
    """Whether an item fits a pattern. Patterns have no quotes in them; ``*`` alone fits what begins with no dot."""
    if pattern == "*":
        return "NOT (item >= '.' AND item < '/')"
    prefix = pattern.removesuffix("*")
    return f"item = '{pattern}'" if prefix == pattern else f"(item >= '{prefix}' AND item < '{prefix}\x7f')"
