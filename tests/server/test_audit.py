"""The audit: who was refused and who administered what, in one listing; bounded, and without secrets."""

import asyncio
import json

import pytest

from syncline.server.audit import LOGIN, MAX_OF_ADDRESS, MORE, UNAUTHORIZED, Audit
from syncline.server.register.audit import HOUR_MS, NEWEST, AuditTable
from syncline.server.registry import open_registry
from tests.server.registers import store
from tests.server.rest import Client
from tests.server.running import Author, recv, serving

__all__ = ["store"]

NOW = 1_790_000_000_000
NEWEST_FIRST = {"before": (NEWEST, NEWEST), "user": None, "kind": None}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of these tests: what others are refused from this machine's address would not be told apart."""
    with serving(tmp_path_factory.mktemp("audited"), trusted_proxies=["127.0.0.1"]) as server:
        yield server


@pytest.fixture
def root(server, space):
    client = Client(server, space, key=server.key)
    assert client.ask("POST", "hello", {"type": "hello", "node": "n"}).status == 200
    return client


@pytest.fixture
def somebody(server, space):
    registry = open_registry(server.data, "", lambda: 1)
    yield lambda user: Client(server, space, key=registry.create_key("laptop", user, space))
    registry.close()


def audit(client, **query):
    answer = client.ask("GET", "audit?" + "&".join(f"{name}={value}" for name, value in query.items()))
    assert answer.status == 200, answer
    return answer.json["entries"]


def deny(client, user, item, action="*"):
    made = client.ask("POST", "acl", {"user": user, "item": item, "action": action, "type": "deny"})
    assert made.status == 201, made
    return made.json["rules"][0]


# What is noted


def test_wrong_credentials_are_counted(server, root, space):
    for _ in range(3):
        assert Client(server, space, key="sk_very_secret").ask("GET", "pull").code == "unauthorized"
    (entry,) = audit(root)
    assert entry == {
        "at": entry["at"],
        "last": entry["last"],
        "kind": "unauthorized",
        "what": "unauthorized GET pull",
        "space": space,
        "user": "",
        "address": "127.0.0.1",
        "times": 3,
    }
    assert entry["at"] <= entry["last"]
    assert "secret" not in json.dumps(audit(root))


def test_on_a_websocket_too(server, root, space):
    with server.websocket() as ws:
        ws.send(json.dumps({"type": "hello", "node": "n", "space": space, "token": "wrong"}))
        assert recv(ws)["code"] == "unauthorized"
    assert [(each["kind"], each["what"]) for each in audit(root)] == [("unauthorized", "unauthorized WebSocket")]


def test_who_may_not_write_is_noted_with_what_they_tried(server, root, somebody, space):
    deny(root, "ann", "task.*", "edit")
    ann = somebody("ann")
    event = Author().event("task.milk", action="edit", payload={"card": "4111"})
    assert ann.ask("POST", "push", {"events": [event]}).status == 200
    with server.session(space, token=ann.headers["Authorization"].split()[1]) as ws:
        event = Author().event("task.soap", action="edit")
        ws.send(json.dumps({"type": "push", "ref": 1, "events": [event]}))
        assert recv(ws)["results"][0]["error"]["code"] == "forbidden"
    assert ann.ask("GET", "acl").code == "forbidden"
    assert ann.ask("GET", "audit").code == "forbidden"
    found = audit(root, kind="forbidden")
    assert [each["what"] for each in found] == [".read .audit", ".read .acl", "edit task.soap", "edit task.milk"]
    assert {(each["user"], each["address"]) for each in found} == {("ann", "127.0.0.1")}
    assert "4111" not in json.dumps(found)


def test_who_asks_for_another_space_is_noted_in_their_own(server, root, somebody, space):
    key = somebody("ann").headers["Authorization"].split()[1]
    assert Client(server, f"{space}-other", key=key).ask("GET", "pull").code == "unknown_space"
    with server.websocket() as ws:
        ws.send(json.dumps({"type": "hello", "node": "n", "space": f"{space}-other", "token": key}))
        assert recv(ws)["code"] == "unknown_space"
    (entry,) = audit(root)
    assert (entry["kind"], entry["user"], entry["what"]) == ("forbidden", "ann", f"space {space}-other")
    assert entry["times"] == 2


