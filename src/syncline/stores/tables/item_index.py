"""The index by item: sorted runs, each written in one stretch, and a scan of the entries that came after the last run.

A run is named by its last seq, with which its key begins, so a new run is appended and nothing that was written is
touched again: what a push pays does not grow with the log. A look-up asks every run that may hold something, in their
order, which is the order of seq.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from syncline.core.patterns import matcher
from syncline.stores.tables.database import array

RUN = 8_192
"""Entries in a run. Larger runs make pushes cheaper and the scan of the rest longer (about 1 ms here)."""
SCANNED = 10_000
"""Entries looked at for one answer, at most."""

TABLES = """
    CREATE TABLE item_runs (run INTEGER PRIMARY KEY);
    CREATE TABLE item_index (
        run INTEGER NOT NULL REFERENCES item_runs (run),
        item TEXT NOT NULL,
        seq INTEGER NOT NULL,
        node INTEGER NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (run, item, seq)
    ) WITHOUT ROWID;
"""
"""Part of every schema that has the table ``entries (seq, item, node, n, …)``."""

INDEXED = "SELECT max(run) FROM item_runs"
NEW_RUN = "INSERT INTO item_runs VALUES (?)"
FILL = """
    INSERT INTO item_index SELECT ?2, item, seq, node, n FROM entries WHERE seq > ?1 AND seq <= ?2 ORDER BY item, seq
"""
LATE = """
    INSERT OR REPLACE INTO item_index SELECT min(run), ?1, ?2, ?3, ?4 FROM item_runs WHERE run >= ?2
"""
RUNS = "FROM item_runs CROSS JOIN item_index USING (run)"
LAST_N_RECENT = "SELECT n FROM entries WHERE seq > ? AND item = ? AND node = ? ORDER BY seq DESC LIMIT 1"
LAST_N_INDEXED = f"SELECT n, node {RUNS} WHERE item = ? ORDER BY run DESC, seq DESC LIMIT ?"
SEQS_OF_ITEM = f"SELECT seq {RUNS} WHERE run > ?1 AND item = ?2 AND seq > ?1 ORDER BY run, seq LIMIT ?3"
SEQS_UNTIL = f"SELECT seq {RUNS} WHERE run > ?1 AND run <= ?2 AND item = ?3 AND seq > ?1 ORDER BY run, seq LIMIT ?4"
SEQS_OF_PREFIX = f"SELECT seq {RUNS} WHERE run > ?1 AND item >= ?2 AND item < ?3 AND seq > ?1 LIMIT ?4"
SEQS_OF_STRETCH = "SELECT seq FROM entries WHERE seq > ? AND seq <= ? AND item IN carray(?) ORDER BY seq LIMIT ?"
ITEMS_OF_STRETCH = "SELECT seq, item FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq"
LAST_SEQ_RECENT = "SELECT seq FROM entries WHERE seq > ? AND item = ? ORDER BY seq DESC LIMIT 1"
LAST_SEQ_INDEXED = f"SELECT seq {RUNS} WHERE run > ?1 AND item = ?2 AND seq > ?1 ORDER BY run DESC, seq DESC LIMIT 1"
LAST_RUN = "SELECT max(run) FROM item_runs WHERE run <= ?"
NEXT_ITEM = """
    SELECT min(next) FROM (
        SELECT (SELECT min(item) FROM item_index WHERE item_index.run = item_runs.run AND item > ?1) AS next
        FROM item_runs WHERE run <= ?2
    )
"""
RECENT_ITEMS = "SELECT DISTINCT item FROM entries WHERE seq > ? AND seq <= ?"
ORDINARY_ITEMS = """
    SELECT DISTINCT item FROM item_index WHERE NOT (item >= '.' AND item < '/')
    UNION SELECT item FROM entries WHERE seq > ? AND NOT (item >= '.' AND item < '/')
"""
FORGET = "DELETE FROM item_index WHERE item = ?1 AND run IN (SELECT run FROM item_runs)"
DROP_RUNS = ("DELETE FROM item_index WHERE run > ?", "DELETE FROM item_runs WHERE run > ?")


def indexed(cursor: Any) -> int:
    """The seq up to which the index reaches."""
    return cursor.execute(INDEXED).get or 0


def extend(cursor: Any, since: int, head: int, run: int = RUN) -> int:
    """Indexes the entries after ``since`` when they fill a run; the seq up to which the index then reaches."""
    if head - since < run:
        return since
    cursor.execute(NEW_RUN, (head,))
    cursor.execute(FILL, (since, head))
    return head


def add_late(cursor: Any, rows: Sequence[tuple[str, int, int, int]]) -> None:
    """Adds entries (item, seq, node, n) to the runs in whose stretch their seqs are."""
    cursor.executemany(LATE, rows)


def last_n(cursor: Any, item: str, node: str, since: int) -> int | None:
    """A node's last counter on an item, 0 if it has none; None if the item's history is too long to tell."""
    ref = cursor.execute("SELECT ref FROM nodes WHERE node = ?", (node,)).get
    recent = cursor.execute(LAST_N_RECENT, (since, item, ref)).get
    if recent is not None:
        return int(recent)
    rows = cursor.execute(LAST_N_INDEXED, (item, SCANNED)).fetchall()
    found = next((n for n, each in rows if each == ref), None)
    return found if found is not None or len(rows) == SCANNED else 0


def last_seq(cursor: Any, item: str, since: int, reach: int) -> int | None:
    """The seq of an item's last entry, if that comes after ``since``."""
    recent = cursor.execute(LAST_SEQ_RECENT, (max(since, reach), item)).get
    if recent is not None or since >= reach:
        return recent  # type: ignore[no-any-return]
    return cursor.execute(LAST_SEQ_INDEXED, (since, item)).get  # type: ignore[no-any-return]


