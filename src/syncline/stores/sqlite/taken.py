"""Taking out of a log in SQLite what a view shows: joined by SQLite itself, without a step of Python for each entry.

What a view hides is left out by an expression over the item; a stub is left out because its entry is NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncline.core.access.views import View
from syncline.stores import Gathered
from syncline.stores.conditions import condition
from syncline.stores.tables.database import array

STRETCH = "SELECT seq, item, entry FROM entries WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3"
OF_SEQS = "SELECT seq, item, entry FROM entries WHERE seq IN carray(?1) ORDER BY seq"
SHOWN = "SELECT seq, iif({shown}, entry, NULL) AS entry FROM ({stretch})"
JOINED = "SELECT CAST(group_concat(entry, ',') AS BLOB), count(entry), max(seq) FROM ({stretch})"

CHUNK = 256
"""Rows that SQLite joins at once; at most 16 MiB."""
SCANNED = 20_000
"""Rows that are looked at for one slice."""
MAX_CASES = 8
"""Of a view with more decisions Python is asked, which remembers its answers by item: that is quicker then."""


class Taken:
    """What a slice has so far."""

    def __init__(self, cursor: Any, view: View, since: int, max_bytes: int) -> None:
        self.parts: list[bytes] = []
        self.length = 0
        self.last = since
        self.is_full = False
        self._cursor, self._view, self._left = cursor, view, max_bytes
        self._condition = None if len(view.decisions) > MAX_CASES else condition(view, "1", "0")

    def take_seqs(self, seqs: Sequence[int]) -> None:
        """Takes entries of which the seqs are known."""
        for start in range(0, len(seqs), CHUNK):
            if not self._take(OF_SEQS, array(seqs[start : start + CHUNK])):
                break

    def take_stretch(self, end: int, limit: int) -> None:
        """Takes up to ``limit`` entries up to a seq."""
        last_looked_at = min(end, self.last + SCANNED)
        while self.length < limit and self._take(STRETCH, self.last, last_looked_at, min(CHUNK, limit - self.length)):
            pass

    def _take(self, stretch: str, *parameters: Any) -> bool:
        """Takes the rows of a stretch as far as there is room; whether there may be room for more."""
        if self._condition is None:
            return self._take_asking(stretch, parameters)
        if not self._view.is_everything:
            stretch = SHOWN.format(shown=self._condition, stretch=stretch)
        joined, length, last = self._cursor.execute(JOINED.format(stretch=stretch), parameters).get
        if joined is not None and len(joined) + 1 > self._left:
            rows = self._cursor.execute(f"SELECT seq, entry FROM ({stretch})", parameters).fetchall()
            self._take_singly(rows)
        elif last is not None:
            self._add(joined, length, last)
        return not self.is_full and last is not None

    def _take_asking(self, stretch: str, parameters: Sequence[Any]) -> bool:
        rows = self._cursor.execute(stretch, parameters).fetchall()
        shows = self._view.shows
        self._take_singly([(seq, entry if shows(item) else None) for seq, item, entry in rows])
        return not self.is_full and bool(rows)

    def _take_singly(self, rows: Sequence[tuple[int, bytes | None]]) -> None:
        for seq, entry in rows:
            if entry is not None and self.length and len(entry) + 1 > self._left:
                self.is_full = True
                break
            self._add(entry, 1 if entry is not None else 0, seq)

    def _add(self, encoded: bytes | None, length: int, last: int) -> None:
        if encoded is not None:
            self.parts.append(encoded)
            self._left -= len(encoded) + 1
        self.length, self.last = self.length + length, last


def gather(cursor: Any, places: Sequence[tuple[str, int]], max_bytes: int) -> Gathered:
    """The entries at these places, in their order, at least one and about ``max_bytes``."""
    entries: list[bytes] = []
    left, last = max_bytes, ("", 0)
    for start in range(0, len(places), CHUNK):
        chunk = places[start : start + CHUNK]
        found = {seq: entry for seq, _, entry in cursor.execute(OF_SEQS, (array(seq for _, seq in chunk),))}
        for place in chunk:
            entry = found.get(place[1])
            if entry is not None and entries and len(entry) + 1 > left:
                return Gathered(entries, last)
            if entry is not None:
                entries.append(entry)
                left -= len(entry) + 1
            last = place
    return Gathered(entries, None)
