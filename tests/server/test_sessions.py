"""Every limit of a session over WebSocket, as one table: what is sent, and what comes back.

After each of them the log is as it was, and the server goes on.
"""

import json
import socket
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from websockets.exceptions import ConnectionClosed

from tests.server.running import DEADLINE, Author, push_body, recv

MIB = 1024 * 1024
HELLO = {"type": "hello", "node": "n", "space": "{space}"}
PUSH = {"type": "push", "ref": 7, "events": [Author().event()]}
DEEP = '{"type":"ping","more":' * 10_000
TOKEN = {"token": "sk_wrong"}


class Case(NamedTuple):
    name: str
    sent: list[Any]
    """Frames: text, bytes, or what becomes JSON."""
    answers: list[str]
    """The kinds of the answers; an error's is its code."""
    close: int | None = None
    """The close code, if the server ends the session."""
    path: str = "/ws"

    def __str__(self) -> str:
        return self.name


REFUSED_HELLOS = [
    Case("push before hello", [PUSH], ["hello_required"], 4400),
    Case("pull before hello", [{"type": "pull"}], ["hello_required"], 4400),
    Case("live before hello", [{"type": "live"}], ["hello_required"], 4400),
    Case("ping before hello", [{"type": "ping"}], ["hello_required"], 4400),
    Case("garbage before hello", ["hello?"], ["bad_json"], 4400),
    Case("nothing before hello", [""], ["bad_json"], 4400),
    Case("a BOM before hello", ["\ufeff{}"], ["bad_json"], 4400),
    Case("a list before hello", [[]], ["bad_request"], 4400),
    Case("100,000 nested arrays before hello", ["[" * 100_000], ["bad_request"], 4400),
    Case("10,000 open objects before hello", [DEEP], ["too_deep"], 4400),
    Case("a wrong protocol", [HELLO | {"protocol": 2}], ["unsupported_protocol"], 4400),
    Case("a protocol of zero", [HELLO | {"protocol": 0}], ["unsupported_protocol"], 4400),
    Case("a protocol that is no number", [HELLO | {"protocol": "1"}], ["bad_request"], 4400),
    Case("no node", [{"type": "hello"}], ["bad_request"], 4400),
    Case("a node with a NUL", [HELLO | {"node": "a\0"}], ["bad_request"], 4400),
    Case("a node of 65", [HELLO | {"node": "n" * 65}], ["bad_request"], 4400),
    Case("a wrong key", [HELLO | TOKEN], ["unauthorized"], 4401),
    Case("a space of ../", [HELLO | {"space": "../x"}], ["bad_request"], 4400),
    Case("a space of SQL", [HELLO | {"space": "x'--"}], ["bad_request"], 4400),
    Case("a space of 65", [HELLO | {"space": "s" * 65}], ["bad_request"], 4400),
    Case("another space than the path", [HELLO | {"space": "b"}], ["space_mismatch"], 4400, "/v1/spaces/a/ws"),
    Case("a bad space in the path", [{"type": "hello", "node": "n"}], ["bad_request"], 4400, "/v1/spaces/A/ws"),
    Case("a frame over the limit before hello", ["x" * (MIB + 1)], [], 1009),
    Case("a key twice in hello", ['{"type":"hello","node":"a","node":"b"}'], ["bad_json"], 4400),
]

