"""Rate limits: who is refused, what a refusal says, and that whoever waits as it says loses nothing."""

import json
import re
import time
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed

import syncline
from syncline.transports.http import HttpTransport
from tests.server.proxy import Proxy
from tests.server.running import DEADLINE, Author, ask, eventually, recv
from tests.server.tenants import administer, bearer, key, make
from tests.server.test_sync_manager import TRANSPORTS, managed, payloads, until

SLOW = 0.05
"""Requests per second that are next to none while a test runs."""


def statuses(server, count, path="/v1/pull", headers=None):
    connection = server.connect()
    try:
        return [ask(connection, "GET", path, None, headers).status for _ in range(count)]
    finally:
        connection.close()


def test_what_a_refusal_says(serve):
    server = serve(user_requests_per_second=SLOW, burst_seconds=3 / SLOW)
    assert statuses(server, 3, headers=server.bearer()) == [200] * 3
    answer = server.request("GET", "/v1/pull", headers=server.bearer())
    assert (answer.status, answer.code) == (429, "rate_limited")
    assert answer.json["retryable"]
    assert 0 < answer.json["retry_after"] <= 1 / SLOW
    assert int(answer.headers["retry-after"]) - 1 < answer.json["retry_after"] <= int(answer.headers["retry-after"])
    assert answer.headers["ratelimit-policy"] == '"user-requests";q=3;w=60'
    assert re.fullmatch(r'"user-requests";r=0;t=(\d+)', answer.headers["ratelimit"])


@pytest.mark.parametrize("who", ["user", "credential", "address"])
def test_each_is_counted_on_its_own(serve, who):
    server = serve(**{f"{who}_requests_per_second": SLOW, "burst_seconds": 2 / SLOW})
    make_space = key(server, "default", "ann")
    ann, anns_other, bob = (
        bearer(make_space),
        bearer(key(server, "default", "ann")),
        bearer(key(server, "default", "bob")),
    )
    assert statuses(server, 3, headers=ann) == [200, 200, 429]
    assert statuses(server, 1, headers=anns_other) == [200 if who == "credential" else 429]
    assert statuses(server, 1, headers=bob) == [429 if who == "address" else 200]


def test_users_of_one_name_in_two_spaces_are_two(serve):
    server = serve(user_requests_per_second=SLOW, burst_seconds=3 / SLOW)
    for space in ("a", "b"):
        make(server, space)
    here, there = (bearer(key(server, space, "ann")) for space in ("a", "b"))
    assert statuses(server, 4, "/v1/spaces/a/pull", here) == [200, 200, 200, 429]
    assert statuses(server, 1, "/v1/spaces/b/pull", there) == [200]


def test_who_has_no_credentials_is_counted_too_and_health_is_not(serve):
    server = serve(address_requests_per_second=SLOW, burst_seconds=2 / SLOW)
    assert statuses(server, 4) == [401, 401, 429, 429]
    assert statuses(server, 3, "/livez") == [200] * 3
    assert statuses(server, 3, "/readyz") == [200] * 3


def test_events(serve):
    server = serve(user_events_per_second=20, burst_seconds=1.0)
    author = Author()
    assert server.push("default", author.events(15), server.bearer()).status == 200
    events = author.events(10)
    answer = server.push("default", events, server.bearer())
    assert (answer.status, answer.code, answer.json["policy"]) == (429, "rate_limited", "user-events")
    assert 0 <= answer.json["remaining"] < 10
    assert server.head("default") == 15
    assert eventually(lambda: server.push("default", events, server.bearer()).status == 200)
    assert server.head("default") == 25


def test_more_events_than_a_bucket_holds_go_when_it_is_full(serve):
    server = serve(user_events_per_second=50, burst_seconds=0.1)
    author = Author()
    assert server.push("default", author.events(30), server.bearer()).status == 200
    refused = server.push("default", author.events(1), server.bearer())
    assert refused.code == "rate_limited"
    assert 0.3 < refused.json["retry_after"] < 0.7


def test_documents_count_as_events(serve):
    server = serve(user_events_per_second=SLOW, burst_seconds=2 / SLOW)
    put = [server.request("PUT", f"/v1/docs/task.{n}", b"{}", {**server.bearer(), **JSON}).status for n in range(3)]
    assert put == [201, 201, 429]
    assert server.request("GET", "/v1/docs/task.1", headers=server.bearer()).status == 200


