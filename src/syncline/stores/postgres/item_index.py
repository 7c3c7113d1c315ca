"""Questions to the index by item: which items there are, and where their entries stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SCANNED = 10_000
"""Entries looked at for one answer, at most."""
LAST = "\x7f"
"""Comes after every character of an item."""

NEXT_ITEM = "SELECT item, seq FROM entries WHERE log = %(log)s AND item > {after} AND item < %(end)s"
ITEMS = f"""
    WITH RECURSIVE found AS (
        ({NEXT_ITEM.format(after="%(after)s")} ORDER BY item, seq LIMIT 1)
        UNION ALL
        SELECT next.* FROM found, LATERAL ({NEXT_ITEM.format(after="found.item")} ORDER BY item, seq LIMIT 1) AS next
    )
    SELECT item FROM found WHERE seq <= %(until)s LIMIT %(limit)s
"""
"""From item to item by skipping what is alike; each comes with its first seq."""
ITEMS_OF_STRETCH = "SELECT DISTINCT item FROM entries WHERE log = %s AND seq > %s AND seq <= %s"
OF_ITEM = "log = %s AND (item, seq) > (%s, %s) AND (item, seq) <= (%s, %s)"
"""A range of the index, and of no other: asked for one item, the database might rather read the log backwards."""
LAST_N = f"SELECT n, node FROM entries WHERE {OF_ITEM} ORDER BY item DESC, seq DESC LIMIT %s"
LAST_SEQ = f"SELECT seq FROM entries WHERE {OF_ITEM} ORDER BY item DESC, seq DESC LIMIT 1"
SEQS_OF_ITEM = f"(SELECT seq FROM entries WHERE {OF_ITEM} ORDER BY item, seq LIMIT %s)"
SEQS_OF_PREFIX = """
    (SELECT seq FROM entries WHERE log = %s AND item > %s AND item < %s AND seq > %s AND seq <= %s
    ORDER BY item, seq LIMIT %s)
"""
PLACES = """
    SELECT place, seq, octet_length(entry) FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, place), LATERAL (
        SELECT seq, entry FROM entries
        WHERE log = %s AND (item, seq) > (name, CASE place WHEN 1 THEN %s ELSE 0 END) AND (item, seq) <= (name, %s)
        ORDER BY item, seq LIMIT %s
    ) AS found ORDER BY place, seq LIMIT %s
"""
FOREVER = 1 << 62
"""A seq, or a number of rows, that no log reaches."""


def items(cursor: Any, key: int, pattern: str, after: str, limit: int, until: int) -> list[str]:
    """The first items after one, in order, that fit a pattern and to which something came up to a seq."""
    start, end = range_of(pattern)
    asked = {"log": key, "after": max(after, start), "end": end, "until": until, "limit": limit}
    return [item for (item,) in cursor.execute(ITEMS, asked)]


def range_of(pattern: str) -> tuple[str, str]:
    """Between which texts the items are that fit a pattern; they are none themselves."""
    prefix = pattern.removesuffix("*")
    if not prefix:
        return "", LAST
    return prefix[:-1] + chr(ord(prefix[-1]) - 1) + LAST, prefix + (LAST if prefix != pattern else "\x01")


def ordinary_items(cursor: Any, key: int) -> set[str]:
    """The items there are events of, but those of the system."""
    return {item for item in items(cursor, key, "*", "", FOREVER, FOREVER) if item[0] != "."}


def items_between(cursor: Any, key: int, since: int, until: int) -> set[str]:
    """The items to which something came in a stretch, but those of the system."""
    return {item for (item,) in cursor.execute(ITEMS_OF_STRETCH, (key, since, until)) if item[0] != "."}


def last_n(cursor: Any, key: int, item: str, node: str) -> int | None:
    """A node's last counter on an item, 0 if it has none; None if the item's history is too long to tell."""
    rows = cursor.execute(LAST_N, (key, item, 0, item, FOREVER, SCANNED)).fetchall()
    found = next((n for n, each in rows if each == node), None)
    return found if found is not None or len(rows) == SCANNED else 0


def last_seq(cursor: Any, key: int, item: str, since: int) -> int | None:
    """The seq of an item's last entry, if that comes after ``since``."""
    found = cursor.execute(LAST_SEQ, (key, item, since, item, FOREVER)).fetchone()
    return found[0] if found else None


def seqs_of(
    cursor: Any, key: int, patterns: Sequence[str], since: int, limit: int, until: int
) -> tuple[list[int], int] | None:
    """Up to ``limit`` seqs of the items asked for, in order, and how far that is all; None if they are too many."""
    parts, parameters = list[str](), list[Any]()
    for pattern in patterns:
        if pattern.endswith("*"):  # a range over several items is not in order of seq: it is taken whole, or not at all
            parts.append(SEQS_OF_PREFIX)
            parameters += (key, *range_of(pattern), since, until, SCANNED)
        else:
            parts.append(SEQS_OF_ITEM)
            parameters += (key, pattern, since, pattern, until, limit)
    seqs = sorted({seq for (seq,) in cursor.execute(" UNION ALL ".join(parts), parameters)})
    if len(seqs) >= SCANNED:
        return None
    return (seqs[:limit], seqs[limit - 1]) if len(seqs) >= limit else (seqs, until)


def places(
    cursor: Any, key: int, items: Sequence[str], since: int, limit: int, until: int
) -> list[tuple[str, int, int | None]]:
    """The first places (item, seq) of these items up to a seq, in order, with the bytes there; None: erased.

    Of the first item those after ``since``.
    """
    rows = cursor.execute(PLACES, (list(items), key, since, until, limit, limit))
    return [(items[place - 1], seq, length) for place, seq, length in rows]
