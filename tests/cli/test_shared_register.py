"""``init``, ``users`` and ``keys`` where the settings say that the register is in PostgreSQL."""

import pytest

from tests.postgres import new_database
from tests.server.accounts import Somebody
from tests.server.running import ServerProcess, eventually


@pytest.fixture
def address():
    return new_database()


@pytest.fixture
def here(terminal, address):
    """A terminal whose settings name a database."""
    terminal.file("syncline.toml", f'store = "{address}"')
    terminal.variables["SYNCLINE_CONFIG"] = str(terminal.directory / "syncline.toml")
    return terminal


@pytest.fixture
def serve(tmp_path, address):
    """Starts a server on that database, with a directory of its own."""
    servers = []

    def start(name):
        servers.append(ServerProcess(tmp_path / name, store=address))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def test_it_is_administered_without_a_server(here, serve):
    made = here("init", "--data", "d", "--json").json
    assert here("init", "--data", "e", "--json").json["key"] is None
    assert here("users", "create", "ann", "--json").json["setup_token"]
    assert here("users", "suspend", "ann").code == 0
    ci = here("keys", "create", "ci", "--user", "ben", "--json").json
    assert [user["name"] for user in here("users", "list", "--json").json["users"]] == ["ann", "ben"]
    assert {key["id"] for key in here("keys", "list", "--json").json["keys"]} >= {ci["id"]}
    assert not (here.directory / "syncline-data").exists()
    root = Somebody(serve("one"), made["key"])
    assert root.with_(ci["key"]).is_in()
    told = [(item, action) for _, item, action, _ in root.log()]
    assert told == [
        (".user.ann", ".user.create"),
        (".user.ann", ".user.suspend"),
        (".user.ben", ".user.create"),
        (".user.ben", ".key.create"),
    ]


def test_servers_that_run_hear_of_it(here, serve):
    key = here("init", "--data", "d", "--json").json["key"]
    servers = [serve("one"), serve("two")]
    ci = here("keys", "create", "ci", "--user", "ann", "--json").json
    for server in servers:
        assert Somebody(server, ci["key"]).is_in()
    assert here("keys", "revoke", ci["id"]).code == 0
    for server in servers:
        eventually(lambda server=server: not Somebody(server, ci["key"]).is_in())
        told = [action for _, _, action, _ in Somebody(server, key).log()]
        assert told == [".user.create", ".key.create", ".key.revoke"]
