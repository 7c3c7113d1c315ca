"""API keys over HTTP: whose they are, what they are limited to, and how they end."""

import json
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import syncline
from syncline.server.registry import open_registry
from tests.server.accounts import Somebody, ending, root, signed_in
from tests.server.running import Author, eventually, push_body, recv


@pytest.fixture
def admin(server, space):
    return root(server, space)


@pytest.fixture
def ann(server, space, admin):
    admin.make_user("ann")
    return signed_in(server, "ann", space=space)


def now_ms():
    return time.time_ns() // 1_000_000


def test_ones_own_keys(server, admin, ann):
    made = ann.make_key("laptop", actions=[".read", "edit"], items=["task.*"])
    assert made.keys() == {"id", "name", "user", "actions", "items", "created_ms", "expires_ms", "used_ms", "key"}
    assert (made["name"], made["user"], made["actions"], made["items"]) == (
        "laptop",
        "ann",
        [".read", "edit"],
        ["task.*"],
    )
    listed = ann.ask("GET", "keys")
    assert made["key"] not in listed.body.decode()
    assert listed.json["keys"] == [{name: value for name, value in made.items() if name != "key"}]
    keyed = ann.with_(made["key"])
    me = keyed.get("auth/me")
    assert (me["credential"], me["actions"], me["items"]) == (f"key:{made['id']}", [".read", "edit"], ["task.*"])
    assert ann.delete(f"keys/{made['id']}") == {}
    assert not keyed.is_in()
    assert ann.get("keys") == {"keys": []}
    assert ann.code("DELETE", f"keys/{made['id']}") == (404, "not_found")
    payload = {"credential": f"key:{made['id']}", "name": "laptop", "actions": [".read", "edit"], "items": ["task.*"]}
    assert admin.log()[-2:] == [
        ("ann", ".user.ann", ".key.create", {**payload, "expires_ms": None}),
        ("ann", ".user.ann", ".key.revoke", {"credential": f"key:{made['id']}"}),
    ]
    assert made["key"] not in json.dumps(admin.log())


def test_a_key_may_revoke_itself(ann):
    made = ann.make_key()
    keyed = ann.with_(made["key"])
    assert keyed.delete(f"keys/{made['id']}") == {}
    assert not keyed.is_in()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 257},
        {"name": "x", "items": ["a b"]},
        {"name": "x", "items": ["a*b"]},
        {"name": "x", "items": [""]},
        {"name": "x", "actions": ["a b"]},
        {"name": "x", "actions": [""]},
        {"name": "x", "items": [f"i{n}" for n in range(101)]},
        {"name": "x", "actions": [f"a{n}" for n in range(101)]},
        {"name": "x", "expires_ms": 1},
        {"name": "x", "expires_ms": -1},
        {"name": "x", "expires_ms": 2**62},
        {"name": "x", "expire_ms": 9_999_999_999_999},
    ],
)
def test_keys_that_cannot_be(ann, body):
    assert ann.code("POST", "keys", body) == (400, "bad_request")
    assert ann.get("keys") == {"keys": []}


# Whose keys


def test_the_keys_of_others(server, space, admin, ann):
    admin.make_user("bob")
    bob = signed_in(server, "bob", space=space)
    bobs = bob.make_key()
    assert ann.code("POST", "keys", {"name": "x", "user": "bob"}) == (403, "forbidden")
    assert ann.code("POST", "keys", {"name": "x", "user": "nobody"}) == (403, "forbidden")
    assert ann.code("DELETE", f"keys/{bobs['id']}") == (404, "not_found")
    assert ann.get("keys") == {"keys": []}
    assert bob.with_(bobs["key"]).is_in()
    made = admin.make_key("from above", user="bob")
    assert bob.with_(made["key"]).get("auth/me")["user"] == "bob"
    assert {key["id"] for key in bob.get("keys")["keys"]} == {bobs["id"], made["id"]}
    assert {bobs["id"], made["id"]} < {key["id"] for key in admin.get("keys")["keys"]}
    admin.delete(f"keys/{bobs['id']}")
    assert not bob.with_(bobs["key"]).is_in()
    assert admin.code("POST", "keys", {"name": "x", "user": "nobody"}) == (404, "unknown_user")
    rule = {"user": "ann", "item": ".user.bob", "action": ".*", "type": "allow"}
    admin.post("acl", rule, 201)
    assert [key["id"] for key in ann.get("keys")["keys"]] == [made["id"]]
    ann.delete(f"keys/{made['id']}")
    assert not bob.with_(made["key"]).is_in()
    assert bob.with_(ann.make_key("x", user="bob")["key"]).get("auth/me")["user"] == "bob"


