"""``users`` and ``keys``: over the network, and in the data directory of a server that does not run."""

import json
import time
import urllib.request

import pyotp
import pytest

from tests.cli.terminals import Served
from tests.server.running import eventually

EVENT = '{"item":"task.a","action":"create"}\n'


@pytest.fixture(params=["http", "data"])
def administrator(request, syncline, server):
    """A terminal that administers a fresh space, in either way."""
    if request.param == "data":
        syncline.variables = {
            "SYNCLINE_DATA": server.ready["data"],
            "SYNCLINE_SPACE": syncline.variables["SYNCLINE_SPACE"],
        }
    return syncline


def test_users_come_and_go(administrator):
    assert administrator("users", "list", "--json").json == {"users": []}
    assert administrator("users", "create", "ann", "--json").json["name"] == "ann"
    assert administrator("users", "suspend", "ann", "--json").json["suspended_ms"] > 0
    assert "suspended since" in administrator("users", "list").out
    assert administrator("users", "resume", "ann", "--json").json["suspended_ms"] is None
    assert administrator("users", "remove", "ann").code == 2
    assert administrator("users", "remove", "ann", "--yes", "--json").json == {"name": "ann", "removed": True}
    assert administrator("users", "show", "ann").code == 4
    again = administrator("users", "create", "ann")
    assert (again.code, again.out) == (4, "")
    assert "(user_exists)" in again.err


def test_a_setup_token_that_was_lost(administrator, server):
    made = administrator("users", "create", "ann", "--json").json
    shown = administrator("users", "setup", "ann")
    assert shown.out.strip() != made["setup_token"]
    assert f"--setup {shown.out.strip()}" in shown.err
    space = administrator.variables["SYNCLINE_SPACE"]
    login = ("login", "--server", server.url, "--space", space, "--setup")
    assert administrator(*login, made["setup_token"], "--password-stdin", input="correct horse\n").code == 4
    assert administrator(*login, shown.out.strip(), "--password-stdin", input="correct horse\n").code == 0
    assert administrator("users", "show", "ann", "--json").json["has_password"] is True


def test_a_second_factor_that_was_lost(administrator, server):
    administrator("users", "create", "ann", "--password-stdin", input="correct horse battery\n")
    space = administrator.variables["SYNCLINE_SPACE"]
    none = administrator("users", "reset-totp", "ann")
    assert (none.code, none.out, none.err.count("\n")) == (1, "", 1)
    assert "(not_found)" in none.err
    enrol(server, space, "ann", "correct horse battery")
    assert administrator("users", "show", "ann", "--json").json["second_factor"] is True
    login = ("login", "--server", server.url, "--space", space, "--user", "ann", "--password-stdin")
    assert administrator(*login, input="correct horse battery\n").code == 4
    assert administrator("users", "reset-totp", "ann", "--json").json == {"name": "ann", "second_factor": False}
    assert administrator(*login, input="correct horse battery\n").code == 0


def enrol(server, space, user, password):
    """Gives a user a second factor, over HTTP."""

    def post(path, body, token=None):
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        url = f"{server.url}/v1/spaces/{space}/auth/{path}"
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as response:
            return json.loads(response.read())

    token = post("login", {"user": user, "password": password})["access_token"]
    code = pyotp.TOTP(post("totp", {}, token)["secret"]).now()
    assert post("totp/confirm", {"code": code}, token)["recovery_codes"]


def test_a_first_password_and_a_weak_one(administrator):
    weak = administrator("users", "create", "bob", "--password-stdin", input="password\n")
    assert (weak.code, weak.out) == (1, "")
    assert "(weak_password)" in weak.err
    made = administrator("users", "create", "bob", "--password-stdin", "--json", input="correct horse battery\n")
    assert made.json == {"name": "bob", "setup_token": None}


def test_a_key_with_a_scope(administrator, server):
    administrator("users", "create", "ann")
    create = ("keys", "create", "ci", "--user", "ann", "--item", "task.*", "--action", "create", "--action", ".read")
    made = administrator(*create, "--json").json
    assert (made["user"], made["items"], sorted(made["actions"])) == ("ann", ["task.*"], [".read", "create"])
    there = {"SYNCLINE_SERVER": server.url, "SYNCLINE_TOKEN": made["key"]}
    assert administrator("push", "-", input=EVENT, **there).code == 0
    assert administrator("push", "-", input=EVENT.replace("task", "note"), **there).code == 1
    assert administrator("whoami", "--json", **there).json["items"] == ["task.*"]
    assert "task.*" in administrator("whoami", **there).out
    assert "items task.*" in administrator("keys", "list").out


def test_a_key_with_an_end(administrator):
    administrator("users", "create", "ann")
    create = ("keys", "create", "ci", "--user", "ann", "--expires")
    made = administrator(*create, "30d", "--json").json
    assert abs(made["expires_ms"] - (time.time() + 30 * 86_400) * 1_000) < 60_000
    listed = administrator("keys", "list", "--json")
    assert made["id"] in listed.out
    assert made["key"] not in listed.out
    assert administrator("keys", "revoke", made["id"], "--json").json == {"id": made["id"], "revoked": True}
    gone = administrator("keys", "revoke", made["id"])
    assert (gone.code, gone.out) == (1, "")
    assert administrator(*create, "soon").code == 2
    assert administrator(*create, "2020-01-01").code == 1


