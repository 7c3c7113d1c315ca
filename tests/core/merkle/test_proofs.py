"""A proof shows to anybody who has the root that a set holds an event, and nothing else passes for one."""

from collections.abc import Callable
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.merkle import Proof, Step, Tree, check, held_in
from syncline.errors import UnknownEvent
from tests.core.merkle.sets import Entries, a_digest, a_key, cluster, entries, ordered

HELD = cluster(0, 128, 5_000, 1)
KEY, DIGEST = next(iter(HELD.items()))


def proven(held: Entries, key: bytes) -> tuple[bytes, Proof]:
    """The root of a set, and the proof of one of its events."""
    leaves = ordered(held)
    tree = Tree.of(leaves)
    return tree.root, tree.proof(key, held_in(leaves))


@given(entries.filter(bool), st.data())
def test_what_a_set_holds_is_proven(held: Entries, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(held)))
    root, proof = proven(held, key)
    assert check(root, held[key], proof)
    assert not check(root, a_digest(key, 1), proof)
    assert not check(sha256(root).digest(), held[key], proof)
    assert len(proof.steps) <= 32


@given(entries, st.integers(0, 2**128 - 1))
def test_what_a_set_does_not_hold_has_no_proof(held: Entries, number: int) -> None:
    leaves, key = ordered(held), a_key(number)
    if key not in held:
        with pytest.raises(UnknownEvent):
            Tree.of(leaves).proof(key, held_in(leaves))


def test_a_proof_is_short() -> None:
    _, proof = proven(HELD, KEY)
    assert sum(len(step.left) + len(step.right) for step in proof.steps) + len(proof.digests) < 3 * 16 + 16


FORGERIES: dict[str, Callable[[Proof], Proof]] = {
    "another leaf": lambda proof: proof._replace(digests=(*proof.digests, a_digest(KEY, 2))),
    "no leaf": lambda proof: proof._replace(digests=()),
    "a leaf of too many": lambda proof: proof._replace(digests=(DIGEST,) * 17),
    "a step left out": lambda proof: proof._replace(steps=proof.steps[1:]),
    "a step without others": lambda proof: proof._replace(steps=(Step((), ()), *proof.steps)),
    "a step too wide": lambda proof: proof._replace(steps=(Step((DIGEST,) * 16, ()), *proof.steps)),
    "too many steps": lambda proof: proof._replace(steps=(Step((DIGEST,), ()),) * 33),
    "sides exchanged": lambda proof: proof._replace(steps=tuple(Step(right, left) for left, right in proof.steps)),
    "hashes run together": lambda proof: proof._replace(steps=(Step((b"".join(proof.steps[0].left),), ()),)),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_proof_is_none(forge: Callable[[Proof], Proof]) -> None:
    root, proof = proven(HELD, KEY)
    assert check(root, DIGEST, proof)
    assert not check(root, DIGEST, forge(proof))


def test_a_branch_does_not_pass_for_a_leaf() -> None:
    """The hash of a branch is that of its children's hashes; told as digests of a leaf, they prove nothing."""
    root, proof = proven(HELD, KEY)
    last = proof.steps[-1]
    below = Proof(proof.digests, proof.steps[:-1])
    hashed = sha256(b"\x00" + b"".join(below.digests)).digest()
    for left, right in below.steps:
        hashed = sha256(b"\x01" + b"".join([*left, hashed, *right])).digest()
    assert not check(root, hashed, Proof((*last.left, hashed, *last.right), ()))
