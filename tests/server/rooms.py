"""People in a space as one of them sees it over a socket of its own: what is said, and the table that one is told."""

import json
import socket
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import Any

from tests.server.running import ServerProcess, recv

Name = tuple[str, str, str]


class Visitor:
    """A session that says who is here. ``here`` is what it was told, by user, node and key: item and state."""

    def __init__(self, ws: Any) -> None:
        self.ws = ws
        self.here: dict[Name, tuple[str | None, Any]] = {}
        self.messages: list[str] = []
        """Every ``peers`` that came, as it came."""
        self._ref = 0

    def say(self, state: Any = None, item: str | None = None, key: str = "", **more: Any) -> int:
        """One presence, with every member; its ref."""
        self._ref += 1
        message = {"type": "presence", "ref": self._ref, "key": key, "item": item, "state": state, **more}
        self.ws.send(json.dumps(message))
        return self._ref

    def ask(self) -> None:
        """Begins to listen, and has been told who is here."""
        self.ws.send('{"type":"presence"}')
        self.hear()

    def hear(self) -> None:
        """Takes the next message, which is about peers."""
        self.take(recv(self.ws))

    def take(self, message: dict[str, Any]) -> None:
        assert message["type"] == "peers", message
        self.messages.append(json.dumps(message))
        for peer in message["peers"]:
            name = (peer["user"], peer["node"], peer.get("key", ""))
            if peer.get("state") is None:
                assert name in self.here, f"{name} has gone, who was not here"
                del self.here[name]
            else:
                self.here[name] = (peer.get("item"), peer["state"])

    def until(self, condition: Callable[[dict[Name, Any]], bool]) -> None:
        """Takes what comes until the table is as it should be."""
        while not condition(self.here):
            self.hear()

    def sees(self, **expected: Any) -> None:
        """Takes what comes until the table says these states, of these users, and nobody else's."""
        self.until(lambda here: {name[0]: state for name, (_, state) in here.items()} == expected)

    def error(self) -> dict[str, Any]:
        """The next message that is an error; peers before it are taken."""
        while (message := recv(self.ws))["type"] == "peers":
            self.take(message)
        assert message["type"] == "error", message
        return message

    def pong(self) -> None:
        """Returns when all that was said before has been read."""
        self._ref += 1
        self.ws.send(json.dumps({"type": "ping", "ref": self._ref}))
        while (message := recv(self.ws)) != {"type": "pong", "ref": self._ref}:
            self.take(message)


@contextmanager
def visitor(server: ServerProcess, space: str, node: str, token: str | None = None, **more: Any):
    """Somebody with a session in a space; at the end the line breaks, whatever was not read."""
    with server.session(space, node, token, **more) as ws:
        try:
            yield Visitor(ws)
        finally:
            with suppress(OSError):
                ws.socket.shutdown(socket.SHUT_RDWR)
