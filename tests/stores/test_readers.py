"""Looking at a log beside the one who writes: all of it, never more than was committed, and what is wrong with it."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from syncline.core.admission import Submission
from syncline.core.events import Entry
from syncline.core.log import NO_TAIL, Receipts
from syncline.errors import ForeignFile
from syncline.stores.jsonl import JsonLinesEventStore
from syncline.stores.jsonl.reader import JsonLinesReader
from syncline.stores.lmdb import LmdbEventStore
from syncline.stores.lmdb.reader import LmdbReader
from syncline.stores.postgres.logs import PostgresLogs
from syncline.stores.postgres.reader import PostgresReaders
from syncline.stores.reading import LOOK_BYTES, Fact, Kept, within
from syncline.stores.sqlite import SqliteEventStore
from syncline.stores.sqlite.reader import SqliteReader
from syncline.testing import Author
from syncline.testing.seeded import START_MS
from tests import postgres

RECEIPTS = Receipts(b"of these tests")
FILES = {
    "sqlite": (SqliteEventStore, SqliteReader, "log.db"),
    "jsonl": (JsonLinesEventStore, JsonLinesReader, "log.jsonl"),
    "lmdb": (LmdbEventStore, LmdbReader, "log.lmdb"),
}
COUNT = 2_500

WRITER = """
import sys
from pathlib import Path
from syncline.core.admission import Submission
from syncline.testing import Author
from syncline.testing.seeded import START_MS
from tests.stores.test_readers import FILES, RECEIPTS

store, _, name = FILES[sys.argv[2]]
log, author = store(Path(sys.argv[1]) / name, RECEIPTS), Author()
for line in sys.stdin:
    events = [author.event(f"task.{n % 7}", payload="x" * 1_000) for n in range(int(line))]
    log.append([Submission(events, "ann")], now_ms=START_MS)
    print(log.head().seq, flush=True)
