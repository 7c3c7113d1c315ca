"""The gate: pages of other sites, names that lead here, proxies that are believed or not, and the demo's mark."""

import json

import pytest
from websockets.exceptions import InvalidStatus

from syncline.errors import BadSettings
from syncline.server import create_app
from syncline.server.proxies import Proxies
from tests.server.running import serving

APP = "https://app.example"
OTHER = "https://evil.example"
PREFLIGHT = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,if-match"}
ADDRESSED = """
import json, sys
from syncline.server import Identity
from syncline.server.run import run
from syncline.server.settings import Settings

def by_address(caller):
    return Identity(caller.address, caller.space)

run(Settings(**json.loads(sys.argv[1])), lambda app, port: print(json.dumps({"port": port, "key": None}), flush=True),
    authenticate=by_address)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that pages of one other origin may use."""
    with serving(tmp_path_factory.mktemp("gate"), origins=[APP]) as server:
        yield server


def ask(server, origin, method="GET", path="/v1/pull", **headers):
    more = {"Origin": origin} if origin else {}
    return server.request(method, path, headers={**server.bearer(), **more, **headers})


def handshake(server, origin, **more):
    """The status with which a handshake is answered, and the error code of a refusal."""
    try:
        with server.websocket(origin=origin, **more):
            return 101, None
    except InvalidStatus as error:
        return error.response.status_code, json.loads(error.response.body)["code"]


# Origins


def test_a_page_of_another_site_may_do_nothing(server):
    for method, path in (("GET", "/v1/pull"), ("POST", "/v1/push"), ("GET", "/livez"), ("GET", "/nothing")):
        answer = ask(server, OTHER, method, path)
        assert (answer.status, answer.code) == (403, "forbidden_origin")
        assert "access-control-allow-origin" not in answer.headers
    for origin in ("null", APP + ":444", "http://app.example", "https://app.example.evil.example"):
        assert ask(server, origin).code == "forbidden_origin"
    assert ask(server, OTHER, "OPTIONS", **PREFLIGHT).code == "forbidden_origin"


@pytest.mark.parametrize("path", ["/ws", "/v1/ws", "/v1/spaces/default/ws", "/nothing"])
def test_a_handshake_of_another_site_is_refused(server, path):
    assert handshake(server, OTHER, path=path) == (403, "forbidden_origin")


def test_who_may(server):
    own = server.url
    assert [handshake(server, origin) for origin in (None, own, APP)] == [(101, None)] * 3
    assert [ask(server, origin).status for origin in (None, own, APP, APP.upper())] == [200] * 4


def test_a_page_that_may_is_told_so(server):
    answer = ask(server, APP)
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["vary"] == "Origin"
    assert {"ETag", "Retry-After", "RateLimit"} <= set(answer.headers["access-control-expose-headers"].split(", "))
    assert "access-control-allow-credentials" not in answer.headers
    problem = ask(server, APP, path="/v1/docs/none")
    assert (problem.status, problem.headers["access-control-allow-origin"]) == (404, APP)
    for origin in (None, server.url):
        assert "access-control-allow-origin" not in ask(server, origin).headers


def test_a_preflight(server):
    answer = server.request("OPTIONS", "/v1/docs/a", headers={"Origin": APP, **PREFLIGHT})
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == APP
    assert "PUT" in answer.headers["access-control-allow-methods"].split(", ")
    assert {"Authorization", "If-Match", "X-Node-ID"} <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert server.request("OPTIONS", "/v1/docs/a", headers=server.bearer()).status == 405


def test_any_page_may_if_that_is_said(serve):
    server = serve(origins=["*"])
    assert ask(server, OTHER).headers["access-control-allow-origin"] == "*"
    assert [handshake(server, origin) for origin in (OTHER, "null")] == [(101, None)] * 2


@pytest.mark.parametrize("origin", ["app.example", "https://app.example/", "https://*.example", "", "https://a b"])
def test_what_is_no_origin(tmp_path, origin):
    with pytest.raises(BadSettings, match="origins"):
        create_app(data=str(tmp_path), origins=[origin])