def test_administrative_acts_stand_in_the_same_listing(root, somebody):
    made = deny(root, "ann", "task.*")
    assert somebody("ann").ask("GET", "acl").code == "forbidden"
    root.ask("DELETE", f"acl/{made['id']}")
    assert root.ask("PUT", "policies", {"task.*": "server_wins"}).status == 200
    found = audit(root)
    assert [(each["kind"], each["what"], each.get("item"), each.get("seq")) for each in found] == [
        ("administration", ".policy.set", ".policies", 3),
        ("administration", ".acl.removeRule", ".acl", 2),
        ("forbidden", ".read .acl", None, None),
        ("administration", ".acl.addRule", ".acl", 1),
    ]
    assert found[-1]["id"] == made["id"]
    assert [each["at"] for each in found] == sorted((each["at"] for each in found), reverse=True)


def test_logins_and_logouts(server, root, space):
    root.ask("POST", "users", {"name": "ann", "password": "correct horse battery"})
    anybody = Client(server, space)
    login = {"user": "ann", "password": "correct horse battery", "label": "phone"}
    tokens = [anybody.ask("POST", "auth/login", login).json for _ in range(2)]
    by_access, by_refresh = Client(server, space, key=tokens[0]["access_token"]), tokens[1]["refresh_token"]
    assert by_access.ask("POST", "auth/logout", {}).json == {"ended": True}
    assert anybody.ask("POST", "auth/logout", {"refresh_token": by_refresh}).json == {"ended": True}
    assert anybody.ask("POST", "auth/logout", {"refresh_token": by_refresh}).json == {"ended": False}
    for user, password in (("ann", "wrong password"), ("wrong password", "ann")):
        assert anybody.ask("POST", "auth/login", {"user": user, "password": password}).code == "invalid_credentials"
    found = [(each["kind"], each["user"], each["what"]) for each in audit(root) if each["kind"] != "administration"]
    wrong = "invalid_credentials POST auth/login"
    assert sorted(found[:2]) == [("unauthorized", "", wrong), ("unauthorized", "ann", wrong)]
    assert found[2:] == 2 * [("logout", "ann", "logout")] + 2 * [("login", "ann", "password")]
    text = json.dumps(audit(root))
    assert not any(secret in text for secret in ("wrong password", "correct horse", by_refresh))


def test_what_is_done_with_a_space_is_noted_even_if_its_log_is_gone(server, root, space):
    address, key = f"/v1/spaces/{space}-new", server.bearer()
    for _ in range(2):
        server.request("POST", "/v1/spaces", f'{{"name": "{space}-new"}}'.encode(), key)
    for body in (b'{"suspended": true}', b'{"suspended": false, "quotas": {"events": 9}}'):
        assert server.request("PATCH", address, body, key).status == 200
    server.request("DELETE", address, headers=key)
    found = [each for each in audit(root, spaces="all", kind="space") if each["space"] == f"{space}-new"]
    assert [each["what"] for each in found] == ["delete", "resume", "quotas", "suspend", "create"]
    assert {(each["user"], each["address"]) for each in found} == {(".root", "127.0.0.1")}


# Reading it


def test_it_is_read_page_by_page_and_by_user_and_kind(root, somebody):
    for n in range(3):
        deny(root, "ann", f"task.{n}")
        somebody(f"user{n}").ask("GET", "acl")
    whole = audit(root)
    assert len(whole) == 6
    pages, after = [], ""
    while after is not None:
        page = root.ask("GET", f"audit?limit=2&after={after}").json
        pages, after = pages + page["entries"], page["next"]
    assert pages == whole
    assert [each["user"] for each in audit(root, user="user1")] == ["user1"]
    assert [each["seq"] for each in audit(root, user=".root")] == [3, 2, 1]
    assert [each["seq"] for each in audit(root, kind="administration")] == [3, 2, 1]
    assert len(audit(root, kind="forbidden")) == 3
    assert audit(root, kind="other") == []


def test_a_rule_lets_others_read_it(root, somebody):
    ann = somebody("ann")
    assert ann.ask("GET", "audit").code == "forbidden"
    root.ask("POST", "acl", {"user": "ann", "item": ".audit", "action": ".read", "type": "allow"})
    assert [each["kind"] for each in audit(ann)] == ["administration", "forbidden"]
    assert ann.ask("GET", "audit?spaces=all").code == "forbidden"


def test_each_space_has_its_own_and_the_administrator_sees_all(server, root, space):
    other = Client(server, f"{space}-other", key=server.key)
    Client(server, space, key="wrong").ask("GET", "pull")
    assert len(audit(root)) == 1
    assert audit(other) == []
    assert audit(root)[0] in audit(other, spaces="all")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "after=x", "after=1-2-3", "spaces=some"])
def test_what_cannot_be_asked(root, query):
    assert root.ask("GET", f"audit?{query}").code == "bad_request"


