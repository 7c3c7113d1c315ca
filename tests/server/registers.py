"""Registers for tests: in a file and in PostgreSQL, and several servers' on one database."""

import pytest

from syncline.server.registry import open_registry
from tests import postgres

STORES = ("sqlite", "postgresql")


@pytest.fixture(params=STORES)
def store(request):
    """What a server's setting ``store`` is: each kind that has a register of its own, empty."""
    return postgres.new_database() if request.param == "postgresql" else request.param


@pytest.fixture
def open_register(store, tmp_path, clock):
    """Opens the register once more, as another program does."""
    opened = []

    def open_another():
        opened.append(open_registry(tmp_path, store, clock))
        return opened[-1]

    yield open_another
    for register in opened:
        register.close()
