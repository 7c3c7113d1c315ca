"""A walk finds just what differs, whatever the two sets are, and ends whatever the other end says."""

import json
from base64 import b64encode
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core import stamps
from syncline.core.merkle import HASH_BYTES, MAX_QUESTIONS, Node, Tree, Walk, held_in
from syncline.core.merkle.walk import MAX_ANSWERS
from syncline.errors import BadRequest
from tests.core.merkle.sets import Entries, a_digest, cluster, ordered, pairs


class End:
    """A set, its tree, and how often it was asked."""

    def __init__(self, entries: Entries) -> None:
        leaves = ordered(entries)
        self.tree, self.read = Tree.of(leaves), held_in(leaves)
        self.requests: list[tuple[int, int]] = []

    def describe(self, questions: list[Node]) -> list[Node]:
        answers = self.tree.describe(questions, self.read)
        self.requests.append((len(questions), len(answers)))
        return answers


def walked(one: End, other: End) -> Walk:
    walk = Walk(one.tree, one.read)
    while questions := walk.questions():
        assert len(questions) <= MAX_QUESTIONS
        walk.take(other.describe(questions))
    return walk


def ids(keys: set[bytes]) -> set[str]:
    return set(map(stamps.from_key, keys))


@given(pairs())
def test_a_walk_finds_what_differs(both: tuple[Entries, Entries]) -> None:
    mine, theirs = both
    walk = walked(End(mine), End(theirs))
    assert walk.mine_only == ids(mine.keys() - theirs.keys())
    assert walk.theirs_only == ids(theirs.keys() - mine.keys())
    assert walk.differing == ids({key for key in mine.keys() & theirs.keys() if mine[key] != theirs[key]})


@pytest.mark.parametrize("size", [0, 1, 16, 17, 5_000])
def test_equal_sets_are_one_question_without_an_answer(size: int) -> None:
    one, other = End(cluster(0, 128, size, 1)), End(cluster(0, 128, size, 1))
    walked(one, other)
    assert other.requests == [(1, 0)]


