"""Snapshots in SQLite are derived data: whatever happens to their file, the store goes on, at worst without them."""

import random
import subprocess
import sys

import apsw
import pytest

from syncline.errors import ForeignFile
from syncline.stores.snapshots import Kept
from syncline.stores.sqlite import SqliteReplicaStore, SqliteSnapshotStore
from syncline.stores.tables.database import Database


def kept(count, body=b"state" * 2_000):
    return Kept(
        item="note", count=count, revision=0, seq=0, at=0, pending=0, head=0, rewritten=0, group=None, body=body
    )


def made(path, counts=(1, 2, 3)):
    """A file with some snapshots, closed."""
    store = SqliteSnapshotStore(path)
    for count in counts:
        store.keep(kept(count))
    store.close()


def works(store):
    """Whether a store keeps and finds, whatever it had before."""
    store.keep(kept(9))
    return store.nearest("note") == kept(9)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "snapshots.db"


@pytest.mark.parametrize("script", ["PRAGMA user_version = 1000", "ALTER TABLE snapshots ADD COLUMN more"])
def test_a_file_of_another_version_is_made_anew(path, script):
    made(path)
    with apsw.Connection(str(path)) as other:
        other.execute(script)
    store = SqliteSnapshotStore(path)
    assert store.nearest("note") is None
    assert works(store)
    store.close()


@pytest.mark.parametrize("fails", [False, True])
def test_no_byte_of_what_is_forgotten_is_left(path, monkeypatch, fails):
    store = SqliteSnapshotStore(path)
    for count in range(1, 20):
        store.keep(kept(count, b"secret" * 1_000))
    if fails:
        monkeypatch.setattr(Database, "scrub", lambda self: False)
    assert secrets_beside(path)
    store.forget()
    assert not secrets_beside(path)
    assert works(store)
    store.close()
    assert not secrets_beside(path)


def secrets_beside(path):
    return [each.name for each in path.parent.iterdir() if b"secret" in each.read_bytes()]


def test_a_replica_is_left_as_it_is(path):
    SqliteReplicaStore(path, "node").close()
    before = path.read_bytes()
    with pytest.raises(ForeignFile):
        SqliteSnapshotStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_is_made_anew(path, seed):
    """Some bytes of it are overwritten, or its end is missing; the application id stays."""
    made(path)
    chance, content = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 10, 1_000])):
        place = chance.choice([chance.randrange(72), chance.randrange(72, 200), chance.randrange(72, len(content))])
        content[place] = chance.randrange(256)
    content[68:72] = path.read_bytes()[68:72]
    path.write_bytes(content[: chance.randrange(72, 2 * len(content))])
    store = SqliteSnapshotStore(path)
    for count in (1, 2, 3):
        store.nearest("note", count=count)
    store.keep(kept(9))
    store.forget()
    assert works(store)
    store.close()
    again = SqliteSnapshotStore(path)
    assert again.nearest("note") == kept(9)
    again.close()


def test_damage_that_is_found_later_empties_the_store(path):
    made(path, range(1, 50))
    store = SqliteSnapshotStore(path)
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(8_192)
        file.write(b"\xff" * (len(content) - 8_192))
    assert [store.nearest("note", count=count) for count in (30, 40)] == [None, None]
    assert works(store)
    store.close()


def test_a_file_may_be_deleted_before_and_while_it_is_open(path):
    made(path)
    path.unlink()
    store = SqliteSnapshotStore(path)
    assert store.nearest("note") is None
    for file in path.parent.glob("snapshots.db*"):
        file.unlink()
    assert works(store)
    store.close()
    made(path)


FULL = """
import resource, signal, sys
from syncline.errors import StorageFull
from syncline.stores.snapshots import Kept
from syncline.stores.sqlite import SqliteSnapshotStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
store = SqliteSnapshotStore(sys.argv[1])
for count in range(1, 100):
    store.keep(Kept(item="note", count=count, revision=0, seq=0, at=0, pending=0, head=0, rewritten=0, group=None,
                    body=bytes(100_000)))
assert 1 <= store.nearest("note").count < 99
print("survived")
"""


def test_what_finds_no_room_is_not_kept(path):
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == "survived\n", done.stderr


KILLED = """
import itertools, sys
from syncline.stores.snapshots import Kept
from syncline.stores.sqlite import SqliteSnapshotStore

store = SqliteSnapshotStore(sys.argv[1])
for count in itertools.count(1):
    store.keep(Kept(item="note", count=count, revision=0, seq=0, at=0, pending=0, head=0, rewritten=0, group=None,
                    body=bytes(100_000)))
    print(count, flush=True)
"""


def test_a_killed_program_leaves_what_it_kept(path):
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        said = [next(writer.stdout) for _ in range(30)]
        writer.kill()
    store = SqliteSnapshotStore(path)
    found = store.nearest("note")
    assert found.count >= int(said[-1])
    assert found.body == bytes(100_000)
    store.close()
