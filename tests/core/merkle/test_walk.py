"""A walk finds just what differs, whatever the two sets are, and ends whatever the other end says."""

import pytest
from hypothesis import given

from syncline.core import stamps
from syncline.core.merkle import MAX_QUESTIONS, Node, Tree, Walk, held_in
from tests.core.merkle.sets import Entries, cluster, ordered, pairs


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
