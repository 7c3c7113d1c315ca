"""The stores in memory keep the contracts."""

from syncline.stores.memory import MemoryEventStore, MemoryReplicaStore
from syncline.testing import EventStoreContract, ReplicaStoreContract


class TestMemoryEventStore(EventStoreContract):
    persists = False

    def make(self, directory, epoch, receipts):
        return MemoryEventStore(epoch, receipts)


class TestMemoryReplicaStore(ReplicaStoreContract):
    persists = False

    def make(self, directory, node):
        return MemoryReplicaStore(node)