IN_A_SESSION = [
    Case("a push", [PUSH], ["ack"]),
    Case("a push of nothing", [PUSH | {"events": []}], ["ack"]),
    Case("a ping", [{"type": "ping", "ref": 3}], ["pong"]),
    Case("a pong nobody asked for", [{"type": "pong", "ref": 3}, {"type": "ping"}], ["pong"]),
    Case("hello twice", [HELLO, {"type": "ping"}], ["hello_required", "pong"]),
    Case("live twice", [{"type": "live"}, {"type": "live"}], ["bad_request", "page"]),
    Case("a second live after a bad one", [{"type": "live", "cursor": "7"}], ["bad_cursor"]),
    Case("live with bad items", [{"type": "live", "items": ["a*b"]}], ["bad_request"]),
    Case("live with an empty item", [{"type": "live", "items": [""]}], ["bad_request"]),
    Case("live with 101 items", [{"type": "live", "items": [f"i{n}" for n in range(101)]}], ["bad_request"]),
    Case("garbage", ["garbage", {"type": "ping"}], ["bad_json", "pong"]),
    Case("nothing", ["", {"type": "ping"}], ["bad_json", "pong"]),
    Case("a NUL", ["\0", {"type": "ping"}], ["bad_json", "pong"]),
    Case("NaN", ["NaN", {"type": "ping"}], ["bad_json", "pong"]),
    Case("truncated", [json.dumps(PUSH)[:-1], {"type": "ping"}], ["bad_json", "pong"]),
    Case("two messages in a frame", [json.dumps(PUSH) * 2, {"type": "ping"}], ["bad_json", "pong"]),
    Case("100,000 nested arrays", ["[" * 100_000, {"type": "ping"}], ["bad_request", "pong"]),
    Case("10,000 open objects", [DEEP, {"type": "ping"}], ["too_deep", "pong"]),
    Case("a lone surrogate", ['{"type":"\\ud800"}', {"type": "ping"}], ["bad_json", "pong"]),
    Case("an unknown type", [{"type": "dance"}, {"type": "ping"}], ["bad_request", "pong"]),
    Case("no type", [{"ref": 7}, {"type": "ping"}], ["bad_request", "pong"]),
    Case("a server's message", [{"type": "welcome"}, {"type": "ping"}], ["bad_request", "pong"]),
    Case("a ref that is no number", [PUSH | {"ref": "7"}], ["bad_request"]),
    Case("a ref of 5,000 digits", ['{"type":"ping","ref":' + "9" * 5_000 + "}"], ["bad_request"]),
    Case("a push without events", [{"type": "push"}], ["bad_request"]),
    Case("a push of an object", [PUSH | {"events": {}}], ["bad_request"]),
    Case("a push with a key twice", ['{"type":"push","ref":1,"ref":2,"events":[]}'], ["bad_json"]),
    Case("a push with events twice", ['{"type":"push","events":[],"events":[]}'], ["bad_json"]),
    Case("a pull", [{"type": "pull"}], ["page"]),
    Case("a pull of nothing", [{"type": "pull", "limit": 0}], ["bad_request"]),
    Case("a pull of -1", [{"type": "pull", "limit": -1}], ["bad_request"]),
    Case("a pull of 10,001", [{"type": "pull", "limit": 10_001}], ["bad_request"]),
    Case("a pull of 1.5", [{"type": "pull", "limit": 1.5}], ["bad_request"]),
    Case("a pull from nowhere", [{"type": "pull", "cursor": "A" * 76}], ["bad_cursor"]),
    Case("a pull from a number", [{"type": "pull", "cursor": 7}], ["bad_request"]),
    Case("a pull of bad items", [{"type": "pull", "items": ["a\0"]}], ["bad_request"]),
    Case("a binary frame", [json.dumps(PUSH).encode()], ["ack"]),
    Case("binary garbage", [b"\xff\xfe", {"type": "ping"}], ["bad_json", "pong"]),
    Case("an empty binary frame", [b"", {"type": "ping"}], ["bad_json", "pong"]),
    Case("a frame over the limit", ["x" * (MIB + 1)], [], 1009),
    Case("a frame at the limit", [json.dumps(PUSH) + " " * (MIB - len(json.dumps(PUSH)))], ["ack"]),
]


STORED = ("a push", "a binary frame", "a frame at the limit")


def filled(frame: Any, space: str) -> str | bytes:
    if isinstance(frame, bytes):
        return frame
    return (frame if isinstance(frame, str) else json.dumps(frame)).replace("{space}", space)


def kind(answer: dict[str, Any]) -> str:
    return answer["code"] if answer["type"] == "error" else answer["type"]


