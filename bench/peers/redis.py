"""Redis Streams with `appendfsync always`, where the machine has a `redis-server`."""

from collections.abc import Sequence
from pathlib import Path

from bench.events import Event
from bench.peers.peer import Step
from bench.wire import MarkedReply

STREAM = b"events"


class Redis:
    name = "Redis Streams"
    note = "appendfsync always"
    ready_path: str | None = None

    def install(self) -> None:
        """Nothing: it is used where the machine has it on the PATH."""

    def command(self, port: int, folder: Path) -> list[str]:
        listen = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        return ["redis-server", *listen, *durable]

    def prepare(self, port: int) -> None:
        """Nothing: a stream is there when it is first written to."""

    def greeting(self, number: int) -> Sequence[Step]:
        return []

    def push(self, number: int, events: Sequence[Event]) -> bytes:
        return b"".join(command(b"XADD", STREAM, b"*", b"event", event.body) for event in events)

    def reply(self, events: int) -> MarkedReply:
        return MarkedReply(b"$", events, b"-ERR")


def command(*words: bytes) -> bytes:
    parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
    return b"*%d\r\n" % len(words) + b"".join(parts)
