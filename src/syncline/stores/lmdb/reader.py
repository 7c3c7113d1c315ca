"""A log in LMDB, looked at while a server has it open: each look is a short transaction, so that no pages pile up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from syncline.core.log import NO_TAIL, Head
from syncline.stores.lmdb import bases, item_index
from syncline.stores.lmdb.environment import Looking
from syncline.stores.lmdb.layout import END_KEY, EPOCH_KEY, pack, unpack
from syncline.stores.lmdb.transaction import Transaction
from syncline.stores.reading import ROWS, Damage, Fact, Kept, within


class LmdbReader:
    """See ``LogReader``."""

    def __init__(self, path: Path) -> None:
        """Raises ForeignFile, NewerSchema or StoreDamaged."""
        self._env = Looking(path)

    def head(self) -> Head:
        """See ``LogReader.head``."""
        with self._env.reading() as txn:
            epoch, end = txn.get("meta", EPOCH_KEY) or b"", txn.get("meta", END_KEY) or pack(0)
            last = txn.last("places")
            return Head(epoch.decode(), *((unpack(last[0]), last[1][:8]) if last else (0, NO_TAIL)), unpack(end))

    def tail(self, seq: int) -> bytes | None:
        """See ``LogReader.tail``."""
        if seq == 0:
            return NO_TAIL
        with self._env.reading() as txn:
            place = txn.get("places", pack(seq))
        return place[:8] if place else None

    def read(self, since: int, until: int) -> list[Kept]:
        """See ``LogReader.read``."""
        with self._env.reading() as txn:
            count = max(0, min(ROWS, until - since))
            places = [(key, bytes(place[:8])) for key, place in islice(txn.rows("places", pack(since + 1)), count)]
            entries = dict(txn.get_many("entries", [key for key, _ in places]))
            rows = [Kept(unpack(key), tail, entries.get(key) or None) for key, tail in places]
            return within([row if row.entry else _without_content(txn, row) for row in rows])

    def differing(self, facts: Sequence[Fact]) -> list[Damage]:
        """See ``LogReader.differing``."""
        with self._env.reading() as txn:
            return [damage for fact in facts for damage in _differing(txn, fact)]

    def horizon(self) -> int:
        """See ``LogReader.horizon``."""
        with self._env.reading() as txn:
            return bases.points(txn).horizon

    def check(self) -> list[str]:
        """See ``LogReader.check``."""
        return self._env.check()

    def close(self) -> None:
        """See ``LogReader.close``."""
        self._env.close()


def _without_content(txn: Transaction, row: Kept) -> Kept:
    key = txn.get("stubs", pack(row.seq))
    known = txn.get("ids", key) if key else None
    return row._replace(key=key, digest=known[8:]) if known else row


def _differing(txn: Transaction, fact: Fact) -> Iterator[Damage]:
    place = txn.get("places", pack(fact.seq)) or b""
    if place[8:] != fact.item.encode():
        yield Damage(fact.seq, "the item kept beside the entry is not the entry's")
    known = txn.get("ids", fact.key)
    if known is None or known[:8] != pack(fact.seq):
        yield Damage(fact.seq, "by its id it is not found")
    elif known[8:] != fact.digest:
        yield Damage(fact.seq, "the digest kept beside the entry is not the entry's")
    if item_index.places(txn, [fact.item], fact.seq - 1, 1, fact.seq) != [(fact.item, fact.seq)]:
        yield Damage(fact.seq, f"the index by item does not find it under {fact.item}")
