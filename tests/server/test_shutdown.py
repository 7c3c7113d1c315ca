"""SIGTERM: what was begun is answered and durable, sockets are closed with a code, and the exit code is 0."""

import json
import signal
import socket
from contextlib import ExitStack, closing, suppress
from http.client import HTTPException
from threading import Event, Thread

import pytest
from websockets.exceptions import ConnectionClosed

from tests.server.running import DEADLINE, Author, eventually, push_body, recv, recv_past

GONE = (OSError, HTTPException, ConnectionClosed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_an_idle_server_stops(serve, number):
    server = serve(open=True)
    server.push("s", Author().events(3))
    assert server.stop(number) == 0
    server.start()
    assert server.head("s") == 3


class Writer(Thread):
    """Pushes until it cannot, and notes what was acknowledged; ``unanswered`` was sent and not answered."""

    def __init__(self, server, *, websocket: bool, batch: int) -> None:
        super().__init__(daemon=True)
        self.server, self.websocket, self.batch = server, websocket, batch
        self.acked: dict[str, int] = {}
        self.unanswered = False
        self.refused: list[str] = []
        self.begun = Event()

    def run(self) -> None:
        with suppress(*GONE):
            self.over_websocket() if self.websocket else self.over_http()
        self.begun.set()

    def over_http(self) -> None:
        author = Author()
        with closing(self.server.connect()) as connection:
            while not self.refused:
                body = push_body(author.events(self.batch))
                connection.request("POST", "/v1/spaces/s/push", body, {"Content-Type": "application/json"})
                self.unanswered = True
                answer = json.loads(connection.getresponse().read())
                self.note(answer.get("results", []), answer.get("code"))

    def over_websocket(self) -> None:
        author = Author()
        with self.server.session("s") as ws:
            while not self.refused:
                ws.send(json.dumps({"type": "push", "ref": 1, "events": author.events(self.batch)}))
                self.unanswered = True
                answer = recv(ws)
                self.note(answer.get("results", []), answer.get("code"))

    def note(self, results, code) -> None:
        self.unanswered = False
        self.acked |= {result["id"]: result["seq"] for result in results}
        self.refused += [code] if code else []
        self.begun.set()


def test_pushes_under_way_are_answered_and_durable(serve):
    server = serve(open=True)
    writers = [Writer(server, websocket=count % 2 == 0, batch=1 + count // 2 * 40) for count in range(12)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.begun.wait(DEADLINE)
    server.send(signal.SIGTERM)
    for writer in writers:
        writer.join(DEADLINE)
    assert server.stop() == 0
    assert "failed" not in server.log()
    server.start()
    stored = {entry["event"]["id"]: entry["seq"] for entry in server.entries("s")}
    assert sorted(stored.values()) == list(range(1, len(stored) + 1))
    for writer in writers:
        assert writer.acked.items() <= stored.items()
        assert set(writer.refused) <= {"shutting_down"}
    # Whoever pushes on and on may send one more push into a connection that is being closed. That is not stored.
    acked = {id for writer in writers for id in writer.acked}
    assert set(stored) == acked, f"{len(set(stored) - acked)} events were stored and not acknowledged"


def test_one_push_under_way_is_answered(serve):
    """The signal comes while the body is on its way: the request had begun."""
    server = serve(open=True)
    server.push("s", Author().events(1))
    body = push_body(Author().events(50))
    with closing(server.socket()) as raw:
        head = f"POST /v1/spaces/s/push HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        raw.sendall(head.encode())
        raw.sendall(body[:100])
        assert server.request("GET", "/readyz").status == 200
        server.send(signal.SIGTERM)
        eventually(lambda: refuses(server))
        raw.sendall(body[100:])
        answer = b""
        while more := raw.recv(65_536):
            answer += more
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert server.stop() == 0
    server.start()
    assert server.head("s") == 51


def refuses(server) -> bool:
    """Whether nobody listens any more."""
    with closing(socket.socket()) as raw:
        return raw.connect_ex(("127.0.0.1", server.port)) != 0


def test_sockets_are_closed_with_a_code(serve):
    server = serve(open=True)
    with ExitStack() as stack:
        sessions = [stack.enter_context(server.session("s")) for _ in range(3)]
        for ws in sessions[1:]:
            ws.send('{"type":"live"}')
            recv(ws)
        silent = stack.enter_context(server.websocket())
        server.send(signal.SIGTERM)
        for ws in (*sessions, silent):
            assert close_code(ws) == 1012
    assert server.stop() == 0


def close_code(ws) -> int:
    """The code with which a session ends; before that it says why."""
    try:
        while True:
            message = recv(ws)
            assert (message["type"], message["code"]) == ("error", "shutting_down")
    except ConnectionClosed as closed:
        return closed.rcvd.code


def test_streams_say_why_they_end(serve):
    server = serve(open=True)
    with closing(server.connect()) as connection:
        connection.request("GET", "/v1/spaces/s/live")
        response = connection.getresponse()
        while response.readline() != b"\n":
            pass
        server.send(signal.SIGTERM)
        rest = response.read().decode()
    assert "event: error\n" in rest
    assert '"code":"shutting_down"' in rest
    assert server.stop() == 0


def test_followers_are_told(serve):
    server = serve(open=True)
    with server.session("s") as ws:
        ws.send('{"type":"live"}')
        recv(ws)
        server.send(signal.SIGTERM)
        assert recv_past(ws, "page")["code"] == "shutting_down"
    assert server.stop() == 0


def test_long_polls_end(serve):
    server = serve(open=True)
    with closing(server.connect()) as connection:
        connection.request("GET", "/v1/spaces/s/pull?wait=55")
        assert server.request("GET", "/readyz").status == 200
        server.send(signal.SIGTERM)
        assert connection.getresponse().status in (200, 503)
    assert server.stop() == 0


def test_a_client_that_never_ends_its_request_does_not_hold_the_server(serve):
    server = serve(open=True, shutdown_seconds=1.0)
    with closing(server.socket()) as raw:
        raw.sendall(b"POST /v1/spaces/s/push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        assert server.request("GET", "/readyz").status == 200
        assert server.stop() == 0
    server.start()
    assert server.head("s") == 0


def test_a_server_that_drains_says_so_and_still_serves(serve):
    server = serve(open=True, drain_seconds=60)
    with server.session("s") as ws:
        assert server.request("GET", "/readyz").status == 200
        server.send(signal.SIGTERM)
        answer = eventually(lambda: (answer := server.request("GET", "/readyz")).status == 503 and answer)
        assert (answer.code, answer.headers["connection"]) == ("shutting_down", "close")
        pushed = server.push("s", Author().events(2))
        assert (pushed.status, pushed.json["head"]) == (200, 2)
        assert pushed.headers["connection"] == "close"  # whoever asks again goes elsewhere
        ws.send(json.dumps({"type": "push", "ref": 1, "events": Author().events(1)}))
        assert recv(ws)["head"] == 3
    assert server.stop(signal.SIGINT) == 0  # whoever stops it is impatient
