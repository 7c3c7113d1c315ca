"""Redis Streams read by redis-py, as a Python program would: pages of XRANGE after the last id."""

import gc
import json
import sys
import time
from dataclasses import dataclass

import redis

SHORTEST_SECONDS = 1.0  # a short stream is read again


@dataclass
class Task:
    port: int
    wanted: int
    limit: int = 10_000


def measure(task: Task) -> dict[str, float]:
    client = redis.Redis(port=task.port)
    client.ping()
    total = 0
    gc.disable()
    started = time.monotonic()
    while time.monotonic() - started < SHORTEST_SECONDS:
        total += read_once(client, task)
    return {"events": total, "seconds": time.monotonic() - started}


def read_once(client: redis.Redis, task: Task) -> int:
    seen, after = 0, "-"
    while page := client.xrange("events", after, count=task.limit):
        seen += len(page)
        after = "(" + page[-1][0].decode()
    if seen < task.wanted:
        raise ValueError(f"the stream holds {seen} of {task.wanted} events")
    return seen


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
