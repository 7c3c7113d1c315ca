"""Somebody who asks a server as they would with curl: a token, a space, JSON there and back."""

import json
from contextlib import contextmanager
from itertools import count
from typing import Any
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed

from tests.server.running import DEADLINE, Answer, ServerProcess, recv

GOOD, OTHER = "three blue bicycles", "four green tandems"

_addresses = count(1)


class Somebody:
    """``token``: with what they come; ``space``: where, in the path."""

    def __init__(self, server: ServerProcess, token: str | None = None, space: str = "default") -> None:
        self.server, self.token, self.space = server, token, space

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.server.request(method, f"/v1/spaces/{self.space}/{path}", data, bearer | more)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.json

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.ask("POST", path, body)
        assert answer.status == status, answer
        return answer.json

    def delete(self, path: str, body: Any = None) -> Any:
        answer = self.ask("DELETE", path, body)
        assert answer.status == 200, answer
        return answer.json

    def code(self, method: str, path: str, body: Any = None) -> tuple[int, str | None]:
        answer = self.ask(method, path, body)
        return answer.status, answer.code

    def with_(self, token: str) -> "Somebody":
        return Somebody(self.server, token, self.space)

    def is_in(self) -> bool:
        """Whether what they come with is accepted."""
        answer = self.ask("GET", "auth/me")
        assert (answer.status, answer.code) in ((200, None), (401, "unauthorized")), answer
        return answer.status == 200

    def administer(self, name: str, verb: str = "", method: str = "POST") -> Answer:
        return self.ask(method, f"users/{quote(name, safe='')}" + (f"/{verb}" if verb else ""))

    def make_user(self, name: str, password: str | None = GOOD) -> Any:
        return self.post("users", {"name": name, **({"password": password} if password else {})}, 201)

    def make_key(self, name: str = "laptop", **more: Any) -> Any:
        return self.post("keys", {"name": name, **more}, 201)

    def log(self) -> list[dict[str, Any]]:
        """What the system's events say, as this one may read them: item, action and payload."""
        entries = self.get("pull?limit=10000")["entries"]
        events = [entry["event"] for entry in entries if entry["event"]["item"].startswith(".user.")]
        return [(event["user"], event["item"], event["action"], event.get("payload")) for event in events]

    @contextmanager
    def socket(self, node: str = "n", *, live: bool = False, path: str = "/ws", token: str | None = ""):
        """A WebSocket that was welcomed, and follows if it is ``live``."""
        token = self.token if token == "" else token
        with self.server.websocket(path) as ws:
            hello = {"type": "hello", "node": node, "space": self.space}
            ws.send(json.dumps(hello | ({"token": token} if token else {})))
            assert recv(ws)["type"] == "welcome"
            if live:
                ws.send('{"type":"live"}')
                assert recv(ws)["type"] == "page"
            yield ws


def root(server: ServerProcess, space: str = "default") -> Somebody:
    return Somebody(server, server.key, space)


def elsewhere() -> dict[str, str]:
    """A header by which a request comes from another address, through a proxy that the server trusts."""
    number = next(_addresses)
    return {"X_Forwarded_For": f"192.0.{number // 250 % 250}.{number % 250}"}


def log_in(server: ServerProcess, user: str, password: str = GOOD, space: str = "default", **more: Any) -> Answer:
    """The answer to a login from an address of its own."""
    body = {"user": user, "password": password, **more}
    return Somebody(server, None, space).ask("POST", "auth/login", body, **elsewhere())


def signed_in(server: ServerProcess, user: str, password: str = GOOD, space: str = "default", **more: Any) -> Somebody:
    answer = log_in(server, user, password, space, **more)
    assert answer.status == 200, answer
    somebody = Somebody(server, answer.json["access_token"], space)
    somebody.grant = answer.json
    return somebody


def ending(ws: Any) -> tuple[str, int]:
    """With which error a session ends, and how its socket is closed; whatever is said before it does not count."""
    last = {}
    try:
        while True:
            last = json.loads(ws.recv(DEADLINE))
    except ConnectionClosed as closed:
        return last.get("code"), closed.rcvd.code if closed.rcvd else 0
