"""A suspended space: closed to all but the administrator, nothing stored, nothing lost."""

import json
from threading import Event, Thread

import pytest
from websockets.exceptions import ConnectionClosed

import syncline
from tests.server.inquiries import TYPES, inquiry
from tests.server.running import DEADLINE, Author, eventually, push_body, recv, recv_past
from tests.server.tenants import administer, bearer, change, key, make


@pytest.fixture
def ann(server, space):
    make(server, space)
    return bearer(key(server, space))


def routes():
    yield "POST", "hello", b'{"type":"hello","node":"n"}'
    yield "POST", "push", push_body([Author().event()])
    for type in TYPES:
        yield "POST", type, json.dumps(inquiry(type)).encode()
    for path in ("pull", "live", "docs", "docs/task.a", "docs/task.a/live", "policies", "audit", "acl", "auth/me", ""):
        yield "GET", path, None
    yield "PUT", "docs/task.a", b'{"a":1}'
    yield "POST", "acl", b'{"user":"ann","item":"*","action":"*","type":"allow"}'


def test_nobody_gets_in_but_the_administrator(server, space, ann):
    assert server.push(space, Author().events(2, "task.a"), ann).status == 200
    assert change(server, space, suspended=True)["suspended"] is True
    for method, path, body in routes():
        answer = server.request(
            method, f"/v1/spaces/{space}/{path}".rstrip("/"), body, {**ann, "Content-Type": "application/json"}
        )
        assert (answer.status, answer.code, answer.json["retryable"]) == (403, "space_suspended", True), path
    assert administer(server, "GET", f"/v1/spaces/{space}").json["head"] == 2
    assert len(administer(server, "GET", f"/v1/spaces/{space}/pull").json["entries"]) == 2
    assert server.push(space, Author().events(1), server.bearer()).json["head"] == 3
    assert change(server, space, suspended=False)["suspended"] is False
    assert server.push(space, Author().events(1), ann).json["head"] == 4


def test_who_has_no_business_there_is_told_that(server, space, ann):
    change(server, space, suspended=True)
    assert server.push(space, Author().events(1), bearer("wrong")).code == "unauthorized"
    other = bearer(key(server, "default"))
    assert server.push(space, Author().events(1), other).code == "unknown_space"


def test_sessions_and_streams_end(server, space, ann):
    token = ann["Authorization"].removeprefix("Bearer ")
    with server.session(space, token=token) as follower, server.session(space, token=token) as pusher:
        follower.send('{"type":"live"}')
        assert recv(follower)["type"] == "page"
        change(server, space, suspended=True)
        assert recv_past(follower, "page")["code"] == "space_suspended"
        pusher.send(json.dumps({"type": "push", "ref": 1, "events": [Author().event()]}))
        answer = recv(pusher)
        assert (answer["code"], answer["ref"], answer["retryable"]) == ("space_suspended", 1, True)
        change(server, space, suspended=False)
        pusher.send(json.dumps({"type": "push", "ref": 2, "events": [Author().event()]}))
        assert recv(pusher)["head"] == 1
        follower.send('{"type":"live"}')
        assert len(recv(follower)["entries"]) == 1
        change(server, space, suspended=True)
    with server.websocket() as ws:
        ws.send(json.dumps({"type": "hello", "node": "n", "space": space, "token": token}))
        assert recv(ws)["code"] == "space_suspended"
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(DEADLINE)
        assert closed.value.rcvd.code == 4403


def test_nothing_is_stored_after_the_answer(server, space, ann):
    """Four authors push as fast as they can; what was acknowledged is there, and no more comes."""
    stop, stored = Event(), []

    def push():
        author = Author()
        while not stop.is_set():
            answer = server.push(space, author.events(50), ann)
            if answer.status == 200:
                stored.append(sum("seq" in result for result in answer.json["results"]))

    threads = [Thread(target=push) for _ in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(stored) > 5)
    events = change(server, space, suspended=True)["used"]["events"]
    eventually(lambda: server.push(space, Author().events(1), ann).code == "space_suspended")
    stop.set()
    for thread in threads:
        thread.join()
    assert administer(server, "GET", f"/v1/spaces/{space}").json["head"] == events == sum(stored)


def test_it_stays_suspended_over_a_restart(serve):
    server = serve()
    ann = bearer(key(server, "default"))
    change(server, "default", suspended=True)
    server.stop()
    server.start()
    assert server.push("default", Author().events(1), ann).code == "space_suspended"
    assert change(server, "default")["suspended"] is True
    change(server, "default", suspended=False)
    assert server.push("default", Author().events(1), ann).status == 200


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_replicas_keep_what_is_pending_and_go_on(server, space, ann, tmp_path, transport):
    token = ann["Authorization"].removeprefix("Bearer ")
    options = syncline.SyncOptions(backoff_seconds=0.05, max_backoff_seconds=0.1)
    with syncline.open(
        tmp_path / "r.db", server=server.url, space=space, token=token, transport=transport, options=options
    ) as replica:
        replica.record("task.a", "update", 1)
        replica.start()
        eventually(lambda: not replica.status.pending)
        change(server, space, suspended=True)
        replica.record("task.a", "update", 2)
        eventually(lambda: (replica.status.error or {}).get("code") == "space_suspended")
        assert (replica.status.pending, replica.refused()) == (1, [])
        assert [event.payload for event in replica.events()] == [1, 2]
        change(server, space, suspended=False)
        eventually(lambda: not replica.status.pending)
    assert administer(server, "GET", f"/v1/spaces/{space}").json["head"] == 2


def test_a_suspended_space_is_deleted_like_any_other(server, space, ann):
    change(server, space, suspended=True)
    assert administer(server, "DELETE", f"/v1/spaces/{space}").status == 200
    assert administer(server, "PATCH", f"/v1/spaces/{space}", {"suspended": False}).code == "space_deleted"
    assert server.push(space, Author().events(1), ann).code == "space_deleted"


def test_an_open_server_has_suspended_spaces_too(serve):
    server = serve(open=True)
    server.push("acme", Author().events(1))
    patch = [server.request("PATCH", "/v1/spaces/acme", b'{"suspended":%s}' % each) for each in (b"true", b"false")]
    assert [(answer.status, answer.json["suspended"]) for answer in patch] == [(200, True), (200, False)]
    assert server.push("acme", Author().events(1)).json["head"] == 2
