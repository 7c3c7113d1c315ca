"""What one of several servers does holds on the others: in the log at once, elsewhere soon, and without any hint."""

import asyncio
from functools import partial

import pytest

from syncline import Draft
from syncline.server.bus.memory import MemoryBus
from syncline.server.bus.messages import Reached, Registered, Seal
from tests.server.fellows import Fellows
from tests.server.inprocess import DEADLINE, Exchange
from tests.server.inquiries import inquiry
from tests.server.running import Author

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def fellows(tmp_path):
    async with Fellows(tmp_path) as several:
        yield several


async def eventually(ask):
    """The first true answer of a coroutine function, asked again and again."""
    end = asyncio.get_running_loop().time() + DEADLINE
    while not (answer := await ask()):
        assert asyncio.get_running_loop().time() < end
    return answer


def seqs(ws):
    return [entry["seq"] for entry in ws.entries]


# The log


async def test_a_hint_wakes_those_who_follow(fellows):
    one, two = await fellows.several()
    ws = await two.follow("s")
    await one.push("s", Author().events(3))
    await ws.until(lambda: len(ws.entries) == 3)
    await two.push("s", Author().events(2))
    await one.push("s", Author().events(2))
    await ws.until(lambda: len(ws.entries) == 7)
    assert seqs(ws) == [*range(1, 8)]
    await ws.close()


async def test_when_all_hints_are_lost_nothing_else_is(fellows):
    one, two = await fellows.several()
    ws = await two.follow("s")
    assert (await two.ask("GET", "/readyz"))[1]["bus"] == "connected"
    fellows.exchange.is_down = True
    assert (await two.ask("GET", "/readyz"))[1]["bus"] == "connecting"
    await one.push("s", Author().events(3))
    await ws.until(lambda: len(ws.entries) == 3)
    await asyncio.gather(*(one.push("s", Author().events(900)) for _ in range(3)))  # more than a page
    await two.push("s", Author().events(1))
    await ws.until(lambda: len(ws.entries) == 2704)
    assert seqs(ws) == [*range(1, 2705)]
    await ws.close()


async def test_a_cursor_of_another_server_is_known(fellows):
    one, two = await fellows.several()
    await two.pull("s")
    fellows.exchange.is_down = True
    await one.push("s", Author().events(3))
    status, page = await one.pull("s")
    assert (status, len(page["entries"])) == (200, 3)
    status, page = await two.pull("s", query=f"since={page['cursor']}")
    assert (status, page["entries"]) == (200, [])


async def test_what_was_acknowledged_anywhere_is_fetched_and_in_the_tree(fellows):
    one, two = await fellows.several()
    await two.pull("s")
    fellows.exchange.is_down = True
    events = Author().events(3)
    await one.push("s", events)
    _, found = await two.ask("POST", "/v1/spaces/s/fetch", inquiry("fetch", ids=[event["id"] for event in events]))
    assert [entry["seq"] for entry in found["entries"]] == [1, 2, 3]
    await one.push("s", Author().events(1))
    _, tree = await two.ask("POST", "/v1/spaces/s/merkle", inquiry("merkle"))
    assert (tree["seq"], tree["count"]) == (4, 4)


async def test_what_is_on_the_bus_and_is_no_message_is_ignored(fellows, caplog):
    one, two = await fellows.several()
    ws = await two.follow("s")
    forged = Seal(b"another key").encode(Reached(server="x", heads={"s": 10**9}))
    ours = Seal(two.service.registry.secret("bus"))
    late = ours.encode(Reached(server="x", heads={"s": 10**9}))  # it is not believed, but looked up
    torn = ours.encode(Registered(server="x"))[:-1]
    for message in (b"", b"1", b"\xff" * 100, forged, torn, b"2" + late[1:], b"1" * 10_000, late, late):
        fellows.exchange.buses.copy().pop().send(message)
    await one.push("s", Author().events(3))
    await ws.until(lambda: len(ws.entries) == 3)
    assert seqs(ws) == [1, 2, 3]
    assert "not of a server" in caplog.text
    await ws.close()


# Access


def rule(user, item, action, type):
    return {"user": user, "item": item, "action": action, "type": type}


