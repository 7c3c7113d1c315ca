"""What a space's log says of the space itself, as folds of its system entries: who may do what, and what was erased."""

from __future__ import annotations

from itertools import takewhile
from threading import Lock

from syncline.core.access.state import SYSTEM_ITEMS, Access
from syncline.core.erasure import ERASURES, Erasures
from syncline.stores import EventStore, load

PAST_ACCESSES = 8
"""Of how many moments the access is remembered for those who come back from them."""


class PastAccess:
    """Who might do what at earlier seqs of a log. Its methods may read the log: call them in a thread."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._known: dict[int, Access] = {}
        self._lock = Lock()

    def at(self, seq: int) -> Access:
        """The access as of a seq."""
        with self._lock:
            if seq not in self._known:
                self._known[seq] = read_access(self._store, seq)
                for old in list(self._known)[:-PAST_ACCESSES]:
                    del self._known[old]
            return self._known[seq]


def read_access(store: EventStore, seq: int | None = None) -> Access:
    """Who may do what: as of now, or of a seq."""
    entries = load(store, items=SYSTEM_ITEMS)
    return Access.of(entries if seq is None else takewhile(lambda entry: entry.seq <= seq, entries))


def read_erasures(store: EventStore) -> Erasures:
    """What was erased."""
    erasures = Erasures()
    for entry in load(store, items=[ERASURES]):
        erasures.note(entry.seq, entry.event)
    return erasures
