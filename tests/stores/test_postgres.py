"""The logs in PostgreSQL keep the contracts, and several servers may append to them at once."""

from itertools import count

import pytest

from syncline.core.log import Receipts
from syncline.stores.postgres.logs import PostgresLogs
from syncline.testing import AdoptionContract, LogStoreContract
from tests import postgres

RECEIPTS = Receipts(b"of these tests")


@pytest.fixture(scope="module")
def url():
    """The address of a database for all tests here that do not need one for themselves."""
    return postgres.new_database()


class InPostgres:
    """Stores of one log for each test; who opens it again is another server."""

    spaces = count()

    @pytest.fixture(autouse=True)
    def servers(self, url):
        self.url, self.space, self.servers = url, f"space{next(self.spaces)}", []
        yield
        for logs in self.servers:
            logs.close()

    def make(self, directory, epoch, receipts):
        self.servers.append(PostgresLogs(self.url, receipts))
        return self.servers[-1].open(self.space)


class TestPostgresEventStore(InPostgres, LogStoreContract):
    pass


class TestPostgresAdoption(InPostgres, AdoptionContract):
    pass
