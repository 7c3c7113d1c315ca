"""How much a log holds, as its quotas count it: kept now and then, and counted from there when a log is opened."""

from __future__ import annotations

from typing import Any

from syncline.core.events import Entry

COLUMNS = """
    ALTER TABLE log ADD COLUMN sized INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE log ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
"""
"""Up to the seq ``sized`` the log's events have so many ``bytes``."""

PREFIX = b'"event":'
"""After which an entry holds its event, up to its closing brace."""
SIZE = f"""
    SELECT bytes + (
        SELECT coalesce(sum(length(entry) - instr(entry, ?) - {len(PREFIX)}), 0) FROM entries WHERE seq > sized
    ) FROM log
"""
KEEP = "UPDATE log SET sized = ?, bytes = ?"


REWRITE = "UPDATE entries SET entry = ? WHERE seq = ? AND id = ? AND entry IS NOT NULL"
HELD = f"SELECT length(entry) - instr(entry, ?) - {len(PREFIX)} FROM entries WHERE seq = ?"
RESIZE = "UPDATE log SET bytes = bytes + ? WHERE sized >= ?"


def rewrite(cursor: Any, entry: Entry) -> int:
    """Puts an erased entry in the place of the one it was; how many bytes its event is longer."""
    before = cursor.execute(HELD, (PREFIX, entry.seq)).get or 0
    cursor.execute(REWRITE, (entry.encoded, entry.seq, entry.event.key))
    longer = (cursor.execute(HELD, (PREFIX, entry.seq)).get or 0) - before
    cursor.execute(RESIZE, (longer, entry.seq))
    return int(longer)


def size(cursor: Any) -> int:
    """The bytes of all events in canonical form."""
    return int(cursor.execute(SIZE, (PREFIX,)).get)


def keep(cursor: Any, seq: int, bytes: int) -> None:
    """Notes how many bytes they are up to a seq."""
    cursor.execute(KEEP, (seq, bytes))