async def key_of(fellow, user, root):
    assert (await fellow.ask("POST", "/v1/spaces/s/users", {"name": user}, token=root))[0] == 201
    body = {"name": user, "user": user}
    status, answer = await fellow.ask("POST", "/v1/spaces/s/keys", body, token=root)
    assert status == 201, answer
    return answer["key"]


@pytest.fixture
async def closed(tmp_path):
    """Two servers that ask for credentials, and the key of their administrator."""
    async with Fellows(tmp_path, open=False) as several:
        one, two = await several.several(makes_key=True)
        assert two.service.first_key is None  # only the first of them makes one
        yield several, one, two, one.service.first_key


async def test_what_was_forbidden_at_one_server_is_in_the_next_commit_of_another(closed):
    fellows, one, two, root = closed
    token, author = await key_of(one, "ann", root), Author()
    _, answer = await two.push("s", author.events(1), token)
    assert answer["results"][0]["seq"] > 0
    fellows.exchange.is_down = True
    status, _ = await one.ask("POST", "/v1/spaces/s/acl", {"rules": [rule("ann", "task.*", "*", "deny")]}, token=root)
    assert status == 201
    _, answer = await two.push("s", author.events(1), token)
    assert answer["results"][0]["error"]["code"] == "forbidden"
    status, _ = await two.ask("GET", "/v1/spaces/s/docs/task.milk", token=token)
    assert status == 404


async def test_who_follows_at_one_server_forgets_what_another_forbids(closed):
    _, one, two, root = closed
    token = await key_of(one, "ann", root)
    await one.push("s", Author().events(2), token)
    ws = await two.follow("s", token)
    await ws.until(lambda: len(ws.entries) == 2)
    await one.ask("POST", "/v1/spaces/s/acl", {"rules": [rule("ann", "task.*", ".read", "deny")]}, token=root)
    await ws.until(lambda: any(message.get("forget") == ["task.milk"] for message in ws.messages))
    await ws.close()


async def test_a_revoked_key_s_session_at_another_server_ends(closed):
    fellows, one, two, root = closed
    token = await key_of(one, "ann", root)
    ws = await two.follow("s", token)
    seal, told = Seal(one.service.registry.secret("bus")), []
    ear = MemoryBus(fellows.exchange)
    ear.start(lambda text: told.append(seal.decode(text)), lambda: None)
    has_ended = asyncio.Event()
    two.service.endings.listeners.append(has_ended.set)
    _, keys = await one.ask("GET", "/v1/spaces/s/keys", token=root)
    (id,) = [key["id"] for key in keys["keys"] if key["user"] == "ann"]
    assert (await one.ask("DELETE", f"/v1/spaces/s/keys/{id}", token=root))[0] == 200
    await ws.until(lambda: ws.messages[-1].get("code") == "unauthorized")
    assert ws.messages[-1].get("code") == "unauthorized"
    assert (await two.pull("s", token))[0] == 401
    await has_ended.wait()
    await one.push("s", [], root)  # long enough for a message
    assert {message.server for message in told if isinstance(message, Registered)} == {one.service._others._name}
    await ear.stop()


async def test_a_ticket_of_one_server_opens_a_socket_at_another_once(closed):
    _, one, two, root = closed
    token = await key_of(one, "ann", root)
    status, answer = await one.ask("POST", "/v1/spaces/s/auth/ticket", {}, token=token)
    assert status in (200, 201), answer
    ws = await two.follow("s", answer["ticket"])
    assert ws.messages[0]["user"] == "ann"
    await ws.close()
    again = await one.ask("GET", "/v1/spaces/s/pull", token=answer["ticket"])
    assert again[0] == 401


async def test_rules_that_two_servers_write_for_one_administrator_are_all_there(closed):
    _, one, two, root = closed
    asked = [
        each.ask("POST", "/v1/spaces/s/acl", {"rules": [rule("bob", f"task.{at}", "*", "deny")]}, token=root)
        for at in range(12)
        for each in (one, two)
    ]
    answers = await asyncio.gather(*asked)
    assert [status for status, _ in answers] == [201] * 24
    for each in (one, two):
        _, listed = await each.ask("GET", "/v1/spaces/s/acl", token=root)
        assert len([one for one in listed["rules"] if one["user"] == "bob"]) == 24


# Documents


