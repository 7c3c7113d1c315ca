"""A server as its users meet it: a process of its own, raw HTTP, WebSockets, and events made by hand.

Nothing here uses the code under test to talk to it, so that both cannot be wrong in the same way.
"""

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import randbits, token_hex
from threading import Lock
from typing import Any, NamedTuple

import websockets.sync.client

from tests.forked import Forked
from tests.processes import DEADLINE, rest_of

SERVE = """
import json, sys
from syncline.server.run import run
from syncline.server.settings import Settings

def on_ready(app, port):
    print(json.dumps({"port": port, "grpc": app.grpc_port, "key": app.service.first_key}), flush=True)

run(Settings(**json.loads(sys.argv[1])), on_ready)
"""


def eventually(condition: Callable[[], Any], *, seconds: float = DEADLINE, what: str = "") -> Any:
    """The first true answer of ``condition``, asked again and again; fails when the time is over."""
    limit = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < limit, f"not within {seconds} s: {what or condition}"
        time.sleep(0.005)
    return answer


class Answer(NamedTuple):
    """One response, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The error code of a problem document; None for an answer that is none."""
        if self.headers.get("content-type") != "application/problem+json":
            return None
        problem = self.json
        assert problem["status"] == self.status, problem
        assert problem["detail"], problem
        assert problem["type"].endswith(problem["code"]), problem
        return problem["code"]


