"""The digests of what a store holds, in order of ids or of seqs: what Merkle trees are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from syncline.core.merkle import Leaf, Read

PIECE = 10_000
"""Rows that are read at once."""


class Digested(NamedTuple):
    """What is held of an event: its seq (0: it is no entry yet), the 16 bytes of its id, its digest, and its item."""

    seq: int
    key: bytes
    digest: bytes
    item: str


@runtime_checkable
class DigestStore(Protocol):
    """A log as digests. Entries count whose content is gone, too; those of a commit that is just being made may."""

    def digests(self, since: int, limit: int) -> list[Digested]:
        """The first entries after a seq, in order of their seqs."""

    def digests_by_id(self, low: bytes, high: bytes, limit: int) -> list[Digested]:
        """The first entries from one key to another, both included, in order of their keys."""


def all_digests(store: DigestStore, since: int = 0) -> Iterator[Digested]:
    """The entries after a seq, in order of their seqs, read piece by piece."""
    while True:
        piece = store.digests(since, PIECE)
        yield from piece
        if len(piece) < PIECE:
            return
        since = piece[-1].seq


ById = Callable[[bytes, bytes, int], Sequence[Digested]]
"""``digests_by_id`` of a store."""
Wanted = Callable[[Digested], bool]


def leaves(by_id: ById, wanted: Wanted, low: bytes, high: bytes) -> Iterator[Leaf]:
    """The entries from one key to another that are wanted, in order of their keys, read piece by piece."""
    while True:
        piece = by_id(low, high, PIECE)
        yield from [Leaf(key, digest) for _, key, digest, _ in filter(wanted, piece)]
        if len(piece) < PIECE or piece[-1].key == high:
            return
        low = (int.from_bytes(piece[-1].key, "big") + 1).to_bytes(16, "big")


def reading(by_id: ById, wanted: Wanted) -> Read:
    """What reads the entries of a tree of those that are wanted."""
    return lambda low, high: list(leaves(by_id, wanted, low, high))
