"""A register in a directory of its own, and a clock that moves when it is told to."""

import pytest

from syncline.server.registry import Registry

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
def registry(tmp_path, clock):
    registry = Registry(tmp_path / "server.db", clock)
    yield registry
    registry.close()


@pytest.fixture
def database(registry):
    """The register's file, with alice of home in it."""
    registry.users.create("home", "alice")
    return registry.database
