"""One server for the tests of a worker; each test has a directory and a space of its own."""

from secrets import token_hex

import pytest

from tests.cli.milk import MILK
from tests.cli.terminals import Terminal, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server")) as served:
        yield served


@pytest.fixture
def terminal(tmp_path):
    """No server is named."""
    place = Terminal(tmp_path)
    yield place
    place.close()


@pytest.fixture
def syncline(tmp_path, server):
    """The server is named, and a fresh space of it."""
    space = f"space-{token_hex(6)}"
    place = Terminal(tmp_path, SYNCLINE_SERVER=server.url, SYNCLINE_TOKEN=server.key, SYNCLINE_SPACE=space)
    yield place
    place.close()


@pytest.fixture
def doc(terminal):
    """Commands about the document task.milk in a.db, where it is made: ``doc("get", "--wire")``."""
    terminal.variables["SYNCLINE_DATABASE"] = "a.db"
    assert terminal("doc", "create", "task.milk", *MILK).code == 0
    return lambda verb, *arguments, **more: terminal("doc", verb, "task.milk", *arguments, **more)


@pytest.fixture
def two(syncline):
    """Commands about task.milk in each of two databases that sync with one server; it is not made yet."""

    def on(database):
        return lambda verb, *arguments, **more: syncline("doc", verb, "task.milk", *arguments, "-d", database, **more)

    return on("a.db"), on("b.db")
