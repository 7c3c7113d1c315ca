"""Taking out of a log in LMDB what a view shows: entries are copied as they lie there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from syncline.core.access.views import View
from syncline.stores import Gathered
from syncline.stores.lmdb.layout import pack
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
            self._take_shown(chunk, [place for _, place in self._txn.get_many("places", map(pack, chunk))])

    def take_stretch(self, end: int, limit: int) -> None:
        """Takes up to ``limit`` entries up to a seq."""
        end = min(end, self.last + SCANNED)
        is_everything = self._view.is_everything
        values = self._txn.values("entries" if is_everything else "places", pack(self.last + 1))
        take = self._take if is_everything else self._take_shown
        while not self.is_full and self.last < end and len(self.parts) < limit:
            size = min(CHUNK, end - self.last, limit - len(self.parts))
            take(range(self.last + 1, self.last + 1 + size), list(islice(values, size)))

    def _take_shown(self, seqs: Sequence[int], places: Sequence[bytes]) -> None:
        """Takes the entries at these places, but for those that are not to be seen."""
        shows = self._view.shows
        shown = [seq for seq, place in zip(seqs, places, strict=True) if shows(place[8:].decode())]
        self._take(shown, [entry for _, entry in self._txn.get_many("entries", map(pack, shown))])
        if not self.is_full:
            self.last = seqs[-1]

    def _take(self, seqs: Sequence[int], entries: Sequence[bytes]) -> None:
        """Takes entries as far as there is room; one without content is passed over."""
        size = sum(map(len, entries)) + len(entries)
        if size <= self._left and seqs:
            self.parts += filter(None, entries)
            self.last, self._left = seqs[-1], self._left - size
            return
        for seq, entry in zip(seqs, entries, strict=True):
            if entry and self.parts and len(entry) + 1 > self._left:
                self.is_full = True
                break
            if entry:
                self.parts.append(entry)
                self._left -= len(entry) + 1
            self.last = seq


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
