"""A register of its own on each kind of database, and a clock that moves when it is told to."""

import pytest

from tests.server.registers import open_register, store

__all__ = ["open_register", "store"]

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


class Clock:
    """Milliseconds since 1970, as the test has it."""

    def __init__(self):
        self.now = 1_750_000_000_000

    def __call__(self):
        return self.now

    def pass_(self, milliseconds):
        self.now += milliseconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def registry(open_register):
    return open_register()


@pytest.fixture
def database(registry):
    """The register's database, with alice of home in it."""
    registry.users.create("home", "alice")
    return registry.database
