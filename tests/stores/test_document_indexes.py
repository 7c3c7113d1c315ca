"""Every index of documents fulfils the contract."""

from syncline.stores.documents import MemoryDocumentIndex
from syncline.stores.sqlite import SqliteDocumentIndex
from syncline.testing import DocumentIndexContract


class TestMemoryDocumentIndex(DocumentIndexContract):
    persists = False

    def make(self, directory):
        return MemoryDocumentIndex()


class TestSqliteDocumentIndex(DocumentIndexContract):
    def make(self, directory):
        return SqliteDocumentIndex(directory / "index.db")
