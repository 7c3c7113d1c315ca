"""Gives a space the history of documents: each is made with ten fields, which are then written over, one at a time.

One node, one connection, requests of about 700 kB: what is measured comes later.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.events import Author, Event
from bench.peers.syncline import Syncline
from bench.peers.tcp import connect, receive

FIELDS = 10
FIRST, LATER = "x" * 180, "y" * 40
BATCH, BYTES = 500, 700_000


@dataclass
class Task:
    port: int
    documents: int
    edits: int
    made: bool = False
    """Whether the documents are there already: then these are more edits, by another node, of their own fields."""


def history(task: Task) -> Iterator[tuple[str, bytes]]:
    """The events, by id: all documents are made, then edited in turn."""
    author, last = Author(), dict[tuple[int, int], str]()
    for place in range(0 if task.made else task.documents):
        ops = [{"op": "put", "key": f"f{field}", "value": f"{FIRST}{place}"} for field in range(FIELDS)]
        id, body = event(author, place, ops)
        last.update(((place, field), f"{id}:{field}") for field in range(FIELDS))
        yield id, body
    for number in range(task.edits):
        place, field = number % task.documents, number // task.documents % FIELDS
        seen = last.get((place, field))
        op: dict[str, Any] = {"op": "put", "key": f"f{field}{'b' if task.made else ''}", "value": f"{LATER}{number}"}
        id, body = event(author, place, [op | ({"over": [seen]} if seen else {})])
        last[place, field] = f"{id}:0"
        yield id, body


def event(author: Author, place: int, ops: list[dict[str, Any]]) -> tuple[str, bytes]:
    written = author.write(1)[0]
    value = json.loads(written.body)
    del value["payload"]
    value |= {"item": f"doc.{place:05}", "ops": ops}
    return written.id, json.dumps(value, separators=(",", ":")).encode()


def push(task: Task) -> dict[str, float]:
    socket, peer = connect(task.port), Syncline()
    stored = 0
    for batch in batches(history(task)):
        socket.sendall(peer.push(0, batch))
        reply = peer.reply(len(batch))
        while not reply.feed(receive(socket)):
            pass
        stored += len(batch)
    return {"events": stored}


def batches(events: Iterator[tuple[str, bytes]]) -> Iterator[list[Event]]:
    batch, size = list[Event](), 0
    for id, body in events:
        if batch and (len(batch) == BATCH or size + len(body) > BYTES):
            yield batch
            batch, size = [], 0
        batch.append(Event(id, body))
        size += len(body)
    yield from [batch] if batch else []


if __name__ == "__main__":
    print(json.dumps(push(Task(**json.loads(sys.argv[1])))))
