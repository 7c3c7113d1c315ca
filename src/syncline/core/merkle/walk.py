"""The walk: finds where one's own set differs from somebody else's, by asking only where hashes differ.

    walk = Walk(tree, read)
    while questions := walk.questions():
        walk.take(answers of the other end to these, made by Tree.describe)

Every answer leads further down, so there are at most 32 rounds, each in batches that are bounded, as are their
answers. What comes is believed as far as it has the right shape and was asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from syncline.core import stamps
from syncline.core.limits import MAX_SUMMARIES, MAX_TREE_SUMMARIES
from syncline.core.merkle.nodes import DIGITS, HASH_BYTES, Node, Read, check_node, span
from syncline.core.merkle.tree import Tree
from syncline.errors import BadRequest

MAX_QUESTIONS = MAX_SUMMARIES
"""Questions of one request."""
MAX_ANSWERS = MAX_TREE_SUMMARIES
"""Nodes that may come back: so many are less than a megabyte in JSON, whatever they are."""
MAX_NODES = 1_000_000
"""More nodes than that no walk takes in: who differs in so much takes all of it instead."""


class Walk:
    """One end of a walk, of a set that does not change meanwhile. It asks until there is nothing left to ask.

    ``mine_only``, ``theirs_only`` and ``differing`` (the same id with another digest) are ids.
    """

    def __init__(self, tree: Tree, read: Read, *, max_nodes: int = MAX_NODES) -> None:
        self.mine_only: set[str] = set()
        self.theirs_only: set[str] = set()
        self.differing: set[str] = set()
        self._tree, self._read, self._nodes_left = tree, read, max_nodes
        self._waiting = deque([tree.at("", read)])
        self._asked: list[Node] = []

    def questions(self) -> list[Node]:
        """What to ask next, after all before it was answered; nothing when all is known."""
        self._asked, room = [], MAX_ANSWERS
        while self._waiting and len(self._asked) < MAX_QUESTIONS:
            room -= len(DIGITS) if self._waiting[0].mask else 1
            if room < 0:
                break
            self._asked.append(self._waiting.popleft())
        return self._asked

    def take(self, answers: Sequence[Node]) -> None:
        """Takes the answers to the last questions. Raises BadRequest; the walk is then of no more use."""
        expected = {at for question in self._asked for at in _answerable(question)}
        self._asked = []
        self._nodes_left -= len(answers)
        if self._nodes_left < 0:
            raise BadRequest("merkle: the two sets differ in too much to be compared.")
        for answer in answers:
            if check_node(answer).at not in expected:
                raise BadRequest(f"merkle: nobody asked for the node at {answer.at!r}, or not twice.")
            expected.remove(answer.at)
            self._compare(answer)

    def _compare(self, theirs: Node) -> None:
        """Notes what differs below a node of the other end, or asks on."""
        if not theirs.mask:
            self._compare_entries(theirs)
            return
        slots = dict(theirs.slots)
        tree, read = self._tree.below(theirs.at, self._read)
        for low, high in _between(theirs.at, list(slots)):
            self.mine_only.update(stamps.from_key(each.key) for each in read(low, high))
        for prefix, hashed in slots.items():
            if tree.hash_at(prefix, read)[:HASH_BYTES] != hashed:
                self._waiting.append(tree.at(prefix, read))

    def _compare_entries(self, theirs: Node) -> None:
        there = dict(zip(theirs.ids, theirs.hashes, strict=True))
        here = {stamps.from_key(key): digest[:HASH_BYTES] for key, digest in self._read(*span(theirs.at))}
        self.mine_only |= here.keys() - there.keys()
        self.theirs_only |= there.keys() - here.keys()
        self.differing |= {id for id in here.keys() & there.keys() if here[id] != there[id]}


def _answerable(question: Node) -> list[str]:
    """Where an answer to a question may begin."""
    return [question.at, *(question.within + digit for digit in DIGITS if question.mask)]


def _between(at: str, prefixes: Sequence[str]) -> Iterator[tuple[bytes, bytes]]:
    """The spans of keys below ``at`` that are not below any of these prefixes, which are in order."""
    spans = [(int.from_bytes(first, "big"), int.from_bytes(last, "big")) for first, last in map(span, [at, *prefixes])]
    (first, last), taken = spans[0], spans[1:]
    starts, ends = [first, *(high + 1 for _, high in taken)], [*(low - 1 for low, _ in taken), last]
    for start, end in zip(starts, ends, strict=True):
        if start <= end:
            yield start.to_bytes(16, "big"), end.to_bytes(16, "big")
