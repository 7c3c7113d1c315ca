"""Nobody holds a connection by being slow: heads, bodies, hellos and silences have their deadlines."""

import json
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from tests.server.running import DEADLINE, Author, ask, push_body, recv, serving

HEAD, BODY, HELLO, IDLE = 1.0, 1.0, 1.0, 2.0
GRACE = 2.5
"""How much later than its deadline an end may come, on a busy machine."""
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    hasty = {"head_seconds": HEAD, "body_seconds": BODY, "hello_seconds": HELLO, "idle_seconds": IDLE}
    with serving(tmp_path_factory.mktemp("hasty"), open=True, **hasty) as server:
        yield server
        assert server.request("GET", "/readyz").status == 200


@pytest.fixture
def dial(server):
    """Opens connections, and closes them at the end."""
    opened = []

    def connect() -> socket.socket:
        opened.append(server.socket())
        return opened[-1]

    yield connect
    for raw in opened:
        raw.close()


def read_to(raw: socket.socket, end: bytes) -> bytes:
    """What comes, up to this end."""
    said = b""
    while not said.endswith(end):
        more = raw.recv(65_536)
        assert more, said
        said += more
    return said


def trickle(raw: socket.socket, data: bytes, *, pause: float = 0.1, until: bytes | None = None) -> tuple[float, bytes]:
    """Sends byte by byte until the other end closes, or says ``until``; how long that took, and what it said."""
    began = time.monotonic()
    said = b""
    for byte in data:
        readable, _, _ = select.select([raw], [], [], pause)
        try:
            if readable:
                if not (more := raw.recv(65_536)):
                    break
                said += more
                if until is not None and until in said:
                    break
            raw.sendall(bytes([byte]))
        except OSError:
            break
        assert time.monotonic() - began < DEADLINE, "the connection is still there"
    return time.monotonic() - began, said


ENDLESS = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(1_000))


def test_a_head_byte_by_byte(server, dial):
    seconds, said = trickle(dial(), ENDLESS)
    assert HEAD * 0.9 <= seconds <= HEAD + GRACE
    assert said == b""


def test_a_second_head_byte_by_byte(server, dial):
    raw = dial()
    raw.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    read_to(raw, b'{"status":"alive"}')
    seconds, said = trickle(raw, ENDLESS)
    assert HEAD * 0.9 <= seconds <= HEAD + GRACE
    assert said == b""


def test_a_second_head_within_the_first_request(server, dial):
    """Its beginning came with the first request; nothing ever follows."""
    raw = dial()
    raw.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /li")
    read_to(raw, b'{"status":"alive"}')
    assert_closed(raw, HEAD + GRACE)


def test_a_connection_that_says_nothing(server, dial):
    assert_closed(dial(), HEAD + GRACE)


def test_an_idle_connection(server):
    connection = server.connect()
    assert ask(connection, "GET", "/livez").status == 200
    assert_closed(connection.sock, IDLE + GRACE, at_least=IDLE * 0.9)
    connection.close()


def test_a_body_that_nobody_waits_for(server, dial):
    """The answer is there before the body; whoever sends the rest byte by byte has to go as well."""
    raw = dial()
    raw.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
    seconds, said = trickle(raw, b"x" * 999)
    assert seconds <= BODY + IDLE + GRACE
    assert b"200" in said


def assert_closed(raw: socket.socket, seconds: float, *, at_least: float = 0.0) -> None:
    """That the other end closes a connection in this time, without a word."""
    began = time.monotonic()
    raw.settimeout(seconds)
    with suppress(ConnectionResetError):
        assert raw.recv(65_536) == b""
    assert time.monotonic() - began >= at_least


@pytest.mark.parametrize("sent", [b"", b'{"events":['], ids=["nothing", "a beginning"])
def test_a_body_that_stalls(server, dial, space, sent):
    raw = dial()
    raw.sendall(f"POST /v1/spaces/{space}/push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n".encode())
    raw.sendall(sent)
    answer = read_to(raw, b"}")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in answer
    assert b"connection: close" in answer.lower()
    assert_closed(raw, GRACE)


