"""The digests of the entries of a log in LMDB, by id or by seq."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, takewhile

from syncline.core.events import Entry
from syncline.stores.digests import Digested
from syncline.stores.lmdb.layout import pack, unpack
from syncline.stores.lmdb.transaction import Transaction


def after(txn: Transaction, since: int, limit: int) -> list[Digested]:
    """See ``DigestStore.digests``. What has no content has its id elsewhere."""
    entries = list(islice(txn.rows("entries", pack(since + 1)), limit))
    stubs = [seq for seq, entry in entries if not entry]
    keys = [Entry.read(entry).event.key for _, entry in entries if entry]
    keys += [key for _, key in txn.get_many("stubs", stubs)]
    return sorted(_digested(txn, txn.get_many("ids", keys)))


def by_id(txn: Transaction, low: bytes, high: bytes, limit: int) -> list[Digested]:
    """See ``DigestStore.digests_by_id``."""
    return _digested(txn, takewhile(lambda row: row[0] <= high, islice(txn.rows("ids", low), limit)))


def _digested(txn: Transaction, ids: Iterable[tuple[bytes, bytes]]) -> list[Digested]:
    """Rows of the look-up by id, with their items."""
    rows = [(key, place[:8], place[8:]) for key, place in ids]
    items = dict(txn.get_many("places", [seq for _, seq, _ in rows]))
    return [Digested(unpack(seq), key, digest, items[seq][8:].decode()) for key, seq, digest in rows]
