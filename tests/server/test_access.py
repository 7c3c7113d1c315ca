"""Who may do what: keys, spaces that are not there or no longer, and how many may be open."""

import json

import pytest
from websockets.exceptions import ConnectionClosed

from tests.server.running import DEADLINE, Author, eventually, push_body, recv, recv_past, serving

ROUTES = [
    ("POST", "/v1/hello", b'{"type":"hello","node":"n"}'),
    ("POST", "/v1/push", push_body([])),
    ("GET", "/v1/pull", None),
    ("GET", "/v1/live", None),
    ("GET", "/v1/spaces", None),
    ("POST", "/v1/spaces", b'{"name":"new"}'),
    ("GET", "/v1/spaces/default", None),
    ("DELETE", "/v1/spaces/default", None),
]
OPEN_TO_ALL = [("GET", "/livez"), ("GET", "/readyz"), ("GET", "/openapi.json")]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that asks for keys, and in which spaces are made by hand."""
    with serving(tmp_path_factory.mktemp("own"), create_spaces=False, max_open_spaces=2) as server:
        yield server


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_every_route_asks_for_a_key(server, method, path, body):
    assert server.request(method, path, body).code == "unauthorized"
    for headers in ({"Authorization": "Bearer wrong"}, {"X-API-Key": "wrong"}, {"Authorization": "Basic eDp5"}):
        assert server.request(method, path, body, headers).code == "unauthorized"
    assert server.request("GET", "/v1/spaces", headers=server.bearer()).json == {"spaces": ["default"]}


@pytest.mark.parametrize(("method", "path"), OPEN_TO_ALL)
def test_health_asks_for_none(server, method, path):
    assert server.request(method, path).status == 200


def test_the_key_goes_in_either_header(server):
    assert server.request("GET", "/v1/pull", headers=server.bearer()).status == 200
    assert server.request("GET", "/v1/pull", headers={"X-API-Key": server.key}).status == 200
    assert server.request("GET", "/v1/pull", headers={"Authorization": f"bearer  {server.key} "}).status == 200


@pytest.mark.parametrize("token", [None, "", "wrong", "sk_" + "x" * 43, "\x00", "ü", "\ud83d\ude00"])
def test_a_session_asks_for_a_key(server, token):
    with server.websocket() as ws:
        ws.send(json.dumps({"type": "hello", "node": "n", "token": token}))
        assert recv(ws)["code"] == "unauthorized"
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(DEADLINE)
    assert closed.value.rcvd.code == 4401


def test_a_space_that_nobody_made(server):
    answer = server.push("nobody", [Author().event()], server.bearer())
    assert (answer.status, answer.code) == (404, "unknown_space")
    with server.websocket() as ws:
        ws.send(json.dumps({"type": "hello", "node": "n", "space": "nobody", "token": server.key}))
        assert recv(ws)["code"] == "unknown_space"
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(DEADLINE)
    assert closed.value.rcvd.code == 4404
    assert server.request("GET", "/v1/spaces", headers=server.bearer()).json == {"spaces": ["default"]}


def test_more_spaces_than_may_be_open(serve):
    server = serve(open=True, max_open_spaces=2)
    with server.session("a") as first, server.session("b"):
        answer = server.push("c", [Author().event()])
        assert (answer.status, answer.code, answer.json["retryable"]) == (503, "overloaded", True)
        assert answer.headers["retry-after"] == "1"
        first.send('{"type":"ping"}')
        assert recv(first)["type"] == "pong"
    assert eventually(lambda: server.push("c", [Author().event()]).status == 200)
    for count in range(20):  # one after the other, as many as one likes
        assert server.push(f"s{count}", [Author().event()]).json["head"] == 1
    for count in range(20):
        assert server.head(f"s{count}") == 1


def test_deleting_a_space(serve):
    server = serve(open=True)
    assert server.request("POST", "/v1/spaces", b'{"name":"gone"}').status == 201
    assert server.request("POST", "/v1/spaces", b'{"name":"gone"}').status == 200
    server.push("gone", Author().events(3))
    with server.session("gone") as follower, server.session("gone") as pusher:
        follower.send('{"type":"live"}')
        assert len(recv(follower)["entries"]) == 3
        assert server.request("DELETE", "/v1/spaces/gone").status == 200
        assert recv_past(follower, "page")["code"] == "space_deleted"
        for request in ({"type": "push", "events": [Author().event()]}, {"type": "pull"}, {"type": "live"}):
            pusher.send(json.dumps(request))
            assert recv(pusher)["code"] == "space_deleted"
    for method, path, body in (
        ("POST", "push", push_body([Author().event()])),
        ("GET", "pull", None),
        ("GET", "live", None),
        ("GET", "", None),
        ("DELETE", "", None),
    ):
        answer = server.request(method, f"/v1/spaces/gone/{path}".rstrip("/"), body)
        assert (answer.status, answer.code) == (410, "space_deleted")
    assert server.request("POST", "/v1/spaces", b'{"name":"gone"}').code == "space_deleted"
    with server.websocket() as ws:
        ws.send('{"type":"hello","node":"n","space":"gone"}')
        assert recv(ws)["code"] == "space_deleted"
    assert not [file for file in (server.data / "spaces").iterdir() if file.name.startswith("gone")]
    server.stop()
    server.start()
    assert server.pull("gone").code == "space_deleted"


def test_only_an_administrator_makes_spaces(serve):
    from syncline.server.registry import open_registry

    server = serve(open=True)
    registry = open_registry(server.data, "", lambda: 0)
    alice = {"Authorization": f"Bearer {registry.create_key('laptop', 'alice')}"}
    for method, path, body in (
        ("GET", "/v1/spaces", None),
        ("POST", "/v1/spaces", b'{"name":"x"}'),
        ("DELETE", "/v1/spaces/default", None),
    ):
        answer = server.request(method, path, body, alice)
        assert (answer.status, answer.code) == (403, "forbidden")
    assert server.push("default", [Author().event()], alice).json["results"][0]["seq"] == 1
    (alices,) = [key.id for key in registry.keys() if key.user == "alice"]  # noqa: SIM118
    registry.revoke_key(alices)
    registry.close()
    assert eventually(lambda: server.push("default", [Author().event()], alice).code == "unauthorized", seconds=3)


def test_an_administrators_key_for_a_few_things_is_for_no_others(serve):
    from syncline.server.registry import open_registry

    server = serve()
    registry = open_registry(server.data, "", lambda: 0)
    keys = {
        name: {"Authorization": f"Bearer {registry.create_key(name, '.root', **scope)}"}
        for name, scope in (("backup", {"actions": [".read"]}), ("audit", {"actions": [".read"], "items": [".audit"]}))
    }
    registry.close()
    for method, path, body in (
        ("POST", "/v1/spaces", b'{"name":"x"}'),
        ("PATCH", "/v1/spaces/default", b'{"suspended":true}'),
        ("DELETE", "/v1/spaces/default", None),
        ("POST", "/v1/acl", b'{"user":"a","item":"b","action":"c","type":"deny"}'),
    ):
        for key in keys.values():
            answer = server.request(method, path, body, key)
            assert (answer.status, answer.code) == (403, "forbidden"), (method, path)
    statuses = {
        name: [
            server.request("GET", f"/v1/{path}", headers=key).status for path in ("spaces", "acl", "audit?spaces=all")
        ]
        for name, key in keys.items()
    }
    assert statuses == {"backup": [200, 200, 200], "audit": [403, 403, 200]}


def test_a_space_file_that_is_not_ours(serve):
    server = serve(open=True)
    for name, content in (("empty", b""), ("foreign", b"This is no database, but it is long enough. " * 200)):
        (server.data / "spaces" / f"{name}.db").write_bytes(content)
    assert server.push("empty", [Author().event()]).status == 200
    answer = server.push("foreign", [Author().event()])
    assert (answer.status, answer.code) == (500, "foreign_file")
    assert (server.data / "spaces" / "foreign.db").read_bytes() == b"This is no database, but it is long enough. " * 200
    assert server.push("other", [Author().event()]).status == 200


def test_two_servers_in_one_directory(serve):
    import subprocess
    import sys

    from tests.server.running import SERVE

    server = serve()
    second = subprocess.run(
        [sys.executable, "-c", SERVE, json.dumps(server.settings)], capture_output=True, check=False, timeout=DEADLINE
    )
    assert second.returncode != 0
    assert b"StoreLocked" in second.stderr
    assert server.request("GET", "/readyz").status == 200
