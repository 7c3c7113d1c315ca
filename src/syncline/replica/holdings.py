"""What a replica holds, as Merkle trees: made when somebody first asks, and kept up to date with what is committed.

A change that touches more than it is worth following lets go of them. Whoever owns this holds a lock when it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from syncline.core import stamps
from syncline.core.merkle import Read, Tree, span
from syncline.core.patterns import matcher
from syncline.replica.hearing import is_between_peers
from syncline.stores import Change, ReplicaStore
from syncline.stores.digests import ById, Wanted, leaves, reading

__all__ = ["Holdings"]

FOLLOWED = 50_000
"""Events that changed since a tree was looked at; more than that, and it is made anew."""
KEPT_TREES = 4
"""The trees that were asked for last."""


class Asked(NamedTuple):
    """What a tree is of: of these items, of entries after a seq; with local events, as peers compare, or without."""

    items: tuple[str, ...]
    since: int
    local: bool

    @property
    def wanted(self) -> Wanted:
        """Tells what is in the tree."""
        fits, since = matcher(self.items), self.since
        if self.local:
            return lambda each: (not each.seq or each.seq > since) and is_between_peers(each.item) and fits(each.item)
        return lambda each: each.seq > since and fits(each.item)


class Followed(NamedTuple):
    """A tree, and the keys on which something has happened since it was made."""

    tree: Tree
    touched: set[bytes]


class Holdings:
    """The trees of a replica store."""

    def __init__(self, store: ReplicaStore) -> None:
        self._store = store
        self._trees: dict[Asked, Followed] = {}  # the one that was asked for last comes last

    def note(self, change: Change) -> None:
        """Something was committed."""
        if not self._trees:
            return
        if change.rewind is not None or change.forget or change.bases or change.part is not None:
            self._trees.clear()
        touched = {entry.event.key for entry in change.entries}
        touched.update(outboxed.event.key for outboxed in change.outbox)
        touched.update(map(stamps.key, change.drop))
        for asked, followed in list(self._trees.items()):
            followed.touched.update(touched)
            if len(followed.touched) > FOLLOWED:
                del self._trees[asked]

    def tree(self, items: Sequence[str] = (), since: int = 0, *, local: bool = True) -> tuple[Tree, Read]:
        """The tree of the entries after a seq, of these items, and what reads its entries as they are now.

        ``local``: with the local events, and of all that only what goes between peers.
        """
        asked = Asked(tuple(items), since, local)
        by_id: ById = partial(self._store.digests_by_id, local=local)
        read = reading(by_id, asked.wanted)
        followed = self._trees.pop(asked, None)
        if followed is None:
            tree = Tree.of(leaves(by_id, asked.wanted, *span("")))
        else:
            tree = followed.tree.update(followed.touched, read)
        self._trees[asked] = Followed(tree, set())
        while len(self._trees) > KEPT_TREES:
            del self._trees[next(iter(self._trees))]
        return tree, read
