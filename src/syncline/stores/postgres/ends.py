"""The row of a log that tells its end, and the statement that moves it: whoever did holds the log until they commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from syncline.core.access.state import SYSTEM_ITEMS
from syncline.core.log import Head, Row
from syncline.core.patterns import matcher
from syncline.errors import SpaceDeleted

FIND = "SELECT key FROM logs WHERE name = %s"
MAKE = "INSERT INTO logs (name) VALUES (%s) ON CONFLICT DO NOTHING"
READ = "SELECT epoch, seq, tail, at, bytes, rules, last_id FROM logs WHERE key = %s AND name IS NOT NULL"
LOCK = READ + " FOR UPDATE"
MOVE = """
    UPDATE logs SET epoch = %s, seq = %s, tail = %s, at = %s, bytes = bytes + %s, rules = %s, last_id = %s
    WHERE key = %s AND name IS NOT NULL AND epoch = %s AND seq = %s AND tail = %s
"""
"""Moves the end of a log, if it is still where it is taken to be."""

_makes_rules = matcher(SYSTEM_ITEMS)


class End(NamedTuple):
    """What a log comes to: its head, the bytes of its events, the seq of the last that made rules, the greatest id."""

    head: Head
    bytes: int
    rules: int
    last_id: str

    def after(self, head: Head, rows: Sequence[Row]) -> End:
        """The end after further rows, which lead to a head."""
        bytes = self.bytes + sum(len(row.event.body) for row in rows)
        rules = (row.seq for row in rows if row.event.item[0] == "." and _makes_rules(row.event.item))
        ids = (row.event.id for row in rows)
        return End(head, bytes, max(rules, default=self.rules), max(self.last_id, max(ids, default="")))


def key_of(cursor: Any, space: str) -> int:
    """The key of a space's log, which is made if there is none."""
    found = cursor.execute(FIND, (space,)).fetchone()
    if found is None:
        cursor.execute(MAKE, (space,))
        found = cursor.execute(FIND, (space,)).fetchone()
    return int(found[0])


def read(cursor: Any, key: int, *, lock: bool = False) -> End:
    """Where a log ends; ``lock``: and nobody else moves that before this transaction ends. Raises SpaceDeleted."""
    row = cursor.execute(LOCK if lock else READ, (key,), binary=True).fetchone()
    if row is None:
        raise SpaceDeleted("The log of this space was deleted.")
    epoch, seq, tail, at, bytes, rules, last_id = row
    return End(Head(epoch.hex, seq, tail, at), bytes, rules, str(last_id))


def move_parameters(key: int, before: End, after: End) -> tuple[Any, ...]:
    """For ``MOVE``."""
    epoch, seq, tail, at = after.head
    grown = after.bytes - before.bytes  # others may have dropped content meanwhile
    return epoch, seq, tail, at, grown, after.rules, after.last_id, key, *before.head[:3]
