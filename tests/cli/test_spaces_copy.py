"""``spaces copy``: a log moves between any two stores as it is, goes on where it was killed, and spoils nothing."""

import hashlib
import random
import re
import shutil
import subprocess
import sys
from contextlib import closing
from itertools import pairwise, permutations
from pathlib import Path

import apsw
import pytest

from syncline.cli.addresses import Address
from syncline.core.admission import Submission
from syncline.core.bases import Base
from syncline.core.log import Receipts
from syncline.stores import load
from syncline.stores.bases import Point
from syncline.stores.sqlite import SqliteEventStore
from syncline.testing import Author
from syncline.testing.seeded import START_MS
from tests import postgres

PAGE = Path(__file__).parents[2] / "docs" / "spaces.md"
RECEIPTS = Receipts(b"of these tests")
STORES = ("sqlite", "jsonl", "lmdb", "postgresql")


def fill(path, count, *, author=None):
    """A log in a SQLite file gets events, in commits of up to 100."""
    author = author or Author()
    with closing(SqliteEventStore(path, RECEIPTS)) as store:
        for start in range(0, count, 100):
            events = [author.event(f"task.{n % 7}", payload={"n": n}) for n in range(min(100, count - start))]
            store.append([Submission(events, "ann")], now_ms=START_MS + start)
    return author


def look(address):
    """The end of a log and its entries."""
    with Address.read(str(address)).open(makes=False) as store:
        return store.head(), [entry.encoded for entry in load(store)]


def digest(entries):
    return hashlib.sha256(b"".join(entry + b"\n" for entry in entries)).hexdigest()


@pytest.fixture
def place(terminal):
    """Addresses of a store in the terminal's directory, or in a database of the test's own."""

    def address(store, name="copy"):
        if store == "postgresql":
            return f"{postgres.new_database()}#{name}"
        return f"{store}:{terminal.directory / name}.{store}"

    return address


@pytest.fixture
def source(terminal):
    fill(terminal.directory / "home.db", 250)
    return terminal.directory / "home.db"


# What is copied


@pytest.mark.parametrize(("first", "second"), [*permutations(STORES, 2)])
def test_a_log_moves_between_any_two_stores(terminal, source, place, first, second):
    head, entries = look(source)
    one, other = place(first, "one"), place(second, "other")
    assert terminal("spaces", "copy", source, one).code == 0
    done = terminal("spaces", "copy", one, other, "--json")
    assert done.code == 0, done.err
    assert done.json == {
        "epoch": head.epoch,
        "head": 250,
        "copied": 250,
        "tail": head.tail.hex(),
        "sha256": digest(entries),
    }
    assert look(one) == look(other) == (head, entries)


def test_it_says_what_it_did(terminal, source):
    done = terminal("spaces", "copy", "home.db", "home.jsonl")
    head, entries = look(source)
    assert re.split(r"\s+", done.out.strip()) == [
        *("epoch", head.epoch, "head", "250", "copied", "250", "tail", head.tail.hex(), "sha256", digest(entries))
    ]
    lines = (terminal.directory / "home.jsonl" / f"{1:016}.jsonl").read_bytes().splitlines()
    assert [line for line in lines if line.startswith(b'{"seq"')] == entries


def test_a_log_that_has_let_go_of_its_beginning_is_not_copied(terminal, source):
    with closing(SqliteEventStore(source, RECEIPTS)) as store:
        store.stage([Base(item="task.0", seq=1, at=1, count=1, clock={"node": 1})], is_first=True)
        store.keep_staged(Point(1, START_MS), is_floor=True)
        assert not store.drop()
    done = terminal("spaces", "copy", source, "copy.db")
    assert done.code == 1
    assert "from seq 1 on" in done.err
    assert look(terminal.directory / "copy.db")[1] == []


def test_an_empty_log_is_copied_too(terminal):
    fill(terminal.directory / "home.db", 0)
    done = terminal("spaces", "copy", "home.db", "home.jsonl", "--json")
    assert (done.code, done.json["head"]) == (0, 0)
    assert look(terminal.directory / "home.jsonl") == look(terminal.directory / "home.db")


