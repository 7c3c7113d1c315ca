"""The hash of a tree depends on its set alone, however it came to be; and what is kept of it is little."""

from hashlib import sha256
from itertools import groupby

from hypothesis import given

from syncline.core.merkle import Leaf, Read, Tree, held_in
from tests.core.merkle.sets import Entries, cluster, entries, ordered, pairs


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


def test_an_update_without_keys_reads_nothing() -> None:
    tree = Tree.of(ordered(cluster(0, 128, 700, 1)))
    assert tree.update([], bounded([], -1)) is tree


def test_what_comes_at_the_right_edge_reads_a_few_entries_only() -> None:
    before, after = cluster(0, 100, 3_000, 1), cluster(1 << 127, 100, 10, 2)
    tree = Tree.of(ordered(before)).update(after, bounded(ordered(before | after), 256))
    assert tree == Tree.of(ordered(before | after))


def test_of_many_entries_few_subtrees_stay() -> None:
    tree = Tree.of(ordered(cluster(0, 128, 20_000, 1)))
    assert 16 < tree.kept < 20_000 / 50
