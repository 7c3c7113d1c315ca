"""How much a log holds, as its quotas count it: kept now and then, and counted from there when a log is opened."""

from __future__ import annotations

from typing import Any

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


def size(cursor: Any) -> int:
    """The bytes of all events in canonical form."""
    return int(cursor.execute(SIZE, (PREFIX,)).get)


def keep(cursor: Any, seq: int, bytes: int) -> None:
    """Notes how many bytes they are up to a seq."""
    cursor.execute(KEEP, (seq, bytes))
