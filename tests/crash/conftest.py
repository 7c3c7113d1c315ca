"""A nursery: a process that has imported everything, and forks a child for every life that is to end by SIGKILL."""

import json
import os
import signal
import subprocess
import sys
from random import Random
from secrets import randbits

import pytest

from tests.processes import computed_seconds, rest_of

NURSERY = """
import json, os, sys
from syncline.server.run import run
from syncline.server.settings import Settings
import syncline
from msgspec.structs import replace
from syncline.core.beginning import Take
from syncline.core.documents.folded import Folded
from syncline.core.documents.revisions import Placed
from syncline.core.effects import Apply
from syncline.core.events import Entry, Event
from syncline.core.messages import Page, Snapshot
from syncline.core.stamps import Stamp

def say(text):
    os.write(1, text.encode() + b"\\n")

def serve(settings):
    run(Settings(**settings), lambda app, port: say(str(port)))

def record(path):
    replica = syncline.open(path)
    say("open")
    n = 0
    while True:
        n += 1
        if n % 5:
            say(replica.record(f"task.{n % 7}", "update", {"n": n}).id)
        else:
            drafts = [syncline.Draft(f"task.{k}", "update", {"n": n, "k": k}) for k in range(3)]
            say(" ".join(event.id for event in replica.record_many(drafts)))

def forget(path):
    replica = syncline.open(path)
    say("open")
    n = 0
    while True:
        n += 1
        names = [f"doc.zsecret{os.getpid()}q{n}x{k}z" for k in range(20)]
        arrive(replica, documents(names))
        replica.query("doc.*", text="zsecret*")
        arrive(replica, [], forget=names[:10])
        arrive(replica, [], forget=["*"] if n % 2 else names[10:])

def documents(names):
    with syncline.open(None) as other:
        for name in names:
            other.create(name, {"title": name, "text": name * 20})
        return other.pending()

def take(path):
    replica = syncline.open(path)
    say("open")
    n = replica.horizon // 10
    while True:
        n += 1
        bases = [base_of(f"doc.{k}", n) for k in range(60)]
        for start in (0, 20, 40):
            part = Snapshot(seq=n * 10, at=n, cursor=f"at {n}", bases=bases[start : start + 20])
            part = part if start == 40 else replace(part, after=part.bases[-1].item)
            replica.perform(Take(part, start == 0, (), part.cursor))
        say(f"{n} {replica.record('doc.7', 'say', n).id}")

def base_of(item, n):
    folded = Folded(item)
    ops = [{"op": "put", "key": "n", "value": n}, {"op": "put", "key": "text", "value": item * 50}]
    value = {"id": str(Stamp(n, 0, 1, 1)), "item": item, "action": "edit", "node": "far", "clock": {"far": n}}
    value["ops"] = ops
    folded.fold(Placed(Event.of(value), n * 10, n), "merge")
    return folded.base()

def arrive(replica, events, **more):
    since = replica.local(0).cursor or "0"
    seqs = range(int(since) + 1, int(since) + 1 + len(events))
    entries = [Entry.of(seq, seq, "r" * 24, event) for seq, event in zip(seqs, events)]
    replica.perform(Apply(Page(entries=entries, cursor=str(int(since) + len(events)), **more), ()))

for line in sys.stdin:
    what, argument = json.loads(line)
    pid = os.fork()
    if not pid:
        os.close(0)
        {"serve": serve, "record": record, "forget": forget, "take": take}[what](argument)
        os._exit(0)
    say(f"pid {pid}")
    os.waitpid(pid, 0)
    say("end")
"""


class Nursery:
    """Starts children, one at a time, and tells what they say."""

    def __init__(self, log) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )

    def start(self, what: str, argument: object) -> str:
        """Starts a child; the first thing it says."""
        self.process.stdin.write(json.dumps([what, argument]) + "\n")
        self.process.stdin.flush()
        first, second = self.line(), self.line()
        words = [line for line in (first, second) if not line.startswith("pid ")]
        self.pid = int(next(line for line in (first, second) if line.startswith("pid ")).split()[1])
        self.ready_seconds = computed_seconds(self.pid)
        return words[0]

    def line(self) -> str:
        line = self.process.stdout.readline().rstrip("\n")
        assert line, "the nursery is gone"
        return line

    def kill(self) -> list[str]:
        """Kills the child; what it had said since it was ready."""
        os.kill(self.pid, signal.SIGKILL)
        said = []
        while (line := self.line()) != "end":
            said.append(line)
        return said

    def close(self) -> None:
        rest_of(self.process)  # which has nothing more to read


@pytest.fixture
def nursery(tmp_path):
    with (tmp_path / "nursery.log").open("wb") as log:
        nursery = Nursery(log)
        yield nursery
        nursery.close()


@pytest.fixture
def chance():
    """Random moments; the seed is printed, and SEED in the environment repeats it."""
    seed = int(os.environ.get("SEED", randbits(32)))
    print(f"SEED={seed}")
    return Random(seed)
