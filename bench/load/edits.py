"""Document edits pushed in batches over many connections, and folded on the server: until every document shows them.

The documents are made, and looked at once, before the clock starts, so that the server holds them in memory. Each
connection is an author of its own, who has seen the documents made and edits them in turn. The clock runs from the
first push until a GET of each document has answered with the sum that all authors counted up to. `plain` pushes as
many events without ops, of the same size, and asks for nothing.
"""

import gc
import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice

from bench.authors import Author
from bench.events import Event as Pushed
from bench.load.push import Pusher, Run
from bench.peers import SYNCLINE
from bench.peers.peer import Pushes
from bench.peers.syncline import SPACE
from bench.peers.tcp import ask
from bench.results import percentile
from bench.wire import HttpReply, http_get
from syncline.core.events import Event

LONGEST_SECONDS = 120.0


@dataclass
class Task:
    port: int
    connections: int
    batch: int
    requests: int  # on each connection
    documents: int
    plain: bool


class Writer(Pusher):
    """A connection whose requests are there already."""

    def __init__(self, task: Task, requests: Sequence[bytes]) -> None:
        self.peer: Pushes = SYNCLINE
        self.task, self.number, self.requests = task, 0, iter(requests)  # type: ignore[assignment]
        self.unsent, self.sent_at, self.reply = memoryview(b""), 0.0, None


class Looker(Writer):
    """A connection that asks for documents, one after the other, and for what they must show."""

    def __init__(self, task: Task, sums: Sequence[tuple[str, int]]) -> None:
        super().__init__(task, [look(item) for item, _ in sums])
        self.markers = [b'"$counter":%d}' % total for _, total in sums]

    def next_request(self) -> bool:
        has_more = super().next_request()
        if has_more:
            self.reply = HttpReply(self.markers.pop(0), 1)
        return has_more


def measure(task: Task) -> dict[str, float]:
    dice = random.Random()
    made = make(task, [f"task.{dice.getrandbits(64):016x}" for _ in range(task.documents)])
    written = [edited(Author(dice), made, task) for _ in range(task.connections)]
    sums = list(counted(made, written).items())
    writers = [Writer(task, [push(part) for part in parts(events, task)]) for events in written]
    lookers = [Looker(task, sums[number :: task.connections]) for number in range(task.connections)]
    gc.disable()
    pushed, latencies = carried_out(writers)
    looked = 0.0 if task.plain else carried_out(lookers)[0]
    times = {"seconds": pushed + looked, "pushed": pushed, "looked": looked}
    return {"events": sum(map(len, written)), **times, "p99_ms": percentile(latencies, 99) * 1000}


def counted(made: Sequence[Event], written: Sequence[Sequence[Event]]) -> dict[str, int]:
    """What the counter of each document must show in the end."""
    sums = dict.fromkeys([event.item for event in made], 0)
    for event in chain.from_iterable(written):
        sums[event.item] += sum(op["by"] for op in event.ops or () if op["op"] == "inc")
    return sums


def carried_out(pushers: Sequence[Pusher]) -> tuple[float, list[float]]:
    for pusher in pushers:
        pusher.connect()
    run = Run(list(pushers))
    return run.measure(LONGEST_SECONDS), run.latencies


def make(task: Task, items: Sequence[str]) -> list[Event]:
    """Makes the documents on the server, and looks at each."""
    author = Author(random.Random())
    made = [author.create(item) for item in items]
    ask(task.port, push([Pushed(event.id, event.body) for event in made]), HttpReply(b'"seq":', len(made)))
    for item in items:
        ask(task.port, look(item), HttpReply(b'"$counter":0}', 1))
    return made


def edited(author: Author, made: Sequence[Event], task: Task) -> list[Event]:
    for event in made:
        author.saw(event)
    edits: Iterator[Event] = (next(each) for each in cycle([author.edits(event.item) for event in made]))
    return list(islice(edits, task.batch * task.requests))


def parts(events: Sequence[Event], task: Task) -> Iterator[list[Pushed]]:
    """The batches. If nobody is to fold the events, their ops are a payload."""
    pushed = [
        Pushed(event.id, event.body.replace(b'"ops":', b'"payload":', 1) if task.plain else event.body)
        for event in events
    ]
    return (pushed[start : start + task.batch] for start in range(0, len(pushed), task.batch))


def push(events: Sequence[Pushed]) -> bytes:
    return SYNCLINE.push(0, events)


def look(item: str) -> bytes:
    return http_get(f"/v1/docs/{item}", f"X-Tenant-ID: {SPACE}\r\n")


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
