"""The limit: the same rows put in and read by raw apsw, with nothing around it and nothing checked.

A plain table, write-ahead log, `synchronous=FULL`, one process, one thread, statements prepared, rows made
beforehand. What a server on SQLite does beside this is what it costs to be a server.
"""

import gc
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import apsw

from bench.events import Author, Event

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS entry (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, item TEXT NOT NULL, body BLOB);
"""
INSERT = "INSERT INTO entry (id, item, body) VALUES (?, ?, ?)"
SELECT = "SELECT body FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"

SHORTEST_SECONDS = 1.0  # a short table is read again

Record = tuple[str, str, bytes]


@dataclass
class Task:
    file: str
    batch: int = 1000
    batches: int = 0  # to write
    seconds: float = 0
    wanted: int = 0  # to read
    limit: int = 10_000


def record(event: Event) -> Record:
    item = event.body.partition(b'"item":"')[2].partition(b'"')[0]
    return event.id, item.decode(), event.body


def write(connection: apsw.Connection, task: Task) -> dict[str, float]:
    author = Author()
    batches = [[record(event) for event in author.write(task.batch)] for _ in range(task.batches)]
    written = 0
    started = time.monotonic()
    for batch in batches:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, batch)
        connection.execute("COMMIT")
        written += len(batch)
        if time.monotonic() - started > task.seconds:
            break
    return {"events": written, "seconds": time.monotonic() - started}


def read(connection: apsw.Connection, task: Task) -> dict[str, float]:
    total = 0
    started = time.monotonic()
    while time.monotonic() - started < SHORTEST_SECONDS:
        total += read_once(connection, task)
    return {"events": total, "seconds": time.monotonic() - started}


def read_once(connection: apsw.Connection, task: Task) -> int:
    since = 0
    while bodies := connection.execute(SELECT, (since, task.limit)).fetchall():
        since += len(bodies)
    if since < task.wanted:
        raise ValueError(f"the table holds {since} of {task.wanted} rows")
    return since


def measure(task: Task) -> dict[str, float]:
    Path(task.file).parent.mkdir(parents=True, exist_ok=True)
    connection = apsw.Connection(task.file)
    connection.execute(SCHEMA).fetchall()
    gc.disable()
    return read(connection, task) if task.wanted else write(connection, task)


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