async def test_writes_of_one_user_at_two_servers_all_count(fellows):
    one, two = await fellows.several()
    status, _ = await one.ask("PUT", "/v1/spaces/s/docs/task.a", {"done": False})
    assert status == 201

    async def write(fellow, name):
        patch = [{"op": "add", "path": f"/{name}", "value": name}]
        status, answer = await fellow.ask(
            "PATCH", "/v1/spaces/s/docs/task.a", patch, media="application/json-patch+json"
        )
        assert status == 200, answer

    await asyncio.gather(*(write(each, f"{name}{at}") for at in range(10) for each, name in ((one, "a"), (two, "b"))))
    documents = [(await each.ask("GET", "/v1/spaces/s/docs/task.a"))[1] for each in (one, two)]
    assert documents[0] == documents[1]
    assert len(documents[0]["value"]) == 21


# Resolvers


class Joins:
    """A resolver that says what it was given, and remembers it."""

    def __init__(self):
        self.asked = []

    async def resolve(self, local, remote):
        self.asked.append([event.payload for event in [*local, *remote]])
        await asyncio.sleep(0)
        events = [*local, *remote]
        return [Draft(events[0].item, "update", "+".join(sorted(each.payload for each in events)))]


ITEM = "task.a"


async def answered_about(fellow, item):
    """What was answered about an item, as the log has it."""
    _, page = await fellow.pull("s")
    events = [entry["event"] for entry in page["entries"]]
    return [event for event in events if (event["user"], event["item"]) == (".resolver", item)]


async def test_what_resolvers_of_two_servers_decide_is_stored_once(fellows):
    joins = [Joins(), Joins()]
    one, two = [await fellows.another(resolvers={"*": each}) for each in joins]
    for each in (one, two):
        await each.pull("s")  # the space is open there, and followed
    first, second = Author(), Author()
    await asyncio.gather(
        one.push("s", [first.event(ITEM, payload="a")]),
        two.push("s", [second.event(ITEM, payload="b")]),
    )

    await eventually(lambda: answered_about(one, ITEM))
    for at, each in enumerate((one, two)):  # what is asked about next comes after all that was said of the first
        item = f"next.{at}"
        await asyncio.gather(*(each.push("s", [Author().event(item, payload=word)]) for word in "cd"))
        await eventually(partial(answered_about, each, item))
    assert [event["payload"] for event in await answered_about(one, ITEM)] == ["a+b"]
    assert all(["a", "b"] in map(sorted, each.asked) for each in joins)


# Presence


def here(ws):
    """Who is here, as a session was told."""
    found = {}
    for peer in (peer for message in ws.messages if message["type"] == "peers" for peer in message["peers"]):
        found[peer["user"], peer["node"]] = peer.get("state")
    return {node: state for (_, node), state in found.items() if state is not None}


async def test_who_is_at_one_server_is_seen_at_another_until_they_go(fellows):
    one, two = await fellows.several()
    ann, bob = await one.follow("s", node="a"), await two.follow("s", node="b")
    ann.say({"type": "presence", "ref": 5, "state": {"at": 1}})
    bob.say({"type": "presence", "ref": 5, "state": {"at": 2}})
    await ann.until(lambda: here(ann) == {"b": {"at": 2}})
    await bob.until(lambda: here(bob) == {"a": {"at": 1}})
    ann.say({"type": "presence", "ref": 6, "state": {"at": 3}})
    await bob.until(lambda: here(bob) == {"a": {"at": 3}})
    three = await fellows.another()
    cid = await three.follow("s", node="c")  # comes later, and asks
    cid.say({"type": "presence", "ref": 5, "state": {}})
    await cid.until(lambda: here(cid) == {"a": {"at": 3}, "b": {"at": 2}})
    await ann.close()
    await bob.until(lambda: here(bob) == {"c": {}})
    await bob.close()
    await cid.close()


async def test_who_was_at_a_server_that_went_silent_has_gone(tmp_path):
    async with Fellows(tmp_path, away_seconds=1.0) as fellows:
        one, two = await fellows.several()
        ann, bob = await one.follow("s", node="a"), await two.follow("s", node="b")
        ann.say({"type": "presence", "ref": 5, "state": {"at": 1}})
        bob.say({"type": "presence", "ref": 5, "state": {"at": 2}})
        await bob.until(lambda: here(bob) == {"a": {"at": 1}})
        fellows.exchange.is_down = True
        await bob.until(lambda: here(bob) == {})
        fellows.exchange.come_back()
        ann.say({"type": "presence", "ref": 6, "state": {"at": 3}})
        await bob.until(lambda: here(bob) == {"a": {"at": 3}})
        await ann.close()
        await bob.close()


