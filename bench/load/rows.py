"""The in-process push of a batch of canonical bytes: decode, judge, link, seal, insert, commit — or parts of it.

`without` leaves something out, so that a second run beside it shows what that costs: `proofs` (digest, tail and
receipt are constants of the same length) or `index` (the item index is never filled).
"""

import hashlib
import json
import random
import sys
import time
from dataclasses import dataclass

from syncline.core import batch as batches
from syncline.core import canonical, log
from syncline.core.admission import Submission
from syncline.core.canonical import encode
from syncline.core.log import Receipts
from syncline.core.stamps import StampClock
from syncline.stores.sqlite import SqliteEventStore
from syncline.stores.tables import item_index

BATCH = 1_000
ITEMS = 1_000
USER = "alice"


@dataclass
class Task:
    file: str
    events: int
    without: str


def measure(task: Task) -> dict[str, float]:
    if task.without == "proofs":
        leave_out_proofs()
    if task.without == "index":
        item_index.RUN = sys.maxsize  # type: ignore[misc]
    arrays = [array(start) for start in range(0, task.events, BATCH)]
    store = SqliteEventStore(task.file, Receipts(bytes(32)))
    started = time.monotonic()
    for each in arrays:
        store.append([Submission(batches.decode_events(each), USER)], now_ms=now_ms())
    seconds = time.monotonic() - started
    store.close()
    return {"events": len(arrays) * BATCH, "seconds": seconds}


def leave_out_proofs() -> None:
    """Constants where proofs were: the same bytes are stored, nothing is computed."""
    digest, tail, seal = hashlib.sha256().digest(), bytes(log.TAIL_BYTES), b"A" * log.RECEIPT_LENGTH
    batches.digest = canonical.digest = lambda body: digest  # type: ignore[assignment]
    log.chain = lambda start, digests: [tail] * len(digests)  # type: ignore[assignment]
    Receipts.seal = lambda self, epoch, first, digests: [seal] * len(digests)  # type: ignore[assignment,method-assign]


CLOCK = StampClock("bench")


def array(start: int) -> bytes:
    return b"[" + b",".join(event(n) for n in range(start + 1, start + BATCH + 1)) + b"]"


def event(n: int) -> bytes:
    value = {
        "action": "update",
        "clock": {"bench": n},
        "id": CLOCK.next(now_ms(), random.getrandbits(32)),
        "item": f"task.{random.randrange(ITEMS)}",
        "node": "bench",
        "payload": {"done": True, "n": n, "title": "Buy some milk and bread"},
        "user": USER,
    }
    return encode(value)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
