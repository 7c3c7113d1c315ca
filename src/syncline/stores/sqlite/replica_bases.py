"""The bases of a replica in SQLite: those that stand, and those of a snapshot that is being taken, aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from syncline.core.bases import Base
from syncline.core.lots import lots
from syncline.core.patterns import matcher
from syncline.stores import Part
from syncline.stores.tables.database import array, insert

TABLES = """
    CREATE TABLE bases (is_aside INTEGER NOT NULL, item TEXT NOT NULL, base BLOB NOT NULL);
    CREATE UNIQUE INDEX bases_by_item ON bases (is_aside, item);
"""

CLEAR = "DELETE FROM bases WHERE is_aside = ?"
PUT = "INSERT OR REPLACE INTO bases"
RAISE = "UPDATE bases SET is_aside = 0"
FORGET = "DELETE FROM bases WHERE is_aside = 0 AND item IN carray(?) RETURNING item"
ANY_OF = "SELECT EXISTS (SELECT * FROM bases WHERE is_aside = 0 AND item IN carray(?))"
ANY = "SELECT EXISTS (SELECT * FROM bases WHERE is_aside = 0)"
OF_ITEMS = "SELECT base FROM bases WHERE is_aside = 0 AND item IN carray(?) ORDER BY item"
BEYOND = "SELECT base FROM bases WHERE is_aside = 0 AND item > ? ORDER BY item LIMIT ?"

CHUNK = 200

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Base).decode
Query = Callable[[str, tuple[Any, ...]], list[tuple[bytes]]]


def take(cursor: Any, part: Part) -> bool:
    """Puts a part aside, or, with the last, all of them in place of those that stood; whether that."""
    if part.is_first:
        cursor.execute(CLEAR, (1,))
    insert(cursor, PUT, [(1, base.item, _encode(base)) for base in part.bases])
    if part.is_last:
        cursor.execute(CLEAR, (0,))
        cursor.execute(RAISE)
    return part.is_last


def put(cursor: Any, bases: Sequence[Base]) -> None:
    """Puts bases in place of those of the same items."""
    insert(cursor, PUT, [(0, base.item, _encode(base)) for base in bases])


def has_any(cursor: Any, items: Sequence[str] = ()) -> bool:
    """Whether bases stand: any at all, or of these items."""
    return bool(cursor.execute(ANY_OF, (array(items),)).get if items else cursor.execute(ANY).get)


def forget(cursor: Any, items: Sequence[str]) -> bool:
    """Deletes the bases of items; whether there were any."""
    return bool(cursor.execute(FORGET, (array(items),)).fetchall())


def forget_all(cursor: Any) -> bool:
    """Deletes all bases that stand; whether there were any."""
    had_any = has_any(cursor)
    cursor.execute(CLEAR, (0,))
    return had_any


def load(query: Query, items: Sequence[str]) -> Iterator[Base]:
    """The bases of items that fit patterns, in order of their items; read in chunks."""
    if items and not any(pattern.endswith("*") for pattern in items):
        for lot in lots(sorted(set(items)), CHUNK):
            yield from (_decode(base) for (base,) in query(OF_ITEMS, (array(lot),)))
        return
    wanted, after = matcher(items), ""
    while found := [_decode(base) for (base,) in query(BEYOND, (after, CHUNK))]:
        yield from (base for base in found if wanted(base.item))
        after = found[-1].item