def test_a_body_byte_by_byte(server, dial, space):
    raw = dial()
    raw.sendall(f"POST /v1/spaces/{space}/push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n".encode())
    seconds, said = trickle(raw, push_body(Author().events(10)))
    assert BODY * 0.9 <= seconds <= BODY + GRACE
    assert said.startswith(b"HTTP/1.1 408 ")
    assert server.head(space) == 0


def test_an_endless_head_costs_no_memory(server, dial):
    before = server.memory()
    server.forget_peak()
    raw = dial()
    line = b"X-Padding: " + b"x" * 65_000 + b"\r\n"
    began = time.monotonic()
    try:
        raw.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")
        for _ in range(200 * MIB // len(line)):
            raw.sendall(line)
    except OSError:
        pass
    assert time.monotonic() - began < HEAD + GRACE
    assert server.memory("VmHWM") - before < 16 * MIB


def test_an_endless_header_costs_no_memory(server, dial):
    before = server.memory()
    server.forget_peak()
    raw = dial()
    try:
        raw.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Padding: ")
        for _ in range(200):
            raw.sendall(b"x" * MIB)
    except OSError:
        pass
    assert server.memory("VmHWM") - before < 16 * MIB


def closed_with(ws, seconds: float) -> int:
    """The close code that comes within this time."""
    with pytest.raises(ConnectionClosed) as closed:
        ws.recv(seconds)
    return closed.value.rcvd.code


def test_a_session_that_never_says_hello(server):
    began = time.monotonic()
    with server.websocket() as ws:
        assert recv(ws)["code"] == "unauthorized"
        assert closed_with(ws, GRACE) == 4401
    assert HELLO * 0.9 <= time.monotonic() - began <= HELLO + GRACE


def test_hello_that_comes_too_late(server, space):
    with server.websocket() as ws:
        assert recv(ws)["code"] == "unauthorized"
        with suppress(ConnectionClosed):
            ws.send(json.dumps({"type": "hello", "node": "n", "space": space}))
        assert closed_with(ws, GRACE) == 4401


def test_an_idle_session(server, space):
    with server.session(space) as ws:
        began = time.monotonic()
        assert recv(ws)["code"] == "request_timeout"
        assert closed_with(ws, GRACE) == 4408
    assert IDLE * 0.9 <= time.monotonic() - began <= IDLE + GRACE


def test_a_session_that_pings_is_not_idle(server, space):
    with server.session(space) as ws:
        until = time.monotonic() + 2 * IDLE
        while time.monotonic() < until:
            ws.send('{"type":"ping","ref":1}')
            assert recv(ws) == {"type": "pong", "ref": 1}
            time.sleep(IDLE / 5)  # this silence is what is tested


def test_a_frame_byte_by_byte(dial, space):
    """A frame that never ends says nothing, so the session is idle."""
    raw = dial()
    raw.sendall(HANDSHAKE)
    read_to(raw, b"\r\n\r\n")
    raw.sendall(frame(json.dumps({"type": "hello", "node": "n", "space": space}).encode()))
    seconds, said = trickle(raw, frame(b" " * 1_000), until=(4408).to_bytes(2, "big") + b"request_timeout")
    assert IDLE * 0.9 <= seconds <= IDLE + GRACE
    assert b'"type":"welcome"' in said


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(text: bytes) -> bytes:
    """A text frame, masked with zeros."""
    return b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text


def test_a_handshake_that_stalls(server, dial):
    head = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    seconds, _ = trickle(dial(), head * 20)
    assert seconds <= HEAD + GRACE


def test_the_slow_do_not_stop_the_others(server, dial, space):
    slow = [dial() for _ in range(100)]
    for count, raw in enumerate(slow):
        raw.sendall(ENDLESS[: 10 + count] if count % 2 else b"POST /v1/push HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: server.push(space, Author().events(10)), range(40)))
    assert all(answer.status == 200 for answer in answers)
    assert time.monotonic() - began < 5
