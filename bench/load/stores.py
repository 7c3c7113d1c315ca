"""One log in this process, on one kind of store: appended in batches, all read back in slices, appended one by one.

Events are made and decoded before the clock starts: it is the store that is measured, which judges, numbers, links and
seals them, stores them durably, and keeps its indexes.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.events import USER, Author
from syncline.core.admission import Submission
from syncline.core.batch import decode_events
from syncline.core.log import Receipts
from syncline.stores import EventStore
from syncline.stores.jsonl.logs import JsonLinesLogs
from syncline.stores.lmdb.logs import LmdbLogs
from syncline.stores.memory import MemoryEventStore
from syncline.stores.postgres.logs import PostgresLogs
from syncline.stores.sqlite.logs import SqliteLogs

BATCH = SLICE = 1_000
SPACE = "bench"
RECEIPTS = Receipts(bytes(32))
SHORTEST_SECONDS = 0.2  # a short log is read again

STORES: dict[str, Callable[[str], EventStore]] = {
    "memory": lambda place: MemoryEventStore(bytes(16).hex(), RECEIPTS),
    "sqlite": lambda place: SqliteLogs(Path(place), RECEIPTS).open(SPACE),
    "lmdb": lambda place: LmdbLogs(Path(place), RECEIPTS).open(SPACE),
    "jsonl": lambda place: JsonLinesLogs(Path(place), RECEIPTS).open(SPACE),
    "postgresql": lambda place: PostgresLogs(place, RECEIPTS).open(SPACE),
}


@dataclass
class Task:
    store: str
    place: str  # a folder, or the address of a database
    batches: int
    singles: int
    seconds: float  # for the batches at most, and for the single events


def measure(task: Task) -> dict[str, float]:
    author, store = Author(), STORES[task.store](task.place)
    batches, singles = (
        [submission(author, size) for _ in range(count)] for size, count in ((BATCH, task.batches), (1, task.singles))
    )

    def append(each: Submission) -> None:
        appended = store.append([each], now_ms=time.time_ns() // 1_000_000)
        if len(appended.rows) != len(each.events):
            raise ValueError(f"of {len(each.events)} events {len(appended.rows)} were accepted")

    gc.disable()
    per_second = rate(append, batches, task.seconds)
    events = store.head().seq
    read_seconds = repeated(lambda: read(store, events))
    return {
        "append": per_second * BATCH,
        "read": events / read_seconds,
        "single": rate(append, singles, task.seconds),
    }


def rate(append: Callable[[Any], None], batches: Sequence[Any], seconds: float) -> float:
    """Batches a second."""
    done, started = 0, time.monotonic()
    for batch in batches:
        append(batch)
        done += 1
        if time.monotonic() - started > seconds:
            break
    return done / (time.monotonic() - started)


def submission(author: Author, count: int) -> Submission:
    array = b"[" + b",".join(event.body for event in author.write(count)) + b"]"
    return Submission(decode_events(array), USER)


def read(store: EventStore, events: int) -> None:
    seq, more = 0, True
    while more:
        part = store.slice(seq, limit=SLICE)
        seq, more = part.seq, part.more
    if seq != events:
        raise ValueError(f"{seq} of {events} events were read")


def repeated(once: Callable[[], object]) -> float:
    """The seconds it takes, of as many times as fill a moment."""
    times, started = 0, time.monotonic()
    while time.monotonic() - started < SHORTEST_SECONDS:
        once()
        times += 1
    return (time.monotonic() - started) / times


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
