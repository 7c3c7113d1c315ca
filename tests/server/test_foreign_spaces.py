"""Another's space looks like one that does not exist, on every route: the same answer to the last header.

Four spaces are asked for by somebody of a fifth: one that is there, one that never was, one that was deleted and one
that is suspended.
"""

import json
from secrets import randbits

import pytest
from websockets.exceptions import ConnectionClosed

from tests.server.inquiries import TYPES, inquiry
from tests.server.running import DEADLINE, Author, push_body, recv, serving
from tests.server.tenants import administer, bearer, change, key, make

THERE, MISSING, DELETED, SUSPENDED = SPACES = ("space-1", "space-2", "space-3", "space-4")
HOME = "at-home"
JSON = {"Content-Type": "application/json"}
BODIES = {
    "push": push_body([Author().event()]),
    "hello": b'{"type":"hello","node":"n"}',
    **{type: json.dumps(inquiry(type)).encode() for type in TYPES},
    "erasable": b'{"items":["task.*"]}',
    "docs/{id}/ops": b'{"ops":[]}',
    "docs/{id}/restore": b'{"revision":1}',
    "policies": b'{"task.*":"merge"}',
    "acl": b'{"user":"ann","item":"*","action":"*","type":"allow"}',
    "acl/explain": b'{"item":"task.a","action":"update"}',
    "auth/login": b'{"user":"bob","password":"a long wrong password"}',
    "auth/refresh": b'{"refresh_token":"rt_nothing"}',
    "auth/setup": b'{"token":"st_nothing","password":"a long new password"}',
    "auth/totp": b'{"code":"123456"}',
    "auth/totp/confirm": b'{"code":"123456"}',
    "auth/password": b'{"old":"a long password","new":"a long new password"}',
    "users": b'{"name":"eve"}',
    "keys": b'{"name":"k","user":"ann"}',
}
"""What is sent, so that the body is no reason to refuse; otherwise an empty object."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("foreign"), trusted_proxies=("127.0.0.1",)) as server:
        for space in (HOME, THERE, DELETED, SUSPENDED):
            make(server, space)
            key(server, space, "bob")
            author = Author()
            assert server.push(space, author.events(3, "task.a"), server.bearer()).status == 200
        assert administer(server, "DELETE", f"/v1/spaces/{DELETED}").status == 200
        change(server, SUSPENDED, suspended=True)
        yield server


@pytest.fixture(scope="module")
def ann(server):
    return bearer(key(server, HOME))


def routes():
    """Every method of every address that names a space."""
    from syncline.server.app import DESCRIBED

    for address in DESCRIBED:
        if address.is_per_space:
            yield from ((method, address.path) for method in sorted(address.handlers))
    yield from ((method, "") for method in ("GET", "PATCH", "DELETE"))


def asked(server, method, path, headers, space, *, by_header=False):
    """What is answered, with the space's name blotted out."""
    place = path.replace("{id}", "task.a").replace("{name}", "bob")
    body = BODIES.get(path, b"{}") if method in ("POST", "PUT", "PATCH") or path == "auth/totp" else None
    place += "?rule=r" if path == "acl" and method == "DELETE" else ""
    headers = {
        **headers,
        "X-Forwarded-For": f"2001:db8:{randbits(16):x}:{randbits(16):x}::1",
    }  # a guess costs others none
    if path == "docs/{id}" and method == "PATCH":
        headers = {**headers, "Content-Type": "application/merge-patch+json"}
    if by_header:
        url, headers = f"/v1/{place}", {**headers, "X-Tenant-ID": space}
    else:
        url = f"/v1/spaces/{space}/{place}".rstrip("/")
    answer = server.request(method, url, body, headers)
    return answer.status, answer.headers, answer.body.replace(space.encode(), b"?"), answer.code


@pytest.mark.parametrize(("method", "path"), list(routes()))
def test_all_four_answer_alike(server, ann, method, path):
    before = administer(server, "GET", "/v1/spaces").json
    answers = [asked(server, method, path, ann, space) for space in SPACES]
    assert answers == [answers[0]] * 4
    assert answers[0][0] in (401, 403, 404) or path in ("auth/issuers", "auth/logout"), answers[0]
    assert administer(server, "GET", "/v1/spaces").json == before
    if path and "auth/" not in path:
        assert answers[0][3] == "unknown_space"
        assert [asked(server, method, path, ann, space, by_header=True) for space in SPACES] == answers


def test_the_words_are_those_of_the_register(server, ann):
    closed = asked(server, "GET", "", server.bearer(), MISSING)
    foreign = asked(server, "GET", "", ann, THERE)
    assert foreign == closed


@pytest.mark.parametrize("path", ["/ws", "/v1/ws", "/v1/spaces/{space}/ws"])
def test_websockets(server, path):
    token, heard = key(server, HOME), []
    for space in SPACES:
        with server.websocket(path.format(space=space)) as ws:
            ws.send(json.dumps({"type": "hello", "node": "n", "space": space, "token": token}))
            answer = json.dumps(recv(ws)).replace(space, "?")
            with pytest.raises(ConnectionClosed) as closed:
                ws.recv(DEADLINE)
            heard.append((answer, closed.value.rcvd.code, closed.value.rcvd.reason))
    assert heard == [heard[0]] * 4
    assert json.loads(heard[0][0])["code"] == "unknown_space"
    assert heard[0][1] == 4404


def test_a_list_of_spaces_is_for_administrators(server, ann):
    for method, body in (("GET", None), ("POST", b'{"name":"space-1"}'), ("POST", b'{"name":"space-9"}')):
        answer = server.request(method, "/v1/spaces", body, ann)
        assert (answer.status, answer.code) == (403, "forbidden")
        assert b"space-" not in answer.body


def test_nobody_without_credentials_learns_more(server):
    for method, path in routes():
        if not path.startswith("auth/"):
            answers = [asked(server, method, path, {}, space) for space in SPACES]
            assert answers == [answers[0]] * 4
            assert answers[0][3] == "unauthorized"
