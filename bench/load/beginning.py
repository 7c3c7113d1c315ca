"""An empty Python replica that becomes ready: from a snapshot of the space and what came after it, or from all history.

The clock runs from opening the replica until it has synced and shown a document. Then it is looked at what is there.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import syncline
from bench.peers.syncline import SPACE


@dataclass
class Task:
    file: str
    server: str
    history: bool
    documents: int


def measure(task: Task) -> dict[str, float]:
    started = time.monotonic()
    with syncline.open(task.file, server=task.server, space=SPACE, history=task.history) as replica:
        result = replica.sync()
        for error in result.errors:
            raise error
        shown = replica.document("doc.00007").plain
        seconds = time.monotonic() - started
        if not shown or bool(result.bases) == task.history:
            raise ValueError("the replica did not begin as it was told")
        found = time.monotonic()
        if len(replica.items()) != task.documents:
            raise ValueError(f"the replica shows {len(replica.items())} of {task.documents} documents")
        found = time.monotonic() - found
    megabytes = sum(file.stat().st_size for file in Path(task.file).parent.glob(f"{Path(task.file).name}*")) / 1e6
    return {"seconds": seconds, "find s": found, "file MB": megabytes}


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
