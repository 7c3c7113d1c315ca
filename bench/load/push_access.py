"""In-process push of canonical events in batches, judged by rules: decode, judge, insert, commit.

The rules are those of a space in use (see `bench.figures.access`), none of which forbids what is pushed; there may be
none beside the defaults. Every event is of a task of its own among many, so few questions are asked twice.
"""

import json
import random
import sys
import time
from dataclasses import dataclass

from bench.figures.access import mixed
from syncline.core import batch as batches
from syncline.core.access.rules import ALLOW, DEFAULTS, Rule, Rules
from syncline.core.access.state import Access
from syncline.core.admission import Submission
from syncline.core.canonical import encode
from syncline.core.log import Receipts
from syncline.core.stamps import StampClock
from syncline.stores.sqlite import SqliteEventStore

BATCH = 1_000
USER = "team1-user1"
CLOCK = StampClock("bench")


@dataclass
class Task:
    file: str
    events: int
    rules: int
    items: int


def measure(task: Task) -> dict[str, float]:
    """Events a second without rules and with them, batch by batch in turns, so that a slow second falls on both."""
    random.seed(1)
    arrays = [array(start, task.items) for start in range(0, task.events, BATCH)]
    bare, judged = Log(task.file + "-bare", 0), Log(task.file, task.rules)
    for each in arrays:
        bare.push(each)
        judged.push(each)
    return {"bare": task.events / bare.seconds, "judged": task.events / judged.seconds}


class Log:
    """A log whose pushes are timed, and its rules."""

    def __init__(self, file: str, rules: int) -> None:
        given = [Rule(rule.user, rule.item, rule.action, ALLOW, rule.seq, rule.id) for rule in mixed(rules)]
        self.access = Access(Rules([*DEFAULTS, *given]))
        self.store = SqliteEventStore(file, Receipts(bytes(32)))
        self.seconds = 0.0

    def push(self, array: bytes) -> None:
        started = time.monotonic()
        submission = Submission(batches.decode_events(array), USER)
        appended = self.store.append([submission], now_ms=now_ms(), access=self.access)
        self.seconds += time.monotonic() - started
        assert len(appended.rows) == BATCH, "something was refused"


def array(start: int, items: int) -> bytes:
    return b"[" + b",".join(event(n, items) for n in range(start + 1, start + BATCH + 1)) + b"]"


def event(n: int, items: int) -> bytes:
    value = {
        "action": random.choice(["create", "edit", "finish"]),
        "clock": {"bench": n},
        "id": CLOCK.next(now_ms(), random.getrandbits(32)),
        "item": f"project{random.randrange(1_000)}.task{random.randrange(items)}",
        "node": "bench",
        "payload": {"done": True, "n": n, "title": "Buy some milk and bread"},
        "user": USER,
    }
    return encode(value)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
