"""The users of a space over HTTP: made, suspended, resumed, removed, and who may do so."""

import json
import sqlite3

import pytest

from tests.server.accounts import GOOD, OTHER, Somebody, ending, log_in, root, signed_in
from tests.server.running import Author, recv

HARD_NAMES = ["Ann Example", "ann@example.org", "a/b", "50%", "ä", "日本", "..", "a?b#c"]

UNCLEAR = ["*", "ann*", "jose\u0301", "ann\u200b", "\u202enna", "ann\x9b", "ann ", " ann", "ann\u00a0b"]
"""What a rule cannot name, or looks like another name."""


@pytest.fixture
def admin(server, space):
    return root(server, space)


def test_users_come_and_go_and_the_log_tells(server, admin):
    made = admin.make_user("ann", None)
    assert (made["name"], len(made["setup_token"])) == ("ann", 9)
    assert admin.make_user("bob") == {"name": "bob", "setup_token": None}
    ann, bob = admin.get("users")["users"]
    assert (ann["name"], ann["has_password"], ann["suspended_ms"]) == ("ann", False, None)
    assert (bob["name"], bob["has_password"]) == ("bob", True)
    assert admin.get("users/bob") == bob
    assert admin.post("users/bob/suspend")["suspended_ms"] >= bob["created_ms"]
    assert admin.post("users/bob/resume") == bob
    assert admin.delete("users/bob") == {}
    assert admin.get("users")["users"] == [ann]
    told = [(".user.ann", "create"), *((".user.bob", what) for what in ("create", "suspend", "resume", "remove"))]
    assert [each[:3] for each in admin.log()] == [(".root", item, f".user.{what}") for item, what in told]
    assert GOOD not in json.dumps(admin.log())


def test_what_is_so_already_is_not_told_again(admin):
    admin.make_user("ann")
    assert admin.post("users/ann/resume") == admin.get("users/ann")
    first = admin.post("users/ann/suspend")
    assert admin.post("users/ann/suspend") == first
    assert [each[2] for each in admin.log()] == [".user.create", ".user.suspend"]


@pytest.mark.parametrize("name", HARD_NAMES)
def test_names_of_all_kinds(server, space, admin, name):
    if name == "..":
        assert admin.code("POST", "users", {"name": name}) == (400, "bad_request")
        return
    admin.make_user(name)
    somebody = signed_in(server, name, space=space)
    assert (somebody.get("auth/me")["user"], somebody.administer(name, method="GET").json["name"]) == (name, name)
    assert admin.administer(name, "suspend").json["name"] == name
    assert not somebody.is_in()
    assert admin.administer(name, "resume").status == 200
    assert somebody.is_in()
    assert admin.administer(name, method="DELETE").status == 200
    assert not somebody.is_in()


def test_a_name_is_found_however_a_keyboard_writes_it(server, space, admin):
    admin.make_user("jos\u00e9")
    assert log_in(server, "jose\u0301", space=space).json["user"] == "jos\u00e9"


@pytest.mark.parametrize("name", ["", ".root", ".ann", "anyone", "a\nb", "x" * 257, "x" * 251, "ü" * 100, *UNCLEAR])
def test_names_that_nobody_has(admin, name):
    assert admin.code("POST", "users", {"name": name}) == (400, "bad_request")


def test_who_is_there_or_was_is_not_made_again(admin):
    admin.make_user("ann")
    assert admin.code("POST", "users", {"name": "ann"}) == (409, "user_exists")
    admin.delete("users/ann")
    assert admin.code("POST", "users", {"name": "ann"}) == (409, "user_exists")
    assert admin.code("POST", "users", {"name": "bob", "password": "password1"}) == (422, "weak_password")
    assert admin.make_user("bob")  # that it was weak left nothing behind


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("DELETE", ""), ("POST", "/suspend"), ("POST", "/resume"), ("POST", "/setup"), ("DELETE", "/totp")],
)
def test_who_is_not_there(admin, method, path):
    admin.make_user("gone")
    admin.delete("users/gone")
    for name in ("gone", "nobody"):
        assert admin.code(method, f"users/{name}{path}") == (404, "unknown_user")


def test_users_belong_to_one_space(server, space, admin):
    admin.make_user("ann")
    other = root(server, space + "-b")
    assert other.get("users")["users"] == []
    assert other.code("POST", "users/ann/suspend") == (404, "unknown_user")
    other.make_user("ann", OTHER)
    other.post("users/ann/suspend")
    assert signed_in(server, "ann", GOOD, space).is_in()


def test_nobody_suspends_the_administrator(admin):
    for method, path in (("POST", "/suspend"), ("POST", "/resume"), ("DELETE", "")):
        assert admin.code(method, f"users/.root{path}") == (400, "bad_request")
    assert admin.is_in()


# What it means to be suspended


