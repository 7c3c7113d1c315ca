"""What a host app's ``authenticate`` sees and says: for requests, streams and sockets, plain or async."""

import json
from contextlib import closing

import pytest
from websockets.exceptions import ConnectionClosed

from tests.server.running import recv

SERVE = """
import asyncio, json, sys
from syncline.errors import TokenExpired, Unauthorized
from syncline.server import Caller, Identity
from syncline.server.run import run
from syncline.server.settings import Settings

def plain(caller: Caller) -> Identity | None:
    says = caller.headers.get("x-user", "")
    match says.split(":"):
        case ["ann"]:
            return Identity("ann", caller.space)
        case ["address"]:
            return Identity(caller.address, caller.space)
        case ["token"]:
            return Identity(f"token {caller.token}", caller.space)
        case ["elsewhere"]:
            return Identity("ann", "elsewhere")
        case ["administrator"]:
            return Identity("ann", None)
        case ["expired"]:
            raise TokenExpired("Sign in again.")
        case ["broken"]:
            raise RuntimeError("the app's own bug")
        case ["name", name]:
            return Identity(name, caller.space)
    return None

async def slow(caller):
    await asyncio.sleep(0)
    return plain(caller)

def on_ready(app, port):
    print(json.dumps({"port": port, "key": app.service.first_key}), flush=True)

settings = json.loads(sys.argv[1])
run(Settings(**settings), on_ready, authenticate={"debug": slow}.get(settings["log_level"], plain))
"""


@pytest.fixture(params=["plain", "async"])
def server(serve, monkeypatch, request):
    monkeypatch.setattr("tests.server.running.SERVE", SERVE)
    return serve(log_level="debug" if request.param == "async" else "error")


def hello(server, says, path="/ws", token=None):
    """The answer to a hello, and the code with which the socket was closed, if it was."""
    with server.websocket(path, additional_headers={"X-User": says}) as ws:
        ws.send(json.dumps({"type": "hello", "node": "n"} | ({"token": token} if token else {})))
        answer = recv(ws)
        if answer["type"] == "welcome":
            return answer, None
        with pytest.raises(ConnectionClosed) as end:
            recv(ws)
        return answer, end.value.rcvd.code


def ask(server, says, path="/v1/hello", **headers):
    body = b'{"type":"hello","node":"n"}' if path.endswith("hello") else None
    return server.request("POST" if body else "GET", path, body, {"X-User": says, **headers})


def test_it_sees_headers_address_token_and_space(server):
    assert ask(server, "ann").json["user"] == hello(server, "ann")[0]["user"] == "ann"
    assert ask(server, "address").json["user"] == hello(server, "address")[0]["user"] == "127.0.0.1"
    assert ask(server, "token", Authorization="Bearer t").json["user"] == "token t"
    assert hello(server, "token", token="t")[0]["user"] == "token t"
    assert hello(server, "ann", "/v1/spaces/other/ws")[0]["user"] == "ann"
    with closing(server.connect()) as connection:
        connection.request("GET", "/v1/live", headers={"X-User": "ann"})
        assert connection.getresponse().status == 200


def test_what_it_does_not_know_the_server_may(server):
    assert ask(server, "", Authorization=f"Bearer {server.key}").json["user"] == ".root"
    assert hello(server, "", token=server.key)[0]["user"] == ".root"
    assert ask(server, "").code == "unauthorized"
    assert hello(server, "")[1] == 4401


def test_what_it_refuses(server):
    assert ask(server, "expired").code == "token_expired"
    answer, code = hello(server, "expired")
    assert (answer["code"], code) == ("token_expired", 4401)


def test_somebody_of_another_space(server):
    assert ask(server, "elsewhere").code == "unknown_space"
    answer, code = hello(server, "elsewhere")
    assert (answer["code"], code) == ("unknown_space", 4404)


@pytest.mark.parametrize("name", [".root", ".resolver", "anyone", "", "a\tb"])
def test_names_that_are_the_server_s_own(server, name):
    assert ask(server, f"name:{name}").code == "unauthorized"
    answer, code = hello(server, f"name:{name}")
    assert (answer["code"], code) == ("unauthorized", 4401)


def test_an_administrator_of_all_spaces(server):
    assert ask(server, "administrator", "/v1/spaces").json == {"spaces": ["default"]}
    assert ask(server, "ann", "/v1/spaces").code == "forbidden"


def test_a_bug_of_its_own_is_no_admission(server):
    assert ask(server, "broken").status == 500
    assert hello(server, "broken")[0]["code"] == "internal"
    assert "the app's own bug" in server.log()


def test_a_ticket_for_one_of_its_people(server):
    taken = server.request("POST", "/v1/auth/ticket", b"{}", {"X-User": "ann"}).json["ticket"]
    with server.websocket(f"/ws?ticket={taken}") as ws:
        ws.send('{"type":"hello","node":"n"}')
        assert recv(ws)["user"] == "ann"
