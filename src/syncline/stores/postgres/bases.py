"""The bases of a log in PostgreSQL: tables of their own, of which the log's row in ``floors`` says what counts.

The greatest number of a log that this row does not name is being staged; others were replaced, and go in small steps
then. Whoever stages, or moves the floor, is one server at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncline.core.bases import Base
from syncline.core.events import Entry
from syncline.errors import SnapshotGone
from syncline.stores.bases import DROPPED_ROWS, Point, Points, decode_base, encode_base, gone

TABLES = """
    CREATE TABLE snapshots (
        log BIGINT NOT NULL, ref BIGINT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (log, ref)
    );
    CREATE TABLE bases (
        log BIGINT NOT NULL,
        ref BIGINT NOT NULL,
        item TEXT COLLATE "C" NOT NULL,
        seq BIGINT NOT NULL,
        base BYTEA NOT NULL,
        PRIMARY KEY (log, ref, item)
    );
    CREATE TABLE floors (
        log BIGINT PRIMARY KEY,
        newest BIGINT NOT NULL DEFAULT 0,
        floor BIGINT NOT NULL DEFAULT 0,
        dropped BIGINT NOT NULL DEFAULT 0
    );
"""
"""``floors.dropped``: up to this seq nothing is left to be dropped."""

POINTS = """
    SELECT newest.seq, newest.at, floor.seq, floor.at FROM floors
    LEFT JOIN snapshots AS newest ON newest.log = floors.log AND newest.ref = floors.newest
    LEFT JOIN snapshots AS floor ON floor.log = floors.log AND floor.ref = floors.floor
    WHERE floors.log = %s
"""
BEGIN = "INSERT INTO floors (log) VALUES (%s) ON CONFLICT DO NOTHING"
USED = "SELECT newest, floor FROM floors WHERE log = %s FOR UPDATE"
"""Who stages, and who keeps what was staged, take turns."""
STAGED = "SELECT coalesce(max(ref), 0) FROM snapshots WHERE log = %s"
STAGE = "INSERT INTO snapshots VALUES (%s, %s, 0, 0)"
PUT = "INSERT INTO bases SELECT %s, %s, base.* FROM unnest(%s::text[], %s::bigint[], %b::bytea[]) AS base"
STALE = "SELECT min(ref) FROM snapshots WHERE log = %s AND ref <> ALL(%s::bigint[])"
CLEAR = """
    DELETE FROM bases WHERE log = %s AND ref = %s AND item <= (
        SELECT max(item) FROM (SELECT item FROM bases WHERE log = %s AND ref = %s ORDER BY item LIMIT %s) AS first
    )
"""
FORGET = "DELETE FROM snapshots WHERE log = %s AND ref = %s"
SET_POINT = "UPDATE snapshots SET seq = %s, at = %s WHERE log = %s AND ref = %s"
SET_NEWEST = "UPDATE floors SET newest = %s WHERE log = %s"
SET_FLOOR = "UPDATE floors SET floor = %s, dropped = 0 WHERE log = %s"
PART = """
    SELECT base FROM bases JOIN floors ON floors.log = bases.log AND floors.{which} = bases.ref
    WHERE bases.log = %s AND item > %s ORDER BY bases.log, bases.ref, item LIMIT %s
"""
OF_ITEM = """
    SELECT base FROM bases JOIN floors ON floors.log = bases.log AND floors.floor = bases.ref
    WHERE bases.log = %s AND item = %s
"""
TO_DROP = "SELECT dropped, floor FROM floors WHERE log = %s FOR UPDATE"
STRETCH = """
    SELECT entries.seq, entry FROM entries
    JOIN bases ON bases.log = entries.log AND bases.ref = %s AND bases.item = entries.item AND entries.seq <= bases.seq
    WHERE entries.log = %s AND entries.seq > %s AND entries.seq <= %s AND entry IS NOT NULL
        AND NOT (entries.item >= '.' AND entries.item < '/')
