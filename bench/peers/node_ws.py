"""A broadcast server on npm's `ws`: what arrives on one socket goes out on all others. Keeps nothing."""

from collections.abc import Sequence
from pathlib import Path

from bench.events import Event
from bench.install import node_peers
from bench.paths import BENCH
from bench.peers.peer import Step
from bench.wire import Reply, text_frame, upgrade


class NodeWs:
    name = "Node ws"
    note = "broadcast, keeps nothing"
    ready_path: str | None = None
    marker = b'"payload":'
    keepalive = text_frame(b"")

    def install(self) -> None:
        node_peers()

    def command(self, port: int, folder: Path) -> list[str]:
        return ["node", str(BENCH / "peers" / "broadcast.cjs"), str(port)]

    def prepare(self, port: int) -> None:
        """Nothing: it has no state."""

    def greeting(self, number: int) -> Sequence[Step]:
        return [Step(upgrade("/"), b"\r\n\r\n")]

    def push(self, number: int, events: Sequence[Event]) -> bytes:
        return b"".join(text_frame(event.body) for event in events)

    def reply(self, events: int) -> Reply | None:
        return None

    def subscriptions(self, port: int, count: int) -> list[Sequence[Step]]:
        return [self.greeting(0)] * count
