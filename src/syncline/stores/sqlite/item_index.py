"""The index by item: sorted runs in a table of its own, and a scan of the entries that came after the last run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from syncline.core.patterns import matcher

RUN = 8_192
"""Entries in a run. Larger runs make pushes cheaper and the scan of the rest longer (about 1 ms here)."""
SCANNED = 10_000
"""Entries looked at for one answer, at most."""

TABLES = """
    CREATE TABLE item_index (
        item TEXT NOT NULL, seq INTEGER NOT NULL, node INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (item, seq)
    ) WITHOUT ROWID;
    CREATE TABLE item_indexed (seq INTEGER NOT NULL);
    INSERT INTO item_indexed VALUES (0);
"""
"""Part of every schema that has the table ``entries (seq, item, node, n, …)``."""

INDEXED = "SELECT seq FROM item_indexed"
FILL = """
    INSERT INTO item_index SELECT item, seq, node, n FROM entries WHERE seq > ?1 AND seq <= ?2 ORDER BY item, seq
"""
SET_INDEXED = "UPDATE item_indexed SET seq = ?"
LAST_N_RECENT = "SELECT n FROM entries WHERE seq > ? AND item = ? AND node = ? ORDER BY seq DESC LIMIT 1"
LAST_N_INDEXED = "SELECT n, node FROM item_index WHERE item = ? ORDER BY seq DESC LIMIT ?"
SEQS_OF_ITEM = "SELECT seq FROM item_index WHERE item = ? AND seq > ? ORDER BY seq LIMIT ?"
SEQS_OF_PREFIX = "SELECT seq FROM item_index WHERE item >= ? AND item < ? AND seq > ? LIMIT ?"
ITEMS_OF_STRETCH = "SELECT seq, item FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq"


def indexed(cursor: Any) -> int:
    """The seq up to which the index reaches."""
    return cursor.execute(INDEXED).get  # type: ignore[no-any-return]


def extend(cursor: Any, since: int, head: int, run: int = RUN) -> int:
    """Indexes the entries after ``since`` when they fill a run; the seq up to which the index then reaches."""
    if head - since < run:
        return since
    cursor.execute(FILL, (since, head))
    cursor.execute(SET_INDEXED, (head,))
    return head


def last_n(cursor: Any, item: str, node: str, since: int) -> int | None:
    """A node's last counter on an item, 0 if it has none; None if the item's history is too long to tell."""
    ref = cursor.execute("SELECT ref FROM nodes WHERE node = ?", (node,)).get
    recent = cursor.execute(LAST_N_RECENT, (since, item, ref)).get
    if recent is not None:
        return int(recent)
    rows = cursor.execute(LAST_N_INDEXED, (item, SCANNED)).fetchall()
    found = next((n for n, each in rows if each == ref), None)
    return found if found is not None or len(rows) == SCANNED else 0


def find(cursor: Any, items: Sequence[str], since: int, limit: int, reach: int, head: int) -> tuple[list[int], int]:
    """Up to ``limit`` seqs after ``since`` of the items asked for, and the seq up to which this answer is complete.

    Through the index while they are few, otherwise by a scan of the next stretch of the log.
    """
    if since >= reach:
        return _scan(cursor, items, since, min(since + SCANNED, head), limit)
    seqs: set[int] = set()
    for pattern in items:
        found = _indexed_seqs(cursor, pattern, since, limit)
        if len(found) == SCANNED:
            return _scan(cursor, items, since, min(since + SCANNED, head), limit)
        seqs.update(found)
    first = sorted(seqs)[:limit]
    if len(first) == limit:
        return first, first[-1]
    recent, end = _scan(cursor, items, reach, head, limit - len(first))
    return first + recent, end


def _indexed_seqs(cursor: Any, pattern: str, since: int, limit: int) -> list[int]:
    if pattern.endswith("*"):  # a range over several items is not in order of seq: take it whole, or not at all
        rows = cursor.execute(SEQS_OF_PREFIX, (pattern[:-1], pattern[:-1] + "\x7f", since, SCANNED))
    else:
        rows = cursor.execute(SEQS_OF_ITEM, (pattern, since, min(limit, SCANNED - 1)))
    return [seq for (seq,) in rows]


def _scan(cursor: Any, items: Sequence[str], since: int, end: int, limit: int) -> tuple[list[int], int]:
    wanted = matcher(items)
    rows = cursor.execute(ITEMS_OF_STRETCH, (since, end))
    seqs = list(islice((seq for seq, item in rows if wanted(item)), limit))
    return seqs, seqs[-1] if len(seqs) == limit else end


def rewind(cursor: Any, seq: int, reach: int) -> int:
    """Takes entries above ``seq`` out of the index; the seq up to which it then reaches."""
    cursor.execute("DELETE FROM item_index WHERE seq > ?", (seq,))
    cursor.execute(SET_INDEXED, (min(seq, reach),))
    return min(seq, reach)
