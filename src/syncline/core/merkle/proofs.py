"""Proofs that a set holds an event: whole hashes from its leaf up to the root, which anybody can check."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from syncline.core.merkle.nodes import DIGITS, KEY_DIGITS, LEAF_ENTRIES

DIGEST_BYTES = 32


class Step(NamedTuple):
    """One level up: the hashes of a branch's other children, before and after the one that leads to the event."""

    left: tuple[bytes, ...]
    right: tuple[bytes, ...]


class Proof(NamedTuple):
    """The digests of the leaf that holds the event, and the steps from there to the root."""

    digests: tuple[bytes, ...]
    steps: tuple[Step, ...]


def check(root: bytes, digest: bytes, proof: Proof) -> bool:
    """Whether a set with this root holds an event with this digest. The event's id is part of what was digested."""
    if not _is_well_formed(proof) or digest not in proof.digests:
        return False
    hashed = sha256(b"\x00" + b"".join(proof.digests)).digest()
    for left, right in proof.steps:
        hashed = sha256(b"\x01" + b"".join([*left, hashed, *right])).digest()
    return hashed == root


def _is_well_formed(proof: Proof) -> bool:
    sides = [[*step.left, *step.right] for step in proof.steps]
    hashes = [*proof.digests, *(each for side in sides for each in side)]
    return (
        len(proof.digests) <= LEAF_ENTRIES
        and len(sides) <= KEY_DIGITS
        and all(1 <= len(side) < len(DIGITS) for side in sides)
        and all(len(each) == DIGEST_BYTES for each in hashes)
    )
