"""The keystrokes of a real paper, through a real server, from one replica into another.

    python examples/replay.py [--limit N] [--json]

Starts a server in a temporary directory, records every keystroke as an event of a first replica, syncs it, syncs a
second replica, and shows that both hold the same log: the same digests in the same order, and a text that is the paper.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import syncline
from syncline.core.canonical import digest

PAPER = Path(__file__).parent / "data" / "automerge-paper.json.gz"
CHUNK = 10_000


def keystrokes(paper: dict[str, Any], limit: int | None) -> list[syncline.Draft]:
    """Every edit as the draft of an event: where, how much was deleted, what was inserted."""
    patches = [patch for txn in paper["txns"] for patch in txn["patches"]]
    return [syncline.Draft("paper.text", "edit", patch) for patch in patches[:limit]]


def text_of(replica: syncline.Replica) -> str:
    """The text the events of a log amount to."""
    text: list[str] = []
    for event in replica.events():
        position, deleted, inserted = event.payload
        text[position : position + deleted] = inserted
    return "".join(text)


def fingerprint(replica: syncline.Replica) -> str:
    """One digest over the digests of the whole log, in its order."""
    return digest(b"".join(event.digest for event in replica.events())).hex()


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """A server of its own, in a process of its own."""
    command = [sys.executable, "-m", "syncline", "serve", "--data", str(directory), "--port", "0", "--open", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait()


def timed(name: str, count: int, rates: dict[str, int]) -> Any:
    """A context that notes how many events a second were handled in it."""

    @contextmanager
    def measure() -> Iterator[None]:
        began = time.perf_counter()
        yield
        rates[name] = round(count / (time.perf_counter() - began))
        print(f"  {name:<38} {rates[name]:>9,} events/s", file=sys.stderr)

    return measure()


def main() -> int:
    """Runs the replay; 0 if both logs are identical."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, help="only so many keystrokes")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    options = parser.parse_args()
    paper = json.loads(gzip.decompress(PAPER.read_bytes()))
    drafts = keystrokes(paper, options.limit)
    rates: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as directory, server(Path(directory) / "server") as url:
        author = syncline.open(Path(directory) / "author.db", server=url)
        reader = syncline.open(Path(directory) / "reader.db", server=url)
        with author, reader:
            with timed("recorded durably, offline", len(drafts), rates):
                for start in range(0, len(drafts), CHUNK):
                    author.record_many(drafts[start : start + CHUNK])
            with timed("pushed and confirmed", len(drafts), rates):
                pushed = author.sync()
            with timed("pulled into the second replica", len(drafts), rates):
                pulled = reader.sync()
            same = fingerprint(author) == fingerprint(reader) and pushed.ok and pulled.ok
            is_paper = options.limit is not None or text_of(reader) == paper["endContent"]
            result = {"events": len(drafts), "pushed": pushed.pushed, "pulled": pulled.pulled, "rates": rates}
            result |= {"same_log": same, "text_is_the_paper": is_paper, "log": fingerprint(reader)}
    if options.json:
        print(json.dumps(result))
    else:
        print(f"{len(drafts):,} keystrokes; both logs identical: {same}; the text is the paper: {is_paper}")
        print(f"log fingerprint {result['log']}")
    return 0 if same and is_paper else 1


if __name__ == "__main__":
    sys.exit(main())
