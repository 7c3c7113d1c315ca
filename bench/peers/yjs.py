"""What all Yjs servers speak: y-protocols, binary messages over a WebSocket.

A connection greets by asking for a document (sync step 1) and having it answered (step 2); from then on every
update it sends goes to all connections of that document, its own among them. Each event is one update: a
key, the event's id, set in the map `events` to the event's text. The event's node is the Yjs client, its count
the clock, so that updates are made from events alone; since no key is set twice, none refers to another.
"""

import json
import random
from collections.abc import Sequence

from bench.events import Event
from bench.peers.peer import Step
from bench.wire import PING, MarkedReply, binary_frame, upgrade

SYNC_STEP_1 = b"\0\0\1\0"  # sync, step 1, and the state of somebody who has nothing
EMPTY_DOCUMENT = b"\0\1\2\0\0"  # sync, step 2, and the update of a document that is empty
SYNC_UPDATE = b"\0\2"
DENIED = b"permission-denied"


class YjsServer:
    """Every connection has a document of its own, or all are on one that is `shared`.

    An update counts as accepted when the connection that sent it has it back. In a shared document others' come
    as well, so there nothing is waited for.
    """

    ready_path: str | None = None
    marker = b'"payload":'
    keepalive = PING

    def __init__(self, *, shared: bool = False) -> None:
        self.shared = shared
        self.suffix = f"-{random.randbytes(4).hex()}"  # so that each run has new documents

    def prepare(self, port: int) -> None:
        """Nothing: a document is there when it is first asked for."""

    def document(self, number: int) -> str:
        return f"{0 if self.shared else number}{self.suffix}"

    def address(self, number: int) -> bytes:
        """What each message begins with, where the WebSocket's path does not say which document is meant."""
        return b""

    def greeting(self, number: int) -> Sequence[Step]:
        return [
            Step(upgrade(f"/{self.document(number)}"), b"\r\n\r\n"),
            Step(binary_frame(self.address(number) + SYNC_STEP_1), EMPTY_DOCUMENT),
        ]

    def push(self, number: int, events: Sequence[Event]) -> bytes:
        head = self.address(number) + SYNC_UPDATE
        return b"".join(binary_frame(head + sized(update(event))) for event in events)

    def reply(self, events: int) -> MarkedReply | None:
        return None if self.shared else MarkedReply(self.accepted(), events, DENIED)

    def accepted(self) -> bytes:
        """What comes once for every update that the server has taken in."""
        return self.marker

    def subscriptions(self, port: int, count: int) -> list[Sequence[Step]]:
        return [self.greeting(0)] * count


def update(event: Event) -> bytes:
    """One struct of one client, and nothing deleted, in Yjs's first update format."""
    [(node, count)] = json.loads(event.body)["clock"].items()
    client, clock = int(node[:8], 16), count - 1
    item = b"\x28\1" + sized(b"events") + sized(event.id.encode())  # any content, under a key of a root type
    return b"\1\1" + varint(client) + varint(clock) + item + b"\1w" + sized(event.body) + b"\0"


def sized(data: bytes) -> bytes:
    return varint(len(data)) + data


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
