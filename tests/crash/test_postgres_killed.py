"""Eight writers on one log in PostgreSQL, killed again and again, as is the database: no gap, nothing skipped or lost.

Beside it, to see that this can be seen at all: a table whose cursor is a serial column loses rows to the same writers.
``POSTGRES_CRASH_SECONDS=60`` makes it longer than the suite has time for.
"""

import hashlib
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from itertools import pairwise

import pytest

from syncline.core.log import Receipts
from syncline.stores import load
from syncline.stores.postgres import PostgresLogs
from tests.postgres import Cluster
from tests.processes import rest_of

SECONDS = float(os.environ.get("POSTGRES_CRASH_SECONDS", "8"))
WRITERS, PULLERS = 8, 2
ACKS_BETWEEN_KILLS = 40
KILLS_BETWEEN_RESTARTS = 6
CONTROL_ACKS = 600

NURSERY = """
import hashlib, os, signal, sys
from contextlib import suppress
from pathlib import Path
import msgspec, psycopg
from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.errors import StoreUnavailable
from syncline.stores.postgres import PostgresLogs
from syncline.testing import Author

address, folder = sys.argv[1], Path(sys.argv[2])

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def until_it_works(act):
    while True:
        with suppress(StoreUnavailable):
            return act()

def is_over(name):
    return (folder / name).exists()

def write(name):
    author, sizes = Author(name), iter(range(1, 1 << 60))
    logs = until_it_works(lambda: PostgresLogs(address, Receipts(b"key")))
    store = until_it_works(lambda: logs.open("bar"))
    while not is_over("writers"):
        events = author.events(next(sizes) * 37 % 120 + 1, item=f"task.{next(sizes) % 9}")
        append = lambda: store.append([Submission(events, "ann")], now_ms=1_750_000_000_000)
        seqs = until_it_works(append).outcomes[0]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs))), seqs
        say("ack", name, events[0].n, seqs[0], len(seqs))
    say("end", name)

def pull(name):
    logs = until_it_works(lambda: PostgresLogs(address, Receipts(b"key")))
    store = until_it_works(lambda: logs.open("bar"))
    seen, last, gaps = hashlib.sha256(), 0, 0
    while True:
        over = is_over("pullers")
        head = until_it_works(store.refresh)
        while last < head.seq:
            part = until_it_works(lambda: store.slice(last))
            for raw in msgspec.json.decode(b"[" + part.encoded + b"]", type=list[msgspec.Raw]):
                seq = int(bytes(raw)[7:].split(b",", 1)[0])
                gaps += seq != last + 1
                last = seq
                seen.update(raw)
        if over:
            return say("pulled", name, last, gaps, seen.hexdigest())

def write_serial(name):
    with psycopg.connect(address) as connection:
        while not is_over("writers"):
            for n in range(10):
                connection.execute("INSERT INTO naive (node) VALUES (%s)", (name,))
            connection.commit()
            say("ack", name)
    say("end", name)

def pull_serial(name):
    pulled = last = 0
    with psycopg.connect(address, autocommit=True) as connection:
        while True:
            over = is_over("pullers")
            while rows := connection.execute("SELECT seq FROM naive WHERE seq > %s ORDER BY seq", (last,)).fetchall():
                pulled, last = pulled + len(rows), rows[-1][0]
            if over:
                return say("pulled", name, pulled)

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    what, name = line.split()
    if pid := os.fork():
        say("pid", name, pid)
    else:
        os.close(0)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            {"write": write, "pull": pull, "write_serial": write_serial, "pull_serial": pull_serial}[what](name)
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(0)
"""