def test_a_suspension_ends_all_until_it_ends(server, space, admin):
    admin.make_user("ann")
    ann = signed_in(server, "ann", space=space)
    keyed = ann.with_(ann.make_key()["key"])
    token = ann.post("auth/ticket")["ticket"]
    setup = admin.post("users/ann/setup", None, 201)["setup_token"]
    with ann.socket(live=True) as live, ann.socket("m") as idle, keyed.socket("o") as third:
        admin.post("users/ann/suspend")
        assert [ending(ws) for ws in (live, idle, third)] == [("unauthorized", 4401)] * 3
    assert not ann.is_in()
    assert not keyed.is_in()
    nobody = Somebody(server, None, space)
    assert nobody.code("POST", "auth/refresh", {"refresh_token": ann.grant["refresh_token"]}) == (401, "unauthorized")
    assert nobody.code("GET", f"live?ticket={token}") == (401, "unauthorized")
    assert nobody.code("POST", "auth/setup", {"token": setup, "password": OTHER}) == (401, "invalid_credentials")
    assert log_in(server, "ann", space=space).code == "invalid_credentials"
    admin.post("users/ann/resume")
    assert ann.is_in()
    assert keyed.is_in()
    assert log_in(server, "ann", space=space).status == 200


def test_a_removal_ends_all_for_ever(server, space, admin):
    admin.make_user("ann")
    ann = signed_in(server, "ann", space=space)
    keyed = ann.with_(ann.make_key()["key"])
    with ann.socket(live=True) as live, keyed.socket("m") as idle:
        admin.delete("users/ann")
        assert [ending(ws) for ws in (live, idle)] == [("unauthorized", 4401)] * 2
    assert not ann.is_in()
    assert not keyed.is_in()
    assert log_in(server, "ann", space=space).code == "invalid_credentials"
    assert [key["user"] for key in admin.get("keys")["keys"]] == [".root"]


def test_nothing_lands_after_the_suspension(server, space, admin):
    admin.make_user("ann")
    ann = signed_in(server, "ann", space=space)
    with ann.socket() as ws:
        for number in range(50):
            events = Author("n").events(1) if not number else []
            ws.send(json.dumps({"type": "push", "ref": number + 1, "events": events}))
            recv(ws)
        admin.post("users/ann/suspend")
    entries = admin.get("pull")["entries"]
    suspended = next(each["seq"] for each in entries if each["event"]["action"] == ".user.suspend")
    assert all(each["seq"] < suspended for each in entries if each["event"]["user"] == "ann")


# Who may


def allow(admin, user, action, item=".user.*"):
    return admin.post("acl", {"user": user, "item": item, "action": action, "type": "allow"}, 201)


def test_others_may_not(server, space, admin):
    for name in ("ann", "bob"):
        admin.make_user(name)
    ann = signed_in(server, "ann", space=space)
    assert [user["name"] for user in ann.get("users")["users"]] == ["ann"]
    assert ann.get("users/ann")["name"] == "ann"
    for name in ("bob", "nobody", ".root"):
        assert ann.code("GET", f"users/{name}") == (404, "unknown_user")
        for method, path in (("DELETE", ""), ("POST", "/suspend"), ("POST", "/resume"), ("POST", "/setup")):
            assert ann.code(method, f"users/{name}{path}") == (403, "forbidden")
    for method, path in (("DELETE", ""), ("POST", "/suspend"), ("POST", "/setup")):
        assert ann.code(method, f"users/ann{path}") == (403, "forbidden")
    assert ann.code("POST", "users", {"name": "eve"}) == (403, "forbidden")
    assert ann.code("POST", "users", {"name": "bob"}) == (403, "forbidden")
    assert [user["name"] for user in admin.get("users")["users"]] == ["ann", "bob"]
    assert signed_in(server, "bob", space=space).is_in()


def test_whom_a_rule_names_may(server, space, admin):
    for name in ("ann", "bob"):
        admin.make_user(name)
    ann = signed_in(server, "ann", space=space)
    allow(admin, "ann", ".*")
    assert [user["name"] for user in ann.get("users")["users"]] == ["ann", "bob"]
    ann.make_user("eve")
    assert ann.post("users/eve/setup", None, 201)["setup_token"]
    ann.post("users/bob/suspend")
    ann.delete("users/eve")
    assert [each[:3] for each in admin.log()[-4:]] == [
        ("ann", ".user.eve", ".user.create"),
        ("ann", ".user.eve", ".user.setup"),
        ("ann", ".user.bob", ".user.suspend"),
        ("ann", ".user.eve", ".user.remove"),
    ]
    for method, path in (("DELETE", ""), ("POST", "/suspend"), ("POST", "/setup")):
        assert ann.code(method, f"users/.root{path}") == (403, "forbidden")
    assert ann.code("GET", "users/.root") == (404, "unknown_user")


def test_a_rule_may_be_narrow(server, space, admin):
    for name in ("ann", "bob"):
        admin.make_user(name)
    ann = signed_in(server, "ann", space=space)
    allow(admin, "ann", ".user.suspend", ".user.bob")
    assert ann.code("GET", "users/bob") == (404, "unknown_user")
    ann.post("users/bob/suspend")
    assert ann.code("POST", "users/bob/resume") == (403, "forbidden")
    assert ann.code("POST", "users/ann/suspend") == (403, "forbidden")