def test_keys_of_the_administrator_are_the_administrators_alone(open_server, server, space, admin, ann):
    made = admin.make_key("spare")
    assert made["user"] == ".root"
    assert admin.with_(made["key"]).get("users")["users"]
    admin.post("acl", {"user": "ann", "item": ".user.*", "action": ".*", "type": "allow"}, 201)
    assert ann.code("POST", "keys", {"name": "x", "user": ".root"}) == (403, "forbidden")
    assert ann.code("DELETE", f"keys/{made['id']}") == (404, "not_found")
    assert all(key["user"] != ".root" for key in ann.get("keys")["keys"])
    assert Somebody(open_server, None, space).code("POST", "keys", {"name": "x", "user": ".root"}) == (403, "forbidden")
    admin.delete(f"keys/{made['id']}")
    assert not admin.with_(made["key"]).is_in()


def test_keys_of_another_space_are_not_there(server, space, admin, ann):
    made = ann.make_key()
    other = root(server, space + "-b")
    assert all(key["user"] == ".root" for key in other.get("keys")["keys"])
    assert other.code("DELETE", f"keys/{made['id']}") == (404, "not_found")
    assert Somebody(server, made["key"], space + "-b").code("GET", "pull") == (404, "unknown_space")


# Scopes


def test_a_key_for_some_items_knows_no_others(server, space, ann):
    for item in ("task.milk", "note.secret"):
        assert ann.ask("PUT", f"docs/{item}", {"n": 1}).status == 201
    few = ann.with_(ann.make_key(items=["task.*"])["key"])
    assert {entry["event"]["item"] for entry in few.get("pull")["entries"]} == {"task.milk"}
    assert {entry["event"]["item"] for entry in few.get("pull?items=note.*,task.*")["entries"]} == {"task.milk"}
    assert [document["id"] for document in few.get("docs")["documents"]] == ["task.milk"]
    assert few.get("docs/task.milk")["value"] == {"n": 1}
    unread = ("", "/revisions", "/ops", "/blame?path=", "/conflicts", "/live")
    for rest in unread:
        absent, hidden = (few.ask("GET", f"docs/note.{name}{rest}") for name in ("absent", "secret"))
        assert hidden.body.replace(b"note.secret", b"note.absent") == absent.body, rest
        assert hidden.code == "not_found" or hidden.json["entries"] == []
    for name in ("note.secret", "note.absent"):
        for method, rest, body in (
            ("PUT", "", {}),
            ("DELETE", "", None),
            ("POST", "/ops", {"ops": []}),
            ("POST", "/undo", None),
            ("POST", "/redo", None),
            ("POST", "/restore", None),
        ):
            assert few.code(method, f"docs/{name}{rest}", body) == (403, "forbidden"), (method, rest)
    events = [Author("few").event("task.milk"), Author("few2").event("note.secret")]
    results = few.ask("POST", "push", push_body(events)).json["results"]
    assert (results[0]["seq"] > 0, results[1]["error"]["code"]) == (True, "forbidden")
    with few.socket(live=True) as ws:
        ann.ask("PUT", "docs/note.secret", {"n": 2})
        ann.ask("PUT", "docs/task.milk", {"n": 2})
        page = recv(ws)
        while page["type"] != "page" or not page["entries"]:
            page = recv(ws)
        assert {entry["event"]["item"] for entry in page["entries"]} == {"task.milk"}
    assert few.get("users") == {"users": []}
    assert few.get("keys") == {"keys": []}
    for method, path, body in (
        ("GET", "acl", None),
        ("POST", "keys", {"name": "x", "items": ["task.*"]}),
        ("GET", "auth/sessions", None),
        ("PUT", "policies", {"task.*": "manual"}),
    ):
        assert few.ask(method, path, body if body is None else json.dumps(body).encode()).status in (403, 404), path
    assert few.get("auth/me")["items"] == ["task.*"]


