"""What a replica holds, as Merkle trees: of all that goes between peers, kept up to date, or of a part, made if asked.

The tree of everything is made when somebody first asks, and follows what is committed; a change that touches more than
it is worth following lets go of it. Whoever owns this holds a lock when it is told of a change.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from syncline.core import stamps
from syncline.core.merkle import Read, Tree, span
from syncline.core.patterns import matcher
from syncline.replica.hearing import is_between_peers
from syncline.stores import Change, ReplicaStore
from syncline.stores.digests import ById, Digested, Wanted, leaves, reading

__all__ = ["Holdings"]

FOLLOWED = 50_000
"""Events that changed since a tree was looked at; more than that, and it is made anew."""


class Holdings:
    """The trees of a replica store."""

    def __init__(self, store: ReplicaStore) -> None:
        self._store = store
        self._tree: Tree | None = None
        self._touched: set[bytes] = set()

    def note(self, change: Change) -> None:
        """Something is about to be committed, or was."""
        if self._tree is None:
            return
        self._touched.update(entry.event.key for entry in change.entries)
        self._touched.update(outboxed.event.key for outboxed in change.outbox)
        self._touched.update(map(stamps.key, change.drop))
        if change.rewind is not None or change.forget or len(self._touched) > FOLLOWED:
            self._tree = None

    def tree(self, items: Sequence[str] = ()) -> tuple[Tree, Read]:
        """The tree of what goes between peers (of these items), and what reads its entries as they are now."""
        by_id = partial(self._store.digests_by_id, local=True)
        if items:
            fits = matcher(items)
            return _made(by_id, lambda each: is_between_peers(each.item) and fits(each.item))
        if self._tree is None:
            self._touched.clear()
            self._tree, read = _made(by_id, _goes_between)
            return self._tree, read
        read = reading(by_id, _goes_between)
        touched = list(self._touched)
        self._tree = self._tree.update(touched, read)
        self._touched.difference_update(touched)
        return self._tree, read

    def entries(self, items: Sequence[str] = (), until: int | None = None) -> tuple[Tree, Read]:
        """The tree of the entries (of these items) up to a seq, as a server compares them."""
        fits = matcher(items)
        by_id = self._store.digests_by_id
        return _made(by_id, lambda each: (until is None or each.seq <= until) and fits(each.item))


def _made(by_id: ById, wanted: Wanted) -> tuple[Tree, Read]:
    return Tree.of(leaves(by_id, wanted, *span(""))), reading(by_id, wanted)


def _goes_between(digested: Digested) -> bool:
    return is_between_peers(digested.item)
