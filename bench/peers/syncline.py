"""Syncline itself: `syncline serve`, pushed and pulled over HTTP and heard over WebSocket."""

import json
from collections.abc import Sequence
from pathlib import Path

from bench.events import Event
from bench.paths import COMMANDS
from bench.peers.peer import Step
from bench.peers.tcp import ask
from bench.wire import HttpReply, http_get, http_post, text_frame, upgrade

SPACE = "default"
TAIL_BYTES = 200


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

    def subscriptions(self, port: int, count: int) -> list[Sequence[Step]]:
        cursor = self.head_cursor(port)
        return [subscription(number, cursor) for number in range(count)]

    def head_cursor(self, port: int) -> str:
        """Where the log ends, found by reading it: subscribers are up to date before they go live."""
        cursor, has_more = "", True
        while has_more:
            page = HttpReply(b'"cursor":"', 1)
            ask(port, self.pull(cursor, 10_000), page)
            tail = bytes(page.data[-TAIL_BYTES:])
            cursor, has_more = self.next_cursor(tail), b'"more":true' in tail
        return cursor


class SynclineWith(Syncline):
    """Syncline with further flags; the load generators know it as Syncline."""

    def __init__(self, name: str, note: str, *flags: str) -> None:
        self.name, self.note, self.flags = name, note, flags

    def command(self, port: int, folder: Path) -> list[str]:
        return [*super().command(port, folder), *self.flags]


def subscription(number: int, cursor: str) -> Sequence[Step]:
    hello = {"type": "hello", "protocol": 1, "node": f"subscriber-{number}", "space": SPACE}
    live = {"type": "live", "cursor": cursor}
    return [
        Step(upgrade("/ws"), b"\r\n\r\n"),
        Step(text_frame(json.dumps(hello).encode()), b'"welcome"'),
        Step(text_frame(json.dumps(live).encode()), b""),
    ]