"""
DROP = "UPDATE entries SET entry = NULL WHERE log = %s AND seq = ANY(%s)"
DROPPED = "UPDATE floors SET dropped = %s WHERE log = %s"
RESIZE = "UPDATE logs SET bytes = bytes - %s WHERE key = %s"
DELETE = (
    "DELETE FROM bases WHERE log = %s",
    "DELETE FROM snapshots WHERE log = %s",
    "DELETE FROM floors WHERE log = %s",
)

CLEARED_ROWS = 1_000


def points(cursor: Any, key: int) -> Points:
    """Where the newest snapshot and the floor stand."""
    newest, newest_at, floor, floor_at = cursor.execute(POINTS, (key,)).fetchone() or (0, 0, 0, 0)
    return Points(Point(newest, newest_at) if newest else None, Point(floor, floor_at) if floor else None)


def stage(cursor: Any, key: int, bases: Sequence[Base], own: int | None) -> int:
    """Adds bases to what is staged under a number of one's own, a new one if there is none; the number.

    Raises SnapshotGone if another server has begun to stage meanwhile.
    """
    cursor.execute(BEGIN, (key,))
    used = cursor.execute(USED, (key,)).fetchone()
    if own is None:
        own = int(cursor.execute(STAGED, (key,)).fetchone()[0]) + 1
        cursor.execute(STAGE, (key, own))
    _check_own(cursor, key, own)
    _clear(cursor, key, [*used, own])
    if bases:
        columns = [base.item for base in bases], [base.seq for base in bases], [encode_base(base) for base in bases]
        cursor.execute(PUT, (key, own, *columns))
    return own


def _check_own(cursor: Any, key: int, own: int) -> None:
    if cursor.execute(STAGED, (key,)).fetchone()[0] != own:
        raise SnapshotGone("Another server makes a snapshot of this log.")


def _clear(cursor: Any, key: int, used: list[int]) -> None:
    """Deletes some of what is used no more."""
    (stale,) = cursor.execute(STALE, (key, used)).fetchone()
    if stale is not None:
        cursor.execute(CLEAR, (key, stale, key, stale, CLEARED_ROWS))
        if not cursor.rowcount:
            cursor.execute(FORGET, (key, stale))


def keep_staged(cursor: Any, key: int, point: Point, own: int, *, is_floor: bool) -> None:
    """What is staged takes the place of the snapshot, or of the floor. Raises SnapshotGone as ``stage``."""
    cursor.execute(USED, (key,)).fetchone()
    _check_own(cursor, key, own)
    cursor.execute(SET_POINT, (*point, key, own))
    cursor.execute(SET_FLOOR if is_floor else SET_NEWEST, (own, key))


def bases(cursor: Any, key: int, point: Point, after: str, limit: int, *, is_floor: bool) -> list[Base]:
    """The first bases beyond an item; call it in a transaction that sees one moment. Raises SnapshotGone."""
    there = points(cursor, key)
    if (there.floor if is_floor else there.newest) != point:
        raise gone(point)
    rows = cursor.execute(PART.format(which="floor" if is_floor else "newest"), (key, after, limit), binary=True)
    return [decode_base(base) for (base,) in rows]


def base(cursor: Any, key: int, item: str) -> Base | None:
    """What the floor says of an item."""
    row = cursor.execute(OF_ITEM, (key, item), binary=True).fetchone()
    return decode_base(row[0]) if row else None


def drop(cursor: Any, key: int) -> bool:
    """Drops content in the next rows; whether there is more to do."""
    horizon = points(cursor, key).horizon
    row = cursor.execute(TO_DROP, (key,)).fetchone()
    done, ref = row or (0, 0)
    end = min(horizon, done + DROPPED_ROWS)
    if end <= done:
        return False
    found = cursor.execute(STRETCH, (ref, key, done, end), binary=True).fetchall()
    cursor.execute(DROP, (key, [seq for seq, _ in found]))
    cursor.execute(RESIZE, (sum(len(Entry.read(entry).raw) for _, entry in found), key))
    cursor.execute(DROPPED, (end, key))
    return bool(end < horizon)
