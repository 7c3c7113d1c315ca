"""A document with a long history in a replica's file: opened, seen as it was, undone, its last revisions told.

`make` writes the events, confirmed by a server or all pending, and opens the document once, which leaves snapshots
beside the file. `measure` works on a copy, as a program that has just started; `replay` folds the whole log for each
answer, which is the limit without snapshots.
"""

import json
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from msgspec.structs import replace

import syncline
from bench.authors import Author
from syncline.core.documents.document import Document
from syncline.core.documents.revisions import Placed, replay
from syncline.core.events import Entry, Event
from syncline.stores import Change, Outboxed
from syncline.stores.sqlite import SqliteReplicaStore

ITEM = "task.1"
CHUNK = 1_000
LAST = 20
UNDOS = 8


@dataclass
class Task:
    work: str
    folder: str
    revisions: int
    pending: int
    looks: int  # how many revisions are looked at


def make(task: Task) -> dict[str, float]:
    author = Author(random.Random(task.revisions))
    events = [author.create(ITEM), *islice(author.edits(ITEM), task.revisions - 1)]
    Path(task.folder).mkdir()
    store = SqliteReplicaStore(Path(task.folder) / "replica.db", author.node)
    for start in range(0, len(events), CHUNK):
        chunk = events[start : start + CHUNK]
        store.commit(local(chunk) if task.pending else confirmed(start, chunk))
    seq = 0 if task.pending else len(events)
    state = replace(store.state(), n=author.n, stamp=author.last, user=author.user, seq=seq)
    store.commit(Change(state=state))
    store.close()
    with syncline.open(Path(task.folder) / "replica.db") as replica:
        if replica.document(ITEM).revision != task.revisions:
            raise ValueError("not every edit made a revision")
    return {}


def local(events: list[Event]) -> Change:
    return Change(outbox=[Outboxed(event) for event in events])


def confirmed(start: int, events: list[Event]) -> Change:
    now_ms = time.time_ns() // 1_000_000
    return Change(entries=[Entry.of(seq, now_ms, "r" * 24, event) for seq, event in enumerate(events, start + 1)])


def measure(task: Task) -> dict[str, float]:
    copy = Path(task.folder).with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(task.folder, copy)
    with syncline.open(copy / "replica.db") as replica:
        document = replica.document(ITEM)
        opened = seconds(lambda: document.plain)
        looked = [seconds(partial(look, document, number)) for number in sample(task)]
        told = seconds(lambda: document.history(after=task.revisions - LAST))
        undone = [seconds(document.undo) for _ in range(UNDOS)]
    return answer(opened, looked, told, undone)


def replayed(task: Task) -> dict[str, float]:
    """The same from all events, read anew each time."""
    with syncline.open(Path(task.folder) / "replica.db") as replica:

        def events() -> Iterator[Event]:
            return replica.events(items=[ITEM])

        opened = seconds(lambda: fold(events()))
        looked = [seconds(partial(fold, events(), number)) for number in sample(task)[:3]]
        told = seconds(lambda: list(replay(Document(ITEM), map(Placed, events())))[-LAST:])
    return answer(opened, looked, told, [])


def look(document: syncline.LiveDocument, number: int) -> Any:
    return document.at(number).plain


def fold(events: Iterator[Event], count: int | None = None) -> Any:
    document = Document(ITEM)
    for event in islice(events, count):
        document.fold(event)
    return document.plain()


def sample(task: Task) -> list[int]:
    return random.Random(task.looks).sample(range(1, task.revisions), task.looks)


def seconds(work: Callable[[], Any]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def answer(opened: float, looked: list[float], told: float, undone: list[float]) -> dict[str, float]:
    found = {"open": opened, "at": median(looked), "at worst": max(looked), f"last {LAST}": told}
    if undone:
        found["undo"] = median(undone)
    return {name: 1000 * value for name, value in found.items()}  # milliseconds


if __name__ == "__main__":
    task = Task(**json.loads(sys.argv[1]))
    print(json.dumps({"make": make, "measure": measure, "replay": replayed}[task.work](task)))
