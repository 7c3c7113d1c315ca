"""The digests of the entries of a log in PostgreSQL, by id or by seq."""

from __future__ import annotations

from typing import Any

from syncline.core import stamps
from syncline.stores.digests import Digested

AFTER = "SELECT seq, uuid_send(id), digest, item FROM entries WHERE log = %s AND seq > %s ORDER BY seq LIMIT %s"
BY_ID = (
    "SELECT seq, uuid_send(id), digest, item FROM entries WHERE log = %s AND id >= %s::uuid AND id <= %s::uuid"
    " ORDER BY id LIMIT %s"
)


def after(cursor: Any, key: int, since: int, limit: int) -> list[Digested]:
    """See ``DigestStore.digests``."""
    return _digested(cursor.execute(AFTER, (key, since, limit), binary=True))


def by_id(cursor: Any, key: int, low: bytes, high: bytes, limit: int) -> list[Digested]:
    """See ``DigestStore.digests_by_id``."""
    return _digested(cursor.execute(BY_ID, (key, stamps.from_key(low), stamps.from_key(high), limit), binary=True))


def _digested(rows: Any) -> list[Digested]:
    return [Digested(seq, bytes(id), bytes(digest), item) for seq, id, digest, item in rows]
