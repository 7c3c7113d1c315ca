"""NATS: core (a message bus that keeps nothing) and JetStream (its log), by their text protocol.

JetStream is set to fsync every message before it acknowledges (`sync_interval: always`), since that is what
the others are asked for. It is pushed to in two ways: messages with one acknowledgement each, sent ahead
without waiting, and atomic batches with one acknowledgement for all.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path

from bench.events import Event
from bench.install import python_peers
from bench.paths import PEER_VENV
from bench.peers.peer import Step
from bench.peers.tcp import ask
from bench.wire import MarkedReply

SUBJECT = "events"
STREAM = {"name": "EVENTS", "subjects": [SUBJECT], "storage": "file", "allow_atomic": True}
CONNECT = b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\n'


class NatsCore:
    name = "NATS core"
    note = "keeps nothing"
    ready_path: str | None = None
    marker = b'"payload":'
    keepalive = b"PONG\r\n"

    def install(self) -> None:
        python_peers()

    def command(self, port: int, folder: Path) -> list[str]:
        configuration = folder / "nats.conf"
        configuration.write_text(self.configuration(port, folder))
        return [str(PEER_VENV / "bin" / "nats-server"), "-c", str(configuration)]

    def configuration(self, port: int, folder: Path) -> str:
        return f'host: "127.0.0.1"\nport: {port}\n'

    def prepare(self, port: int) -> None:
        """Nothing: a subject needs no making."""

    def greeting(self, number: int) -> Sequence[Step]:
        return [Step(CONNECT + b"PING\r\n", b"PONG\r\n")]

    def push(self, number: int, events: Sequence[Event]) -> bytes:
        return b"".join(publish(SUBJECT, event.body) for event in events)

    def reply(self, events: int) -> MarkedReply | None:
        return None

    def subscriptions(self, port: int, count: int) -> list[Sequence[Step]]:
        return [[Step(CONNECT + f"SUB {SUBJECT} 1\r\nPING\r\n".encode(), b"PONG\r\n")]] * count


class JetStream(NatsCore):
    name = "NATS JetStream"
    note = "sync_interval: always; an acknowledgement each, sent ahead"

    def configuration(self, port: int, folder: Path) -> str:
        store = f'jetstream {{ store_dir: "{folder / "store"}", sync_interval: always }}\n'
        return super().configuration(port, folder) + store

    def prepare(self, port: int) -> None:
        create = publish(f"$JS.API.STREAM.CREATE.{STREAM['name']}", json.dumps(STREAM).encode(), inbox(0))
        ask(port, create, MarkedReply(b'"created":', 1, b'"error"'), self.greeting(0))

    def greeting(self, number: int) -> Sequence[Step]:
        return [Step(CONNECT + f"SUB {inbox(number)} 1\r\nPING\r\n".encode(), b"PONG\r\n")]

    def push(self, number: int, events: Sequence[Event]) -> bytes:
        return b"".join(publish(SUBJECT, event.body, inbox(number)) for event in events)

    def reply(self, events: int) -> MarkedReply | None:
        return MarkedReply(b'"seq":', events, b'"error"')


class JetStreamBatches(JetStream):
    """Each push is one atomic batch: stored whole or not at all, acknowledged once."""

    name = "NATS JetStream batches"
    note = "sync_interval: always; atomic batches"

    def push(self, number: int, events: Sequence[Event]) -> bytes:
        batch = random.randbytes(8).hex()
        messages = [
            publish_in_batch(batch, place, event.body, inbox(number) if place == len(events) else "")
            for place, event in enumerate(events, 1)
        ]
        return b"".join(messages)

    def reply(self, events: int) -> MarkedReply | None:
        return MarkedReply(f'"count":{events}'.encode(), 1, b'"error"')


def publish(subject: str, body: bytes, answer_to: str = "") -> bytes:
    address = f"{subject} {answer_to}" if answer_to else subject
    return f"PUB {address} {len(body)}\r\n".encode() + body + b"\r\n"


def publish_in_batch(batch: str, place: int, body: bytes, answer_to: str) -> bytes:
    """One message of an atomic batch; the one that names where to answer is the last, and commits it."""
    commit = "Nats-Batch-Commit: 1\r\n" if answer_to else ""
    head = f"NATS/1.0\r\nNats-Batch-Id: {batch}\r\nNats-Batch-Sequence: {place}\r\n{commit}\r\n".encode()
    address = f"{SUBJECT} {answer_to}" if answer_to else SUBJECT
    return f"HPUB {address} {len(head)} {len(head) + len(body)}\r\n".encode() + head + body + b"\r\n"


def inbox(number: int) -> str:
    """Where the `number`th connection takes its acknowledgements."""
    return f"_INBOX.{number}"
