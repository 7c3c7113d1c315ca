"""Redis Streams read by redis-py, as a Python program would: pages of XRANGE after the last id."""

import gc
import json
import sys
import time
from dataclasses import dataclass

import redis


@dataclass
class Task:
    port: int
    wanted: int
    limit: int = 10_000


def measure(task: Task) -> dict[str, float]:
    client = redis.Redis(port=task.port)
    total, after = 0, "-"
    gc.disable()
    started = time.monotonic()
    while total < task.wanted:
        page = client.xrange("events", after, count=task.limit)
        if not page:
            break
        total += len(page)
        after = "(" + page[-1][0].decode()
    return {"events": total, "seconds": time.monotonic() - started}


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