def test_it_outlives_the_server(serve):
    server = serve()
    Client(server, "default", key="wrong").ask("GET", "pull")
    assert server.stop() == 0
    server.start()
    assert [each["kind"] for each in audit(Client(server, "default", key=server.key))] == ["unauthorized", "account"]


def test_the_first_key_of_a_server(serve):
    server = serve()
    (first,) = audit(Client(server, "default", key=server.key), kind="account")
    assert (first["user"], first["what"]) == (".root", "first key and setup token")


# Bounds


class World:
    """An audit with a clock that is set."""

    def __init__(self, data, store, **bounds):
        self.now = NOW
        self.registry = open_registry(data, store, lambda: self.now)
        self.table = AuditTable(self.registry.database, **bounds)
        self.audit = Audit(self.table, lambda: self.now)

    async def all(self, **more):
        return [each.note for each in await self.audit.newest(None, 1_000_000, **{**NEWEST_FIRST, **more})]


@pytest.fixture
def world(tmp_path, store):
    worlds = []

    def make(**bounds):
        worlds.append(World(tmp_path, store, **bounds))
        return worlds[-1]

    yield make
    for each in worlds:
        each.registry.close()


def test_a_flood_from_one_address_costs_few_rows(world):
    world = world()

    async def flood():
        for n in range(5_000):
            world.audit.note(UNAUTHORIZED, "", f"space{n}", "2001:db8::1:" + f"{n:x}", "x")
            if n % 500 == 0:
                await world.audit.write()
        world.audit.note(UNAUTHORIZED, "", "home", "192.0.2.1", "x")
        return await world.all()

    notes = asyncio.run(flood())
    assert len(notes) == MAX_OF_ADDRESS + 2
    assert sum(note.times for note in notes) == 5_001
    more = next(note for note in notes if note.what == MORE)
    assert (more.address, more.times) == ("2001:db8::/64", 5_000 - MAX_OF_ADDRESS)


def test_equal_refusals_of_an_hour_are_one_row_and_logins_are_not(world):
    world = world()

    async def several():
        for _ in range(3):
            for kind in (UNAUTHORIZED, LOGIN):
                world.audit.note(kind, "", "home", "192.0.2.1", "x")
            await world.audit.write()
        world.now += HOUR_MS
        world.audit.note(UNAUTHORIZED, "", "home", "192.0.2.1", "x")
        return await world.all()

    notes = asyncio.run(several())
    assert notes[0].kind == UNAUTHORIZED
    assert sorted((note.kind, note.times) for note in notes) == 3 * [(LOGIN, 1)] + [
        (UNAUTHORIZED, 1),
        (UNAUTHORIZED, 3),
    ]


def test_the_oldest_go_and_refusals_do_not_push_out_logins(world):
    world = world(max_refusals=50, max_others=10)

    async def many():
        for n in range(20):
            world.now += 1
            world.audit.note(LOGIN, f"user{n}", "home", "192.0.2.1", "x")
        for n in range(1_500):
            world.now += 1
            world.audit.note(UNAUTHORIZED, "", "home", f"192.0.{n // 250}.{n % 250}", "x")
        await world.audit.write()
        return await world.all()

    notes = asyncio.run(many())
    assert [note.user for note in notes if note.kind == LOGIN] == [f"user{n}" for n in range(19, 9, -1)]
    refusals = [note.address for note in notes if note.kind == UNAUTHORIZED]
    assert refusals == [f"192.0.5.{n}" for n in range(249, 199, -1)]


def test_what_was_typed_in_place_of_a_name_is_not_kept(world):
    world = world()
    world.registry.users.create("home", "ann")

    async def refused():
        for user in ("ann", "correct horse battery staple"):
            world.audit.note(UNAUTHORIZED, user, "home", "192.0.2.1", "x")
        return await world.all()

    assert {note.user for note in asyncio.run(refused())} == {"ann", ""}


def test_any_text_can_be_noted(world):
    world = world()

    async def odd():
        world.audit.note(LOGIN, "\ud800\0" + "x" * 1_000, "home", "", "é")
        return await world.all()

    (note,) = asyncio.run(odd())
    assert (len(note.user), note.what) == (300, "é")


def test_a_register_that_cannot_be_written_stops_nobody(world, caplog):
    world = world()

    async def closed():
        world.audit.note(LOGIN, "ann", "home", "192.0.2.1", "x")
        world.registry.close()
        await world.audit.close()

    asyncio.run(closed())
    assert "1 notes for the audit could not be written" in caplog.text
