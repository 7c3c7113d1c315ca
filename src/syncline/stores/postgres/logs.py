"""The logs of all spaces in one PostgreSQL database, which several servers share: one pool of connections for all."""

from __future__ import annotations

from collections.abc import Sequence

from syncline.core.log import Receipts
from syncline.errors import EpochChanged
from syncline.stores.postgres import bases, ends
from syncline.stores.postgres.database import PostgresDatabase
from syncline.stores.postgres.events import PostgresEventStore
from syncline.stores.postgres.schema import SCHEMA

NAMED = "SELECT name, seq FROM logs WHERE name = ANY(%s)"
UNNAME = "UPDATE logs SET name = NULL WHERE name = %s"
UNNAME_AT = UNNAME + " AND seq = %s RETURNING key"
UNNAMED = "SELECT key, seq FROM logs WHERE name IS NULL"
DELETE_STRETCH = "DELETE FROM entries WHERE log = %s AND seq > %s"
DELETE_REST = (*bases.DELETE, "DELETE FROM nodes WHERE log = %s", "DELETE FROM logs WHERE key = %s")
DELETED_AT_ONCE = 10_000


class PostgresLogs:
    """See ``Logs``."""

    def __init__(self, url: str, receipts: Receipts) -> None:
        """Raises StoreUnavailable if there is nobody at the address, NewerSchema, or BadSettings."""
        self._receipts = receipts
        self._database = PostgresDatabase(url, SCHEMA)

    def open(self, space: str) -> PostgresEventStore:
        """See ``Logs.open``."""
        with self._database.at_once() as cursor:
            return PostgresEventStore(self._database, ends.key_of(cursor, space), self._receipts)

    def heads(self, spaces: Sequence[str]) -> dict[str, int]:
        """The seqs at which the logs of these spaces end; those without a log are left out."""
        with self._database.at_once() as cursor:
            return dict(cursor.execute(NAMED, (list(spaces),)).fetchall())

    def delete(self, space: str, *, seq: int | None = None) -> None:
        """See ``SharedLogs.delete``. Whoever has it open elsewhere can append no more.

        From its end on, so that what can still be read has no gaps; what an earlier deletion left is taken along.
        """
        with self._database.at_once() as cursor:
            if seq is None:
                cursor.execute(UNNAME, (space,))
            elif cursor.execute(UNNAME_AT, (space, seq)).fetchone() is None:
                raise EpochChanged("The log has grown meanwhile.")
            for key, seq in cursor.execute(UNNAMED).fetchall():
                for since in range(max(0, seq - DELETED_AT_ONCE), -DELETED_AT_ONCE, -DELETED_AT_ONCE):
                    cursor.execute(DELETE_STRETCH, (key, max(0, since)))
                for statement in DELETE_REST:
                    cursor.execute(statement, (key,))

    def close(self) -> None:
        """See ``Logs.close``."""
        self._database.close()