def test_a_key_for_reading_writes_nothing(ann):
    ann.ask("PUT", "docs/task.milk", {"n": 1})
    reader = ann.with_(ann.make_key(actions=[".read"])["key"])
    assert reader.get("docs/task.milk")["value"] == {"n": 1}
    assert reader.code("PUT", "docs/task.milk", {"n": 2}) == (403, "forbidden")
    assert reader.code("DELETE", "docs/task.milk") == (403, "forbidden")
    pushed = reader.ask("POST", "push", push_body([Author("r").event()])).json
    assert pushed["results"][0]["error"]["code"] == "forbidden"
    assert reader.code("POST", "keys", {"name": "x"}) == (403, "forbidden")
    assert [key["name"] for key in reader.get("keys")["keys"]] == ["laptop"]


def test_no_key_makes_a_wider_one(ann):
    soon = now_ms() + 60_000
    actions, items = [".key.*", ".read", "edit"], [".user.ann", "task.*"]
    maker = ann.with_(ann.make_key("maker", actions=actions, items=items, expires_ms=soon)["key"])
    heir = maker.make_key("heir")
    assert (heir["actions"], heir["items"], heir["expires_ms"]) == (actions, items, soon)
    narrow = maker.make_key("narrow", actions=["edit"], items=["task.a*", "task.b"], expires_ms=soon - 1)
    assert (narrow["actions"], narrow["items"], narrow["expires_ms"]) == (["edit"], ["task.a*", "task.b"], soon - 1)
    for more in (
        {"actions": ["*"]},
        {"actions": [".read", "delete"]},
        {"items": ["*"]},
        {"items": ["task*"]},
        {"items": ["note.a"]},
        {"expires_ms": soon + 1},
    ):
        wanted = maker.code("POST", "keys", {"name": "wide", **more})
        if more in ({"actions": ["*"]}, {"items": ["*"]}):  # all that there is to have
            assert wanted == (201, None)
        else:
            assert wanted == (403, "forbidden")


# How keys end


def test_a_key_that_expires(ann):
    made = ann.make_key(expires_ms=now_ms() + 1_500)
    keyed = ann.with_(made["key"])
    assert keyed.is_in()
    with keyed.socket(live=True) as live, keyed.socket("m") as idle:
        assert ending(live)[1] == 4401
        assert ending(idle)[1] == 4401
    assert now_ms() >= made["expires_ms"]
    assert not keyed.is_in()


def test_when_a_key_was_used_last(ann):
    made = ann.make_key()
    assert made["used_ms"] is None
    before = now_ms()
    ann.with_(made["key"]).get("auth/me")
    (key,) = ann.get("keys")["keys"]
    assert before <= key["used_ms"] <= now_ms()


def test_the_last_use_outlives_the_server(serve):
    server = serve()
    key = root(server).make_key("spare")
    root(server).with_(key["key"]).get("auth/me")
    server.stop()
    server.start()
    used = {each["id"]: each["used_ms"] for each in root(server).get("keys")["keys"]}
    assert used[key["id"]]


def test_a_revocation_closes_sockets_at_once(ann):
    made = ann.make_key()
    keyed = ann.with_(made["key"])
    with keyed.socket(live=True) as live, keyed.socket("m") as idle:
        began = time.monotonic()
        ann.delete(f"keys/{made['id']}")
        assert [ending(ws) for ws in (live, idle)] == [("unauthorized", 4401)] * 2
        assert time.monotonic() - began < 3