@pytest.mark.parametrize("wrong", [("x" * 257,), ("x", "--item", "a b"), ("x", "--action", "a b")])
def test_a_key_that_cannot_be(administrator, wrong):
    done = administrator("keys", "create", *wrong, "--user", "ann")
    assert (done.code, done.out) == (1, "")
    assert "(bad_request)" in done.err


def test_what_an_ordinary_user_may(syncline):
    syncline("users", "create", "ann")
    key = syncline("keys", "create", "ann", "--json").json["key"]
    done = syncline("users", "create", "bob", "--token", key)
    assert (done.code, done.out, done.err.count("\n")) == (4, "", 1)
    assert "(forbidden)" in done.err
    assert "syncline whoami" in done.err
    assert syncline("keys", "create", "mine", "--user", "ann", "--token", key).code == 0
    unknown = syncline("keys", "create", "x", "--user", "nobody")
    assert (unknown.code, "syncline users create" in unknown.err) == (4, True)


def test_without_a_running_server(terminal):
    served = Served(terminal.directory)
    served.stop()
    data = ("--data", served.ready["data"])
    token = terminal("users", "setup", ".root", *data, "--json").json["setup_token"]
    assert token != served.ready["setup_token"]
    terminal("users", "create", "ann", *data)
    assert terminal("keys", "create", "ann", *data).out.startswith("sk_")
    assert [key["user"] for key in terminal("keys", "list", *data, "--json").json["keys"]] == [".root", "ann"]
    long = terminal("keys", "create", "x", "--user", "n" * 251, *data)
    assert (long.code, long.out) == (1, "")
    assert "(bad_request)" in long.err
    both = terminal("keys", "list", *data, "--server", served.url)
    assert (both.code, both.out) == (2, "")
    assert terminal("users", "list", "--server", served.url, SYNCLINE_DATA=served.ready["data"]).code == 3
    assert terminal("users", "list").code == 5


def told(terminal, space, url, key):
    """What the log of a space tells about its users: who did what to whom."""
    lines = terminal("pull", "--space", space, "--items", ".user.*", "--server", url, "--token", key).lines
    return [(each["event"]["user"], each["event"]["item"], each["event"]["action"]) for each in lines]


def administer_all(administrator, space, *where):
    """Everything that can be done to a user and a key; what a log has to tell of it."""
    where = (*where, "--space", space)
    administrator("users", "create", "ann", "--password-stdin", *where, input="correct horse battery\n")
    key = administrator("keys", "create", "ann", "--item", "task.*", *where, "--json").json
    for verb in (("suspend",), ("resume",), ("setup",), ("remove", "--yes")):
        assert administrator("users", verb[0], "ann", *verb[1:], *where).code == 0
    administrator("users", "create", "bob", *where)
    assert (
        administrator(
            "keys", "revoke", administrator("keys", "create", "bob", *where, "--json").json["id"], *where
        ).code
        == 0
    )
    acts = [(".user.ann", verb) for verb in ("create", "", "suspend", "resume", "setup", "remove")]
    acts += [(".user.bob", "create"), (".user.bob", ""), (".user.bob", "revoke")]
    words = {"": ".key.create", "revoke": ".key.revoke"}
    return [(".root", item, words.get(verb, f".user.{verb}")) for item, verb in acts], key


def test_the_log_tells_what_was_done_without_the_server(terminal):
    served = Served(terminal.directory)
    served.stop()
    expected, key = administer_all(terminal, "home", "--data", served.ready["data"])
    again = Served(terminal.directory)
    assert told(terminal, "home", again.url, served.key) == expected
    listed = terminal("audit", "--space", "home", "--json", "--server", again.url, "--token", served.key)
    assert ".user.remove" in listed.out
    assert key["key"] not in listed.out
    assert again.stop()[0] == 0


def test_the_log_tells_what_was_done_beside_the_server(syncline, server):
    space = syncline.variables.pop("SYNCLINE_SPACE")
    expected, _ = administer_all(syncline, space, "--data", server.ready["data"])
    eventually(lambda: told(syncline, space, server.url, server.key) == expected)


def test_who_was_suspended_over_the_network_comes_in_again(syncline, server):
    syncline("users", "create", "ann")
    key = syncline("keys", "create", "ann", "--json").json["key"]
    syncline("users", "suspend", "ann")
    assert syncline("push", "-", "--token", key, input=EVENT).code == 4
    space = syncline.variables["SYNCLINE_SPACE"]
    syncline("users", "resume", "ann", "--data", server.ready["data"], "--space", space)
    eventually(lambda: syncline("push", "-", "--token", key, input=EVENT).code == 0)
