"""Merkle trees in process: built, walked, and brought up to date beside pushes; and what they are compared with.

The ids are those of events that come every 37 ms, which share most of their digits with their neighbours.
"""

import hashlib
import json
import random
import sys
import time
import tracemalloc
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from bench.load.rows import BATCH, USER, array, now_ms
from syncline.core import batch as batches
from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.core.merkle import Leaf, Node, Tree, Walk, held_in, span
from syncline.core.summaries import summaries_of
from syncline.stores.digests import leaves, reading
from syncline.stores.sqlite import SqliteEventStore

FIRST_MS = 1_700_000_000_000
APART_MS = 37
DIFFERING = 100
Answer = dict[str, float]


@dataclass
class Task:
    work: str
    entries: int
    file: str = ""
    asked_every: int = 0


def measure(task: Task) -> Answer:
    return WORKS[task.work](task)


# Building


def build(task: Task) -> Answer:
    entries = made(task.entries)
    started = time.perf_counter()
    tree = Tree.of(entries)
    seconds = time.perf_counter() - started
    tracemalloc.start()
    again = Tree.of(entries)
    kept = tracemalloc.get_traced_memory()[0]
    assert again.root == tree.root
    return {"seconds": seconds, "mb": kept / 1e6}


def hash_pairs(task: Task) -> Answer:
    """The root of a binary tree over the digests in memory: the least hashing that proves each of them."""
    level = [each.digest for each in made(task.entries)]
    started = time.perf_counter()
    sha256 = hashlib.sha256
    while len(level) > 1:
        level = [sha256(b"\x01" + b"".join(level[place : place + 2])).digest() for place in range(0, len(level), 2)]
    return {"seconds": time.perf_counter() - started}


# Finding what differs


def walk(task: Task) -> Answer:
    mine, theirs = apart(task.entries)
    ends = [(Tree.of(end), held_in(end)) for end in (mine, theirs)]
    seconds, trips, told = 0.0, 0, 0
    started = time.perf_counter()
    asking = Walk(*ends[0])
    while questions := asking.questions():
        answers = ends[1][0].describe(questions, ends[1][1])
        asking.take(answers)
        seconds += time.perf_counter() - started
        trips, told = trips + 1, told + size(questions) + size(answers)
        started = time.perf_counter()
    assert len(asking.mine_only) + len(asking.theirs_only) == DIFFERING
    return {"seconds": seconds, "round_trips": trips, "kb": told / 1e3}


def exchange(task: Task) -> Answer:
    """One side sends all its ids and digests, cut as in a walk; the other compares."""
    mine, theirs = apart(task.entries)
    started = time.perf_counter()
    sent = b64encode(b"".join(key + digest[:12] for key, digest in theirs))
    told = msgspec.json.encode([sent.decode()])
    here, there = ({key: digest[:12] for key, digest in end} for end in (mine, theirs))
    differing = here.items() ^ there.items()
    seconds = time.perf_counter() - started
    assert len(differing) == DIFFERING
    return {"seconds": seconds, "round_trips": 1, "kb": len(told) / 1e3}


def size(nodes: list[Node]) -> int:
    return len(msgspec.json.encode(summaries_of(nodes)))


def apart(count: int) -> tuple[list[Leaf], list[Leaf]]:
    """Two sets that differ at random places."""
    entries = made(count)
    gone = random.Random(1).sample(range(count), DIFFERING)
    without = (set(gone[::2]), set(gone[1::2]))
    mine, theirs = ([each for place, each in enumerate(entries) if place not in part] for part in without)
    return mine, theirs


def made(count: int) -> list[Leaf]:
    lot = random.Random(2)
    keys = (key(FIRST_MS + place * APART_MS, lot) for place in range(count))
    return [Leaf(each, hashlib.sha256(each).digest()) for each in keys]


def key(ms: int, lot: random.Random) -> bytes:
    return (ms << 80 | 7 << 76 | lot.getrandbits(12) << 64 | 2 << 62 | lot.getrandbits(62)).to_bytes(16, "big")


# Beside pushes


def push(task: Task) -> Answer:
    """A durable log in SQLite, and a tree that is brought up to date each time so many events have come."""
    arrays = [array(start) for start in range(0, task.entries, BATCH)]
    store = SqliteEventStore(task.file, Receipts(bytes(32)))
    tree, seq = Tree(), 0
    started = time.perf_counter()
    for each in arrays:
        store.append([Submission(batches.decode_events(each), USER)], now_ms=now_ms())
        if task.asked_every and store.head().seq >= seq + task.asked_every:
            tree, seq = brought_up_to(store, tree, seq), store.head().seq
    seconds = time.perf_counter() - started
    assert not task.asked_every or tree.root == Tree.of(leaves(store.digests_by_id, lambda each: True, *span(""))).root
    store.close()
    return {"seconds": seconds}


def brought_up_to(store: SqliteEventStore, tree: Tree, seq: int) -> Tree:
    new = store.digests(seq, store.head().seq - seq)
    return tree.add([Leaf(key, digest) for _, key, digest, _ in new], reading(store.digests_by_id, lambda each: True))


WORKS: dict[str, Callable[[Task], Answer]] = {
    "build": build,
    "hash_pairs": hash_pairs,
    "walk": walk,
    "exchange": exchange,
    "push": push,
}

if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
