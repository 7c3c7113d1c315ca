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
    with syncline.open(task.file, server=task.server, space=SPACE, token="") as replica:
        replica.sync()
    seconds = time.monotonic() - started
    return {"events": count(task), "seconds": seconds}


def count(task: Task) -> int:
    """How many events the file holds: what counts is on the disk, not what a call returned."""
    raise NotImplementedError


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
