"""Taking out of a log in JSON Lines what a view shows: chosen by the index, then read from the segments at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from syncline.core.access.views import View
from syncline.stores import Gathered
from syncline.stores.jsonl import index
from syncline.stores.jsonl.segments import Place, Segments
from syncline.stores.tables.database import array

CHUNK = 256
"""Rows of the index that are looked at together."""
SCANNED = 20_000
"""Rows that are looked at for one slice."""


class Taken:
    """What a slice has so far."""

    def __init__(self, cursor: Any, view: View, since: int, max_bytes: int) -> None:
        self.places: list[Place] = []
        self.last = since
        self.is_full = False
        self._cursor, self._view, self._left = cursor, view, max_bytes

    def take_seqs(self, seqs: Sequence[int]) -> None:
        """Takes entries of which the seqs are known."""
        for start in range(0, len(seqs), CHUNK):
            if not self._take(index.OF_SEQS, array(seqs[start : start + CHUNK])):
                break

    def take_stretch(self, end: int, limit: int) -> None:
        """Takes up to ``limit`` entries up to a seq."""
        last_looked_at = min(end, self.last + SCANNED)
        while len(self.places) < limit:
            if not self._take(index.STRETCH, self.last, last_looked_at, min(CHUNK, limit - len(self.places))):
                break

    def _take(self, statement: str, *parameters: Any) -> bool:
        """Takes rows as far as there is room; whether there may be room for more."""
        rows = self._cursor.execute(statement, parameters).fetchall()
        for seq, item, *place in rows:
            if self._view.is_everything or self._view.shows(item):
                size = place[1] + 1
                if self.places and size > self._left:
                    self.is_full = True
                    return False
                self.places.append(Place(seq, *place))
                self._left -= size
            self.last = seq
        return bool(rows)


def gather(cursor: Any, segments: Segments, wanted: Sequence[tuple[str, int]], max_bytes: int) -> Gathered:
    """The entries at these places (item, seq), in their order, at least one and about ``max_bytes``."""
    places = list(_fitting(cursor, [seq for _, seq in wanted], max_bytes))
    in_order = sorted(places)
    entries = {place.seq: entry for place, entry in zip(in_order, segments.read(in_order), strict=True)}
    stopped = wanted[len(places) - 1] if len(places) < len(wanted) else None
    return Gathered([entries[place.seq] for place in places], stopped)


def _fitting(cursor: Any, seqs: Sequence[int], max_bytes: int) -> Iterator[Place]:
    """The places of the first entries for which there is room, and of the first one in any case."""
    left, is_first = max_bytes, True
    for start in range(0, len(seqs), CHUNK):
        chunk = seqs[start : start + CHUNK]
        places = {place.seq: place for place in index.places_of_seqs(cursor, chunk)}
        for seq in chunk:
            left -= places[seq].length + 1
            if left < 0 and not is_first:
                return
            yield places[seq]
            is_first = False
