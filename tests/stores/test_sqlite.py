"""The stores in SQLite keep the contracts, and treat files, disks and threads with care."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import apsw
import pytest

from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.errors import ForeignFile, NewerSchema, StoreClosed, StoreLocked
from syncline.stores import Change, Outboxed, load
from syncline.stores.sqlite import SqliteEventStore, SqliteReplicaStore, SqliteSnapshotStore
from syncline.testing import Author, LogStoreContract, ReplicaStoreContract, SnapshotStoreContract

RECEIPTS = Receipts(b"of these tests")
NOW_MS = 1_750_000_000_000


class TestSqliteEventStore(LogStoreContract):
    def make(self, directory, epoch, receipts):
        return SqliteEventStore(directory / "log.db", receipts)


class TestSqliteEventStoreOfShortRuns(LogStoreContract):
    def make(self, directory, epoch, receipts):
        return SqliteEventStore(directory / "log.db", receipts, index_run=70)


class TestSqliteReplicaStore(ReplicaStoreContract):
    def make(self, directory, node):
        return SqliteReplicaStore(directory / "replica.db", node)


class TestSqliteReplicaStoreOfShortRuns(ReplicaStoreContract):
    def make(self, directory, node):
        return SqliteReplicaStore(directory / "replica.db", node, index_run=70)


class TestSqliteSnapshotStore(SnapshotStoreContract):
    def make(self, directory, max_bytes):
        return SqliteSnapshotStore(directory / "snapshots.db", max_bytes=max_bytes)


def open_log(path):
    return SqliteEventStore(path, RECEIPTS)


def open_replica(path):
    return SqliteReplicaStore(path, "node")


@pytest.fixture(params=[open_log, open_replica, SqliteSnapshotStore])
def open_store(request):
    return request.param


# Files


def test_a_file_of_something_else_is_left_as_it_is(tmp_path, open_store):
    path = tmp_path / "x.db"
    path.write_bytes(b"Dear diary, " * 1_000)
    with pytest.raises(ForeignFile):
        open_store(path)
    assert path.read_bytes() == b"Dear diary, " * 1_000


def test_a_database_of_something_else_is_left_as_it_is(tmp_path, open_store):
    path = tmp_path / "x.db"
    with apsw.Connection(str(path)) as other:
        other.execute("CREATE TABLE diary (day)")
    with pytest.raises(ForeignFile):
        open_store(path)
    assert apsw.Connection(str(path)).execute("SELECT name FROM sqlite_schema").fetchall() == [("diary",)]


def test_where_no_file_can_be_the_system_says_why(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_replica(tmp_path / "nowhere" / "x.db")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        open_replica(tmp_path / "folder")
    open_replica(tmp_path / "x.db").close()
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_replica_is_no_log(tmp_path):
    open_replica(tmp_path / "replica.db").close()
    with pytest.raises(ForeignFile):
        open_log(tmp_path / "replica.db")


@pytest.mark.parametrize("open_store", [open_log, open_replica])
def test_a_file_of_a_newer_version_is_left_as_it_is(tmp_path, open_store):
    path = tmp_path / "x.db"
    open_store(path).close()
    with apsw.Connection(str(path)) as later:
        later.pragma("user_version", 1_000)
    with pytest.raises(NewerSchema):
        open_store(path)
    assert apsw.Connection(str(path)).pragma("user_version") == 1_000


def test_a_file_has_one_owner(tmp_path, open_store):
    path = tmp_path / "x.db"
    first = open_store(path)
    with pytest.raises(StoreLocked):
        open_store(path)
    first.close()
    open_store(path).close()


OWNER = """
import sys
from syncline.stores.sqlite import SqliteReplicaStore
store = SqliteReplicaStore(sys.argv[1], "node")
print("open", flush=True)
sys.stdin.read()
"""


def test_an_owner_that_is_killed_leaves_the_file_free(tmp_path):
    path = tmp_path / "x.db"
    command = [sys.executable, "-c", OWNER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "open\n"
        with pytest.raises(StoreLocked):
            open_replica(path)
        owner.kill()
        owner.wait()
    open_replica(path).close()


def test_a_store_that_failed_to_open_holds_no_lock(tmp_path, open_store):
    path = tmp_path / "x.db"
    path.write_bytes(b"Dear diary, " * 1_000)
    with pytest.raises(ForeignFile):
        open_store(path)
    path.unlink()
    open_store(path).close()


# A full disk

FILL = """
import sys
from pathlib import Path
from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.errors import StorageFull
from syncline.stores import load
from syncline.stores.sqlite import SqliteEventStore
from syncline.testing import Author

directory, ballast = Path(sys.argv[1]), Path(sys.argv[1]) / "ballast"
if sys.argv[2] == "limit":
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
else:
    ballast.write_bytes(bytes(500_000))

author, stored = Author(), []
store = SqliteEventStore(directory / "log.db", Receipts(b"key"))
push = lambda events: store.append([Submission(events, "ann")], now_ms=1_750_000_000_000)
try:
    while True:
        events = author.events(50, meta={"salt": "x" * 250})
        push(events)
        stored += events
except StorageFull:
    pass
assert [entry.event.id for entry in load(store)] == [event.id for event in stored]
assert store.head().seq == len(stored) > 0

if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
else:
    ballast.unlink()
