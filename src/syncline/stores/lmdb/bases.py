"""The bases of a log in LMDB: a table of them by number of their snapshot and item; ``meta`` says which numbers count.

What is staged has the number after all that were used; others were replaced, and go in small steps while it is staged.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, takewhile

import msgspec

from syncline.core.bases import Base
from syncline.core.events import Entry
from syncline.stores.bases import DROPPED_ROWS, Point, Points, decode_base, encode_base, gone
from syncline.stores.lmdb.layout import BASES_KEY, pack, unpack
from syncline.stores.lmdb.transaction import Transaction

CLEARED_ROWS = 1_000


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What ``meta`` says: numbers and places of the newest snapshot and of the floor, the number that is staged, and
    up to which seq nothing is left to be dropped."""

    newest: int = 0
    newest_at: Point | None = None
    floor: int = 0
    floor_at: Point | None = None
    staged: int = 0
    dropped: int = 0


_kept = msgspec.msgpack.Decoder(Kept)


def kept(txn: Transaction) -> Kept:
    """Which snapshots there are."""
    found = txn.get("meta", BASES_KEY)
    return _kept.decode(found) if found else Kept()


def points(txn: Transaction) -> Points:
    """Where the newest snapshot and the floor stand."""
    found = kept(txn)
    return Points(found.newest_at, found.floor_at)


def _keep(txn: Transaction, changed: Kept) -> None:
    txn.put("meta", BASES_KEY, msgspec.msgpack.encode(changed))


def stage(txn: Transaction, bases: Sequence[Base], *, is_first: bool) -> None:
    """Adds bases to what is staged."""
    found = kept(txn)
    if is_first:
        found = msgspec.structs.replace(found, staged=max(found.newest, found.floor, found.staged) + 1)
        _keep(txn, found)
    _clear(txn, {found.newest, found.floor, found.staged})
    prefix = pack(found.staged)
    txn.put_many("bases", [(prefix + base.item.encode(), encode_base(base)) for base in bases])


def _clear(txn: Transaction, used: set[int]) -> None:
    """Deletes some of what is used no more."""
    key = next(txn.keys("bases"), None)
    while key is not None and unpack(key) in used:
        key = next(txn.keys("bases", pack(unpack(key) + 1)), None)
    if key is not None:
        prefix = key[:8]
        stale = takewhile(lambda each: each[:8] == prefix, islice(txn.keys("bases", prefix), CLEARED_ROWS))
        for each in list(stale):
            txn.delete("bases", each)


def keep_staged(txn: Transaction, point: Point, *, is_floor: bool) -> None:
    """What is staged takes the place of the snapshot, or of the floor."""
    found = kept(txn)
    if is_floor:
        changed = msgspec.structs.replace(found, floor=found.staged, floor_at=point, dropped=0)
    else:
        changed = msgspec.structs.replace(found, newest=found.staged, newest_at=point)
    _keep(txn, changed)


def bases(txn: Transaction, point: Point, after: str, limit: int, *, is_floor: bool) -> list[Base]:
    """The first bases beyond an item. Raises SnapshotGone."""
    found = kept(txn)
    ref, there = (found.floor, found.floor_at) if is_floor else (found.newest, found.newest_at)
    if there != point:
        raise gone(point)
    prefix = pack(ref)
    rows = islice(txn.rows("bases", prefix + after.encode() + b"\0"), limit)
    return [decode_base(base) for key, base in rows if key[:8] == prefix]


def base(txn: Transaction, item: str) -> Base | None:
    """What the floor says of an item."""
    found = txn.get("bases", pack(kept(txn).floor) + item.encode())
    return decode_base(found) if found else None


def drop(txn: Transaction) -> tuple[int, bool]:
    """Drops content in the next rows: how many bytes of events, and whether there is more to do."""
    found = kept(txn)
    horizon = found.floor_at.seq if found.floor_at else 0
    end = min(horizon, found.dropped + DROPPED_ROWS)
    if end <= found.dropped:
        return 0, False
    freed = sum(_drop(txn, seq, place[8:].decode()) for seq, place in _places(txn, found.dropped, end))
    _keep(txn, msgspec.structs.replace(found, dropped=end))
    return freed, end < horizon


def _places(txn: Transaction, since: int, until: int) -> list[tuple[int, bytes]]:
    rows = takewhile(lambda row: unpack(row[0]) <= until, txn.rows("places", pack(since + 1)))
    return [(unpack(key), place) for key, place in rows]


def _drop(txn: Transaction, seq: int, item: str) -> int:
    """Drops the content of an entry if the floor stands for it; the bytes of its event."""
    entry = txn.get("entries", pack(seq)) if item[0] != "." else None
    found = base(txn, item) if entry else None
    if not entry or found is None or seq > found.seq:
        return 0
    gone = Entry.read(entry)
    txn.put("entries", pack(seq), b"")
    txn.put("stubs", pack(seq), gone.event.key)
    return len(gone.raw)
