"""The bases of a log in SQLite: tables of their own in its file, of which the log's row says what counts.

The greatest number that the row does not name is being staged; others were replaced, and go in small steps then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncline.core.bases import Base
from syncline.stores.bases import DROPPED_ROWS, Point, Points, decode_base, encode_base, gone
from syncline.stores.sqlite.sizes import PREFIX
from syncline.stores.tables.database import array, insert

TABLES = """
    CREATE TABLE snapshots (ref INTEGER PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL);
    CREATE TABLE bases (
        ref INTEGER NOT NULL,
        item TEXT NOT NULL,
        seq INTEGER NOT NULL,
        base BLOB NOT NULL,
        PRIMARY KEY (ref, item)
    );
    ALTER TABLE log ADD COLUMN newest INTEGER;
    ALTER TABLE log ADD COLUMN floor INTEGER;
    ALTER TABLE log ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
"""
"""``dropped``: up to this seq nothing is left to be dropped."""

POINT = "SELECT seq, at FROM snapshots WHERE ref = (SELECT {which} FROM log)"
USED = "SELECT coalesce(newest, 0), coalesce(floor, 0) FROM log"
STAGED = "SELECT coalesce(max(ref), 0) FROM snapshots"
STALE = "SELECT min(ref) FROM snapshots WHERE ref NOT IN (?, ?, ?)"
CLEAR = "DELETE FROM bases WHERE rowid IN (SELECT rowid FROM bases WHERE ref = ? LIMIT ?) RETURNING 1"
FORGET = "DELETE FROM snapshots WHERE ref = ?"
BEGIN = "INSERT INTO snapshots VALUES (?, 0, 0)"
PUT = "INSERT INTO bases"
SET_POINT = "UPDATE snapshots SET seq = ?, at = ? WHERE ref = ?"
SET = "UPDATE log SET {which} = ?"
RESTART = "UPDATE log SET dropped = 0"
AT = "SELECT ref FROM snapshots WHERE ref = (SELECT {which} FROM log) AND seq = ? AND at = ?"
PART = "SELECT base FROM bases WHERE ref = ? AND item > ? ORDER BY item LIMIT ?"
OF_ITEM = "SELECT base FROM bases WHERE ref = (SELECT floor FROM log) AND item = ?"
TO_DROP = "SELECT dropped, (SELECT seq FROM snapshots WHERE ref = floor), floor, sized FROM log"
STRETCH = f"""
    SELECT entries.seq, length(entry) - instr(entry, ?4) - {len(PREFIX)}
    FROM entries JOIN bases ON bases.ref = ?3 AND bases.item = entries.item AND entries.seq <= bases.seq
    WHERE entries.seq > ?1 AND entries.seq <= ?2 AND entry IS NOT NULL
        AND NOT (entries.item >= '.' AND entries.item < '/')
"""
DROP = "UPDATE entries SET entry = NULL WHERE seq IN carray(?)"
DROPPED = "UPDATE log SET dropped = ?, bytes = bytes - ?"

WHICH: Mapping[bool, str] = {False: "newest", True: "floor"}
CLEARED_ROWS = 1_000


def points(cursor: Any) -> Points:
    """Where the newest snapshot and the floor stand."""
    rows = [cursor.execute(POINT.format(which=which)).fetchall() for which in ("newest", "floor")]
    return Points(*(Point(*row[0]) if row else None for row in rows))


def stage(cursor: Any, bases: Sequence[Base], *, is_first: bool) -> None:
    """Adds bases to what is staged; what was replaced, or staged in vain, is cleared bit by bit."""
    ref = cursor.execute(STAGED).get
    if is_first:
        ref += 1
        cursor.execute(BEGIN, (ref,))
    stale = cursor.execute(STALE, (*cursor.execute(USED).fetchall()[0], ref)).get
    if stale is not None and not cursor.execute(CLEAR, (stale, CLEARED_ROWS)).fetchall():
        cursor.execute(FORGET, (stale,))
    insert(cursor, PUT, [(ref, base.item, base.seq, encode_base(base)) for base in bases])


def keep_staged(cursor: Any, point: Point, *, is_floor: bool) -> None:
    """What is staged takes the place of the snapshot, or of the floor."""
    ref = cursor.execute(STAGED).get
    cursor.execute(SET_POINT, (*point, ref))
    cursor.execute(SET.format(which=WHICH[is_floor]), (ref,))
    if is_floor:
        cursor.execute(RESTART)


def bases(cursor: Any, point: Point, after: str, limit: int, *, is_floor: bool) -> list[Base]:
    """The first bases beyond an item. Raises SnapshotGone."""
    ref = cursor.execute(AT.format(which=WHICH[is_floor]), point).get
    if ref is None:
        raise gone(point)
    return [decode_base(base) for (base,) in cursor.execute(PART, (ref, after, limit))]


def base(cursor: Any, item: str) -> Base | None:
    """What the floor says of an item."""
    found = cursor.execute(OF_ITEM, (item,)).get
    return decode_base(found) if found else None


def drop(cursor: Any, rows: int = DROPPED_ROWS) -> tuple[int, bool]:
    """Drops content in the next rows: how many bytes of events, and whether there is more to do."""
    done, floor, ref, sized = cursor.execute(TO_DROP).fetchall()[0]
    if floor is None or done >= floor:
        return 0, False
    end = min(floor, done + rows)
    found = cursor.execute(STRETCH, (done, end, ref, PREFIX)).fetchall()
    if found:
        cursor.execute(DROP, (array(seq for seq, _ in found),))
    freed = sum(size for _, size in found)
    cursor.execute(DROPPED, (end, sum(size for seq, size in found if seq <= sized)))
    return freed, end < floor
