"""SQLite: a log, a replica or a server's register in one file each."""

from __future__ import annotations

from syncline.stores.sqlite.events import SqliteEventStore
from syncline.stores.sqlite.replica import SqliteReplicaStore

__all__ = ["SqliteEventStore", "SqliteReplicaStore"]
