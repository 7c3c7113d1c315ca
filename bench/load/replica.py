"""An empty Python replica that syncs once, as a program on a new machine does.

The clock runs from opening the replica to its closing, so that everything it owes the disk is paid.
"""

import json
import sys
import time
from dataclasses import dataclass

import syncline
from bench.peers.syncline import SPACE


@dataclass
class Task:
    file: str
    server: str
    wanted: int


def measure(task: Task) -> dict[str, float]:
    started = time.monotonic()
    with syncline.open(task.file, server=task.server, space=SPACE) as replica:
        result = replica.sync()
    seconds = time.monotonic() - started
    for error in result.errors:
        raise error
    return {"events": held(task), "seconds": seconds}


def held(task: Task) -> int:
    """How many entries the file holds: what counts is what is on the disk, not what a call returned."""
    with syncline.open(task.file) as replica:
        count = sum(1 for _ in replica.entries())
    if count != task.wanted:
        raise ValueError(f"the replica holds {count} of {task.wanted} events")
    return count


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
