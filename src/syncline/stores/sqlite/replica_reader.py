"""A replica's file, looked at as a log: of the entries it has, each without a tail, and of the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from syncline.core.log import Head
from syncline.errors import SynclineError
from syncline.stores.reading import NO_TAILS, ROWS, Damage, Fact, Kept, within
from syncline.stores.sqlite.replica import SCHEMA, SqliteReplicaStore
from syncline.stores.tables import beside
from syncline.stores.tables.database import Database

STRETCH = "SELECT seq, entry FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
LAST = "SELECT coalesce(max(seq), 0), coalesce(max(at), 0) FROM entries"


class ReplicaReader:
    """See ``LogReader``. There is no tail anywhere, and what the replica may not see is missing."""

    def __init__(self, path: Path) -> None:
        """Raises ForeignFile, NewerSchema or StoreDamaged."""
        self._store = SqliteReplicaStore(path, "", read_only=True)
        self._db = Database(path, SCHEMA, read_only=True)

    def head(self) -> Head:
        """See ``LogReader.head``."""
        with self._db.reading() as cursor:
            ((seq, at),) = cursor.execute(LAST)
        return Head(self._store.state().epoch or "", seq, NO_TAILS, at)

    def tail(self, seq: int) -> bytes | None:
        """See ``LogReader.tail``."""
        return None

    def read(self, since: int, until: int) -> list[Kept]:
        """See ``LogReader.read``."""
        with self._db.reading() as cursor:
            rows = cursor.execute(STRETCH, (since, until, ROWS))
            return within([Kept(seq, NO_TAILS, entry) for seq, entry in rows])

    def differing(self, facts: Sequence[Fact]) -> list[Damage]:
        """See ``LogReader.differing``."""
        with self._db.reading() as cursor:
            return [*beside.rows(cursor, facts, beside.WITH_TIME), *beside.index(cursor, facts)]

    def horizon(self) -> int:
        """See ``LogReader.horizon``. A replica deletes entries as a whole."""
        return 0

    def check(self) -> list[str]:
        """See ``LogReader.check``; also whether the local events can be read."""
        with self._db.reading() as cursor:
            found = beside.broken(cursor)
        try:
            for outboxed in self._store.outbox():
                _ = outboxed.event.digest
        except (SynclineError, msgspec.MsgspecError, ValueError) as error:
            found.append(f"a local event does not read: {error}")
        return found

    def close(self) -> None:
        """See ``LogReader.close``."""
        self._db.close()
        self._store.close()