"""


def fill(store, count=COUNT):
    author = Author()
    for start in range(0, count, 100):
        events = [author.event(f"task.{n % 7}", payload={"n": n}) for n in range(100)]
        store.append([Submission(events, "ann")], now_ms=START_MS + start)
    return store.head()


@pytest.fixture(params=[*FILES, "postgresql"])
def log(request, tmp_path):
    """A log with some thousand entries: its head, and a reader of it."""
    if request.param == "postgresql":
        url = postgres.new_database()
        with closing(PostgresLogs(url, RECEIPTS)) as logs, closing(logs.open("home")) as store:
            head = fill(store)
        with closing(PostgresReaders(url)) as readers, closing(readers.open("home")) as reader:
            assert readers.names() == ["home"]
            yield head, reader
        return
    kind, reader, name = FILES[request.param]
    with closing(kind(tmp_path / name, RECEIPTS, index_run=1_000)) as store:
        head = fill(store)
    with closing(reader(tmp_path / name)) as opened:
        yield head, opened


def all_of(reader, until):
    rows = []
    while rows == [] or rows[-1].seq < until:
        part = reader.read(rows[-1].seq if rows else 0, until)
        assert part
        rows += part
    return rows


def facts(rows):
    entries = [Entry.read(row.entry) for row in rows]
    return [Fact(e.seq, e.at, e.event.key, e.event.item, e.event.node, e.event.n, e.event.digest) for e in entries]


def test_all_of_a_log_is_read(log):
    head, reader = log
    rows = all_of(reader, head.seq)
    assert reader.head() == head
    assert [row.seq for row in rows] == list(range(1, COUNT + 1))
    assert [Entry.read(row.entry).seq for row in rows] == list(range(1, COUNT + 1))
    assert rows[-1].tail == head.tail
    assert reader.read(head.seq, head.seq + 5) == []
    assert [row.seq for row in reader.read(10, 12)] == [11, 12]


def test_tails_are_told(log):
    head, reader = log
    (row,) = reader.read(1_233, 1_234)
    assert [reader.tail(seq) for seq in (0, 1_234, head.seq)] == [NO_TAIL, row.tail, head.tail]
    assert reader.tail(head.seq + 1) is None


def test_what_is_beside_the_entries_agrees_and_what_does_not_is_named(log):
    head, reader = log
    said = facts(all_of(reader, head.seq))
    assert reader.differing(said) == []
    assert reader.check() == []
    moved = [said[4]._replace(item="task.else"), said[5]._replace(key=bytes(16)), said[6]._replace(digest=bytes(32))]
    assert {damage.seq for damage in reader.differing(moved)} == {5, 6, 7}


@pytest.mark.parametrize("store", FILES)
def test_an_empty_log_has_its_epoch(store, tmp_path):
    kind, reader, name = FILES[store]
    with closing(kind(tmp_path / name, RECEIPTS)) as log:
        head = log.head()
    with closing(reader(tmp_path / name)) as opened:
        assert opened.head() == head
        assert opened.read(0, 10) == []


@pytest.mark.parametrize("store", FILES)
def test_it_works_beside_a_program_that_writes(store, tmp_path):
    command = [sys.executable, "-c", WRITER, tmp_path, store]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as writer:

        def write(count):
            print(count, file=writer.stdin)
            return int(writer.stdout.readline())

        _, reader, name = FILES[store]
        seq = write(10)
        with closing(reader(tmp_path / name)) as opened:
            for _ in range(40):  # more than LMDB's first map, so that it grows beside the reader
                assert opened.head().seq == seq
                assert opened.read(seq - 1, seq + 1)[0].tail == opened.head().tail
                seq = write(1_000)
            assert len(all_of(opened, seq)) == seq
        writer.stdin.close()
    assert writer.returncode == 0


@pytest.mark.parametrize("count", [0, 300])
def test_nobody_is_kept_from_opening_json_lines_whose_index_is_whole(tmp_path, count):
    """A lock that is held for a moment would be a space that a server cannot open just then."""
    place = tmp_path / "log.jsonl"
    with closing(JsonLinesEventStore(place, RECEIPTS)) as store:
        head = fill(store, count)
    (place / "lock").unlink()
    with closing(JsonLinesReader(place)) as reader:
        assert reader.head() == head
    assert not (place / "lock").exists()
    (place / "index.db").unlink()
    with closing(JsonLinesReader(place)) as reader:
        assert reader.head() == head
        assert len(all_of(reader, count) if count else []) == count


def test_what_tables_keep_is_compared(tmp_path):
    """What a broken write or a hand has changed beside an entry."""
    with closing(SqliteEventStore(tmp_path / "log.db", RECEIPTS, index_run=1_000)) as store:
        fill(store)
    with closing(sqlite3.connect(tmp_path / "log.db")) as database, database:
        database.execute("UPDATE entries SET at = at + 1 WHERE seq = 10")
        database.execute("UPDATE entries SET n = 0 WHERE seq = 11")
        database.execute("DELETE FROM item_index WHERE seq = 12")
        database.execute("UPDATE entries SET digest = zeroblob(32) WHERE seq = 2400")
    with closing(SqliteReader(tmp_path / "log.db")) as reader:
        found = reader.differing(facts(all_of(reader, COUNT)))
        assert [(damage.seq, damage.what.split()[1]) for damage in found] == [
            (10, "time"),
            (11, "counter"),
            (2_400, "digest"),
            (12, "index"),
        ]
        assert reader.check() == ["the index by item has 1999 places for 2000 entries"]


@pytest.mark.parametrize("store", FILES)
def test_what_is_no_log_is_not_read(store, tmp_path):
    _, reader, name = FILES[store]
    place: Path = tmp_path / name
    if store == "sqlite":
        place.write_bytes(b"no database" * 100)
    else:
        place.mkdir()
        (place / "letter.txt").write_text("dear Ann")
    with pytest.raises(ForeignFile):
        reader(place)


def test_a_look_ends_after_some_bytes():
    rows = [Kept(seq, b"", b"x" * LOOK_BYTES) for seq in (1, 2)]
    assert [row.seq for row in within(rows)] == [1]
    assert len(within([Kept(seq, b"", None) for seq in range(9)])) == 9