def test_a_revocation_by_another_program_closes_sockets_within_a_second(server, ann):
    made = ann.make_key()
    keyed = ann.with_(made["key"])
    command = [sys.executable, "-m", "syncline", "keys", "revoke", made["id"], "--data", str(server.data)]
    with keyed.socket(live=True) as live, keyed.socket("m") as idle:
        subprocess.run(command, check=True, capture_output=True)
        began = time.monotonic()
        assert [ending(ws) for ws in (live, idle)] == [("unauthorized", 4401)] * 2
        assert time.monotonic() - began < 3
    assert not keyed.is_in()


def test_a_suspension_by_another_program_does_so_too(server, space, ann):
    with ann.socket(live=True) as live:
        registry = open_registry(server.data, "", now_ms)
        registry.users.suspend(space, "ann")
        registry.close()
        assert ending(live) == ("unauthorized", 4401)
    assert eventually(lambda: not ann.is_in(), seconds=3)


def test_a_crash_between_log_and_register_leaves_a_key_revoked(serve):
    server = serve(trusted_proxies=["127.0.0.1"])
    admin = root(server)
    admin.make_user("ann")
    made = admin.make_key("laptop", user="ann")
    ann = admin.with_(made["key"])
    admin.delete(f"keys/{made['id']}")
    server.stop()
    with sqlite3.connect(server.data / "server.db") as register:
        assert register.execute("UPDATE keys SET revoked = NULL WHERE id = ?", (made["id"],)).rowcount == 1
    register.close()
    server.start()
    assert not ann.is_in()
    assert ann.code("POST", "push", push_body([Author().event()])) == (401, "unauthorized")
    assert made["id"] in [key["id"] for key in admin.get("keys")["keys"]]
    admin.delete(f"keys/{made['id']}")  # once more, and it is finished
    assert made["id"] not in [key["id"] for key in admin.get("keys")["keys"]]


def test_a_replica_knows_what_its_key_is_for(server, space, ann, tmp_path):
    key = ann.make_key(actions=[".read", "put"], items=["sensor.*"])["key"]
    with syncline.open(tmp_path / "r.db", server=server.url, space=space, token=key, transport="http") as notes:
        notes.record("task.milk", "put")
        notes.record("sensor.door", "put")
        assert [event.item for event in notes.doomed()] == []  # nothing is known yet
        notes.sync()
        assert notes.status.refused == 1
        assert (notes.may("sensor.door", "put"), notes.may("sensor.door", "create")) == (True, False)
        assert notes.may("task.milk", ".read") is False
    with syncline.open(tmp_path / "r.db", server=server.url, space=space, token=ann.token, transport="http") as notes:
        notes.sync()
        assert notes.may("task.milk", "put") is True


def test_a_crash_while_a_key_is_made_leaves_one_that_can_be_revoked(serve):
    server = serve(trusted_proxies=["127.0.0.1"])
    admin = root(server)
    admin.make_user("ann")
    server.stop()
    registry = open_registry(server.data, "", now_ms)
    registry.create_key("never shown", "ann")
    registry.close()
    server.start()
    (key,) = [each for each in admin.get("keys")["keys"] if each["user"] == "ann"]
    admin.delete(f"keys/{key['id']}")
    assert [each["user"] for each in admin.get("keys")["keys"]] == [".root"]


def test_a_key_that_is_revoked_while_it_makes_another_leaves_none_behind(server, space, admin):
    admin.make_user("ann")
    with ThreadPoolExecutor(2) as threads:
        for _ in range(15):
            maker = admin.make_key("maker", user="ann")
            making = threads.submit(admin.with_(maker["key"]).ask, "POST", "keys", b'{"name":"made"}')
            admin.delete(f"keys/{maker['id']}")
            answer = making.result()
            assert (answer.status, answer.code) in ((201, None), (401, "unauthorized"))
            told = [(action, payload["credential"]) for _, _, action, payload in admin.log()[1:]]
            after = told[told.index((".key.revoke", f"key:{maker['id']}")) + 1 :]
            assert after == []
            if answer.status == 201:
                admin.delete(f"keys/{answer.json['id']}")
    assert [key["user"] for key in admin.get("keys")["keys"]] == [".root"]
