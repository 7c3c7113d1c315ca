"""Who may open a socket or a stream, for how long, and how they go on: tickets, expiry, and other credentials."""

import json
import time
from contextlib import closing

import pytest
from websockets.exceptions import ConnectionClosed

from tests.server.proxy import Proxy
from tests.server.running import DEADLINE, Author, recv, recv_past
from tests.server.test_live import follow
from tests.server.test_signing_in import Keys
from tests.server.test_sync_manager import TRANSPORTS, managed, state, until

HELLO = json.dumps({"type": "hello", "node": "n"})
SOON_MS = 1_500
PATHS = ["/ws", "/v1/ws", "/v1/spaces/default/ws"]


@pytest.fixture
def keys(serve):
    keys = Keys(serve())
    yield keys
    keys.registry.close()


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def ticket(keys, key):
    answer = keys.server.request("POST", "/v1/auth/ticket", headers=bearer(key))
    assert answer.status == 200, answer
    return answer.json["ticket"]


def in_ms(milliseconds):
    return int(time.time() * 1000) + milliseconds


def closed(ws):
    """The code and the reason with which a socket was closed, and the last error that it told."""
    error = None
    try:
        while True:
            message = recv(ws)
            error = message["code"] if message["type"] == "error" else error
    except ConnectionClosed as end:
        return end.rcvd.code, end.rcvd.reason, error


def authenticate(ws, token, ref=7):
    ws.send(json.dumps({"type": "auth", "ref": ref, "token": token}))
    answer = recv_past(ws, "page")
    assert answer["ref"] == ref
    return answer


# Tickets


@pytest.mark.parametrize("path", PATHS)
def test_a_ticket_opens_one_socket(keys, path):
    address = f"{path}?ticket={ticket(keys, keys.create('ann'))}"
    with keys.server.websocket(address) as ws:
        ws.send(HELLO)
        assert recv(ws)["user"] == "ann"
    with keys.server.websocket(address) as ws:
        ws.send(HELLO)
        assert closed(ws) == (4401, "unauthorized", "unauthorized")


def test_a_ticket_opens_a_conversation_of_commands(keys):
    with keys.server.websocket(f"/ws?ticket={ticket(keys, keys.create('ann'))}") as ws:
        ws.send('{"type":"authenticate"}')
        assert recv(ws)["user_id"] == "ann"


@pytest.mark.parametrize("path", ["/v1/live", "/v1/docs/a/live", "/v1/spaces/default/docs/a/live"])
def test_a_ticket_opens_one_stream(keys, path):
    key = keys.create("ann")
    keys.server.request("PUT", "/v1/docs/a", b"{}", bearer(key))
    address = f"{path}?ticket={ticket(keys, key)}"
    with closing(keys.server.connect()) as connection:
        connection.request("GET", address)
        response = connection.getresponse()
        assert (response.status, response.headers["content-type"]) == (200, "text/event-stream")
        assert response.readline()
        again = keys.server.request("GET", address)
        assert (again.status, again.code) == (401, "unauthorized")


@pytest.mark.parametrize("wrong", ["tk_never", "sk_never", "", "tk_a&" + "&".join(f"p{n}=1" for n in range(300))])
def test_what_is_no_ticket(keys, wrong):
    with keys.server.websocket(f"/ws?ticket={wrong}") as ws:
        ws.send(HELLO)
        assert closed(ws)[:2] == (4401, "unauthorized")
    assert "failed" not in keys.server.log()


def test_a_ticket_is_for_streams_alone_and_no_key_goes_into_an_address(keys):
    key = keys.create("ann")
    assert keys.server.request("GET", f"/v1/pull?ticket={ticket(keys, key)}").code == "unauthorized"
    assert keys.server.request("GET", f"/v1/live?ticket={key}").code == "unauthorized"


def test_a_ticket_ends_with_what_it_was_taken_with(keys):
    taken = ticket(keys, keys.create("ann"))
    keys.revoke("ann")
    time.sleep(1.1)  # a key is remembered for a second
    with keys.server.websocket(f"/ws?ticket={taken}") as ws:
        ws.send(HELLO)
        assert closed(ws)[:2] == (4401, "unauthorized")


