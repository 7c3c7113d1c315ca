"""Quotas of a space: what is refused, what still goes, and that nothing is lost by it."""

import asyncio
import json
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed

import syncline
from syncline import Draft
from syncline.sync.manager import HELD_SECONDS
from syncline.transports.http import HttpTransport
from tests.server.proxy import Proxy
from tests.server.running import DEADLINE, Author, canonical, eventually, recv
from tests.server.tenants import administer, bearer, change, key, make
from tests.server.test_sync_manager import managed, state, until


@pytest.fixture
def ann(server, space):
    make(server, space)
    return bearer(key(server, space))


def outcomes(answer):
    """Each seq, or the quota that was used up."""
    assert answer.status == 200, answer
    return [result.get("seq") or result["error"]["quota"] for result in answer.json["results"]]


def test_events(server, space, ann, author):
    change(server, space, events=5)
    first = author.events(4)
    assert outcomes(server.push(space, first, ann)) == [1, 2, 3, 4]
    more = author.events(3)
    answer = server.push(space, more, ann)
    assert outcomes(answer) == [5, "events", "events"]
    error = answer.json["results"][1]["error"]
    assert (error["code"], error["retryable"]) == ("quota_exceeded", True)
    assert error["retry_after"] > 0
    assert outcomes(server.push(space, [*first, more[0]], ann)) == [1, 2, 3, 4, 5]  # what is held has its seq
    change(server, space, events=None)
    assert outcomes(server.push(space, more, ann)) == [5, 6, 7]


def test_bytes(server, space, ann, author):
    events = author.events(3, user="ann", payload="x" * 100)
    size = sum(len(canonical(event)) for event in events)
    assert change(server, space, bytes=size - 1)["used"]["bytes"] == 0
    assert outcomes(server.push(space, events, ann)) == [1, 2, "bytes"]
    assert change(server, space, bytes=size)["used"]["bytes"] == size - len(canonical(events[2]))
    assert outcomes(server.push(space, events, ann)) == [1, 2, 3]
    assert change(server, space, bytes=0)["used"]["bytes"] == size


def test_items(server, space, ann, author):
    assert outcomes(server.push(space, author.events(2, "task.a"), ann)) == [1, 2]
    change(server, space, items=2)
    events = [author.event(item) for item in ("task.b", "task.c", "task.a", "task.c", "task.b")]
    assert outcomes(server.push(space, events, ann)) == [3, "items", 4, "items", 5]
    answer = server.request(
        "PUT", f"/v1/spaces/{space}/docs/task.d", b'{"a":1}', {**ann, "Content-Type": "application/json"}
    )
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (507, "quota_exceeded", "30")


def test_a_full_space_is_still_administered(server, space, ann, author):
    change(server, space, events=1)
    assert outcomes(server.push(space, author.events(2), ann)) == [1, "events"]
    rule = {"user": "ann", "item": "*", "action": "update", "type": "deny"}
    answer = administer(server, "POST", f"/v1/spaces/{space}/acl", rule)
    assert answer.status == 201, answer
    results = server.push(space, author.events(1), ann).json["results"]
    assert results[0]["error"]["code"] == "forbidden"  # access comes before the quota


def test_one_space_s_quota_is_no_other_s(server, space, ann, author):
    other = f"{space}-2"
    make(server, other)
    change(server, space, events=1)
    assert outcomes(server.push(space, author.events(2), ann)) == [1, "events"]
    assert outcomes(server.push(other, author.events(2), bearer(key(server, other)))) == [1, 2]


def test_events_per_second(serve, author):
    server = serve(burst_seconds=1.0)
    change(server, "default", events_per_second=20)
    assert len(outcomes(server.push("default", author.events(20), server.bearer()))) == 20
    events = author.events(10)
    answer = server.push("default", events, server.bearer())
    assert (answer.status, answer.code, answer.json["policy"]) == (429, "rate_limited", "space-events")
    assert 0 < answer.json["retry_after"] <= 0.5
    assert eventually(lambda: server.push("default", events, server.bearer()).status == 200)


def hello(ws, space, token):
    ws.send(json.dumps({"type": "hello", "node": "n", "space": space, "token": token}))
    return recv(ws)


def test_connections(server, space):
    make(server, space)
    token = key(server, space)
    change(server, space, connections=2)
    with ExitStack() as stack:
        for _ in range(2):
            assert hello(stack.enter_context(server.websocket()), space, token)["type"] == "welcome"
        with server.websocket() as third:
            refused = hello(third, space, token)
            assert (refused["code"], refused["retryable"]) == ("too_many_connections", True)
            with pytest.raises(ConnectionClosed) as closed:
                third.recv(DEADLINE)
            assert closed.value.rcvd.code == 4429
        answer = server.request("GET", f"/v1/spaces/{space}/live", headers=bearer(token))
        assert (answer.status, answer.code) == (429, "too_many_connections")
        assert answer.headers["retry-after"] == "10"
        assert server.request("GET", f"/v1/spaces/{space}/pull", headers=bearer(token)).status == 200
        with server.websocket() as administrators:
            assert hello(administrators, space, server.key)["type"] == "welcome"
        assert eventually(lambda: change(server, space)["used"]["connections"] == 2)
    assert eventually(lambda: change(server, space)["used"]["connections"] == 0)
    with server.websocket() as ws:
        assert hello(ws, space, token)["type"] == "welcome"


