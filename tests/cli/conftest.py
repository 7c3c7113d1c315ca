"""One server for a module's tests; each test has a directory and a space of its own."""

from secrets import token_hex

import pytest

from tests.cli.terminals import Served, Terminal


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    served = Served(tmp_path_factory.mktemp("server"))
    yield served
    code, logged = served.stop()
    assert code == 0, logged


@pytest.fixture
def terminal(tmp_path):
    """No server is named."""
    return Terminal(tmp_path)


@pytest.fixture
def syncline(tmp_path, server):
    """The server is named, and a fresh space of it."""
    space = f"space-{token_hex(6)}"
    return Terminal(tmp_path, SYNCLINE_SERVER=server.url, SYNCLINE_TOKEN=server.key, SYNCLINE_SPACE=space)