def items(cursor: Any, pattern: str, after: str, limit: int, until: int) -> list[str]:
    """The first items after one, in their order, that fit a pattern and to which something came up to a seq.

    From run to run, by skipping what is alike; a run that ends beyond ``until`` is scanned, as what has no run yet.
    """
    wanted, prefix = matcher([pattern]), pattern.removesuffix("*")
    last = max(after, just_before(prefix)) if prefix else after
    reach = cursor.execute(LAST_RUN, (until,)).get or 0
    found = {item for (item,) in cursor.execute(RECENT_ITEMS, (reach, until)) if item > last and wanted(item)}
    for _ in range(limit if reach else 0):
        last = cursor.execute(NEXT_ITEM, (last, reach)).get
        if last is None or not last.startswith(prefix):
            break
        found.add(last)
    return sorted(item for item in found if wanted(item))[:limit]


def ordinary_items(cursor: Any, reach: int) -> set[str]:
    """The items there are events of, but those of the system. ``reach``: how far the index goes."""
    return {item for (item,) in cursor.execute(ORDINARY_ITEMS, (reach,))}


def places(cursor: Any, items: Sequence[str], since: int, limit: int, until: int) -> list[tuple[str, int]]:
    """The first places (item, seq) of these items up to a seq, in order; of the first item those after ``since``."""
    reach, found = cursor.execute(LAST_RUN, (until,)).get or 0, list[tuple[str, int]]()
    recent: dict[str, list[int]] = {item: [] for item in items}
    for seq, item in cursor.execute(ITEMS_OF_STRETCH, (reach, until)):
        if item in recent:
            recent[item].append(seq)
    for item in items:
        wanted = limit - len(found)
        if wanted <= 0:
            break
        rows = cursor.execute(SEQS_UNTIL, (since, reach, item, wanted)) if since < reach else ()
        seqs = [seq for (seq,) in rows] + [seq for seq in recent[item] if seq > since]
        found += [(item, seq) for seq in seqs[:wanted]]
        since = 0
    return found


def just_before(item: str) -> str:
    """A text after which this item is the next there can be."""
    return item[:-1] + chr(ord(item[-1]) - 1) + "\x7f" if item else ""


def find(cursor: Any, items: Sequence[str], since: int, limit: int, reach: int, until: int) -> tuple[list[int], int]:
    """Up to ``limit`` seqs of the items asked for, after ``since`` and up to ``until``, and how far this is all.

    Through the index while they are few, otherwise by a scan of the next stretch of the log.
    """
    limit = min(limit, SCANNED - 1)  # so that as many as are looked at are always too many
    if since >= reach:
        return _scan(cursor, items, since, min(since + SCANNED, until), limit)
    seqs: set[int] = set()
    for pattern in items:
        found = _indexed_seqs(cursor, pattern, since, limit)
        if len(found) == SCANNED:
            return _scan(cursor, items, since, min(since + SCANNED, until), limit)
        seqs.update(found)
    first = sorted(seq for seq in seqs if seq <= until)[:limit]
    if len(first) == limit:
        return first, first[-1]
    if until <= reach:
        return first, max(since, until)
    recent, end = _scan(cursor, items, reach, until, limit - len(first))
    return first + recent, end


def _indexed_seqs(cursor: Any, pattern: str, since: int, limit: int) -> list[int]:
    if pattern.endswith("*"):  # a range over several items is not in order of seq: take it whole, or not at all
        rows = cursor.execute(SEQS_OF_PREFIX, (since, pattern[:-1], pattern[:-1] + "\x7f", SCANNED))
    else:
        rows = cursor.execute(SEQS_OF_ITEM, (since, pattern, limit))
    return [seq for (seq,) in rows]


def _scan(cursor: Any, items: Sequence[str], since: int, end: int, limit: int) -> tuple[list[int], int]:
    if any(pattern.endswith("*") for pattern in items):
        wanted = matcher(items)
        rows = cursor.execute(ITEMS_OF_STRETCH, (since, end))
        seqs = list(islice((seq for seq, item in rows if wanted(item)), limit))
    else:
        seqs = [seq for (seq,) in cursor.execute(SEQS_OF_STRETCH, (since, end, array(items), limit))]
    return seqs, seqs[-1] if len(seqs) == limit else max(since, end)


def forget(cursor: Any, item: str) -> None:
    """Takes an item out of the index."""
    cursor.execute(FORGET, (item,))


def rewind(cursor: Any, seq: int) -> int:
    """Drops the runs that reach above ``seq``; the seq up to which the index then reaches."""
    for statement in DROP_RUNS:
        cursor.execute(statement, (seq,))
    return indexed(cursor)
