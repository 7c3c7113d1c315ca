"""JSON Patch in process: Syncline's, or PyPI's `jsonpatch` in the peers' environment, as often as it goes in a second.

Both leave the document as it was: `jsonpatch` copies all of it before it applies a patch, as it does by default.
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.edits import document, edited

SHORTEST_SECONDS = 1.0
TOGETHER = 10  # calls between two looks at the clock

Library = tuple[Callable[[Any, Any], list[Any]], Callable[[Any, list[Any]], Any]]


@dataclass
class Task:
    library: str
    work: str
    tasks: int


def syncline() -> Library:
    from syncline.core import patches

    return patches.diff, patches.apply


def jsonpatch() -> Library:
    import jsonpatch

    return lambda before, after: jsonpatch.make_patch(before, after).patch, jsonpatch.apply_patch


def measure(task: Task) -> dict[str, float]:
    diff, apply = {"syncline": syncline, "jsonpatch": jsonpatch}[task.library]()
    before, after = document(task.tasks), edited(task.tasks)
    patch = diff(before, after)
    if apply(before, patch) != after or before == after:
        raise ValueError("the patch does not lead there")
    work, argument = (diff, after) if task.work == "diff" else (apply, patch)
    times = 0
    gc.disable()
    started = time.monotonic()
    while time.monotonic() - started < SHORTEST_SECONDS:
        for _ in range(TOGETHER):
            work(before, argument)
        times += TOGETHER
    return {"times": times, "seconds": time.monotonic() - started}


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
