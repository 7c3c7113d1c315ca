"""The log in LMDB keeps the contract, grows under its readers, and treats folders, disks and processes with care."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Barrier

import lmdb
import pytest

from syncline.core.admission import Submission
from syncline.core.events import Entry
from syncline.core.limits import MAX_ITEM_LENGTH
from syncline.core.log import Receipts
from syncline.errors import ForeignFile, NewerSchema, StoreClosed, StoreDamaged, StoreLocked
from syncline.stores import load
from syncline.stores.lmdb import LmdbEventStore, LmdbLogs, environment, layout
from syncline.testing import AdoptionContract, Author, LogStoreContract

RECEIPTS = Receipts(b"of these tests")
NOW_MS = 1_750_000_000_000
TINY = 64 * 1024
SMAPS = Path("/proc/self/smaps")


class TestLmdbEventStore(LogStoreContract, AdoptionContract):
    keeps_old_pages = True

    def make(self, directory, epoch, receipts):
        return LmdbEventStore(directory / "log.lmdb", receipts)


class TestLmdbEventStoreOfShortRuns(LogStoreContract, AdoptionContract):
    """In a map that is too small from the beginning."""

    keeps_old_pages = True

    def make(self, directory, epoch, receipts):
        return LmdbEventStore(directory / "log.lmdb", receipts, index_run=70, map_bytes=TINY)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.lmdb"


def open_log(path, **options):
    return closing(LmdbEventStore(path, RECEIPTS, **options))


def push(store, events):
    return store.append([Submission(events, "ann")], now_ms=NOW_MS)


def files(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


# The map


def test_the_map_grows_while_others_read(path):
    def read():
        seen = []
        while len(seen) < 6_000:
            part = list(load(store, seen[-1] if seen else 0))
            seen += [entry.seq for entry in part]
            assert all(entry.event.meta == {"salt": "x" * 250} for entry in part)
        return seen

    author = Author()
    with open_log(path, map_bytes=TINY) as store, ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        for _ in range(60):
            push(store, author.events(100, meta={"salt": "x" * 250}))
        assert [reader.result() for reader in readers] == [list(range(1, 6_001))] * 4
        assert (path / "data.mdb").stat().st_size > 32 * TINY
    with open_log(path, map_bytes=TINY) as store:
        assert len(list(load(store))) == 6_000


def test_one_append_may_be_larger_than_many_maps(path):
    author = Author()
    events = [author.event(payload="x" * 60_000) for _ in range(100)]
    with open_log(path, map_bytes=TINY) as store:
        assert push(store, events).head.seq == 100
        assert [entry.event.id for entry in load(store)] == [event.id for event in events]


def test_more_read_at_a_time_than_there_are_slots(path):
    count = environment.MAX_READERS + 20
    together = Barrier(count)

    def read():
        together.wait()
        return [len(store.slice().encoded) for _ in range(20)]

    with open_log(path) as store:
        push(store, Author().events(50))
        with ThreadPoolExecutor(count) as pool:
            lengths = {length for reader in [pool.submit(read) for _ in range(count)] for length in reader.result()}
        assert lengths == {len(store.slice().encoded)}


def test_the_longest_item_fits_into_a_key(path):
    author, item = Author(), "i" * MAX_ITEM_LENGTH
    with open_log(path, index_run=2) as store:
        push(store, [author.event(item), author.event(item)])
        push(store, [author.event(item[:-1] + "j")])
        assert store.items("i*", "", 9) == [item, item[:-1] + "j"]
        assert store.gather([item], 0, 9, 9, 10**6).stopped is None
    assert 8 + MAX_ITEM_LENGTH + 1 + 8 <= 511


# Folders


def test_a_folder_of_something_else_is_left_as_it_is(path):
    path.mkdir()
    (path / "diary.txt").write_text("Dear diary")
    with pytest.raises(ForeignFile):
        open_log(path)
    assert files(path) == {"diary.txt": b"Dear diary"}


def test_a_file_is_no_folder(path):
    path.write_text("Dear diary")
    with pytest.raises(ForeignFile):
        open_log(path)
    assert path.read_text() == "Dear diary"


def test_a_data_file_of_something_else_is_left_as_it_is(path):
    path.mkdir()
    (path / "data.mdb").write_bytes(b"Dear diary, " * 1_000)
    with pytest.raises(ForeignFile):
        open_log(path)
    assert files(path) == {"data.mdb": b"Dear diary, " * 1_000}


@pytest.mark.parametrize("table", [None, b"meta", b"diary"])
def test_an_environment_of_something_else_is_left_as_it_is(path, table):
    with lmdb.open(str(path), max_dbs=1) as other, other.begin(write=True) as txn:
        txn.put(b"day", b"one", db=other.open_db(table, txn=txn))
    before = files(path)
    with pytest.raises(ForeignFile):
        open_log(path)
    assert files(path) == before


def test_a_log_of_a_newer_version_is_left_as_it_is(path):
    open_log(path).thing.close()
    with lmdb.open(str(path), max_dbs=1) as later, later.begin(write=True) as txn:
        txn.put(layout.SCHEMA_KEY, layout.pack(1_000), db=later.open_db(b"meta", txn=txn))
    before = files(path)
    with pytest.raises(NewerSchema):
        open_log(path)
    assert files(path) == before


def test_a_log_whose_making_was_cut_off_is_made_again(path):
    lmdb.open(str(path)).close()
    assert (path / "data.mdb").stat().st_size
    with open_log(path) as store:
        assert push(store, Author().events(1)).head.seq == 1


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.1])
def test_a_log_that_was_cut_off_is_damaged(path, kept):
    with open_log(path) as store:
        push(store, Author().events(1_000))
    data = path / "data.mdb"
    os.truncate(data, int(data.stat().st_size * kept))
    with pytest.raises(StoreDamaged):
        open_log(path)


def test_a_log_that_lacks_an_entry_is_damaged(path):
    with open_log(path) as store:
        push(store, Author().events(3))
    with lmdb.open(str(path), max_dbs=1) as other, other.begin(write=True) as txn:
        txn.delete(layout.pack(2), db=other.open_db(b"entries", txn=txn))
    with pytest.raises(StoreDamaged):
        open_log(path)


def test_a_log_that_failed_to_open_holds_no_lock(path):
    path.write_text("Dear diary")
    with pytest.raises(ForeignFile):
        open_log(path)
    path.unlink()
    open_log(path).thing.close()


# Processes


OWNER = """
import sys
from syncline.core.log import Receipts
from syncline.stores.lmdb import LmdbEventStore
store = LmdbEventStore(sys.argv[1], Receipts(b"key"))
print("open", flush=True)
sys.stdin.read()
"""


def test_a_folder_has_one_owner(path):
    with open_log(path), pytest.raises(StoreLocked):
        open_log(path)
    command = [sys.executable, "-c", OWNER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "open\n"
        with pytest.raises(StoreLocked):
            open_log(path)
        owner.kill()
        owner.wait()
    open_log(path).thing.close()


FORKED = """
import os, sys
from syncline.core.log import Receipts
from syncline.errors import StoreClosed
from syncline.stores.lmdb import LmdbEventStore
store = LmdbEventStore(sys.argv[1], Receipts(b"key"))
child = os.fork()
if not child:
    try:
        store.slice()
    except StoreClosed:
        os._exit(7)
    os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