class ServerProcess:
    """``syncline.server`` in a process of its own, on a free port; with a ``prefix``, as a command that it begins."""

    def __init__(self, data: Path, *, prefix: tuple[str, ...] = (), **settings: Any) -> None:
        self.data, self.prefix = data, prefix
        self.settings = {"data": str(data), "port": 0, "log_level": "error", **settings}
        self.key: str | None = None
        self.start()

    def start(self) -> None:
        log, settings = self.data.parent / f"{self.data.name}.log", json.dumps(self.settings)
        if self.prefix:
            with log.open("ab") as stderr:
                command = [*self.prefix, sys.executable, "-c", SERVE, settings]
                self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)
        else:
            self.process = Forked(SERVE, settings, log)
        line = self.process.stdout.readline()
        assert line, f"the server did not start: {self.log()}"
        ready = json.loads(line)
        self.port, self.grpc_port, self.key = ready["port"], ready.get("grpc"), ready["key"] or self.key

    def log(self) -> str:
        return (self.data.parent / f"{self.data.name}.log").read_text()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def send(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends the process; its exit code."""
        if self.is_running:
            self.send(number)
        rest_of(self.process)
        return self.process.returncode

    def memory(self, field: str = "VmRSS") -> int:
        """Bytes of resident memory now; with ``VmHWM`` the most since ``forget_peak``."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field + ":"))

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    # HTTP

    def connect(self, *, timeout: float = DEADLINE) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        connection = self.connect()
        try:
            return ask(connection, method, path, body, headers)
        finally:
            connection.close()

    def push(self, space: str, events: Any, headers: dict[str, str] | None = None) -> Answer:
        """``events``: a list, or the bytes of a JSON array."""
        return self.request("POST", f"/v1/spaces/{space}/push", push_body(events), headers)

    def pull(self, space: str, **query: Any) -> Answer:
        parameters = "&".join(f"{name}={value}" for name, value in query.items())
        return self.request("GET", f"/v1/spaces/{space}/pull?{parameters}")

    def head(self, space: str) -> int:
        """The last seq of a space, 0 if there is no such space."""
        answer = self.request("GET", f"/v1/spaces/{space}", headers=self.bearer())
        return answer.json["head"] if answer.status == 200 else 0

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def entries(self, space: str) -> list[dict[str, Any]]:
        """The whole log."""
        found, cursor, more = [], "", True
        while more:
            page = self.pull(space, limit=10_000, since=cursor).json
            found += page["entries"]
            cursor, more = page["cursor"], page.get("more", False)
        return found

    # Raw and WebSocket

    def socket(self, *, receive_buffer: int | None = None) -> socket.socket:
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(DEADLINE)
        raw.connect(("127.0.0.1", self.port))
        return raw

    def websocket(self, path: str = "/ws", **more: Any) -> "websockets.sync.client.ClientConnection":
        options = {"max_size": None, "compression": None, "ping_interval": None, "proxy": None, **more}
        return websockets.sync.client.connect(f"ws://127.0.0.1:{self.port}{path}", **options)

    @contextmanager
    def session(self, space: str, node: str = "n", token: str | None = None, **more: Any) -> Iterator[Any]:
        """A WebSocket that has said hello and was welcomed."""
        with self.websocket(**more) as ws:
            hello = {"type": "hello", "node": node, "space": space} | ({"token": token} if token else {})
            ws.send(json.dumps(hello))
            welcome = json.loads(ws.recv(DEADLINE))
            assert welcome["type"] == "welcome", welcome
            yield ws


@contextmanager
def serving(directory: Path, **settings: Any) -> Iterator[ServerProcess]:
    """A server for several tests. At their end it still runs, stops when it is asked to, and nothing failed in it."""
    server = ServerProcess(directory / "data", **settings)
    yield server
    assert server.is_running, server.log()
    assert server.stop() == 0
    assert "failed" not in server.log()


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request on a connection. A server that answers before it has read everything is still heard."""
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request(method, path, body, {**JSON, **(headers or {})} if body is not None else headers or {})
    response = connection.getresponse()
    return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, response.read())


JSON = {"Content-Type": "application/json"}


def push_body(events: Any) -> bytes:
    array = events if isinstance(events, bytes) else json.dumps(events).encode()
    return b'{"events":' + array + b"}"


def recv(ws: Any) -> dict[str, Any]:
    """The next message of a session."""
    return json.loads(ws.recv(DEADLINE))


def recv_past(ws: Any, kind: str) -> dict[str, Any]:
    """The next message of a session that is not of this kind."""
    while (message := recv(ws))["type"] == kind:
        pass
    return message


# Events


class Author:
    """A node that makes events by hand, as a program without the SDK would."""

    def __init__(self, node: str | None = None) -> None:
        self.node = node or token_hex(8)
        self.n = 0
        self._lock = Lock()

    def event(self, item: str = "task.milk", *, ahead_ms: int = 0, **fields: Any) -> dict[str, Any]:
        """An event that any server takes; ``fields`` change or add members, None takes one away."""
        with self._lock:
            self.n += 1
            n = self.n
        event = {
            "action": "update",
            "clock": {self.node: n},
            "id": new_id(n, ahead_ms),
            "item": item,
            "node": self.node,
            **fields,
        }
        return {name: value for name, value in event.items() if value is not None}

    def events(self, count: int, item: str = "task.milk", **fields: Any) -> list[dict[str, Any]]:
        return [self.event(item, **fields) for _ in range(count)]


def new_id(n: int = 0, ahead_ms: int = 0) -> str:
    """A UUIDv7 of now; ``n`` goes into its counter."""
    ms = time.time_ns() // 1_000_000 + ahead_ms
    text = f"{ms << 80 | 7 << 76 | (n & 0xFFF) << 64 | 2 << 62 | randbits(62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def canonical(event: Any) -> bytes:
    """RFC 8785 for what these tests send: ASCII keys, no fractions."""
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# Checking a log


def check_log(server: ServerProcess, space: str, encoded_events: list[bytes]) -> None:
    """That the server's head and tail are those of these canonical events, by the definition of the tail."""
    tail = bytes(8)
    for body in encoded_events:
        tail = hashlib.sha256(tail + hashlib.sha256(body).digest()).digest()[:8]
    state = server.request("GET", f"/v1/spaces/{space}", headers=server.bearer()).json
    assert (state["head"], state["tail"]) == (len(encoded_events), tail.hex())


def send_signal(pid: int, number: int = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
