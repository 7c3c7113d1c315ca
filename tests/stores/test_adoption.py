"""Logs take over another's entries as they are."""

from syncline.stores.memory import MemoryEventStore
from syncline.stores.sqlite import SqliteEventStore
from syncline.testing import AdoptionContract


class TestMemoryEventStore(AdoptionContract):
    persists = False

    def make(self, directory, epoch, receipts):
        return MemoryEventStore(epoch, receipts)


class TestSqliteEventStore(AdoptionContract):
    def make(self, directory, epoch, receipts):
        return SqliteEventStore(directory / "log.db", receipts)


class TestSqliteEventStoreOfShortRuns(AdoptionContract):
    def make(self, directory, epoch, receipts):
        return SqliteEventStore(directory / "log.db", receipts, index_run=5)