store.slice()
store.close()
print(code)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_log_is_not_carried_over_a_fork(path):
    done = subprocess.run([sys.executable, "-c", FORKED, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == "7\n", done.stderr


def test_a_log_that_closes_while_it_is_read_says_so(path):
    store = LmdbEventStore(path, RECEIPTS)
    push(store, Author().events(1_000))

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
    open_log(path).thing.close()


# A full disk

FILL = """
import sys
from pathlib import Path
from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.errors import StorageFull
from syncline.stores import load
from syncline.stores.lmdb import LmdbEventStore
from syncline.testing import Author

directory, ballast = Path(sys.argv[1]), Path(sys.argv[1]) / "ballast"
if sys.argv[2] == "limit":
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
else:
    ballast.write_bytes(bytes(500_000))

author, stored = Author(), []
store = LmdbEventStore(directory / "log.lmdb", Receipts(b"key"))
push = lambda events: store.append([Submission(events, "ann")], now_ms=1_750_000_000_000)
for _ in range(3):
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
again = LmdbEventStore(directory / "log.lmdb", Receipts(b"key"))
assert [entry.event.id for entry in load(again)] == [event.id for event in stored + events]
again.close()
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


FAIL = """
import sys
from contextlib import suppress
from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.stores import load
from syncline.stores.lmdb import LmdbEventStore
from syncline.testing import Author

author = Author()
store = LmdbEventStore(sys.argv[1], Receipts(b"key"))
stored, told = [], ""
for _ in range(60):
    events = author.events(3)
    try:
        store.append([Submission(events, "ann")], now_ms=1_750_000_000_000)
    except Exception:
        told += "-"
    else:
        told += "+"
        stored += events
    held = [entry.event.id for entry in load(store)]
    assert {event.id for event in stored} <= set(held), "acknowledged and gone"
    assert store.head().seq == len(held) == len(set(held)), "a head that is not the log's"
store.close()
print(told)
"""


@pytest.mark.parametrize("calls", ["pwrite64,pwritev", "fdatasync"])
def test_a_log_goes_on_after_a_disk_has_failed(path, calls):
    """Now and then such a call fails, also when it would have made a commit stand."""
    if not shutil.which("strace"):
        pytest.skip("strace is not here")
    LmdbEventStore(path, RECEIPTS).close()
    prefix = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}", "-P", str(path / "data.mdb")]
    inject = ["-e", f"inject={calls}:error=EIO:when={'60+23' if ',' in calls else '10+4'}"]
    command = [*prefix, *inject, sys.executable, "-c", FAIL, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr or "attach" in done.stderr:
        pytest.skip("strace cannot trace here")
    assert done.stdout.count("-") > 2, done.stderr
    assert done.stdout.count("-+") > 2
    with open_log(path) as store:
        assert store.head().seq >= 3 * done.stdout.count("+")


def test_a_new_log_is_there_after_a_power_cut(path, monkeypatch):
    synced, sync = set(), os.fsync

    def fsync(file):
        sync(file)
        synced.add(os.fstat(file).st_ino)

    monkeypatch.setattr(os, "fsync", fsync)
    LmdbEventStore(path, RECEIPTS).close()
    assert {path.stat().st_ino, path.parent.stat().st_ino} <= synced


def test_what_is_not_beyond_the_end_is_not_stored_at_the_end(path):
    """LMDB itself passes over it in silence."""
    keys = [layout.pack(seq) for seq in (4, 5)]
    with open_log(path) as store:
        push(store, Author().events(4))
    with closing(environment.Environment(path, lambda txn: None)) as env:
        with pytest.raises(StoreDamaged):
            env.write(lambda txn: txn.put_many("entries", [(key, b"other") for key in keys], at_end=True))
        with env.reading() as txn:
            assert txn.count("entries") == 4


# Stubs


def test_an_event_may_name_one_that_was_erased(path):
    author = Author()
    erased, kept = author.event(ops=[{"op": "put", "key": "a", "value": {}}]), author.event()
    within = {"op": "put", "in": f"{erased.id}:1", "key": "b", "value": 1}
    events = author.event(ops=[within]), author.event("task.bread", ops=[within])
    with open_log(path) as store:
        push(store, [erased, kept])
    with lmdb.open(str(path), max_dbs=1) as other, other.begin(write=True) as txn:
        txn.put(layout.pack(1), b"", db=other.open_db(b"entries", txn=txn))
    with open_log(path) as store:
        stored, refused = push(store, events).outcomes[0]
        assert (stored, refused.code) == (3, "bad_op")
        assert [entry.seq for entry in load(store)] == [2, 3]
        gathered = store.gather([erased.item], 0, 9, 9, 10**6).entries
        assert [Entry.read(entry).seq for entry in gathered] == [2, 3]


# Memory


def mapped(path):
    """How many bytes of the log are mapped and in memory, for this process."""
    if not SMAPS.exists():
        pytest.skip("only Linux tells what is mapped")
    _, _, after = SMAPS.read_text().partition(f"{path}/data.mdb\n")
    return int(re.search(r"^Rss: +(\d+) kB", after, re.MULTILINE)[1]) * 1024


def test_housekeeping_lets_go_of_what_was_read(path):
    author = Author()
    with open_log(path) as store:
        for _ in range(8):
            push(store, [author.event(payload="x" * 50_000) for _ in range(20)])
        entries = [entry.encoded for entry in load(store)]
        assert mapped(path) > 6_000_000
        store.checkpoint()
        assert mapped(path) < 1_000_000
        assert [entry.encoded for entry in load(store)] == entries


WITHOUT = """
import sys
sys.modules["lmdb"] = None
try:
    import syncline.stores.lmdb
except Exception as error:
    print(type(error).__name__, error)
"""


def test_what_has_to_be_installed_is_told():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout == "BadSettings LMDB needs a package: pip install 'syncline[lmdb]'\n"


# Several logs


def test_each_space_is_a_folder_that_goes_with_it(tmp_path):
    logs = LmdbLogs(tmp_path / "lmdb", RECEIPTS)
    with closing(logs.open("one")) as one, closing(logs.open("two")) as two:
        push(one, Author().events(2))
        assert (one.head().seq, two.head().seq) == (2, 0)
        epoch = one.head().epoch
    logs.delete("two")
    logs.delete("two")
    with closing(logs.open("one")) as one:
        assert (one.head().epoch, one.head().seq) == (epoch, 2)
    logs.delete("one")
    assert list((tmp_path / "lmdb").iterdir()) == []
    with closing(logs.open("one")) as one:
        assert one.head().seq == 0
        assert one.head().epoch != epoch
    logs.close()
