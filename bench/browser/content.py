"""What is synced into a page: documents that were made and then edited, on each server as it keeps them."""

import json
import random
from collections.abc import Iterator
from itertools import islice

from bench.authors import TEXT, Author
from bench.events import Event
from bench.peers import POUCHDB, SYNCLINE
from bench.peers.peer import Pushes
from bench.peers.pouchdb import DATABASE
from bench.peers.tcp import ask
from bench.plan import say
from bench.servers import Server
from bench.wire import HttpReply, http_post

EDITS = 10  # of each document, its making among them
BATCH = 1_000
DICE = 20


def fill(server: Server, documents: int) -> None:
    """Makes and edits documents. A server that keeps no history gets each once."""
    say(f"filling {server.peer.name} with {documents:,} documents")
    if server.peer is SYNCLINE:
        push_all(server.port, SYNCLINE, events(documents))
    if server.peer is POUCHDB:
        rows = [{"_id": f"task.{n}", **content(n)} for n in range(documents)]
        for start in range(0, documents, BATCH):
            some = rows[start : start + BATCH]
            request = http_post(f"{DATABASE}/_bulk_docs", json.dumps({"docs": some}).encode())
            ask(server.port, request, HttpReply(b'"ok":true', len(some)))


def content(n: int) -> dict[str, object]:
    """A document as `pages/timing.js` makes it too."""
    return {"title": f"Buy milk, {n}", "text": TEXT, "count": n % 90, "tags": ["new", f"tag-{n % 50}"]}


def events(documents: int) -> Iterator[Event]:
    """All documents made, then all edited in turn."""
    author = Author(random.Random(DICE))
    items = [f"task.{n}" for n in range(documents)]
    for item in items:
        made = author.create(item)
        yield Event(made.id, made.body)
    edits = [author.edits(item) for item in items]
    for _ in range(EDITS - 1):
        for edit in edits:
            event = next(edit)
            yield Event(event.id, event.body)


def push_all(port: int, peer: Pushes, written: Iterator[Event]) -> None:
    while batch := list(islice(written, BATCH)):
        reply = peer.reply(len(batch))
        assert reply is not None
        ask(port, peer.push(0, batch), reply)
