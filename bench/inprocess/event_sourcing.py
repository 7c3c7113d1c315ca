"""The `eventsourcing` library on SQLite, in process: an application that saves aggregates, as its users do.

A batch is that many new aggregates of one event each, made beforehand and saved together; `save` maps the
events to JSON and inserts them. Reading is its recorder's notifications, as a follower would take them. The
library opens SQLite in WAL and leaves `synchronous` at SQLite's default, FULL.
"""

import gc
import json
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate

from bench.events import Author

SHORTEST_SECONDS = 1.0  # a short log is read again


class Task(Aggregate):
    def __init__(self, item: str, node: str, payload: dict[str, object]) -> None:
        self.item, self.node, self.payload = item, node, payload


@dataclass
class Job:
    file: str
    batch: int = 1000
    batches: int = 0
    seconds: float = 0
    wanted: int = 0
    limit: int = 10_000


def aggregates(author: Author, count: int) -> list[Task]:
    events = [json.loads(event.body) for event in author.write(count)]
    return [Task(event["item"], event["node"], event["payload"]) for event in events]


def write(application: Application[uuid.UUID], job: Job) -> dict[str, float]:
    author = Author()
    batches = [aggregates(author, job.batch) for _ in range(job.batches)]
    written = 0
    started = time.monotonic()
    for batch in batches:
        application.save(*batch)
        written += len(batch)
        if time.monotonic() - started > job.seconds:
            break
    return {"events": written, "seconds": time.monotonic() - started}


def read(application: Application[uuid.UUID], job: Job) -> dict[str, float]:
    total = 0
    started = time.monotonic()
    while time.monotonic() - started < SHORTEST_SECONDS:
        total += read_once(application, job)
    return {"events": total, "seconds": time.monotonic() - started}


def read_once(application: Application[uuid.UUID], job: Job) -> int:
    seen = 0
    while notifications := application.recorder.select_notifications(seen + 1, job.limit):
        seen += len(notifications)
    if seen < job.wanted:
        raise ValueError(f"the store holds {seen} of {job.wanted} events")
    return seen


def measure(job: Job) -> dict[str, float]:
    Path(job.file).parent.mkdir(parents=True, exist_ok=True)
    settings = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": job.file}
    application: Application[uuid.UUID] = Application(env=settings)
    gc.disable()
    return read(application, job) if job.wanted else write(application, job)


if __name__ == "__main__":
    print(json.dumps(measure(Job(**json.loads(sys.argv[1])))))