# Expiry


def test_an_idle_socket_ends_when_its_credentials_expire(keys):
    expires = in_ms(SOON_MS)
    with keys.server.session("default", token=keys.create("ann", expires_ms=expires)) as ws:
        assert closed(ws) == (4401, "token_expired", "token_expired")
        assert 0 <= in_ms(0) - expires < 1_000


def test_a_follower_s_socket_ends_too_and_is_told_when_in_advance(keys):
    expires = in_ms(SOON_MS)
    with keys.server.websocket() as ws:
        ws.send(json.dumps({"type": "hello", "node": "n", "token": keys.create("ann", expires_ms=expires)}))
        assert recv(ws)["expires"] == expires
        follow(ws)
        assert closed(ws) == (4401, "token_expired", "token_expired")


@pytest.mark.parametrize("path", ["/v1/live", "/v1/docs/a/live"])
def test_a_stream_ends_too(keys, path):
    key = keys.create("ann", expires_ms=in_ms(SOON_MS))
    keys.server.request("PUT", "/v1/docs/a", b"{}", bearer(key))
    with closing(keys.server.connect()) as connection:
        connection.request("GET", path, headers=bearer(key))
        text = connection.getresponse().read().decode()
    assert text.rpartition("event: error\n")[2].startswith('data: {"type":"error","code":"token_expired"')


def test_a_long_poll_ends_too(keys):
    key = keys.create("ann", expires_ms=in_ms(SOON_MS))
    began = time.monotonic()
    answer = keys.server.request("GET", "/v1/pull?wait=50", headers=bearer(key))
    assert (answer.status, answer.code) == (401, "token_expired")
    assert time.monotonic() - began < DEADLINE / 2


# Other credentials on the way


def test_a_session_goes_on_with_a_fresh_token(keys):
    first, later = in_ms(SOON_MS), in_ms(SOON_MS + 60_000)
    with keys.server.session("default", token=keys.create("ann", expires_ms=first)) as ws:
        follow(ws)
        assert recv(ws)["entries"] == []  # it is live: from here on a page tells of an event
        answer = authenticate(ws, keys.create("ann", expires_ms=later))
        assert (answer["type"], answer["user"], answer["expires"]) == ("authenticated", "ann", later)
        assert abs(answer["time"] - in_ms(0)) < 10_000
        time.sleep(max(0, first - in_ms(-500)) / 1000)  # until well after the first has expired
        ws.send(json.dumps({"type": "push", "ref": 1, "events": [Author().event()]}))
        found = [recv(ws), recv(ws)]
        assert sorted(each["type"] for each in found) == ["ack", "page"]  # in whichever order
        answer = authenticate(ws, keys.create("ann"))
        assert "expires" not in answer


def test_a_fresh_token_may_end_a_session_sooner(keys):
    with keys.server.session("default", token=keys.create("ann")) as ws:
        authenticate(ws, keys.create("ann", expires_ms=in_ms(SOON_MS)))
        assert closed(ws) == (4401, "token_expired", "token_expired")


@pytest.mark.parametrize(
    ("user", "more", "code"),
    [
        ("bob", {}, "user_mismatch"),
        ("ann", {"space": "other"}, "user_mismatch"),
        ("ann", {"items": ["task.*"]}, "user_mismatch"),
        (None, {}, "unauthorized"),
    ],
)
def test_what_is_refused_leaves_the_session_as_it_was(keys, user, more, code):
    expires = in_ms(SOON_MS)
    with keys.server.session("default", token=keys.create("ann", expires_ms=expires)) as ws:
        answer = authenticate(ws, keys.create(user, **more) if user else "wrong")
        assert (answer["type"], answer["code"]) == ("error", code)
        ws.send(json.dumps({"type": "push", "ref": 1, "events": [Author().event()]}))
        assert recv(ws)["results"][0]["seq"] == 1
        assert closed(ws) == (4401, "token_expired", "token_expired")
    entries = keys.server.request("GET", "/v1/pull", headers=bearer(keys.create("ann"))).json["entries"]
    assert [entry["event"]["user"] for entry in entries] == ["ann"]


