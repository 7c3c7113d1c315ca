"""The index by item: sorted runs, each written in one stretch, and a small table of what came after the last run.

An index that is kept in order row by row costs a push three to four times as much as one in runs, and more the longer
the log is, since LMDB copies each page that it touches. So what is new goes into a table (``fresh``) that fits into a
few pages, and moves, sorted as it is, to the end of ``items`` when it fills a run. A run is named by its last seq, with
which its keys begin. A look-up asks all runs that may hold something, in their order, which is the order of seq.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby, islice

from syncline.core.log import Row
from syncline.core.patterns import matcher
from syncline.stores.lmdb.layout import pack, unpack
from syncline.stores.lmdb.transaction import Transaction

RUN = 4_096
"""Entries in a run, at least."""
SCANNED = 10_000
"""Entries looked at for one answer, at most."""
NO_LIMIT = 2**63 - 1


def extend(txn: Transaction, rows: Sequence[Row], run: int = RUN) -> None:
    """Indexes rows that were appended."""
    events = [(row.seq, row.event, row.event.node) for row in rows]
    new = [(_key(event.item, seq), pack(event.clock[node]) + node.encode()) for seq, event, node in events]
    txn.put_many("fresh", sorted(new))
    if rows and txn.count("fresh") >= run:
        name = pack(rows[-1].seq)
        txn.put_many("items", [(name + key, value) for key, value in txn.rows("fresh")], at_end=True)
        txn.put("runs", name, b"")
        txn.clear("fresh")


def last_n(txn: Transaction, item: str, node: str) -> int | None:
    """A node's last counter on an item, 0 if it has none; None if the item's history is too long to tell."""
    looked_at, name = 0, node.encode()
    for _, value in islice(_newest(txn, item, 0), SCANNED):
        if value[8:] == name:
            return unpack(value)
        looked_at += 1
    return 0 if looked_at < SCANNED else None


def last_seq(txn: Transaction, item: str, since: int) -> int | None:
    """The seq of an item's last entry, if that comes after ``since``."""
    seq = next((seq for seq, _ in _newest(txn, item, since)), 0)
    return seq if seq > since else None


def items(txn: Transaction, pattern: str, after: str, limit: int, until: int) -> list[str]:
    """The first items after one, in their order, that fit a pattern and to which something came up to a seq."""
    prefix = pattern.removesuffix("*")
    if prefix == pattern:
        return [item for item in (pattern,) if item > after and limit > 0 and any(_seqs(txn, item, 0, until))]
    first = after + "\x01" if after >= prefix else prefix
    found = merge(*(_items_of(txn, table, run, first, prefix, until) for table, run in _runs(txn, 0, until)))
    return list(islice((item for item, _ in groupby(found)), limit))


def places(txn: Transaction, items: Sequence[str], since: int, limit: int, until: int) -> list[tuple[str, int]]:
    """The first places (item, seq) of these items up to a seq, in order; of the first item those after ``since``."""
    found: list[tuple[str, int]] = []
    for item in items:
        found += [(item, seq) for seq in islice(_seqs(txn, item, since, until), limit - len(found))]
        since = 0
        if len(found) >= limit:
            break
    return found


def find(txn: Transaction, patterns: Sequence[str], since: int, limit: int, until: int) -> tuple[list[int], int]:
    """Up to ``limit`` seqs of the items asked for, after ``since`` and up to ``until``, and how far this is all.

    Through the index while they are few, otherwise by a scan of the next stretch of the log.
    """
    limit = min(limit, SCANNED - 1)  # so that as many as are looked at are always too many
    seqs: set[int] = set()
    for pattern in patterns:
        is_prefix = pattern.endswith("*")
        found = _seqs_below(txn, pattern[:-1], since, until) if is_prefix else _seqs(txn, pattern, since, until)
        part = list(islice(found, SCANNED if is_prefix else limit))
        if len(part) == SCANNED:
            return _scan(txn, patterns, since, min(since + SCANNED, until), limit)
        seqs.update(part)
    first = sorted(seqs)[:limit]
    return first, first[-1] if len(first) == limit else max(since, until)


def _scan(txn: Transaction, patterns: Sequence[str], since: int, end: int, limit: int) -> tuple[list[int], int]:
    wanted = matcher(patterns)
    rows = islice(txn.rows("places", pack(since + 1)), end - since)
    seqs = list(islice((unpack(key) for key, value in rows if wanted(value[8:].decode())), limit))
    return seqs, seqs[-1] if len(seqs) == limit else end


def _key(item: str, seq: int) -> bytes:
    return f"{item}\0".encode() + pack(seq)


def _runs(txn: Transaction, since: int, until: int = NO_LIMIT) -> list[tuple[str, bytes]]:
    """Where entries after one seq and up to another are indexed: table and run, in the order of seq."""
    found: list[tuple[str, bytes]] = []
    for run in txn.keys("runs", pack(since + 1)):
        found.append(("items", run))
        if unpack(run) >= until:
            return found
    return [*found, ("fresh", b"")]


def _seqs(txn: Transaction, item: str, since: int, until: int) -> Iterator[int]:
    """The seqs of an item after one and up to another, in their order."""
    for table, run in _runs(txn, since, until):
        last = run + _key(item, until)
        for key in txn.keys(table, run + _key(item, since + 1)):
            if key > last:
                break
            yield unpack(key[-8:])


def _seqs_below(txn: Transaction, prefix: str, since: int, until: int) -> Iterator[int]:
    """The seqs of all items below a prefix after one and up to another, in no order within a run."""
    for table, run in _runs(txn, since, until):
        start = run + prefix.encode()
        for key in txn.keys(table, start):
            if not key.startswith(start):
                break
            if since < unpack(key[-8:]) <= until:
                yield unpack(key[-8:])


def _newest(txn: Transaction, item: str, since: int) -> Iterator[tuple[int, bytes]]:
    """The entries of an item, the newest first, from the runs that go beyond ``since``: seq, and counter and node."""
    for table, run in reversed(_runs(txn, since)):
        start = run + item.encode() + b"\0"
        for key, value in txn.rows_before(table, start + b"\xff" * 8):
            if not key.startswith(start):
                break
            yield unpack(key[-8:]), value


def _items_of(txn: Transaction, table: str, run: bytes, first: str, prefix: str, until: int) -> Iterator[str]:
    """The items of a run from one on that are below a prefix: from item to item, whatever came to each."""
    start, at = run + prefix.encode(), run + first.encode()
    while (key := next(txn.keys(table, at), None)) is not None and key.startswith(start):
        item = key[len(run) : -9]
        if unpack(key[-8:]) <= until:
            yield item.decode()
        at = run + item + b"\x01"
