"""The stores in memory keep the contracts."""

from syncline.stores.memory import MemoryEventStore, MemoryReplicaStore
from syncline.stores.snapshots import MemorySnapshotStore
from syncline.testing import LogStoreContract, ReplicaStoreContract, SnapshotStoreContract


class TestMemoryEventStore(LogStoreContract):
    persists = False

    def make(self, directory, epoch, receipts):
        return MemoryEventStore(epoch, receipts)


class TestMemoryReplicaStore(ReplicaStoreContract):
    persists = False

    def make(self, directory, node):
        return MemoryReplicaStore(node)


class TestMemorySnapshotStore(SnapshotStoreContract):
    persists = False

    def make(self, directory, max_bytes):
        return MemorySnapshotStore(max_bytes=max_bytes)
