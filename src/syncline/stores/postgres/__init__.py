"""PostgreSQL: the logs of all spaces of several servers in one database, and what else they share there."""

from __future__ import annotations

from syncline.stores.postgres.events import PostgresEventStore
from syncline.stores.postgres.logs import PostgresLogs

__all__ = ["PostgresEventStore", "PostgresLogs"]
