"""`syncline doctor`: a set-up that is well, and each thing that can be wrong with one."""

import json
from contextlib import closing

import pytest

from syncline.cli.checks.here import file_system
from syncline.core.log import Receipts
from syncline.stores.postgres import PostgresLogs
from tests import postgres
from tests.cli.middlemen import between, buffering, no_upgrade, small_bodies
from tests.nats import nats_server


def findings(result):
    """What was found, by state; of each what was looked at."""
    found = {"good": set(), "warning": set(), "problem": set()}
    for finding in json.loads(result.out)["findings"]:
        found[finding["state"]].add(finding["what"])
    return found


def test_a_set_up_that_is_well(terminal):
    result = terminal("doctor", "--data", "data", "--port", "0", "--documents-megabytes", "1")
    assert result.code == 0, result.out
    assert "All is well." in result.out
    assert not (terminal.directory / "data").exists()


def test_for_machines(terminal):
    result = terminal("doctor", "--json", "--data", "data", "--port", "0")
    assert result.code == 0
    assert json.loads(result.out)["well"] is True
    assert {"data", "disk", "open files", "address"} <= findings(result)["good"]


def test_a_data_directory_that_others_may_read(terminal):
    (terminal.directory / "data").mkdir(mode=0o755)
    result = terminal("doctor", "--json", "--data", "data", "--port", "0")
    assert "data" in findings(result)["warning"]
    assert "chmod 700 data" in result.out


def test_an_address_that_is_taken(terminal, server):
    result = terminal("doctor", "--json", "--port", server.url.rpartition(":")[2])
    assert "address" in findings(result)["warning"]


def test_a_setting_that_cannot_be(terminal):
    result = terminal("doctor", "--port", "99999")
    assert (result.code, result.err.count("bad_settings")) == (2, 1)


@pytest.mark.parametrize(
    ("path", "kind"), [("/data/syncline", "nfs4"), ("/database", "ext4"), ("/data", "nfs4"), ("/", "ext4")]
)
def test_the_kind_of_file_system(tmp_path, path, kind):
    mounts = "/dev/sda1 / ext4 rw 0 0\nstore:/data /data nfs4 rw 0 0\n"
    assert file_system(type(tmp_path)(path), mounts) == kind


# A server over there


def test_a_server_that_is_well(syncline, server):
    result = syncline("doctor", "--json", "--port", "0", "--server", server.url)
    assert result.code == 0, result.out
    assert {"server", "clock", "WebSocket", "stream", "body"} <= findings(result)["good"]


@pytest.mark.parametrize(
    ("judge", "what", "advice"),
    [
        (no_upgrade, "WebSocket", "Upgrade"),
        (small_bodies, "body", "client_max_body_size"),
        (buffering, "stream", "buffering"),
    ],
)
def test_a_proxy_that_is_in_the_way(syncline, server, judge, what, advice):
    with between(server.url, judge) as url:
        result = syncline("doctor", "--json", "--port", "0", "--server", url)
    assert result.code == 1
    assert findings(result)["problem"] == {what}
    assert advice in result.out


def test_a_server_that_is_not_there(terminal):
    result = terminal("doctor", "--port", "0", "--server", "http://127.0.0.1:1")
    assert result.code == 1
    assert result.out.count("cannot be reached") == 1


def test_credentials_that_are_nobodys(syncline, server):
    result = syncline("doctor", "--json", "--port", "0", "--server", server.url, "--token", "sk_nobody")
    assert result.code == 1
    assert "clock" in findings(result)["problem"]
    assert "server" in findings(result)["good"]


# What servers share


@pytest.fixture(scope="module")
def durable():
    """A database that survives a power cut."""
    cluster = postgres.Cluster(fsync=True)
    yield cluster.new_database()
    cluster.close()


def test_a_database_that_is_well(terminal, durable):
    result = terminal("doctor", "--json", "--port", "0", "--store", durable)
    assert result.code == 0, result.out
    assert {"database", "bus"} <= findings(result)["good"]


def test_a_database_that_forgets(terminal):
    result = terminal("doctor", "--json", "--port", "0", "--store", postgres.new_database())
    assert findings(result)["problem"] == {"database"}
    assert "fsync" in result.out


def test_a_database_that_is_read_only(terminal, durable):
    address = f"{durable}&options=-c%20default_transaction_read_only%3Don"
    result = terminal("doctor", "--json", "--port", "0", "--store", address)
    assert "database" in findings(result)["problem"]
    assert "primary" in result.out


def test_a_user_without_rights(terminal, tmp_path):
    as_somebody = postgres.new_database().replace("postgres@", "somebody@")
    postgres.cluster().execute("CREATE ROLE somebody LOGIN")
    for made in (False, True):
        if made:
            with closing(PostgresLogs(as_somebody.replace("somebody@", "postgres@"), Receipts(b"of these tests"))):
                pass
        result = terminal("doctor", "--json", "--port", "0", "--store", as_somebody)
        assert "may not make the schema" in result.out
        result = terminal("serve", "--port", "0", "--data", str(tmp_path / "data"), "--store", as_somebody)
        assert (result.code, "permission denied for" in result.err) == (2, True), result


def test_a_database_that_is_not_there(terminal):
    result = terminal("doctor", "--json", "--port", "0", "--store", "postgresql://nobody@127.0.0.1:1/none")
    assert result.code == 1
    assert findings(result)["problem"] == {"database"}


def test_a_nats_that_is_well(terminal, durable):
    with nats_server() as nats:
        result = terminal("doctor", "--json", "--port", "0", "--store", durable, "--bus", nats.url, "--nats", nats.url)
    assert result.code == 0, result.out
    assert {"database", "bus", "NATS"} <= findings(result)["good"]


def test_a_nats_that_is_not_there(terminal, durable):
    away = "nats://127.0.0.1:1"
    result = terminal("doctor", "--json", "--port", "0", "--store", durable, "--bus", away, "--nats", away)
    assert findings(result)["problem"] == {"bus", "NATS"}
