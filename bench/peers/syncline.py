"""Syncline itself: `syncline serve`, pushed and pulled over HTTP and heard over WebSocket."""

import json
from collections.abc import Sequence
from pathlib import Path

from bench.events import Event
from bench.paths import COMMANDS
from bench.peers.peer import Step
from bench.wire import HttpReply, http_get, http_post, text_frame, upgrade

SPACE = "default"


class Syncline:
    name = "Syncline"
    note = "SQLite, fsync before the answer"
    ready_path: str | None = "/readyz"
    marker = b'"payload":'
    keepalive = text_frame(b'{"type":"ping"}')

    def install(self) -> None:
        """Nothing: it is what the environment is for."""

    def command(self, port: int, folder: Path) -> list[str]:
        serve = ["serve", "--data", str(folder / "data"), "--port", str(port), "--open"]
        return [str(COMMANDS / "syncline"), *serve]

    def prepare(self, port: int) -> None:
        """Nothing: a space is there when it is first written to."""

    def greeting(self, number: int) -> Sequence[Step]:
        return []

    def push(self, number: int, events: Sequence[Event]) -> bytes:
        body = b'{"events":[' + b",".join(event.body for event in events) + b"]}"
        return http_post("/v1/push", body, f"X-Tenant-ID: {SPACE}\r\n")

    def reply(self, events: int) -> HttpReply:
        return HttpReply(b'"seq":', events)

    def pull(self, cursor: str, limit: int) -> bytes:
        since = f"since={cursor}&" if cursor else ""
        return http_get(f"/v1/pull?{since}limit={limit}", f"X-Tenant-ID: {SPACE}\r\n")

    def next_cursor(self, tail: bytes) -> str:
        _, _, rest = tail.rpartition(b'"cursor":"')
        return rest.partition(b'"')[0].decode()

    def subscription(self, number: int) -> Sequence[Step]:
        hello = {"type": "hello", "protocol": 1, "node": f"subscriber-{number}", "space": SPACE}
        return [
            Step(upgrade("/ws"), b"\r\n\r\n"),
            Step(text_frame(json.dumps(hello).encode()), b'"welcome"'),
            Step(text_frame(b'{"type":"live"}'), b""),
        ]
