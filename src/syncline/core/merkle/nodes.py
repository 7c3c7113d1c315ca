"""What a Merkle tree is made of, and its hashes: subtrees, and nodes as they are told to others.

Entries stand below the 32 hex digits of their ids. A subtree of 16 entries or fewer is a leaf; any other branches at
the first digit in which its ids differ, so no node has one child, and a hash depends on the entries below it alone:

    empty   SHA-256(0x00)
    leaf    SHA-256(0x00 + the digests of its events in order of their ids)
    branch  SHA-256(0x01 + the hashes of its children in order of their digits)
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

from syncline.core import stamps
from syncline.errors import BadRequest, InvalidEvent

LEAF_ENTRIES = 16
"""So many entries a leaf has at most."""
KEPT = 256
"""Subtrees of more entries stay in memory; smaller ones are made from their entries when they are looked at."""
HASH_BYTES = 12
"""So much of a hash or digest is told in a walk."""
DIGITS = "0123456789abcdef"
KEY_DIGITS = 32

_PREFIX = re.compile(rf"[0-9a-f]{{0,{KEY_DIGITS}}}")
_LAST = b"\xff" * 16
_BEYOND = b"\xff" * 33


class Leaf(NamedTuple):
    """An entry of a tree: the 16 bytes of an event's id, and its digest (32 bytes)."""

    key: bytes
    digest: bytes


Read = Callable[[bytes, bytes], Sequence[Leaf]]
"""Reads the entries from one key to another, both included, in order of their keys."""


class Branch(NamedTuple):
    """The longest prefix that all ids of a subtree have, and what is below each next digit (None: nothing)."""

    within: str
    slots: tuple[Subtree | None, ...]


class Subtree(NamedTuple):
    """The hash and size of what is below a prefix; ``branch`` is None if it is a leaf or not kept in memory."""

    hash: bytes
    entries: int
    branch: Branch | None


class Node(NamedTuple):
    """What somebody holds below the prefix ``at``, as it is told to others.

    ``within`` is the longest prefix that all its ids have (of no entries: ``at``). A leaf has ``mask`` 0, its ``ids``
    and their digests in ``hashes``. A branch has a bit (1 << digit) for each child, and their hashes in order of the
    digits. All are cut to 12 bytes.
    """

    at: str
    within: str
    mask: int
    hashes: tuple[bytes, ...]
    ids: tuple[str, ...] = ()

    @property
    def slots(self) -> Iterator[tuple[str, bytes]]:
        """The prefix and the hash of each child of a branch."""
        prefixes = [self.within + digit for place, digit in enumerate(DIGITS) if self.mask >> place & 1]
        return zip(prefixes, self.hashes, strict=True)


EMPTY = Subtree(sha256(b"\x00").digest(), 0, None)
NOTHING: tuple[Subtree | None, ...] = (None,) * 16


def leaf(digests: Sequence[bytes]) -> Subtree:
    """A leaf of these digests."""
    return Subtree(sha256(b"\x00" + b"".join(digests)).digest(), len(digests), None)


def branch(within: str, slots: Sequence[Subtree | None]) -> Subtree:
    """A branch; two slots or more are filled."""
    children = [child for child in slots if child]
    digest = sha256(b"\x01" + b"".join([child.hash for child in children])).digest()
    return Subtree(digest, sum(child.entries for child in children), Branch(within, tuple(slots)))


def build(leaves: Sequence[Leaf], start: int = 0, end: int | None = None, *, kept: int = KEPT) -> Subtree:
    """The subtree of ``leaves[start:end]``, which are in order; it keeps the branches of more than ``kept`` entries."""
    end = len(leaves) if end is None else end
    if end - start <= LEAF_ENTRIES:
        return leaf([each.digest for each in leaves[start:end]])
    depth = shared(leaves[start].key, leaves[end - 1].key)
    slots = list(NOTHING)
    while start < end:
        key = leaves[start].key
        beyond = bisect_right(leaves, (last_below(key, depth + 1), _BEYOND), start, end)
        slots[digit(key, depth)] = build(leaves, start, beyond, kept=kept)
        start = beyond
    made = branch(key.hex()[:depth], slots)
    return made if made.entries > kept else made._replace(branch=None)


def node(at: str, subtree: Subtree, leaves: Sequence[Leaf]) -> Node:
    """What is told of a subtree; ``leaves`` are its entries if it is a leaf."""
    if subtree.branch is None:
        hashes = tuple(each.digest[:HASH_BYTES] for each in leaves)
        within = leaves[0].key.hex()[: shared(leaves[0].key, leaves[-1].key)] if leaves else at
        return Node(at, within, 0, hashes, tuple(stamps.from_key(each.key) for each in leaves))
    filled = [(place, child.hash[:HASH_BYTES]) for place, child in enumerate(subtree.branch.slots) if child]
    mask = sum(1 << place for place, _ in filled)
    return Node(at, subtree.branch.within, mask, tuple(each for _, each in filled))


def check_node(node: Node) -> Node:
    """The node itself if it has the shape of one. Raises BadRequest."""
    is_leaf = not node.mask
    children = len(node.ids) if is_leaf else node.mask.bit_count()
    least, most = (0, LEAF_ENTRIES) if is_leaf else (2, len(DIGITS))
    is_good = (
        _PREFIX.fullmatch(node.at) is not None
        and _PREFIX.fullmatch(node.within) is not None
        and node.within.startswith(node.at)
        and 0 <= node.mask < 1 << len(DIGITS)
        and least <= children <= most
        and len(node.hashes) == children
        and all(len(each) == HASH_BYTES for each in node.hashes)
        and (are_in_order(node.ids, node.within) if is_leaf else not node.ids and len(node.within) < KEY_DIGITS)
    )
    if not is_good:
        raise BadRequest(f"merkle: the node at {node.at[:KEY_DIGITS]!r} is not one.")
    return node


def are_in_order(ids: Sequence[str], prefix: str) -> bool:
    """Whether these are ids of events, rising, and below a prefix."""
    try:
        keys = [stamps.key(stamps.check_id(id)).hex() for id in ids]
    except InvalidEvent:
        return False
    return all(key.startswith(prefix) for key in keys) and all(one < other for one, other in pairwise(keys))


def span(prefix: str) -> tuple[bytes, bytes]:
    """The first and the last key below a prefix."""
    return bytes.fromhex(prefix.ljust(KEY_DIGITS, "0")), bytes.fromhex(prefix.ljust(KEY_DIGITS, "f"))


def held_in(leaves: Sequence[Leaf]) -> Read:
    """Reads from a sequence in memory that is in order of the keys."""

    def read(low: bytes, high: bytes) -> Sequence[Leaf]:
        return leaves[bisect_left(leaves, (low,)) : bisect_right(leaves, (high, _BEYOND))]

    return read


def shared(one: bytes, other: bytes) -> int:
    """How many hex digits two keys have in common at their beginning."""
    return (128 - (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_length()) // 4


def digit(key: bytes, place: int) -> int:
    """The hex digit of a key at a place."""
    return key[place >> 1] & 15 if place & 1 else key[place >> 1] >> 4


def last_below(key: bytes, digits: int) -> bytes:
    """The greatest key that begins with so many digits of this one."""
    whole = digits >> 1
    if digits & 1:
        return key[:whole] + bytes((key[whole] | 15,)) + _LAST[whole + 1 :]
    return key[:whole] + _LAST[whole:]