# Names


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", "10.0.0.1", "", "["])
def test_an_open_server_answers_to_this_machine_alone(open_server, host):
    """A page whose name leads to 127.0.0.1 is of the same origin, and has no credentials to show."""
    answer = open_server.request("GET", "/v1/pull", headers={"Host": host})
    assert answer.code == "forbidden_origin"


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.2:1", "[::1]:8080", "app.localhost"])
def test_names_of_this_machine(open_server, host):
    assert open_server.request("GET", "/v1/pull", headers={"Host": host}).status == 200


def test_where_credentials_are_asked_for_every_name_will_do(server):
    assert ask(server, None, Host="sync.example").status == 200
    assert ask(server, "https://sync.example", Host="sync.example").status == 200


# Proxies


@pytest.mark.parametrize(
    ("trusted", "proto", "origin", "status"),
    [
        (["127.0.0.1"], "https", "https://sync.example", 200),
        (["127.0.0.1"], "https", "http://sync.example", 403),
        (["127.0.0.1"], "http, https", "http://sync.example", 403),
        (["127.0.0.1"], "https, http", "http://sync.example", 200),
        (["127.0.0.1"], "nonsense", "http://sync.example", 200),
        ([], "https", "http://sync.example", 200),
    ],
)
def test_a_page_that_came_by_http_is_another_site_where_the_server_is_asked_by_https(
    serve, trusted, proto, origin, status
):
    server = serve(trusted_proxies=trusted)
    headers = {"Host": "sync.example", "X-Forwarded-Proto": proto}
    assert ask(server, origin, **headers).status == status
    expected = (101, None) if status == 200 else (403, "forbidden_origin")
    assert handshake(server, origin, additional_headers=headers) == expected


def seen(serve, monkeypatch, headers, **settings):
    """The address that a server takes a request from 127.0.0.1 with these headers to be from."""
    monkeypatch.setattr("tests.server.running.SERVE", ADDRESSED)
    server = serve(**settings)
    welcome = server.request("POST", "/v1/hello", b'{"type":"hello","node":"n"}', headers).json
    with server.websocket(additional_headers=headers) as ws:
        ws.send('{"type":"hello","node":"n"}')
        assert json.loads(ws.recv())["user"] == welcome["user"]
    return welcome["user"]


@pytest.mark.parametrize(
    ("trusted", "address"),
    [
        ([], "127.0.0.1"),
        (["10.0.0.0/8"], "127.0.0.1"),
        (["127.0.0.1"], "203.0.113.9"),
        (["127.0.0.0/8", "203.0.113.0/24"], "198.51.100.7"),
    ],
)
def test_only_trusted_proxies_are_believed(serve, monkeypatch, trusted, address):
    headers = {"X-Forwarded-For": "192.0.2.66, 198.51.100.7, 203.0.113.9"}
    assert seen(serve, monkeypatch, headers, trusted_proxies=trusted) == address


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("", "10.0.0.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.66, unknown", "10.0.0.1"),
        ("192.0.2.66, nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
    ],
)
def test_the_right_most_that_is_no_proxy(forwarded, client):
    assert Proxies(["10.0.0.0/8"]).client("10.0.0.1", forwarded) == client


@pytest.mark.parametrize("network", ["nowhere", "10.0.0.1/8", "10.0.0.0/33", ""])
def test_what_is_no_network(tmp_path, network):
    with pytest.raises(BadSettings, match="trusted_proxies"):
        create_app(data=str(tmp_path), trusted_proxies=[network])


# The demo


def test_a_demo_says_so_with_every_answer(serve, space):
    server = serve(demo=True)
    for path in ("/readyz", "/v1/pull", "/nothing"):
        assert server.request("GET", path).headers["x-syncline-demo"] == "true"
    assert server.request("GET", "/readyz").json == {"status": "ready", "demo": True}
    with server.session(space) as ws:
        assert ws.response.headers["X-Syncline-Demo"] == "true"


def test_others_do_not(open_server):
    answer = open_server.request("GET", "/readyz")
    assert "x-syncline-demo" not in answer.headers
    assert answer.json == {"status": "ready"}
