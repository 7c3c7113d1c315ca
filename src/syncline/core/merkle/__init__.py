"""Merkle trees: where do two sets of events differ? Pure: whatever is not kept here is read by a callable passed in."""

from __future__ import annotations

from syncline.core.merkle.nodes import HASH_BYTES, KEPT, LEAF_ENTRIES, Leaf, Node, Read, check_node, held_in, span
from syncline.core.merkle.proofs import Proof, Step, check
from syncline.core.merkle.tree import Tree
from syncline.core.merkle.walk import MAX_NODES, MAX_QUESTIONS, Walk

__all__ = [
    "HASH_BYTES",
    "KEPT",
    "LEAF_ENTRIES",
    "Leaf",
    "MAX_NODES",
    "MAX_QUESTIONS",
    "Node",
    "Proof",
    "Read",
    "Step",
    "Tree",
    "Walk",
    "check",
    "check_node",
    "held_in",
    "span",
]