assert push(events).head.seq == len(stored) + 50
store.close()
again = SqliteEventStore(directory / "log.db", Receipts(b"key"))
assert [entry.event.id for entry in load(again)] == [event.id for event in stored + events]
print("survived")
"""
TMPFS = 'mount -t tmpfs -o size=2m none "$1" && exec "$2" -c "$3" "$1" tmpfs'


def test_a_file_that_may_grow_no_further_stores_whole_appends_or_nothing(tmp_path):
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path), "limit"], capture_output=True, text=True, check=False
    )
    assert done.stdout == "survived\n", done.stderr


def test_a_full_disk_stores_whole_appends_or_nothing(tmp_path):
    unshare = ["unshare", "-Urm", "sh", "-c"]
    try:
        subprocess.run([*unshare, 'mount -t tmpfs none "$1"', "-", str(tmp_path)], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no small file system can be mounted here: needs unshare and user namespaces")
    command = [*unshare, TMPFS, "-", str(tmp_path), sys.executable, FILL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "survived\n", done.stderr


# Dependencies


def test_an_event_may_name_one_that_was_erased(tmp_path):
    author, store = Author(), open_log(tmp_path / "log.db")
    erased, kept = author.event(ops=[{"op": "put", "key": "a", "value": {}}]), author.event()
    within = {"op": "put", "in": f"{erased.id}:1", "key": "b", "value": 1}
    events = author.event(ops=[within]), author.event("task.bread", ops=[within])
    store.append([Submission([erased, kept], "ann")], now_ms=NOW_MS)
    store.close()
    connection = apsw.Connection(str(tmp_path / "log.db"))
    connection.execute("UPDATE entries SET entry = NULL WHERE seq = 1")
    connection.close()
    store = open_log(tmp_path / "log.db")
    stored, refused = store.append([Submission(events, "ann")], now_ms=NOW_MS).outcomes[0]
    assert (stored, refused.code) == (3, "bad_op")
    store.close()


# Threads


def push(store, author, count):
    return store.append([Submission(author.events(count), "ann")], now_ms=NOW_MS)


def test_checkpoints_run_beside_the_writer(tmp_path):
    store, author = open_log(tmp_path / "log.db"), Author()
    salt = {"salt": "x" * 250}
    with ThreadPoolExecutor(1) as pool:
        checkpoints = []
        while len(checkpoints) < 2:
            store.append([Submission(author.events(1_000, meta=salt), "ann")], now_ms=NOW_MS)
            if store.wants_checkpoint:
                checkpoints.append(pool.submit(store.checkpoint))
        for checkpoint in checkpoints:
            checkpoint.result()
    assert (tmp_path / "log.db").stat().st_size > 4_000 * 4_096
    count = store.head().seq
    store.close()
    again = open_log(tmp_path / "log.db")
    assert [entry.seq for entry in load(again)] == list(range(1, count + 1))
    again.close()


def test_a_store_that_closes_while_it_is_read_says_so(tmp_path):
    store = open_log(tmp_path / "log.db")
    push(store, Author(), 1_000)

    def read():
        with suppress(StoreClosed):
            while True:
                assert store.slice(limit=1_000).length == 1_000

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        for _ in range(20):
            store.slice()
        store.close()
        for reader in readers:
            reader.result()
    assert not (tmp_path / "log.db-wal").exists() or (tmp_path / "log.db-wal").stat().st_size == 0
    open_log(tmp_path / "log.db").close()


def test_a_replica_that_closes_between_two_chunks_says_so(tmp_path):
    store = open_replica(tmp_path / "replica.db")
    store.commit(Change(outbox=[Outboxed(event) for event in Author().events(3)]))
    log = open_log(tmp_path / "log.db")
    push(log, Author("far"), 1_500)
    store.commit(Change(entries=list(load(log))))
    entries = store.load()
    next(entries)
    store.close()
    with pytest.raises(StoreClosed):
        list(entries)
    log.close()


# The outbox of an item


@pytest.mark.parametrize("items", [["note"], ["note*"], ["note", "no*"]])
def test_events_of_other_items_are_neither_read_nor_decoded(tmp_path, items):
    """Theirs are no events any more here: reading one would raise."""
    path = tmp_path / "replica.db"
    store, author = open_replica(path), Author()
    mine = author.event("note")
    store.commit(Change(outbox=[*map(Outboxed, author.events(10_000, "task")), Outboxed(mine)]))
    store.close()
    with apsw.Connection(str(path)) as other:
        other.execute("UPDATE outbox SET event = x'' WHERE item = 'task'")
    store = open_replica(path)
    for statuses in ((), ("pending",), ("acked", "pending")):
        assert store.outbox(*statuses, items=items) == [Outboxed(mine)]
    store.close()


OLD_LOG = "".join(
    [f"ALTER TABLE log DROP COLUMN {column};" for column in ("sized", "bytes", "newest", "floor", "dropped")]
    + ["DROP TABLE bases; DROP TABLE snapshots; PRAGMA user_version = 1"]
)


@pytest.mark.parametrize("is_old", [False, True], ids=["of now", "of an older version"])
def test_how_large_a_log_is_is_known_when_it_is_opened(tmp_path, is_old):
    author, path = Author(), tmp_path / "log.db"
    events = [author.event(payload={"event": ':"event":', "n": "x" * n}) for n in range(300)]
    with closing(SqliteEventStore(path, RECEIPTS, index_run=70)) as store:
        for start in range(0, 300, 50):
            store.append([Submission(events[start : start + 50], "ann")], now_ms=NOW_MS)
        size = store.size()
    assert size == sum(len(event.body) for event in events)
    if is_old:
        with closing(apsw.Connection(str(path))) as connection:
            connection.execute(OLD_LOG)
    with closing(SqliteEventStore(path, RECEIPTS, index_run=70)) as store:
        assert store.size() == size
        store.append([Submission([author.event()], "ann")], now_ms=NOW_MS)
        assert store.size() > size