# Rates


async def test_what_was_spent_at_one_server_is_spent_at_another(tmp_path):
    async with Fellows(tmp_path, user_events_per_second=10, burst_seconds=30.0) as fellows:
        one, two = await fellows.several()
        assert (await one.push("s", Author().events(290)))[0] == 200
        assert (await two.push("s", Author().events(1)))[0] == 200

        async def refused():
            status, answer = await two.push("s", Author().events(200))
            return status == 429 and answer["policy"] == "user-events"

        assert await eventually(refused)


async def test_a_space_s_rate_is_one_for_all_servers(closed):
    _, one, two, root = closed
    await one.push("s", Author().events(1), root)
    await two.push("s", Author().events(1), root)
    status, answer = await one.ask("PATCH", "/v1/spaces/s", {"quotas": {"events_per_second": 100}}, token=root)
    assert status == 200, answer

    async def refused():
        await one.push("s", Author().events(100), root)
        status, answer = await two.push("s", Author().events(300), root)
        return status == 429 and answer["policy"] == "space-events"

    assert await eventually(refused)


# Spaces


async def test_a_space_that_one_server_suspends_is_suspended_at_the_others(closed):
    _, one, two, root = closed
    token = await key_of(one, "ann", root)
    ws = await two.follow("s", token)

    async def pushed(code):
        return (await two.push("s", Author().events(1), token))[1].get("code") == code

    await one.ask("PATCH", "/v1/spaces/s", {"suspended": True}, token=root)
    await eventually(lambda: pushed("space_suspended"))
    await ws.until(lambda: ws.messages[-1].get("code") == "space_suspended")
    await one.ask("PATCH", "/v1/spaces/s", {"suspended": False}, token=root)
    await eventually(lambda: pushed(None))
    await one.ask("PATCH", "/v1/spaces/s", {"quotas": {"events": 1}}, token=root)

    async def is_full():
        _, answer = await two.push("s", Author().events(1), token)
        return answer["results"][0].get("error", {}).get("code") == "quota_exceeded"

    await eventually(is_full)
    await ws.close()


async def test_a_space_that_one_server_deletes_is_gone_at_the_others(fellows):
    one, two = await fellows.several()
    await one.push("s", Author().events(3))
    ws = await two.follow("s")
    assert (await one.ask("DELETE", "/v1/spaces/s"))[0] == 200
    await ws.until(lambda: ws.messages[-1].get("code") == "space_deleted")
    _, answer = await two.push("s", Author().events(1))
    assert answer["code"] == "space_deleted"
    await ws.close()


async def test_a_space_that_is_deleted_while_another_server_opens_it_leaves_no_log(fellows, monkeypatch):
    one, two = await fellows.several()
    await one.push("s", Author().events(3))
    loop, logs = asyncio.get_running_loop(), two.service.spaces._logs
    opened = logs.open

    def deleted_before(space):
        asyncio.run_coroutine_threadsafe(one.ask("DELETE", "/v1/spaces/s"), loop).result()
        return opened(space)

    monkeypatch.setattr(logs, "open", deleted_before)
    _, answer = await two.pull("s")
    assert (answer["code"], logs.heads(["s"])) == ("space_deleted", {})


async def test_a_session_pulls_what_was_acknowledged_anywhere(fellows):
    one, two = await fellows.several()
    ws = await two.follow("s")
    await ws.close()
    fellows.exchange.is_down = True
    ws = Exchange(two.app, "websocket", "/v1/spaces/s/ws")
    ws.say({"type": "hello", "protocol": 1, "node": "n", "space": "s"})
    await ws.until(lambda: ws.messages)
    place = {}
    for seq in range(1, 6):
        await one.push("s", [Author().event()])
        ws.say({"type": "pull", "ref": seq, **place})
        await ws.until(lambda seq=seq: ws.messages[-1].get("ref") == seq)
        assert [entry["seq"] for entry in ws.messages[-1]["entries"]] == [seq]
        place = {"cursor": ws.messages[-1]["cursor"]}
    await ws.close()
