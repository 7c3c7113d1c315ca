"""Putting erased entries in the place of those that they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncline.core.events import Entry

HELD = "SELECT seq, entry FROM entries WHERE log = %s AND seq = ANY(%s) AND entry IS NOT NULL"
REWRITE = "UPDATE entries SET entry = %s WHERE log = %s AND seq = %s"
RESIZE = "UPDATE logs SET bytes = bytes + %s WHERE key = %s"


def rewrite(cursor: Any, key: int, entries: Sequence[Entry]) -> None:
    """Rewrites those that the log holds. Old versions of rows go when the database vacuums."""
    rows = cursor.execute(HELD, (key, [entry.seq for entry in entries]), binary=True).fetchall()
    held = {seq: Entry.read(entry) for seq, entry in rows}
    same = [entry for entry in entries if entry.seq in held and held[entry.seq].event.id == entry.event.id]
    for entry in same:
        cursor.execute(REWRITE, (entry.encoded, key, entry.seq))
    cursor.execute(RESIZE, (sum(len(entry.raw) - len(held[entry.seq].raw) for entry in same), key))
