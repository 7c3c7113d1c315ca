"""A Merkle tree: which subtrees stay in memory, how they follow their entries, and what is told of them.

A tree is a value: an update makes another, which shares what did not change. It keeps the subtrees of more than 256
entries and reads the entries of others when it needs them, so it is small: some megabytes for a million entries.
Whoever calls passes ``read``, which must tell the very set that the tree is of, and for as long as it is called.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from syncline.core.lots import lots
from syncline.core.merkle.nodes import (
    DIGITS,
    EMPTY,
    KEPT,
    LEAF_ENTRIES,
    NOTHING,
    Branch,
    Leaf,
    Node,
    Read,
    Subtree,
    branch,
    build,
    check_node,
    digit,
    held_in,
    last_below,
    node,
    shared,
    span,
)
from syncline.core.merkle.proofs import Proof, Step
from syncline.errors import UnknownEvent

LOT = 4_096
"""Entries that are taken in at once when a tree is built."""


class Reads(NamedTuple):
    """What an update reads: of all entries there are then, and where there were none before, of those that are new."""

    all: Read
    new: Read


class Tree(msgspec.Struct, frozen=True):
    """The tree of a set of (id, digest)."""

    top: Subtree = EMPTY

    @classmethod
    def of(cls, leaves: Iterable[Leaf]) -> Tree:
        """The tree of entries that come in order of their keys, each once. They are not kept."""
        tree, last = cls(), list[Leaf]()
        for lot in lots(leaves, LOT):
            held = [*last, *lot]  # whatever an update at the right edge reads is among the last
            tree = tree.add(lot, held_in(held))
            last = held[-KEPT:]
        return tree

    @property
    def root(self) -> bytes:
        """The hash of all of it, 32 bytes."""
        return self.top.hash

    @property
    def count(self) -> int:
        """How many entries it has."""
        return self.top.entries

    @property
    def kept(self) -> int:
        """How many subtrees it keeps in memory."""
        return _kept(self.top)

    def update(self, keys: Iterable[bytes], read: Read) -> Tree:
        """The tree after the entries of these keys were added, replaced or removed, in any order.

        ``read`` tells the set as it is after that. What is read are the entries of subtrees that are not kept and have
        one of these keys: at most 256 that were there, and those that are new.
        """
        touched = sorted(set(keys))
        return Tree(_update(self.top, "", touched, Reads(read, read))) if touched else self

    def add(self, leaves: Iterable[Leaf], read: Read) -> Tree:
        """The tree after these entries were added or replaced; see ``update``. Of new ones none is read."""
        new = sorted(leaves)
        touched = [each.key for each in new]
        return Tree(_update(self.top, "", touched, Reads(read, held_in(new)))) if touched else self

    def describe(self, questions: Sequence[Node], read: Read) -> list[Node]:
        """Where this set differs from what somebody else says of theirs; nothing where they are equal.

        Of a branch with the same children's place: each child that differs, as it is here. Else: the node itself, as
        it is here. Raises BadRequest.
        """
        return [answer for question in questions for answer in self._differing(check_node(question), read)]

    def at(self, prefix: str, read: Read) -> Node:
        """What is below a prefix, to be told to others."""
        tree, reads = self.below(prefix, read)
        subtree, _ = tree._find(prefix)
        return node(prefix, subtree, () if subtree.branch else reads(*span(prefix)))

    def hash_at(self, prefix: str, read: Read) -> bytes:
        """The hash of what is below a prefix."""
        subtree, is_all = self._find(prefix)
        return subtree.hash if is_all else build(read(*span(prefix))).hash

    def below(self, prefix: str, read: Read) -> tuple[Tree, Read]:
        """A tree, and what reads its entries, for whoever looks around below a prefix: few entries are read once."""
        subtree, _ = self._find(prefix)
        if subtree.branch:
            return self, read
        leaves = read(*span(prefix)) if subtree.entries else ()
        return Tree(build(leaves, kept=LEAF_ENTRIES)), held_in(leaves)

    def proof(self, key: bytes, read: Read) -> Proof:
        """The way from an entry up to the root. Raises UnknownEvent if there is none of this key."""
        steps, (tree, reads) = [], self.below("", read)
        subtree, prefix = tree.top, ""
        while subtree.branch:
            place = digit(key, len(subtree.branch.within))
            steps.append(_step(subtree.branch, place))
            prefix = subtree.branch.within + DIGITS[place]
            tree, reads = tree.below(prefix, reads)
            subtree, _ = tree._find(prefix)
        leaves = reads(*span(prefix))
        if key not in {each.key for each in leaves}:
            raise UnknownEvent("The tree has no event of this id.")
        return Proof(tuple(each.digest for each in leaves), tuple(reversed(steps)))

    def _differing(self, question: Node, read: Read) -> Iterator[Node]:
        tree, reads = self.below(question.at, read)
        mine = tree.at(question.at, reads)
        if mine == question:
            return
        if not mine.mask or not question.mask or mine.within != question.within:
            yield mine
            return
        here, there = dict(mine.slots), dict(question.slots)
        for prefix in sorted(here.keys() | there.keys()):
            if here.get(prefix) != there.get(prefix):
                yield tree.at(prefix, reads)

    def _find(self, prefix: str) -> tuple[Subtree, bool]:
        """The least subtree kept in memory that holds what is below a prefix; and whether that is all it holds."""
        subtree, begins = self.top, ""
        while subtree.branch and not subtree.branch.within.startswith(prefix):
            within = subtree.branch.within
            if not prefix.startswith(within):
                return EMPTY, True
            begins = prefix[: len(within) + 1]
            subtree = subtree.branch.slots[int(begins[-1], 16)] or EMPTY
        return subtree, subtree.branch is not None or begins == prefix or not subtree.entries


def _update(subtree: Subtree, at: str, touched: Sequence[bytes], reads: Reads) -> Subtree:
    """What the subtree below the prefix ``at`` becomes; ``touched`` are keys there, in order."""
    if subtree.branch is None:
        return build((reads.all if subtree.entries else reads.new)(*span(at)))
    within, slots = _widened(subtree, subtree.branch, touched)
    for place, keys in _by_digit(touched, len(within)):
        slots[place] = _update(slots[place] or EMPTY, within + DIGITS[place], keys, reads)
    return _joined(at, within, slots, reads.all)


def _widened(subtree: Subtree, old: Branch, touched: Sequence[bytes]) -> tuple[str, list[Subtree | None]]:
    """Where a branch begins that holds what was below an old one, and the touched keys, too; and its slots."""
    first, _ = span(old.within)
    depth = min(len(old.within), shared(first, touched[0]), shared(first, touched[-1]))
    if depth == len(old.within):
        return old.within, list(old.slots)
    slots = list(NOTHING)
    slots[int(old.within[depth], 16)] = subtree
    return old.within[:depth], slots


def _by_digit(keys: Sequence[bytes], place: int) -> Iterator[tuple[int, Sequence[bytes]]]:
    """Keys in order, which are alike before a place, by their digit there."""
    start = 0
    while start < len(keys):
        end = bisect_right(keys, last_below(keys[start], place + 1), start)
        yield digit(keys[start], place), keys[start:end]
        start = end


def _joined(at: str, within: str, slots: Sequence[Subtree | None], read: Read) -> Subtree:
    """The subtree of these slots, some of which may have become empty or small."""
    filled = [child if child and child.entries else None for child in slots]
    children = [child for child in filled if child]
    if sum(child.entries for child in children) <= KEPT:
        return build(read(*span(at)))
    return children[0] if len(children) == 1 else branch(within, filled)


def _step(branch: Branch, place: int) -> Step:
    """A step up to a branch from its child at a place."""
    return Step(
        tuple(child.hash for child in branch.slots[:place] if child),
        tuple(child.hash for child in branch.slots[place + 1 :] if child),
    )


def _kept(subtree: Subtree) -> int:
    return 1 + sum(_kept(child) for child in subtree.branch.slots if child) if subtree.branch else 1
