"""SQLite: a log, a replica, the snapshots or documents of either, or a server's register in one file each."""

from __future__ import annotations

from syncline.stores.sqlite.document_index import SqliteDocumentIndex
from syncline.stores.sqlite.events import SqliteEventStore
from syncline.stores.sqlite.mending import open_replica
from syncline.stores.sqlite.replica import SqliteReplicaStore
from syncline.stores.sqlite.snapshots import SqliteSnapshotStore

__all__ = ["SqliteDocumentIndex", "SqliteEventStore", "SqliteReplicaStore", "SqliteSnapshotStore", "open_replica"]
