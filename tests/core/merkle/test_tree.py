"""The hash of a tree depends on its set alone, however it came to be; and what is kept of it is little."""

from hashlib import sha256
from itertools import groupby

import pytest
from hypothesis import given

from syncline.core import stamps
from syncline.core.merkle import Leaf, Node, Read, Tree, held_in
from syncline.core.merkle.nodes import build
from syncline.core.merkle.tree import LOT
from tests.core.merkle.sets import Entries, a_digest, a_key, cluster, entries, ordered, pairs


def naive(leaves: list[Leaf], place: int = 0) -> bytes:
    """The root as it is defined, without leaving out what has one child."""
    if len(leaves) <= 16:
        return sha256(b"\x00" + b"".join(digest for _, digest in leaves)).digest()
    groups = [list(group) for _, group in groupby(leaves, key=lambda leaf: leaf.key.hex()[place])]
    if len(groups) == 1:
        return naive(leaves, place + 1)
    return sha256(b"\x01" + b"".join(naive(group, place + 1) for group in groups)).digest()


def bounded(leaves: list[Leaf], most: int) -> Read:
    """Reads what is there, and fails if it is asked for more at once."""
    read = held_in(leaves)

    def counted(low: bytes, high: bytes) -> list[Leaf]:
        found = list(read(low, high))
        assert len(found) <= most
        return found

    return counted


@given(entries)
def test_the_root_is_what_is_defined(held: Entries) -> None:
    tree = Tree.of(ordered(held))
    assert (tree.root, tree.count) == (naive(ordered(held)), len(held))


@given(pairs())
def test_an_update_leads_to_the_tree_of_what_is_there_then(both: tuple[Entries, Entries]) -> None:
    before, after = both
    touched = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    updated = Tree.of(ordered(before)).update(touched, held_in(ordered(after)))
    assert updated == Tree.of(ordered(after))


@pytest.mark.parametrize("bits", [128, 96, 64, 14])
def test_many_entries_are_built_in_pieces(bits: int) -> None:
    leaves = ordered(cluster(0x0192 << 112, bits, 10_000, 1))
    assert len(leaves) > 2 * LOT or bits == 14
    assert Tree.of(iter(leaves)) == Tree(build(leaves))
    assert Tree.of(iter(leaves)).root == naive(leaves)


@pytest.mark.parametrize("before", [700, 257, 256, 17, 1])
@pytest.mark.parametrize("after", [700, 257, 256, 100, 17, 16, 1, 0])
def test_a_tree_grows_and_shrinks_over_every_bound(before: int, after: int) -> None:
    leaves = ordered(cluster(0, 128, max(before, after), 1))
    tree = Tree.of(leaves[:before]).update([each.key for each in leaves[after:]], held_in(leaves[:after]))
    assert tree == Tree.of(leaves[: min(before, after)])


def test_what_is_told_of_a_prefix() -> None:
    held = {a_key(number << 100 | 5): a_digest(a_key(number << 100 | 5)) for number in range(17)}
    leaves = ordered(held)
    tree, read = Tree.of(leaves), held_in(leaves)
    ids = tuple(stamps.from_key(leaf.key) for leaf in leaves)
    cut = [leaf.digest[:12] for leaf in leaves]
    hashes = (tree.hash_at("000000", read)[:12], tree.hash_at("000001", read)[:12])
    assert tree.at("", read) == Node("", "00000", 0b11, hashes)
    assert tree.at("000", read) == Node("000", "00000", 0b11, hashes)
    assert tree.at("000000", read) == Node("000000", "000000", 0, tuple(cut[:16]), ids[:16])
    assert tree.at("000001", read) == Node("000001", leaves[16].key.hex(), 0, (cut[16],), ids[16:])
    assert tree.at("00001", read) == Node("00001", "00001", 0, ())
    assert tree.at("1", read) == Node("1", "1", 0, ())


def test_an_update_without_keys_reads_nothing() -> None:
    tree = Tree.of(ordered(cluster(0, 128, 700, 1)))
    assert tree.update([], bounded([], -1)) is tree


def test_what_comes_at_the_right_edge_reads_a_few_entries_only() -> None:
    before, after = cluster(0, 100, 3_000, 1), cluster(1 << 127, 100, 10, 2)
    tree = Tree.of(ordered(before)).update(after, bounded(ordered(before | after), 256))
    assert tree == Tree.of(ordered(before | after))


def test_of_what_is_added_where_nothing_was_nothing_is_read() -> None:
    before, after = cluster(0, 100, 3_000, 1), cluster(1 << 127, 100, 3_000, 2)
    tree = Tree.of(ordered(before)).add(reversed(ordered(after)), bounded([], -1))
    assert tree == Tree.of(ordered(before | after))
    assert tree.add([], bounded([], -1)) is tree


@given(pairs())
def test_what_is_added_or_replaced_leads_to_the_tree_of_both(both: tuple[Entries, Entries]) -> None:
    before, new = both
    after = ordered(before | new)
    assert Tree.of(ordered(before)).add(ordered(new), held_in(after)) == Tree.of(after)


def test_of_many_entries_few_subtrees_stay() -> None:
    tree = Tree.of(ordered(cluster(0, 128, 20_000, 1)))
    assert 16 < tree.kept < 20_000 / 50
