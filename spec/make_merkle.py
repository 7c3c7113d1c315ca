"""Writes ``spec/vectors/merkle.json``: the shapes and hashes of Merkle trees, walks, and proofs.

Roots and differences are computed here once more, in the plainest way; this program refuses to write what Syncline
answers otherwise. The rest is what Syncline makes of it. Old cases stay for ever; new ones are added here, then

    python spec/make_merkle.py
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from syncline.core import stamps
from syncline.core.merkle import Leaf, Node, Proof, Step, Tree, Walk, check, check_node, held_in
from syncline.core.messages import Summary
from syncline.core.summaries import nodes_of, summaries_of
from syncline.errors import BadRequest

FILE = Path(__file__).parent / "vectors" / "merkle.json"

ABOUT = (
    "Merkle trees (docs/decisions/0023). A set is made of clusters [name, prefix, from, to, version], of which a later "
    "one replaces what an earlier one has under the same id: for each n with from <= n < to an event whose id has the "
    "hex digits of prefix and then those of SHA-256 of '<name> <n>', 32 together, but the one at place 12 is 7 and "
    "the one at place 16 is 8; and whose digest is SHA-256 of '<id> <version>', with the id in its usual form. sets: "
    "the count and root (hex) of each, and what is told of it at some prefixes, as [at, within, mask, hashes, ids]. "
    "walks: what the asker asks and is answered in each round, and what it then knows; both in the order of their "
    "prefixes. proofs: the digests of the leaf and, upwards, the hashes [before, after], all in base64; holds: whether "
    "that shows that a set with this root holds an event with this digest. refused: nodes that are none (bad_request)."
)

Cluster = tuple[str, str, int, int, int]
Entries = dict[bytes, bytes]

YEAR = ("year", "0192", 0, 300, 0)
BURST = ("burst", "0192f0a1b2c3", 0, 300, 0)
TWINS = ("twins", "0192f0a1b2c374448", 0, 17, 0)

SETS: dict[str, list[Cluster]] = {
    "nothing": [],
    "one": [("one", "0192", 0, 1, 0)],
    "sixteen, a leaf": [("year", "0192", 0, 16, 0)],
    "seventeen, a branch": [("year", "0192", 0, 17, 0)],
    "from anywhere": [("any", "", 0, 500, 0)],
    "of one year": [YEAR],
    "of one millisecond": [BURST],
    "a burst among others": [YEAR, BURST],
    "a burst, others, and one far away": [YEAR, BURST, ("far", "ff", 0, 1, 0)],
    "alike to the seventeenth digit": [TWINS],
    "some replaced": [YEAR, ("year", "0192", 40, 45, 1)],
    "some gone": [("year", "0192", 0, 100, 0), ("year", "0192", 110, 300, 0)],
    "more": [("year", "0192", 0, 320, 0)],
}
PREFIXES = ["", "0", "01", "0192", "0192f", "0192f0a1b2c", "0192f0a1b2c374448", "f", "01921", "019255"]

WALKS = [
    ("nothing", "nothing"),
    ("of one year", "of one year"),
    ("nothing", "sixteen, a leaf"),
    ("sixteen, a leaf", "nothing"),
    ("sixteen, a leaf", "seventeen, a branch"),
    ("seventeen, a branch", "sixteen, a leaf"),
    ("nothing", "seventeen, a branch"),
    ("of one year", "some replaced"),
    ("some gone", "more"),
    ("of one year", "of one millisecond"),
    ("of one millisecond", "a burst among others"),
    ("a burst, others, and one far away", "a burst among others"),
    ("a burst among others", "a burst, others, and one far away"),
    ("alike to the seventeenth digit", "of one millisecond"),
    ("from anywhere", "some replaced"),
]
PROVEN = ["one", "sixteen, a leaf", "seventeen, a branch", "a burst, others, and one far away", "from anywhere"]

HASH = b64encode(bytes(12)).decode()
ID = "0192f0a1-b2c3-7444-8000-000000000000"
REFUSED: list[Any] = [
    ["x", "x", 0, "", []],
    ["A", "A", 0, "", []],
    ["0" * 33, "0" * 33, 0, "", []],
    ["0", "1", 0, "", []],
    ["", "", 1, HASH, []],
    ["", "", 65537, HASH * 2, []],
    ["", "", -2, HASH, []],
    ["", "", 3, HASH, []],
    ["", "", 3, HASH * 3, []],
    ["", "", 3, HASH * 2 + "AAAA", []],
    ["", "", 3, HASH * 2, [ID]],
    ["", "0" * 32, 3, HASH * 2, []],
    ["", "", 0, "", [ID]],
    ["", "", 0, HASH * 2, [ID, ID]],
    ["", "", 0, HASH, ["00000000-0000-0000-0000-000000000000"]],
    ["", "", 0, HASH, [ID.upper()]],
    ["f", "f", 0, HASH, [ID]],
    ["", "", 0, "!", []],
]


def made(clusters: Iterable[Cluster]) -> Entries:
    """The entries of a set."""
    return {key: digest for cluster in clusters for key, digest in entries_of(*cluster)}


def entries_of(name: str, prefix: str, first: int, end: int, version: int) -> Iterable[tuple[bytes, bytes]]:
    """The entries of a cluster."""
    for number in range(first, end):
        digits = (prefix + sha256(f"{name} {number}".encode()).hexdigest())[:32]
        key = bytes.fromhex(f"{digits[:12]}7{digits[13:16]}8{digits[17:]}")
        yield key, sha256(f"{stamps.from_key(key)} {version}".encode()).digest()


def ordered(entries: Entries) -> list[Leaf]:
    """The entries in order of their keys."""
    return [Leaf(key, entries[key]) for key in sorted(entries)]


def naive(leaves: list[Leaf], place: int = 0) -> bytes:
    """The root as it is defined."""
    if len(leaves) <= 16:
        return sha256(b"\x00" + b"".join(digest for _, digest in leaves)).digest()
    groups = [list(group) for _, group in groupby(leaves, key=lambda leaf: leaf.key.hex()[place])]
    if len(groups) == 1:
        return naive(groups[0], place + 1)
    return sha256(b"\x01" + b"".join(naive(group, place + 1) for group in groups)).digest()


def agree(about: str, expected: object, found: object) -> None:
    """Ends the program where Syncline answers otherwise."""
    if expected != found:
        raise SystemExit(f"{about}: expected {expected}, found {found}")


def a_set(about: str, clusters: list[Cluster]) -> dict[str, Any]:
    """A set, its root, and what is told of it."""
    leaves = ordered(made(clusters))
    tree, read = Tree.of(leaves), held_in(leaves)
    agree(about, (len(leaves), naive(leaves)), (tree.count, tree.root))
    nodes = {prefix: tree.at(prefix, read) for prefix in PREFIXES}
    told = [node for prefix, node in nodes.items() if not prefix or node.hashes]
    return {"about": about, "clusters": clusters, "count": tree.count, "root": tree.root.hex(), "told": sent(told)}


def sent(nodes: Iterable[Node]) -> list[Any]:
    """Nodes as they travel, in the order of their prefixes."""
    return list(msgspec.to_builtins(summaries_of(sorted(nodes))))


def a_walk(mine: str, theirs: str) -> dict[str, Any]:
    """A walk from one set to another."""
    here, there = made(SETS[mine]), made(SETS[theirs])
    leaves, others = ordered(here), ordered(there)
    walk, tree = Walk(Tree.of(leaves), held_in(leaves)), Tree.of(others)
    rounds = []
    while questions := walk.questions():
        answers = tree.describe(questions, held_in(others))
        rounds.append({"asked": sent(questions), "answered": sent(answers)})
        walk.take(answers)
    found = {
        "mine_only": ids(here.keys() - there.keys()),
        "theirs_only": ids(there.keys() - here.keys()),
        "differing": ids({key for key in here.keys() & there.keys() if here[key] != there[key]}),
    }
    for name, expected in found.items():
        agree(f"{mine} to {theirs}: {name}", expected, sorted(getattr(walk, name)))
    return {"mine": mine, "theirs": theirs, "rounds": rounds, **found}


def ids(keys: Iterable[bytes]) -> list[str]:
    """The ids of keys, in order."""
    return sorted(map(stamps.from_key, keys))


def proofs(name: str) -> list[dict[str, Any]]:
    """A proof of an event of a set, and what is none."""
    entries = made(SETS[name])
    leaves = ordered(entries)
    tree, key = Tree.of(leaves), sorted(entries)[len(entries) // 2]
    proof = tree.proof(key, held_in(leaves))
    other = sha256(b"another").digest()
    cases = [
        (tree.root, entries[key], proof, True),
        (tree.root, other, proof, False),
        (other, entries[key], proof, False),
        (tree.root, entries[key], proof._replace(digests=(*proof.digests[:-1], other)), False),
        (tree.root, entries[key], proof._replace(steps=(*proof.steps, Step((other,), ()))), False),
        (tree.root, entries[key], proof._replace(steps=(Step((), ()), *proof.steps)), False),
    ]
    if proof.steps:
        turned = tuple(Step(right, left) for left, right in proof.steps)
        cases += [(tree.root, entries[key], Proof(proof.digests, steps), False) for steps in (turned, proof.steps[1:])]
    return [a_proof(name, stamps.from_key(key), *case, holds=holds) for *case, holds in cases]


def a_proof(name: str, id: str, root: bytes, digest: bytes, proof: Proof, *, holds: bool) -> dict[str, Any]:
    """A proof, and whether it holds."""
    agree(f"a proof of {name}", holds, check(root, digest, proof))
    digests, steps = msgspec.to_builtins(proof)
    return {
        "set": name,
        "id": id,
        "root": root.hex(),
        "digest": digest.hex(),
        "digests": digests,
        "steps": steps,
        "holds": holds,
    }


def check_refused() -> None:
    """Ends the program where a node is taken that is none."""
    for shape in REFUSED:
        try:
            agree("refused", shape, list(map(check_node, nodes_of([msgspec.convert(shape, Summary)]))))
        except BadRequest:
            continue


def main() -> None:
    """Writes the file."""
    check_refused()
    parts = {
        "sets": [a_set(*case) for case in SETS.items()],
        "walks": [a_walk(*case) for case in WALKS],
        "proofs": [case for name in PROVEN for case in proofs(name)],
        "refused": REFUSED,
    }
    lists = [f"{json.dumps(name)}:[\n" + ",\n".join(map(compact, cases)) + "\n]" for name, cases in parts.items()]
    FILE.write_text(f'{{"about":{compact(ABOUT)},\n' + ",\n".join(lists) + "\n}\n", "utf-8")


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    main()