def test_a_server_goes_on_with_a_copy(terminal, source):
    terminal("spaces", "copy", "home.db", "home.jsonl")
    terminal("spaces", "copy", "home.jsonl", "back.db")
    author = fill(terminal.directory / "back.db", 0)
    with closing(SqliteEventStore(terminal.directory / "back.db", RECEIPTS)) as store:
        known = [entry.event for entry in load(store, 240)]
        new = Author("other").event()
        outcomes = store.append([Submission(known, author.user), Submission([new], "ann")], now_ms=START_MS).outcomes
        assert outcomes == [list(range(241, 251)), [251]]
        entries = list(load(store))
        assert all(RECEIPTS.verify(store.head().epoch, e.seq, e.event.digest, e.receipt) for e in entries)


def test_a_server_moves_to_another_store_as_the_page_says(terminal):
    terminal("init")
    fill(terminal.directory / "syncline-data" / "spaces" / "home.db", 20)
    head, entries = look(terminal.directory / "syncline-data" / "spaces" / "home.db")
    block = re.search(r"register stays.*?```\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]
    make, copy, move, serve = block.splitlines()
    subprocess.run(make, shell=True, cwd=terminal.directory, check=True)
    assert terminal(*copy.partition("#")[0].split()[1:]).code == 0
    assert "are kept in sqlite" in terminal("init", SYNCLINE_STORE="jsonl").err
    subprocess.run(move, shell=True, cwd=terminal.directory, check=True)
    assert serve == "syncline serve --store jsonl"
    assert terminal("init", SYNCLINE_STORE="jsonl").code == 0
    assert look(terminal.directory / "syncline-data" / "jsonl" / "home.jsonl") == (head, entries)


# Going on


@pytest.mark.parametrize("store", STORES)
def test_what_came_since_is_copied_the_next_time(terminal, place, store):
    path, to = terminal.directory / "home.db", place(store)
    author = fill(path, 130)
    assert terminal("spaces", "copy", path, to, "--json").json["copied"] == 130
    fill(path, 40, author=author)
    assert terminal("spaces", "copy", path, to, "--json").json["copied"] == 40
    assert terminal("spaces", "copy", path, to, "--json").json["copied"] == 0
    assert look(path) == look(to)


COPYING = """
import sys
from syncline.cli.addresses import Address
from syncline.stores import copying
copying.BATCH = 100
source, target = map(Address.read, sys.argv[1:])
with source.open(makes=False) as given, target.open(makes=True) as taken:
    copying.copy(given, taken, lambda seq: print(seq, flush=True))
"""


@pytest.mark.parametrize("store", STORES)
def test_a_copy_that_was_killed_goes_on(terminal, place, store):
    path, to = terminal.directory / "home.db", place(store)
    fill(path, 6_000)
    chance, reached = random.Random(store), 0
    for _ in range(5):
        command = [sys.executable, "-c", COPYING, str(path), to]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as copying:
            said = [int(copying.stdout.readline()) for _ in range(chance.randint(1, 9))]
            copying.kill()  # wherever it is by now
        assert said[0] == reached + 100 or reached == 0
        head, entries = look(to)
        assert (head, entries) == (head, look(path)[1][: head.seq])
        assert head.seq >= said[-1]
        reached = head.seq
    done = terminal("spaces", "copy", path, to, "--json")
    assert (done.code, done.json["copied"]) == (0, 6_000 - reached), done.err
    assert look(path) == look(to)
    assert done.json["sha256"] == digest(look(to)[1])


MEASURED = """
import atexit, sys
from syncline.cli import main
atexit.register(lambda: print(open("/proc/self/status").read(), file=sys.stderr))
main()
"""


def peak_bytes(source, target):
    """What a copy has in memory at most."""
    command = [sys.executable, "-c", MEASURED, "spaces", "copy", str(source), target]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(re.search(r"^VmHWM:\s+(\d+) kB", done.stderr, re.MULTILINE)[1]) * 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the greatest memory")
@pytest.mark.parametrize(("first", "second"), list(pairwise([*STORES, "sqlite"])))
def test_a_long_log_takes_no_more_memory_than_a_short_one(terminal, place, first, second):
    long, short = (terminal.directory / name for name in ("long.db", "short.db"))
    for path, count in ((long, 1_200), (short, 400)):
        author = Author()
        with closing(SqliteEventStore(path, RECEIPTS)) as store:
            for _ in range(0, count, 100):
                events = [author.event(payload="x" * 60_000) for _ in range(100)]
                store.append([Submission(events, "ann")], now_ms=START_MS)
    peaks = []
    for path in (long, short):
        between = place(first, f"{path.stem}-one")
        peak_bytes(path, between)
        peaks.append(peak_bytes(between, place(second, f"{path.stem}-two")))
    assert peaks[0] < peaks[1] + 30_000_000  # the logs have 72 and 24 MB


# What is refused


@pytest.mark.parametrize("store", STORES)
def test_another_log_is_left_as_it_is(terminal, source, place, store):
    other, to = terminal.directory / "other.db", place(store)
    fill(other, 5)
    assert terminal("spaces", "copy", other, to).code == 0
    before = look(to)
    done = terminal("spaces", "copy", source, to)
    assert (done.code, look(to)) == (1, before)
    assert "another log" in done.err


@pytest.mark.parametrize("store", STORES)
def test_a_log_that_went_another_way_is_left_as_it_is(terminal, place, store):
    path, to = terminal.directory / "home.db", place(store)
    fill(path, 20)
    shutil.copy(path, terminal.directory / "copy.db")
    fill(path, 10, author=Author("one"))
    assert terminal("spaces", "copy", path, to).code == 0
    before = look(to)
    fill(terminal.directory / "copy.db", 30, author=Author("two"))
    done = terminal("spaces", "copy", "copy.db", to)
    assert (done.code, look(to)) == (1, before)
    assert "not as the source was at seq 30" in done.err


def test_a_longer_log_is_left_as_it_is(terminal, source):
    shutil.copy(source, terminal.directory / "copy.db")
    fill(terminal.directory / "copy.db", 1, author=Author("more"))
    done = terminal("spaces", "copy", source, "copy.db")
    assert (done.code, look(terminal.directory / "copy.db")[0].seq) == (1, 251)
    assert "goes on to seq 251" in done.err


@pytest.mark.parametrize("of", ["source", "target"])
def test_what_a_server_has_open_is_locked(terminal, source, of):
    held = terminal.directory / ("home.db" if of == "source" else "copy.db")
    with closing(SqliteEventStore(held, RECEIPTS)):
        done = terminal("spaces", "copy", "home.db", "copy.db")
        assert done.code == 5
        assert "store_locked" in done.err
    assert (terminal.directory / "copy.db").exists() == (of == "target")


def test_what_is_not_there_is_not_made(terminal, source):
    for missing in ("none.db", "none.jsonl", "lmdb:none"):
        done = terminal("spaces", "copy", missing, "copy.db")
        assert (done.code, "No such file" in done.err) == (5, True)
    assert terminal("spaces", "copy", source, "none/copy.db").code == 5
    assert sorted(path.name for path in terminal.directory.glob("*.*")) == ["home.db", "home.db.lock"]


def test_a_space_that_is_not_there_is_not_made(terminal):
    database = postgres.new_database()
    done = terminal("spaces", "copy", f"{database}#none", "copy.db")
    assert done.code == 4
    assert "unknown_space" in done.err
    assert not (terminal.directory / "copy.db").exists()


@pytest.mark.parametrize(
    "address", ["home", "home.txt", "sqlite:", "postgresql://localhost/x", "postgresql://localhost/x#A b"]
)
def test_an_address_says_which_store(terminal, source, address):
    done = terminal("spaces", "copy", source, address)
    assert done.code in (1, 2)
    assert not (terminal.directory / "home").exists()


def test_a_log_is_not_copied_onto_itself(terminal, source):
    assert terminal("spaces", "copy", source, "sqlite:./home.db").code == 2


# Damage


def test_a_damaged_source_is_told_and_not_copied_further(terminal):
    path = terminal.directory / "home.db"
    fill(path, 2_500)
    with apsw.Connection(str(path)) as opened:
        opened.execute("UPDATE entries SET entry = replace(entry, '\"n\":3', '\"n\":4') WHERE seq = 2304")
    done = terminal("spaces", "copy", path, "copy.jsonl")
    assert done.code == 5
    assert "store_damaged" in done.err
    assert look(terminal.directory / "copy.jsonl")[0].seq == 2_000


def test_a_damaged_copy_is_told(terminal, source):
    assert terminal("spaces", "copy", source, "copy.db").code == 0
    with apsw.Connection(str(terminal.directory / "copy.db")) as opened:
        opened.execute("UPDATE entries SET entry = replace(entry, '\"n\":3', '\"n\":4') WHERE seq = 104")
    done = terminal("spaces", "copy", source, "copy.db")
    assert done.code == 5
    assert "is not what the source is" in done.err
