"""The vectors of ``spec/vectors/merkle.json``: shapes and hashes of trees, walks and proofs."""

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncline.core import stamps
from syncline.core.merkle import Leaf, Node, Proof, Step, Tree, Walk, check, check_node, held_in
from syncline.core.messages import Summary
from syncline.core.summaries import nodes_of, summaries_of
from syncline.errors import BadRequest
from tests.core.merkle.sets import Entries, ordered

VECTORS = json.loads((Path(__file__).parents[3] / "spec" / "vectors" / "merkle.json").read_text("utf-8"))
Case = dict[str, Any]


def entries_of(clusters: list[Any]) -> Entries:
    """The entries of a set, as the vectors say how they are made."""
    entries: Entries = {}
    for name, prefix, first, end, version in clusters:
        for number in range(first, end):
            digits = list((prefix + sha256(f"{name} {number}".encode()).hexdigest())[:32])
            digits[12], digits[16] = "7", "8"
            id = stamps.from_key(bytes.fromhex("".join(digits)))
            entries[stamps.key(id)] = sha256(f"{id} {version}".encode()).digest()
    return entries


SETS: dict[str, list[Leaf]] = {case["about"]: ordered(entries_of(case["clusters"])) for case in VECTORS["sets"]}


def received(told: list[Any]) -> list[Node]:
    return nodes_of(msgspec.convert(told, list[Summary]))


def sent(nodes: list[Node]) -> Any:
    return json.loads(msgspec.json.encode(summaries_of(sorted(nodes))))


@pytest.mark.parametrize("case", VECTORS["sets"], ids=lambda case: case["about"])
def test_sets(case: Case) -> None:
    leaves = SETS[case["about"]]
    tree = Tree.of(leaves)
    assert (tree.count, tree.root.hex()) == (case["count"], case["root"])
    assert [tree.at(node.at, held_in(leaves)) for node in received(case["told"])] == received(case["told"])


@pytest.mark.parametrize("case", VECTORS["walks"], ids=lambda case: f"{case['mine']} - {case['theirs']}")
def test_walks(case: Case) -> None:
    mine, theirs = SETS[case["mine"]], SETS[case["theirs"]]
    walk, tree = Walk(Tree.of(mine), held_in(mine)), Tree.of(theirs)
    for round in case["rounds"]:
        questions = walk.questions()
        answers = tree.describe(questions, held_in(theirs))
        assert (sent(questions), sent(answers)) == (round["asked"], round["answered"])
        walk.take(received(round["answered"]))
    assert walk.questions() == []
    for found in ("mine_only", "theirs_only", "differing"):
        assert sorted(getattr(walk, found)) == case[found]


@pytest.mark.parametrize("case", VECTORS["proofs"])
def test_proofs(case: Case) -> None:
    steps = (Step(*(tuple(map(b64decode, side)) for side in step)) for step in case["steps"])
    proof = Proof(tuple(map(b64decode, case["digests"])), tuple(steps))
    assert check(bytes.fromhex(case["root"]), bytes.fromhex(case["digest"]), proof) is case["holds"]
    if case["holds"]:
        leaves = SETS[case["set"]]
        assert Tree.of(leaves).proof(stamps.key(case["id"]), held_in(leaves)) == proof


@pytest.mark.parametrize("shape", VECTORS["refused"])
def test_nodes_that_are_none(shape: list[Any]) -> None:
    with pytest.raises(BadRequest):
        list(map(check_node, received([shape])))
