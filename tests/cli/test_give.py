"""``give``: a server that was lost is seeded from a replica's file, and one that was put back gets what it lost."""

import shutil
from contextlib import closing

import pytest

import syncline as sdk
from syncline.server.registry import FILE, open_registry
from tests.server.running import ServerProcess
from tests.server.tenants import administer, key


@pytest.fixture
def serve(tmp_path):
    servers = []

    def start(name):
        servers.append(ServerProcess(tmp_path / name))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def notes(server, path, *payloads, user="ann"):
    """Syncs a replica's file in which these were written before; the result."""
    with closing(sdk.open(path, server=server.url, token=key(server, "default", user))) as replica:
        for payload in payloads:
            replica.record("note", "put", payload)
        return replica.sync()


def a_key(server, *items):
    with closing(open_registry(server.data, "", lambda: 1)) as registry:
        return registry.create_key("giver", ".root", "", actions=[".read", ".give"], items=items)


@pytest.fixture
def syncline(terminal):
    """A command, at this server with this token."""

    def run(*arguments, server=None, token=None):
        at = ("--server", server, "--token", token) if server else ()
        return terminal(*arguments, *at)

    return run


def given(done):
    return {name: done.lines[-1][name] for name in ("given", "known", "refused")}


def payloads(server):
    page = server.request("GET", "/v1/pull?limit=1000", headers=server.bearer()).json
    return [entry["event"].get("payload") for entry in page["entries"] if entry["event"]["item"] == "note"]


def test_a_server_that_was_lost_is_seeded_from_a_laptop(syncline, serve, tmp_path):
    file = tmp_path / "notes.db"
    first = serve("first")
    assert notes(first, file, *range(1_200)).ok
    assert notes(first, tmp_path / "bob.db", "b", user="bob").ok
    assert notes(first, file).ok
    first.stop()
    anew = serve("anew")
    done = syncline("give", file, "--json", server=anew.url, token=a_key(anew, "*"))
    assert given(done) == {"given": 1_201, "known": 0, "refused": {}}
    assert done.code == 0
    assert payloads(anew)[:3] == [0, 1, 2]
    again = syncline("give", file, "--json", server=anew.url, token=a_key(anew))
    assert given(again) == {"given": 0, "known": 1_201, "refused": {}}
    for name, user in (("notes.db", "ann"), ("bob.db", "bob")):
        assert notes(anew, tmp_path / name, user=user).ok, "their replicas go on"


def test_what_is_not_taken_is_told_with_what_to_do(syncline, serve, tmp_path):
    file = tmp_path / "notes.db"
    server = serve("data")
    assert notes(server, file, 1).ok
    assert notes(server, tmp_path / "bob.db", 2, user="bob").ok
    token = key(server, "default", "cy")
    done = syncline("give", file, server=server.url, token=token)
    assert done.code == 0
    assert "0 entries given, 1 already there, 0 refused." in done.err + done.out
    copy = tmp_path / "copy"
    server.stop()
    shutil.copytree(server.data, copy)
    server.start()
    assert notes(server, file, 3).ok
    server.stop()
    shutil.rmtree(server.data)
    shutil.copytree(copy, server.data)
    (server.data / FILE).unlink()
    server.start()
    done = syncline("give", file, server=server.url, token=key(server, "default", "cy"))
    assert done.code == 1
    assert "1 × unvouched" in done.err
    assert ".give" in done.err


def test_a_log_that_holds_something_else_is_left_alone(syncline, serve, tmp_path):
    file, other = tmp_path / "notes.db", serve("other")
    server = serve("data")
    assert notes(server, file, 1).ok
    assert notes(other, tmp_path / "bob.db", 2, user="bob").ok
    done = syncline("give", file, server=other.url, token=a_key(other))
    assert done.code == 1
    assert "not empty" in done.err
    assert payloads(other) == [2]


def test_a_file_that_has_met_no_log_has_nothing_to_give(syncline, serve, tmp_path):
    with closing(sdk.open(tmp_path / "new.db")):
        pass
    server = serve("data")
    assert syncline("give", tmp_path / "new.db", server=server.url, token=server.key).code == 2
    assert syncline("give", tmp_path / "none.db", server=server.url, token=server.key).code == 5


def test_status_tells_what_waits_and_what_was_not_taken(syncline, serve, tmp_path):
    file, server = tmp_path / "bob.db", serve("data")
    assert notes(server, file, 1, user="bob").ok
    server.stop()
    shutil.copytree(server.data, tmp_path / "copy")
    server.start()
    assert notes(server, tmp_path / "ann.db", 2).ok
    assert notes(server, file, user="bob").ok
    server.stop()
    shutil.rmtree(server.data)
    shutil.copytree(tmp_path / "copy", server.data)
    (server.data / FILE).unlink()
    server.start()
    assert [error.code for error in notes(server, file, user="bob").errors] == ["unvouched"]
    found = syncline("status", file, "--json").json
    assert (found["orphan"], found["unvouched"]) == (0, 1)
    assert "syncline give" in syncline("status", file).err
    rule = {"user": "bob", "item": "*", "action": ".give", "type": "allow"}
    assert administer(server, "POST", "/v1/acl", rule).status == 201
    done = syncline("give", file, server=server.url, token=key(server, "default", "bob"))
    assert done.code == 0
    assert notes(server, file, user="bob").ok
    assert syncline("status", file, "--json").json["unvouched"] == 0
