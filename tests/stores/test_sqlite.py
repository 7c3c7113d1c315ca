"""The stores in SQLite keep the contracts."""

from syncline.stores.sqlite import SqliteEventStore, SqliteReplicaStore
from syncline.testing import EventStoreContract, ReplicaStoreContract


class TestSqliteEventStore(EventStoreContract):
    def make(self, directory, epoch, receipts):
        return SqliteEventStore(directory / "log.db", receipts)


class TestSqliteReplicaStore(ReplicaStoreContract):
    def make(self, directory, node):
        return SqliteReplicaStore(directory / "replica.db", node)