def test_only_an_administrator_changes_them(server, space, ann):
    answer = server.request("PATCH", f"/v1/spaces/{space}", b'{"quotas":{"events":1}}', ann)
    assert (answer.status, answer.code) == (403, "forbidden")
    shown = server.request("GET", f"/v1/spaces/{space}", headers=ann).json
    assert not {"quotas", "used", "suspended"} & shown.keys()


@pytest.mark.parametrize(
    "body", [{"quotas": {"cows": 1}}, {"quotas": {"events": -1}}, {"quotas": {"events": 2**60}}, []]
)
def test_what_is_no_quota(server, space, ann, body):
    answer = administer(server, "PATCH", f"/v1/spaces/{space}", body)
    assert (answer.status, answer.code) == (400, "bad_request")


def test_quotas_of_what_is_not_there(server):
    assert administer(server, "PATCH", "/v1/spaces/nowhere", {"quotas": {"events": 1}}).code == "unknown_space"
    assert "nowhere" not in administer(server, "GET", "/v1/spaces").json["spaces"]


def test_defaults_and_restarts(serve, author):
    server = serve(quota_events=3, quota_bytes=10_000)
    change(server, "default", bytes=0)
    make(server, "other")
    assert change(server, "default")["quotas"] == {
        "events": 3,
        "bytes": 0,
        "items": 0,
        "connections": 0,
        "events_per_second": 0,
    }
    events = author.events(2, payload="x" * 30)
    assert outcomes(server.push("default", events, server.bearer())) == [1, 2]
    used = change(server, "default")["used"]
    server.stop()
    server.start()
    assert change(server, "default")["quotas"]["bytes"] == 0
    assert change(server, "default")["used"] == used
    assert change(server, "other")["quotas"]["bytes"] == 10_000
    assert outcomes(server.push("default", author.events(2), server.bearer())) == [3, "events"]


# Replicas


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_a_replica_keeps_what_finds_no_room(serve, tmp_path, transport):
    server = serve()
    change(server, "default", events=10)
    with syncline.open(tmp_path / "r.db", server=server.url, token=server.key, transport=transport) as replica:
        for n in range(25):
            replica.record(f"task.{n % 3}", "update", n)
        result = replica.sync()
        assert (result.pushed, [error.code for error in result.errors]) == (10, ["quota_exceeded"])
        assert replica.status.pending == 15
        assert not replica.refused()
        change(server, "default", events=20)
        assert replica.sync().pushed == 10
        change(server, "default", events=0)
        result = replica.sync()
        assert (result.pushed, result.errors, replica.status.pending) == (5, [], 0)
    entries = administer(server, "GET", "/v1/pull?limit=100").json["entries"]
    for item in range(3):
        payloads = [entry["event"]["payload"] for entry in entries if entry["event"]["item"] == f"task.{item}"]
        assert payloads == list(range(item, 25, 3))


def test_what_is_too_large_waits_and_lets_others_by(serve, tmp_path):
    server = serve()
    change(server, "default", bytes=3_000)
    with syncline.open(tmp_path / "r.db", server=server.url, token=server.key) as replica:
        replica.record("task.big", "update", "x" * 5_000)
        replica.record("task.small", "update", 1)
        replica.record("task.big", "update", 2)
        assert (replica.sync().pushed, replica.status.pending) == (1, 2)
        change(server, "default", bytes=0)
        assert (replica.sync().pushed, replica.status.pending) == (2, 0)
        assert [event.payload for event in replica.events(items=["task.big"])] == ["x" * 5_000, 2]
    entries = administer(server, "GET", "/v1/pull?limit=100").json["entries"]
    assert len({entry["event"]["node"] for entry in entries}) == 1  # no new node had to be taken


async def test_a_live_replica_does_not_ask_again_and_again(serve):
    server = serve()
    change(server, "default", events=1)
    async with (
        Proxy(server.port) as proxy,
        managed(proxy.url, "default", HttpTransport, token=server.key) as manager,
    ):
        for n in range(3):
            manager.replica.record("task.a", "update", n)
        await manager.start_auto_sync()
        await until(lambda: state(manager) == "live" and manager.replica.status.pending == 2)
        manager.replica.record("task.b", "update", 3)
        asked = len(proxy.requests)
        await until(lambda: len(proxy.requests) > asked)  # another item is tried
        asked = len(proxy.requests)
        await asyncio.sleep(1.5 * HELD_SECONDS)  # long enough to try again, had the server not said when
        assert len(proxy.requests) <= asked + 1
        change(server, "default", events=0)
        assert (await manager.sync()).ok  # whoever asks does not wait
        assert not manager.replica.status.pending
        assert [event.payload for event in manager.replica.events(items=["task.a"])] == [0, 1, 2]


def test_a_transaction_is_kept_whole(serve, tmp_path):
    server = serve()
    change(server, "default", events=3)
    author = Author()
    server.push("default", author.events(2), server.bearer())
    with syncline.open(tmp_path / "r.db", server=server.url, token=server.key) as replica:
        drafts = [Draft("task.a", "update", 1), Draft("task.b", "update", 2)]
        replica.record_many(drafts, together=True)
        assert (replica.sync().pushed, replica.status.pending) == (0, 2)
        assert not replica.refused()
        change(server, "default", events=0)
        assert (replica.sync().pushed, replica.status.pending) == (2, 0)
