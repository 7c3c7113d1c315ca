"""A log in PostgreSQL, looked at beside the servers that append to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncline.core import stamps
from syncline.core.log import NO_TAIL, Head
from syncline.errors import UnknownSpace
from syncline.stores.postgres import bases, ends
from syncline.stores.postgres.database import PostgresDatabase
from syncline.stores.postgres.schema import SCHEMA
from syncline.stores.reading import KEPT_BESIDE, ROWS, Damage, Fact, Kept, within

NAMES = "SELECT name FROM logs WHERE name IS NOT NULL ORDER BY name"
STRETCH = """
    SELECT seq, tail, entry, CASE WHEN entry IS NULL THEN id END, CASE WHEN entry IS NULL THEN digest END
    FROM entries WHERE log = %s AND seq > %s AND seq <= %s ORDER BY log, seq LIMIT %s
"""
TAIL = "SELECT tail FROM entries WHERE log = %s AND seq = %s"
BESIDE = "SELECT seq, at, id::text, item, node, n, digest FROM entries WHERE log = %s AND seq = ANY(%s)"
BY_ID = "SELECT id::text, seq FROM entries WHERE log = %s AND id = ANY(%s::uuid[])"
BY_ITEM = "SELECT 1 FROM entries WHERE log = %s AND (item, seq) >= (%s, %s) AND (item, seq) <= (%s, %s)"


class PostgresReaders:
    """The logs of a database, to be looked at."""

    def __init__(self, url: str) -> None:
        """Raises StoreUnavailable if there is nobody at the address, NewerSchema, or BadSettings."""
        self._database = PostgresDatabase(url, SCHEMA)

    def names(self) -> list[str]:
        """The spaces that have a log, sorted."""
        with self._database.at_once() as cursor:
            return [name for (name,) in cursor.execute(NAMES).fetchall()]

    def open(self, space: str) -> PostgresReader:
        """A log. Raises UnknownSpace."""
        with self._database.at_once() as cursor:
            found = cursor.execute(ends.FIND, (space,)).fetchone()
        if found is None:
            raise UnknownSpace(f"The database has no log of a space {space}.")
        return PostgresReader(self._database, int(found[0]))

    def close(self) -> None:
        """Closes every connection."""
        self._database.close()


class PostgresReader:
    """See ``LogReader``."""

    def __init__(self, database: PostgresDatabase, key: int) -> None:
        self._db, self._key = database, key

    def head(self) -> Head:
        """See ``LogReader.head``. Raises SpaceDeleted."""
        with self._db.at_once() as cursor:
            return ends.read(cursor, self._key).head

    def tail(self, seq: int) -> bytes | None:
        """See ``LogReader.tail``."""
        if seq == 0:
            return NO_TAIL
        with self._db.at_once() as cursor:
            row = cursor.execute(TAIL, (self._key, seq), binary=True).fetchone()
        return bytes(row[0]) if row else None

    def read(self, since: int, until: int) -> list[Kept]:
        """See ``LogReader.read``."""
        with self._db.at_once() as cursor:
            rows = cursor.execute(STRETCH, (self._key, since, until, ROWS), binary=True).fetchall()
        return within([Kept(seq, tail, entry, id and id.bytes, digest) for seq, tail, entry, id, digest in rows])

    def differing(self, facts: Sequence[Fact]) -> list[Damage]:
        """See ``LogReader.differing``."""
        with self._db.at_once() as cursor:
            seqs, ids = [fact.seq for fact in facts], [stamps.from_key(fact.key) for fact in facts]
            kept = {row[0]: row[1:] for row in cursor.execute(BESIDE, (self._key, seqs), binary=True).fetchall()}
            by_id = dict(cursor.execute(BY_ID, (self._key, ids), binary=True).fetchall())
            lost = [fact for fact in facts if not _is_indexed(cursor, self._key, fact)]
        found = [damage for fact, id in zip(facts, ids, strict=True) for damage in _differing(fact, id, kept, by_id)]
        return found + [Damage(fact.seq, f"the index by item does not find it under {fact.item}") for fact in lost]

    def horizon(self) -> int:
        """See ``LogReader.horizon``."""
        with self._db.at_once() as cursor:
            return bases.points(cursor, self._key).horizon

    def check(self) -> list[str]:
        """See ``LogReader.check``: PostgreSQL looks after its files itself (``pg_amcheck``)."""
        return []

    def close(self) -> None:
        """See ``LogReader.close``: the database stays open."""


def _is_indexed(cursor: Any, key: int, fact: Fact) -> bool:
    return cursor.execute(BY_ITEM, (key, fact.item, fact.seq, fact.item, fact.seq)).fetchone() is not None


def _differing(fact: Fact, id: str, kept: dict[int, tuple[object, ...]], by_id: dict[str, int]) -> list[Damage]:
    said = (fact.at, id, fact.item, fact.node, fact.n, fact.digest)
    found = [
        Damage(fact.seq, f"the {name} kept beside the entry is not the entry's")
        for name, column, each in zip(KEPT_BESIDE, kept.get(fact.seq, (None,) * 6), said, strict=True)
        if column != each
    ]
    return found if by_id.get(id) == fact.seq else [*found, Damage(fact.seq, "by its id it is not found")]