JSON = {"Content-Type": "application/json"}


def test_messages_of_a_session(serve):
    server = serve(credential_requests_per_second=2, burst_seconds=2.0)
    with server.session("default", token=server.key) as ws:
        answers = []
        for ref in range(1, 8):
            ws.send(json.dumps({"type": "pull", "ref": ref}))
            answers.append(recv(ws))
        refused = [answer for answer in answers if answer["type"] == "error"]
        assert [answer["ref"] for answer in answers] == list(range(1, 8))
        assert {answer["code"] for answer in refused} == {"rate_limited"}
        assert 3 <= len(refused) <= 4
        assert all(answer["retryable"] and answer["details"]["retry_after"] > 0 for answer in refused)
        ws.send('{"type":"live"}')
        answer = recv(ws)
        assert answer["code"] == "rate_limited"
        ws.send('{"type":"ping","ref":9}')  # a sign of life costs nothing
        assert recv(ws) == {"type": "pong", "ref": 9}

        def live():
            ws.send('{"type":"live"}')
            return recv(ws)["type"] == "page"

        assert eventually(live)


def test_a_hello_too_many(serve):
    server = serve(address_requests_per_second=SLOW, burst_seconds=2 / SLOW)
    with ExitStack() as stack:
        for expected in ("welcome", "welcome", "error"):
            ws = stack.enter_context(server.websocket())
            ws.send(json.dumps({"type": "hello", "node": "n", "token": server.key}))
            answer = recv(ws)
            assert answer["type"] == expected
        assert answer["code"] == "rate_limited"
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(DEADLINE)
        assert closed.value.rcvd.code == 4429


# Replicas


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_a_replica_waits_and_everything_arrives_in_order(serve, tmp_path, transport):
    server = serve(user_events_per_second=100, burst_seconds=0.1)
    options = syncline.SyncOptions(batch_size=20)
    with syncline.open(
        tmp_path / "r.db", server=server.url, token=server.key, transport=transport, options=options
    ) as replica:
        for n in range(120):
            replica.record(f"task.{n % 2}", "update", n)
        began, busy = time.monotonic(), time.process_time()
        result = replica.sync()
        assert (result.pushed, result.errors, replica.status.pending) == (120, [], 0)
        assert time.monotonic() - began > 0.9  # it did not get around the limit
        assert time.process_time() - busy < 0.8
    entries = administer(server, "GET", "/v1/pull?limit=200").json["entries"]
    assert [entry["event"]["payload"] for entry in entries] == list(range(120))


async def test_nobody_asks_before_the_time_has_come(serve):
    server = serve(user_requests_per_second=2, burst_seconds=0.5)
    async with (
        Proxy(server.port) as proxy,
        managed(proxy.url, "default", HttpTransport, token=server.key, max_backoff_seconds=5) as manager,
    ):
        for n in range(3):
            manager.replica.record("task.a", "update", n)
        began = time.monotonic()
        result = await manager.sync()
        assert (result.pushed, result.errors) == (3, [])
        allowed = 2 * (time.monotonic() - began) + 1
        assert len(proxy.requests) <= 2 * allowed + 2  # at most one refusal for each that was served


@TRANSPORTS
async def test_live(serve, transport):
    server = serve(user_requests_per_second=20, user_events_per_second=100, burst_seconds=0.1)
    async with managed(
        server.url, "default", transport, token=server.key, batch_size=10, max_backoff_seconds=5
    ) as manager:
        await manager.start_auto_sync()
        for n in range(60):
            manager.replica.record("task.a", "update", n)
        await until(lambda: not manager.replica.status.pending)
        assert not manager.replica.refused()
        assert payloads(manager.replica) == list(range(60))
    await until(lambda: server.head("default") == 60)


async def test_who_only_syncs_now_and_then_is_not_held_up_for_long(serve):
    server = serve(user_events_per_second=SLOW, burst_seconds=1 / SLOW)
    async with managed(server.url, "default", token=server.key, batch_size=1, max_backoff_seconds=0.2) as manager:
        for n in range(3):
            manager.replica.record("task.a", "update", n)
        began = time.monotonic()
        result = await manager.sync()
        assert time.monotonic() - began < 5
        assert (result.pushed, result.failure.code) == (1, "rate_limited")
        assert manager.replica.status.pending == 2
