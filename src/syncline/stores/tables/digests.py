"""The digests of entries in a table with columns for them, by id or by seq."""

from __future__ import annotations

from typing import Any

from syncline.stores.digests import Digested

AFTER = "SELECT seq, id, digest, item FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"
BY_ID = "SELECT seq, id, digest, item FROM entries WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?"


def after(cursor: Any, since: int, limit: int) -> list[Digested]:
    """See ``DigestStore.digests``."""
    return list(map(Digested._make, cursor.execute(AFTER, (since, limit))))


def by_id(cursor: Any, low: bytes, high: bytes, limit: int) -> list[Digested]:
    """See ``DigestStore.digests_by_id``."""
    return list(map(Digested._make, cursor.execute(BY_ID, (low, high, limit))))