def test_a_conversation_of_commands_goes_on_with_a_fresh_token_too(keys):
    expires = in_ms(SOON_MS)
    with keys.server.websocket() as ws:
        ws.send(json.dumps({"type": "authenticate", "auth_token": keys.create("ann", expires_ms=expires)}))
        assert recv(ws)["user_id"] == "ann"
        ws.send(json.dumps({"type": "subscribe", "ref": 1, "items": ["*"]}))
        assert recv(ws)["type"] == "subscribed"
        assert authenticate(ws, keys.create("ann"))["user"] == "ann"
        time.sleep(max(0, expires - in_ms(-500)) / 1000)  # until well after the first has expired
        ws.send(json.dumps({"type": "create_document", "document": {"id": "a", "content": {}}}))
        assert [recv(ws)["type"], recv(ws)["type"]] == ["document_created"] * 2


def test_other_credentials_are_no_hello(keys):
    with keys.server.websocket() as ws:
        ws.send(json.dumps({"type": "auth", "ref": 1, "token": keys.create("ann")}))
        assert closed(ws) == (4400, "hello_required", "hello_required")


def test_a_revoked_key_does_not_end_a_session_that_went_on_with_another(keys):
    old = keys.registry.create_key("old", "ann")
    with keys.server.session("default", token=old) as ws:
        authenticate(ws, keys.create("ann"))
        (id,) = [key.id for key in keys.registry.keys() if key.name == "old"]  # noqa: SIM118
        assert keys.registry.revoke_key(id)
        with pytest.raises(TimeoutError):
            ws.recv(timeout=2.0)
        ws.send('{"type":"ping","ref":1}')
        assert recv(ws) == {"type": "pong", "ref": 1}


# A replica with tokens that expire


@TRANSPORTS
async def test_a_replica_shows_fresh_tokens_in_time(keys, transport):
    def fresh():
        keys.asked += 1
        return keys.create("ann", expires_ms=in_ms(3_000))

    async with Proxy(keys.server.port) as proxy, managed(proxy.url, "default", transport, token=fresh) as manager:
        results = []
        manager.subscribe(results.append)
        await manager.start_auto_sync()
        await until(lambda: state(manager) == "live")
        opened = proxy.connections
        await until(lambda: keys.asked >= 5)
        manager.replica.record("task.a", "update", 1)
        await until(lambda: state(manager) == "live" and not manager.replica.status.pending)
        if transport == "websocket":
            assert proxy.connections == opened == 1
        assert [error.code for result in results for error in result.errors if error.code != "token_expired"] == []
    assert len(keys.server.request("GET", "/v1/pull", headers=bearer(keys.create("bob"))).json["entries"]) == 1


async def test_a_token_of_another_user_is_noticed_while_live(keys):
    tokens = [keys.create("ann", expires_ms=in_ms(2_000)), keys.create("bob"), keys.create("bob")]
    async with managed(keys.server.url, "default", token=lambda: tokens.pop(0)) as manager:
        await manager.start_auto_sync()
        await until(lambda: state(manager) == "needs_auth")
        assert manager.replica.status.error["code"] == "user_mismatch"


async def test_a_source_of_tokens_that_fails_interrupts_nothing_before_the_end(keys):
    asked = []

    def fresh():
        asked.append(1)
        if 1 < len(asked) < 4:
            raise OSError("The one who knows cannot be reached.")
        return keys.create("ann", expires_ms=in_ms(4_000))

    async with Proxy(keys.server.port) as proxy, managed(proxy.url, "default", token=fresh) as manager:
        await manager.start_auto_sync()
        await until(lambda: len(asked) >= 5)
        await until(lambda: state(manager) == "live")
        assert proxy.connections == 1
