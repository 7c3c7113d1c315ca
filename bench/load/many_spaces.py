"""Push batches over several connections, each request to the next space: the spaces take turns.

As `push`, otherwise. Where there are no fewer spaces than connections, no two requests under way are for the same
space, so each request is a commit of its own.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.events import Event
from bench.load import push
from bench.peers import PUSHES, SYNCLINE
from bench.wire import http_post


@dataclass
class Task:
    port: int
    spaces: int
    first: int  # the space that has its turn
    connections: int
    batch: int
    requests: int  # on each connection
    seconds: float


class Spread:
    """Speaks as Syncline's clients do; every push of a connection names another space."""

    def __init__(self, task: Task) -> None:
        self.spaces, self.step = task.spaces, task.connections
        self.turns = list(range(task.first, task.first + task.connections))

    greeting = SYNCLINE.greeting
    reply = SYNCLINE.reply

    def push(self, number: int, events: Sequence[Event]) -> bytes:
        space = self.turns[number] % self.spaces
        self.turns[number] += self.step
        body = b'{"events":[' + b",".join(event.body for event in events) + b"]}"
        return http_post("/v1/push", body, f"X-Tenant-ID: space-{space}\r\n")


def measure(task: Task) -> dict[str, float]:
    PUSHES["spread"] = Spread(task)
    shape = asdict(task)
    del shape["spaces"], shape["first"]
    return push.measure(push.Task(peer="spread", **shape))


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
