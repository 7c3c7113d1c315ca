"""Sets of entries for the tests of Merkle trees: clusters of ids that are alike in any number of digits."""

from collections.abc import Iterable
from hashlib import sha256
from random import Random

from hypothesis import strategies as st

from syncline.core.merkle import Leaf

FIXED = 0x7 << 76 | 0x2 << 62
FREE = ~(0xF << 76 | 0x3 << 62) & (1 << 128) - 1

Entries = dict[bytes, bytes]


def a_key(number: int) -> bytes:
    """The key of an id that is an event's."""
    return (number & FREE | FIXED).to_bytes(16, "big")


def a_digest(key: bytes, version: int = 0) -> bytes:
    return sha256(key + bytes([version])).digest()


def cluster(base: int, bits: int, size: int, seed: int) -> Entries:
    """Entries whose ids differ in the last bits only."""
    rng, high = Random(seed), base >> bits << bits
    keys = {a_key(high | rng.getrandbits(bits)) for _ in range(size)}
    return {key: a_digest(key) for key in keys}


def joined(parts: Iterable[Entries]) -> Entries:
    return {key: digest for part in parts for key, digest in part.items()}


def ordered(entries: Entries) -> list[Leaf]:
    return [Leaf(key, entries[key]) for key in sorted(entries)]


clusters = st.builds(
    cluster,
    base=st.sampled_from([0, 1 << 127, 0x0192_0000 << 96, 0x0192_0001 << 96, (1 << 128) - 1]),
    bits=st.integers(1, 128),
    size=st.sampled_from([1, 2, 15, 16, 17, 18, 255, 256, 257, 300, 700]),
    seed=st.integers(0, 3),
)
entries = st.lists(clusters, max_size=4).map(joined)


@st.composite
def changed(draw: st.DrawFn, before: Entries) -> Entries:
    """A set some of whose entries are other ones, gone, or new."""
    rng, share = Random(draw(st.integers(0, 9))), draw(st.sampled_from([0.0, 0.005, 0.3, 1.0]))
    kept = {key: digest for key, digest in before.items() if rng.random() >= share / 2}
    other = {key: a_digest(key, 1) for key in kept if rng.random() < share / 2}
    return {**kept, **other, **draw(entries)}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Entries, Entries]:
    """Two sets: alike, or made apart."""
    one = draw(entries)
    return one, draw(changed(one) | entries)
