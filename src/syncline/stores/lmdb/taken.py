"""Taking out of a log in LMDB what a view shows: entries are copied as they lie there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from syncline.core.access.views import View
from syncline.stores import Gathered
from syncline.stores.lmdb.layout import pack, unpack
from syncline.stores.lmdb.transaction import Transaction

CHUNK = 256
"""Entries that are read at once; at most 16 MiB."""
SCANNED = 20_000
"""Entries that are looked at for one slice."""


class Taken:
    """What a slice has so far."""

    def __init__(self, txn: Transaction, view: View, since: int, max_bytes: int) -> None:
        self.parts: list[bytes] = []
        self.last = since
        self.is_full = False
        self._txn, self._view, self._left = txn, view, max_bytes

    def take_seqs(self, seqs: Sequence[int]) -> None:
        """Takes entries of which the seqs are known."""
        for start in range(0, len(seqs), CHUNK):
            if self.is_full:
                break
            chunk = seqs[start : start + CHUNK]
            self._take_shown([(pack(seq), place) for seq in chunk if (place := self._txn.get("places", pack(seq)))])

    def take_stretch(self, end: int, limit: int) -> None:
        """Takes up to ``limit`` entries up to a seq."""
        end = min(end, self.last + SCANNED)
        table = "entries" if self._view.is_everything else "places"
        rows = islice(self._txn.rows(table, pack(self.last + 1)), max(end - self.last, 0))
        take = self._take if self._view.is_everything else self._take_shown
        while not self.is_full and len(self.parts) < limit:
            chunk = list(islice(rows, min(CHUNK, limit - len(self.parts))))
            if not chunk:
                break
            take(chunk)

    def _take_shown(self, places: Sequence[tuple[bytes, bytes]]) -> None:
        """Takes the entries at these places (key, place), but for those that are not to be seen."""
        shows = self._view.shows
        shown = [key for key, place in places if shows(place[8:].decode())]
        self._take(self._txn.get_many("entries", shown))
        if not self.is_full:
            self.last = unpack(places[-1][0])

    def _take(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Takes entries (key, entry) as far as there is room; one without content is passed over."""
        for key, entry in rows:
            if entry:
                if self.parts and len(entry) + 1 > self._left:
                    self.is_full = True
                    return
                self.parts.append(entry)
                self._left -= len(entry) + 1
            self.last = unpack(key)


def gather(txn: Transaction, places: Sequence[tuple[str, int]], max_bytes: int) -> Gathered:
    """The entries at these places, in their order, at least one and about ``max_bytes``."""
    entries: list[bytes] = []
    left, last = max_bytes, ("", 0)
    for place in places:
        entry = txn.get("entries", pack(place[1]))
        if entry:
            if entries and len(entry) + 1 > left:
                return Gathered(entries, last)
            entries.append(entry)
            left -= len(entry) + 1
        last = place
    return Gathered(entries, None)
