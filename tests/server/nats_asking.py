"""The protocol over NATS as a program without the SDK has it: subjects, headers, inboxes, and the library of NATS."""

import json
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import nats

from tests.nats import NatsServer
from tests.processes import DEADLINE
from tests.server.running import ServerProcess, eventually


class Told(NamedTuple):
    """An answer: its messages as they came, and what they say together."""

    parts: list[bytes]
    text: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str | None:
        """That of an error, or of the first event that was refused."""
        found = self.json
        if found["type"] == "ack" and found["results"]:
            found = found["results"][0].get("error", {})
        return found.get("code")


class Asking:
    """A caller with credentials of one space, or without."""

    def __init__(self, client: nats.NATS, space: str, token: str | None) -> None:
        self.client, self.token = client, token
        self.place = f"syncline.v1.{space.replace('.', '=')}"

    async def __call__(self, verb: str, *, wait: int | None = None, **members: Any) -> Told:
        """One request, whose message has these members, and its answer."""
        return await self.raw(verb, json.dumps({"type": verb, **members}).encode(), **{"Wait": wait} if wait else {})

    async def raw(self, verb: str, body: bytes, **headers: Any) -> Told:
        """The same with a body that may be anything."""
        inbox = await self.send(verb, body, **headers)
        try:
            return await told(inbox)
        finally:
            await inbox.unsubscribe()

    async def send(self, verb: str, body: bytes, **headers: Any) -> Any:
        """Sends a request; where its answer comes."""
        inbox = await self.client.subscribe(reply := self.client.new_inbox())
        shown = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        more = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        await self.client.publish(f"{self.place}.{verb}", body, reply=reply, headers={**shown, **more})
        return inbox


async def told(inbox: Any) -> Told:
    """What comes to an inbox, until it is an answer."""
    parts: list[bytes] = []
    while True:
        message = await inbox.next_msg(timeout=DEADLINE)
        headers = message.headers or {}
        assert headers.get("Status") != "503", "nobody listens"
        parts.append(message.data)
        number, _, count = headers.get("Part", "1/1").partition("/")
        assert int(number) == len(parts)
        if number == count:
            return Told(parts, b"".join(parts))


async def _ignore(error: Exception) -> None:
    """What a connection says when its server goes, as these tests will have it."""


@asynccontextmanager
async def asking(server: NatsServer, space: str, token: str | None = None):
    """A caller."""
    client = await nats.connect(server.url, error_cb=_ignore, max_reconnect_attempts=-1, reconnect_time_wait=0.05)
    try:
        yield Asking(client, space, token)
    finally:
        await client.close()


def until_connected(server: ServerProcess) -> None:
    """Returns when a server answers over NATS."""
    eventually(lambda: link_of(server) == "connected")


def link_of(server: ServerProcess) -> str:
    return server.request("GET", "/readyz").json["nats"]