class Nursery:
    """Forks children that write and pull, and hears what they say."""

    def __init__(self, address, folder, log) -> None:
        self.folder, self.pids, self.acks, self.pulled = folder, {}, [], []
        self.process = subprocess.Popen(
            [sys.executable, "-c", NURSERY, address, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def start(self, what: str, name: str) -> None:
        self.process.stdin.write(f"{what} {name}\n")
        self.process.stdin.flush()
        while name not in self.pids:
            self.hear()

    def hear(self) -> None:
        """Takes in the next line."""
        word, *rest = self.process.stdout.readline().split() or ["gone"]
        assert word != "gone", "the nursery is gone"
        if word == "pid":
            self.pids[rest[0]] = int(rest[1])
        elif word == "ack":
            self.acks.append(rest)
        else:  # end, pulled
            del self.pids[rest[0]]
            self.pulled += [rest[1:]] if word == "pulled" else []

    def hear_acks(self, count: int) -> None:
        """Takes in lines until so many acknowledgements more have come."""
        enough = len(self.acks) + count
        while len(self.acks) < enough:
            self.hear()

    def kill(self, name: str) -> None:
        os.kill(self.pids.pop(name), signal.SIGKILL)

    def stop(self, writers) -> None:
        """Lets the writers end, and then the pullers."""
        (self.folder / "writers").touch()
        while not self.pids.keys().isdisjoint(writers):
            self.hear()
        (self.folder / "pullers").touch()
        while len(self.pulled) < PULLERS:
            self.hear()

    def close(self) -> None:
        for pid in self.pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        rest_of(self.process)


@pytest.fixture
def database():
    with closing(Cluster(fsync=True)) as cluster:
        yield cluster


@pytest.fixture
def nursery(database, tmp_path):
    with (tmp_path / "log").open("w+") as log:
        nursery = Nursery(database.address(), tmp_path, log)
        yield nursery
        nursery.close()
        log.seek(0)
        print(log.read()[-2_000:])


@pytest.mark.slow
@pytest.mark.timeout(120 + 5 * SECONDS)
def test_killed_writers_and_a_killed_database_leave_no_gap_and_lose_nothing(database, nursery, chance):
    writers = {f"w{count}" for count in range(WRITERS)}
    for name in sorted(writers):
        nursery.start("write", name)
    for count in range(PULLERS):
        nursery.start("pull", f"p{count}")
    kills = restarts = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end or not restarts:
        nursery.hear_acks(chance.randint(1, ACKS_BETWEEN_KILLS))
        victim = chance.choice(sorted(writers))
        nursery.kill(victim)
        kills += 1
        writers ^= {victim, f"w{WRITERS + kills}"}
        nursery.start("write", f"w{WRITERS + kills}")
        if not kills % KILLS_BETWEEN_RESTARTS:
            database.kill()
            database.start()
            restarts += 1
    nursery.stop(writers)

    with closing(PostgresLogs(database.address(), Receipts(b"key"))) as logs:
        entries = list(load(logs.open("bar")))
    seqs = [entry.seq for entry in entries]
    places = {(entry.event.node, entry.event.n): entry.seq for entry in entries}
    acked = {(node, int(n) + k): int(seq) + k for node, n, seq, count in nursery.acks for k in range(int(count))}
    lost = [event for event, seq in acked.items() if places.get(event) != seq]
    gaps = sum(after != before + 1 for before, after in pairwise([0, *seqs]))
    everything = hashlib.sha256(b"".join(entry.encoded for entry in entries)).hexdigest()
    skipped = sum(len(entries) - int(last) + int(gaps) for last, gaps, _ in nursery.pulled)
    print(
        f"{len(entries)} events, {len(acked)} acknowledged; {kills} writers and {restarts} times the database killed: "
        f"{gaps} gaps, {skipped} skipped, {len(lost)} lost, {len(entries) - len(places)} twice"
    )
    assert (gaps, lost, len(places)) == (0, [], len(entries))
    assert len({entry.event.id for entry in entries}) == len(entries) >= len(acked) > 0
    assert nursery.pulled == [[str(len(entries)), "0", everything]] * PULLERS


def test_a_serial_column_loses_rows_to_the_same_writers(database, nursery):
    """The control: if this table lost nothing, the test above would prove nothing."""
    database.execute("CREATE TABLE naive (seq BIGSERIAL PRIMARY KEY, node TEXT)")
    writers = {f"w{count}" for count in range(WRITERS)}
    for name in sorted(writers):
        nursery.start("write_serial", name)
    for count in range(PULLERS):
        nursery.start("pull_serial", f"p{count}")
    nursery.hear_acks(CONTROL_ACKS)
    nursery.stop(writers)
    rows = int(database.execute("SELECT count(*) FROM naive"))
    skipped = [rows - int(pulled) for (pulled,) in nursery.pulled]
    print(f"{rows} rows, of which the pullers skipped {skipped}")
    assert min(skipped) > 0