@pytest.mark.parametrize("has_others", [False, True])
def test_very_much_is_asked_in_batches(*, has_others: bool) -> None:
    theirs = cluster(0, 128, 10_000, 1)
    mine = {key: a_digest(key, 1) for key in theirs} if has_others else {}
    end = End(theirs)
    walk = walked(End(mine), end)
    assert (len(walk.theirs_only), len(walk.differing)) == ((0, len(theirs)) if has_others else (len(theirs), 0))
    assert max(asked for asked, _ in end.requests) == (MAX_ANSWERS // 16 if has_others else MAX_QUESTIONS)
    assert max(answered for _, answered in end.requests) <= MAX_ANSWERS


def test_a_hundred_differences_among_many_cost_few_round_trips_and_bytes() -> None:
    everything = cluster(0, 128, 20_000, 1)
    gone = Random(1).sample(sorted(everything), 100)
    one, end = (End({key: everything[key] for key in everything.keys() - set(part)}) for part in (gone[:50], gone[50:]))
    walk = Walk(one.tree, one.read)
    told = 0
    while questions := walk.questions():
        answers = end.describe(questions)
        told += sum(map(told_bytes, [*questions, *answers]))
        walk.take(answers)
    assert (walk.mine_only, walk.theirs_only) == (ids(set(gone[50:])), ids(set(gone[:50])))
    assert len(end.requests) <= 6
    assert told < 65_000


def told_bytes(node: Node) -> int:
    """How long a node is in JSON."""
    hashes = b64encode(b"".join(node.hashes)).decode()
    return len(json.dumps([node.at, node.within, node.mask, hashes, node.ids], separators=(",", ":")))


# Ends that lie

KEYS = sorted(cluster(0, 128, 1_000, 1))
IDS = list(map(stamps.from_key, KEYS))
HASH = bytes(HASH_BYTES)
LIES = {
    "a prefix that is none": Node("x", "x", 0, ()),
    "capital letters": Node("A", "A", 0, ()),
    "too long a prefix": Node("0" * 33, "0" * 33, 0, ()),
    "ids elsewhere": Node("0", "1", 0, ()),
    "within what is no prefix": Node("", "g", 0, ()),
    "one child": Node("", "", 1, (HASH,)),
    "more children than digits": Node("", "", 1 << 16 | 1, (HASH, HASH)),
    "a negative mask": Node("", "", -2, (HASH,)),
    "too few hashes": Node("", "", 3, (HASH,)),
    "a short hash": Node("", "", 3, (HASH, HASH[1:])),
    "a branch with ids": Node("", "", 3, (HASH, HASH), (IDS[0],)),
    "a branch at the end of all ids": Node("", KEYS[0].hex(), 3, (HASH, HASH)),
    "a leaf of too many": Node("", "", 0, (HASH,) * 17, tuple(IDS[:17])),
    "a leaf without a digest": Node("", "", 0, (), tuple(IDS[:1])),
    "ids out of order": Node("", "", 0, (HASH, HASH), (IDS[1], IDS[0])),
    "an id twice": Node("", "", 0, (HASH, HASH), (IDS[1], IDS[1])),
    "an id that is none": Node("", "", 0, (HASH,), ("00000000-0000-0000-0000-000000000000",)),
    "an id from elsewhere": Node("f", "f", 0, (HASH,), (IDS[0],)),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_node_that_is_none_is_refused(lie: Node) -> None:
    end = End(cluster(0, 128, 100, 1))
    walk = Walk(end.tree, end.read)
    walk.questions()
    with pytest.raises(BadRequest):
        walk.take([lie])
    with pytest.raises(BadRequest):
        end.describe([lie])


@pytest.mark.parametrize(
    "answers",
    [
        [Node("00", "00", 0, ())],
        [Node("f", "f", 0, ()), Node("f", "f", 0, ())],
        [Node("", "", 3, (HASH, HASH)), Node("", "", 3, (HASH, HASH))],
    ],
)
def test_what_nobody_asked_for_is_refused(answers: list[Node]) -> None:
    end = End(cluster(0, 128, 1_000, 1))
    walk = Walk(end.tree, end.read)
    with pytest.raises(BadRequest, match="nobody asked"):
        walk.take([Node("", "", 0, ())])
    walk.questions()
    with pytest.raises(BadRequest, match="nobody asked"):
        walk.take(answers)


def test_a_leaf_is_not_asked_for_its_children() -> None:
    end = End(cluster(0, 128, 3, 1))
    walk = Walk(end.tree, end.read)
    walk.questions()
    with pytest.raises(BadRequest, match="nobody asked"):
        walk.take([Node("f", "f", 0, ())])


def test_a_tale_without_end_ends() -> None:
    end = End(cluster(0, 128, 1_000, 1))
    walk = Walk(end.tree, end.read, max_nodes=1_000)

    def tell_on() -> None:
        while questions := walk.questions():
            walk.take([Node(each.at, each.at, 0xFFFF, (HASH,) * 16) for each in questions])

    with pytest.raises(BadRequest, match="too much"):
        tell_on()


def test_a_tale_that_leads_ever_further_down_ends_with_the_digits() -> None:
    end = End(cluster(0, 128, 1_000, 1))
    walk = Walk(end.tree, end.read)
    rounds = 0

    def tell_on() -> None:
        nonlocal rounds
        while questions := walk.questions():
            rounds += 1
            walk.take([Node(each.at, each.at, 3, (HASH, HASH)) for each in questions[:1]])

    with pytest.raises(BadRequest, match="not one"):
        tell_on()
    assert rounds == 33


@given(pairs(), st.randoms(use_true_random=False))
def test_an_end_that_leaves_answers_out_hides_only_differences(both: tuple[Entries, Entries], lot: Random) -> None:
    mine, theirs = both
    one, end = End(mine), End(theirs)
    walk = Walk(one.tree, one.read)
    while questions := walk.questions():
        walk.take([answer for answer in end.describe(questions) if lot.random() < 0.7])
    assert walk.theirs_only <= ids(theirs.keys() - mine.keys())
    assert walk.mine_only <= ids(mine.keys() - theirs.keys())