def converse(ws: Any, case: Case, space: str) -> None:
    for frame in case.sent:
        ws.send(filled(frame, space))
    answers = [kind(recv(ws)) for _ in case.answers]
    assert sorted(answers) == sorted(case.answers)  # pages and answers come as they are ready
    if case.close is None:
        ws.send('{"type":"ping","ref":99}')
        assert recv(ws) == {"type": "pong", "ref": 99}
        return
    assert close_code(ws) in ((1009, None) if case.close == 1009 else (case.close,))


def close_code(ws: Any) -> int | None:
    """The close code; None if the connection was reset before it was read, as one may be whose data nobody wants."""
    with pytest.raises(ConnectionClosed) as closed:
        ws.recv(DEADLINE)
    return closed.value.rcvd and closed.value.rcvd.code


@pytest.mark.parametrize("case", REFUSED_HELLOS, ids=str)
def test_before_hello(open_server, space, case):
    with open_server.websocket(case.path) as ws:
        converse(ws, case, space)
    assert open_server.head(space) == 0


@pytest.mark.parametrize("case", IN_A_SESSION, ids=str)
def test_in_a_session(open_server, space, case):
    with open_server.session(space) as ws:
        converse(ws, case, space)
    assert open_server.head(space) == (1 if case.name in STORED else 0)


def test_nobody_is_at_another_address(open_server):
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus) as refused:
        open_server.websocket("/v1/nowhere")
    assert refused.value.response.status_code in (403, 404)


def test_welcome_tells_what_there_is(open_server, space, author):
    events = author.events(3)
    open_server.push(space, events)
    with open_server.websocket(f"/v1/spaces/{space}/ws") as ws:
        ws.send(json.dumps({"type": "hello", "node": author.node}))
        welcome = recv(ws)
    state = open_server.request("GET", f"/v1/spaces/{space}").json
    assert (welcome["epoch"], welcome["head"], welcome["user"]) == (state["epoch"], 3, "anyone")
    assert welcome["own"] == max(event["id"] for event in events)
    assert welcome["limits"]["body_bytes"] == MIB
    with open_server.websocket() as ws:  # the node of somebody else says nothing
        ws.send(json.dumps({"type": "hello", "node": author.node, "space": space, "token": open_server.key}))
        assert "own" not in recv(ws)


def test_a_fragmented_message(open_server, space, author):
    with open_server.session(space) as ws:
        text = json.dumps({"type": "push", "ref": 1, "events": [author.event()]})
        ws.send(text[place : place + 10] for place in range(0, len(text), 10))
        assert recv(ws)["results"][0]["seq"] == 1


def test_fragments_over_the_limit(open_server, space):
    with open_server.session(space) as ws:
        with suppress(ConnectionClosed):
            ws.send("x" * 65_536 for _ in range(64))
        assert close_code(ws) in (1009, None)


def test_invalid_utf8_in_a_text_frame(open_server, space):
    with open_server.session(space) as ws:
        ws.socket.sendall(b"\x81\x82\0\0\0\0\xff\xfe")
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(DEADLINE)
    assert closed.value.rcvd.code == 1007


BROKEN_FRAMES = {
    "unmasked": b"\x81\x05hello",
    "a reserved opcode": b"\x8f\x80\0\0\0\0",
    "reserved bits": b"\xf1\x80\0\0\0\0",
    "a continuation of nothing": b"\x80\x81\0\0\0\0x",
    "a long ping": b"\x89\xfe\0\xff\0\0\0\0" + bytes(255),
}


@pytest.mark.parametrize("frame", BROKEN_FRAMES.values(), ids=BROKEN_FRAMES)
def test_a_broken_frame(open_server, space, frame):
    with open_server.session(space) as ws:
        ws.socket.sendall(frame)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(DEADLINE)
    assert closed.value.rcvd.code == 1002


def test_a_client_that_vanishes_within_a_push(open_server, space):
    body = push_body(Author().events(100))
    for part in (10, len(body) // 2, len(body) - 1):
        raw = open_server.socket()
        head = f"POST /v1/spaces/{space}/push HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        raw.sendall(head.encode() + body[:part])
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, not closed
        raw.close()
    assert open_server.request("GET", "/readyz").status == 200
    assert open_server.head(space) == 0
