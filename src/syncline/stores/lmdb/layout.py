"""How a log lies in an environment: its tables (LMDB's named databases) and their keys.

    entries   seq -> the encoded entry; empty if its content is gone
    places    seq -> the tail there (8 bytes) and the item
    ids       the id's 16 bytes -> seq and digest
    nodes     node -> its state
    fresh     item, a zero byte, seq -> the author's counter and node
    items     run and a key of ``fresh`` -> the same
    runs      the runs there are: each is named by its last seq
    stubs     seq of an entry without content -> the 16 bytes of its id
    bases     number of a snapshot and item -> the base
    meta      kind, schema, epoch; of the end: when the last entry came, and how many bytes the events have; and which
              snapshots there are

Seqs and counters are 8 bytes, the greatest first, so that keys sort as numbers do. Keys may have 511 bytes; the longest
here, a run, an item of 256 characters, which are ASCII, and a seq, has 273.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

TABLES = ("entries", "places", "ids", "nodes", "fresh", "items", "runs", "bases", "stubs", "meta")

KIND = b"syncline log"
SCHEMA = 2

KIND_KEY, SCHEMA_KEY, EPOCH_KEY, END_KEY, BASES_KEY = b"kind", b"schema", b"epoch", b"end", b"bases"

_number = Struct(">Q")

pack: Callable[[int], bytes] = _number.pack
"""A number as 8 bytes."""


def unpack(packed: bytes) -> int:
    """The number of the first 8 bytes."""
    return int(_number.unpack_from(packed)[0])