def test_the_scope_of_a_key_holds_here_too(server, space, admin):
    admin.make_user("ann")
    reader = admin.with_(admin.make_key(actions=[".read"])["key"])
    assert [user["name"] for user in reader.get("users")["users"]] == ["ann"]
    assert reader.code("POST", "users", {"name": "bob"}) == (403, "forbidden")
    assert reader.code("POST", "users/ann/suspend") == (403, "forbidden")
    few = admin.with_(admin.make_key(items=["task.*"])["key"])
    assert few.get("users")["users"] == []
    assert few.code("GET", "users/ann") == (404, "unknown_user")
    assert few.code("POST", "users", {"name": "bob"}) == (403, "forbidden")


def test_where_the_server_is_open_anyone_administers(open_server, space):
    anyone = Somebody(open_server, None, space)
    anyone.make_user("ann")
    assert [user["name"] for user in anyone.get("users")["users"]] == ["ann"]
    assert anyone.code("POST", "users/.root/setup") == (403, "forbidden")
    anyone.delete("users/ann")


# Crashes, and logs that are put back


def change_register(server, statement):
    """What the register would hold after a crash: the server is stopped meanwhile."""
    server.stop()
    with sqlite3.connect(server.data / "server.db") as register:
        assert register.execute(statement).rowcount == 1
    register.close()
    server.start()


def test_a_crash_between_log_and_register_leaves_a_user_suspended(serve):
    server = serve(trusted_proxies=["127.0.0.1"])
    admin = root(server)
    admin.make_user("ann")
    ann = signed_in(server, "ann")
    admin.post("users/ann/suspend")
    change_register(server, "UPDATE users SET suspended = NULL WHERE name = 'ann'")
    assert not ann.is_in()
    with server.websocket() as ws:
        ws.send(json.dumps({"type": "hello", "node": "n", "token": ann.token}))
        assert ending(ws) == ("unauthorized", 4401)
    assert admin.post("users/ann/suspend")["suspended_ms"]  # once more, and it is finished
    admin.post("users/ann/resume")
    assert ann.is_in()


def test_a_crash_while_one_is_removed(serve):
    server = serve(trusted_proxies=["127.0.0.1"])
    admin = root(server)
    admin.make_user("ann")
    ann = signed_in(server, "ann")
    keyed = ann.with_(ann.make_key()["key"])
    admin.delete("users/ann")
    server.stop()
    with sqlite3.connect(server.data / "server.db") as register:
        register.execute("UPDATE users SET removed = NULL")
        register.execute("UPDATE keys SET revoked = NULL")
        register.execute("UPDATE sessions SET ended = NULL")
    register.close()
    server.start()
    assert not ann.is_in()
    assert not keyed.is_in()
    assert admin.delete("users/ann") == {}
    assert admin.code("GET", "users/ann") == (404, "unknown_user")


def test_a_crash_while_one_is_made_leaves_a_user_without_credentials(serve):
    server = serve(trusted_proxies=["127.0.0.1"])
    admin = root(server)
    admin.get("auth/me")
    server.stop()
    with sqlite3.connect(server.data / "server.db") as register:
        register.execute("INSERT INTO users VALUES ('default', 'ann', 1, NULL, NULL, NULL)")
    register.close()
    server.start()
    assert admin.code("POST", "users", {"name": "ann"}) == (409, "user_exists")
    token = admin.post("users/ann/setup", None, 201)["setup_token"]
    Somebody(server).post("auth/setup", {"token": token, "password": GOOD})
    assert signed_in(server, "ann").is_in()


def test_a_log_that_is_put_back_revives_nobody(serve):
    server = serve(trusted_proxies=["127.0.0.1"])
    admin = root(server)
    for name in ("ann", "bob", "eve"):
        admin.make_user(name)
    ann, bob, eve = (signed_in(server, name) for name in ("ann", "bob", "eve"))
    key = eve.make_key()
    keyed, kept = eve.with_(key["key"]), eve.with_(eve.make_key("kept")["key"])
    assert server.stop() == 0
    spaces = server.data / "spaces"
    older = {path.name: path.read_bytes() for path in spaces.iterdir() if path.is_file()}
    server.start()
    admin.post("users/ann/suspend")
    admin.delete("users/bob")
    eve.delete(f"keys/{key['id']}")
    (session,) = [each["id"] for each in eve.get("auth/sessions")["sessions"]]
    kept.delete(f"auth/sessions/{session}")
    assert len(admin.log()) == 9
    assert server.stop() == 0
    for path in spaces.iterdir():
        path.unlink()
    for name, content in older.items():
        (spaces / name).write_bytes(content)
    server.start()
    assert len(admin.log()) == 5
    assert [each.is_in() for each in (ann, bob, eve, keyed, kept)] == [False, False, False, False, True]
    for name in ("ann", "bob"):
        assert log_in(server, name).code == "invalid_credentials"
    assert admin.code("POST", "users", {"name": "bob"}) == (409, "user_exists")
    assert [user["name"] for user in admin.get("users")["users"]] == ["ann", "eve"]
    admin.post("users/ann/resume")
    assert ann.is_in()
