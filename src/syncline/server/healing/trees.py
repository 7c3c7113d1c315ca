"""The Merkle trees of a space: made when somebody asks, at a seq that was announced, and kept up to date from there.

The tree of the whole log stays. Trees of narrower views are kept as long as there is room; of a small one its entries
are kept, too, because finding them again among all others would take long. One tree is made at a time, in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import chain, islice, takewhile
from typing import NamedTuple

from syncline.core.access.views import Decisions, View
from syncline.core.merkle import Leaf, Read, Tree, held_in, span
from syncline.stores import LogStore
from syncline.stores.digests import PIECE, Wanted, all_digests, leaves, reading

MAX_TREES = 16
"""So many trees of narrower views are kept for a space."""
MAX_KEPT = 100_000
"""So many subtrees and entries these have together, at most: some 20 MB."""
HELD = 20_000
"""The entries of a narrower view stay in memory up to so many."""

Key = tuple[Decisions, int]


class Grown(NamedTuple):
    """A tree of what a view shows up to a seq, and what reads its entries: call that in a thread, as it may take long.

    ``held`` are the entries in order of their keys, if they are kept.
    """

    seq: int
    tree: Tree
    read: Read
    held: list[Leaf] | None = None

    @property
    def size(self) -> int:
        """Subtrees and entries in memory."""
        return self.tree.kept + len(self.held or ())


class Cut(NamedTuple):
    """What a tree is to be of: what a view shows of a log after one seq and up to another."""

    store: LogStore
    view: View
    since: int
    until: int

    @property
    def is_all(self) -> bool:
        """Whether that is the whole log."""
        return self.view.is_everything and not self.since

    def wanted(self) -> Wanted:
        """Tells the entries of the tree."""
        since, until, shows = self.since, self.until, self.view.shows
        if self.view.is_everything:
            return lambda each: since < each.seq <= until
        return lambda each: since < each.seq <= until and shows(each.item)


Run = Callable[[Callable[[], Grown]], Awaitable[Grown]]
"""Calls a function in a thread that reads; see ``Space.run``."""


class Trees:
    """The trees of one space. Belongs to the event loop."""

    def __init__(self, store: LogStore, run: Run, seq: Callable[[], int]) -> None:
        """``seq`` tells the last seq that was announced."""
        self._store, self._run, self._seq = store, run, seq
        self._making = asyncio.Lock()
        self._whole: Grown | None = None
        self._trees: dict[Key, Grown] = {}  # of narrower views; the one that was asked for last comes last

    async def at(self, view_of: Callable[[], View], since: int = 0) -> Grown:
        """The tree of what a view shows of the entries after a seq, at the head of now.

        ``view_of`` tells the view of then: so nothing is in the tree that rules have hidden before it came. Whoever
        gives up waiting stops nobody else who waits for the same tree.
        """
        return await asyncio.shield(asyncio.ensure_future(self._at(view_of, since)))

    async def _at(self, view_of: Callable[[], View], since: int) -> Grown:
        async with self._making:
            cut = Cut(self._store, view_of(), since, self._seq())
            key = cut.view.decisions, since
            grown = self._whole if cut.is_all else self._trees.pop(key, None)
            if grown is None or grown.seq != cut.until:
                grown = await self._run(partial(_grow, cut, grown))
            if cut.is_all:
                self._whole = grown
            else:
                self._trees[key] = grown
                self._make_room()
            return grown

    def _make_room(self) -> None:
        """Lets go of the trees that were not asked for lately, but not of the last."""
        while len(self._trees) > 1 and (
            len(self._trees) > MAX_TREES or sum(each.size for each in self._trees.values()) > MAX_KEPT
        ):
            del self._trees[next(iter(self._trees))]


def _grow(cut: Cut, before: Grown | None) -> Grown:
    """The tree of a cut, from that of an earlier one if this is not much more."""
    if before is None or not 0 <= cut.until - before.seq <= max(PIECE, before.tree.count):
        return _built(cut)
    since = takewhile(lambda each: each.seq <= cut.until, all_digests(cut.store, before.seq))
    new = [Leaf(key, digest) for _, key, digest, _ in filter(cut.wanted(), since)]
    read, held = _reading(cut, before, new)
    return Grown(cut.until, before.tree.add(new, read), read, held)


def _built(cut: Cut) -> Grown:
    every = leaves(cut.store.digests_by_id, cut.wanted(), *span(""))
    first = [] if cut.is_all else list(islice(every, HELD + 1))
    if cut.is_all or len(first) > HELD:
        return Grown(cut.until, Tree.of(chain(first, every)), reading(cut.store.digests_by_id, cut.wanted()))
    return Grown(cut.until, Tree.of(first), held_in(first), first)


def _reading(cut: Cut, before: Grown, new: list[Leaf]) -> tuple[Read, list[Leaf] | None]:
    """What reads the entries of a cut, and these if they are to be kept."""
    if before.held is None or len(before.held) + len(new) > HELD:
        return reading(cut.store.digests_by_id, cut.wanted()), None
    held = sorted([*before.held, *new])
    return held_in(held), held
