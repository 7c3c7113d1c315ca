"""A replica's file is proven whole at its opening; one of another kind of trouble is told from damage."""

import shutil
from contextlib import closing
from pathlib import Path
from secrets import token_hex

import apsw
import pytest

from syncline.core.stamps import key
from syncline.errors import ForeignFile, StoreDamaged
from syncline.replica import Draft, Replica
from syncline.stores import Outboxed
from syncline.stores.sqlite import SqliteReplicaStore
from syncline.stores.sqlite.mending import mend, open_replica, put_aside
from syncline.stores.sqlite.replica import SCHEMA
from syncline.stores.sqlite.sealed import seal
from syncline.testing import Author

PAGE = 4_096


def node():
    return token_hex(10)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.db"


def made(path, count=50):
    """A closed file with local events; their ids."""
    with closing(Replica(open_replica(path, node))) as replica:
        return [event.id for event in replica.record_many([Draft("task.milk", "update", n) for n in range(count)])]


def pending(path):
    with closing(open_replica(path, node)) as store:
        return [each.event.id for each in store.outbox("pending")]


def overwrite(path, start, content):
    with path.open("r+b") as file:
        file.seek(start)
        file.write(content)


def copied(path, target):
    """The files as they are, as if their program had ended just now."""
    for suffix in ("", "-wal", ".sums"):
        if Path(f"{path}{suffix}").exists():
            shutil.copy(f"{path}{suffix}", f"{target}{suffix}")
    return target


def test_a_file_from_before_there_were_checksums_is_taken_over(path):
    author = Author("old")
    events = [author.event("task.milk") for _ in range(3)]
    with closing(apsw.Connection(str(path))) as old:
        old.execute(f"PRAGMA application_id = {SCHEMA.application_id}; PRAGMA user_version = 1; {SCHEMA.migrations[0]}")
        rows = [(key(event.id), event.item, "pending", None, None, event.body) for event in events]
        old.executemany("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?)", rows)
    assert pending(path) == [event.id for event in events]
    overwrite(path, 5 * PAGE, bytes(PAGE))
    with pytest.raises(StoreDamaged) as told:
        SqliteReplicaStore(path, "new")
    assert told.value.message.count(path.name) == 1


def test_a_file_without_its_sums_is_looked_through(path):
    ids = made(path)
    Path(f"{path}.sums").unlink()
    assert pending(path) == ids
    assert Path(f"{path}.sums").exists()
    Path(f"{path}.sums").unlink()
    overwrite(path, 3 * PAGE, bytes(PAGE))
    pending(path)
    assert len(put_aside(path)) == 1


def test_another_replica_in_its_place_is_not_damaged(path, tmp_path):
    made(path)
    other = tmp_path / "other.db"
    ids = made(other)
    shutil.copy(other, path)
    assert pending(path) == ids
    assert put_aside(path) == []


def test_what_is_not_ours_is_left_alone(path):
    path.write_bytes(b"Dear diary, " * 1_000)
    with pytest.raises(ForeignFile):
        open_replica(path, node)
    assert put_aside(path) == []


def test_a_process_that_was_killed_while_it_wrote_left_no_damage(path, tmp_path):
    ids = made(path)
    with closing(apsw.Connection(str(path))) as writer:
        writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        writer.execute("PRAGMA cache_size = 5; BEGIN IMMEDIATE")  # what finds no room there goes to the WAL at once
        author = Author("never")
        for event in [author.event("task.milk") for _ in range(500)]:
            row = (key(event.id), event.item, "pending", seal(Outboxed(event)))
            writer.execute("INSERT INTO outbox VALUES (?, ?, ?, ?)", row)
        writer.execute("CREATE TABLE filled (x); INSERT INTO filled VALUES (randomblob(1000000))")
        copy = copied(path, tmp_path / "b.db")
    assert Path(f"{copy}-wal").stat().st_size > 1_000_000
    assert pending(copy) == ids
    assert put_aside(copy) == []


def test_damage_that_is_found_at_work_is_mended_at_the_next_opening(path):
    ids = made(path)
    store = SqliteReplicaStore(path, "")
    size = path.stat().st_size
    for page in range(1, size // PAGE):
        overwrite(path, page * PAGE, b"\xaa" * 100)
    with pytest.raises(StoreDamaged):
        store.outbox("pending")
    store.close()
    kept = pending(path)
    assert len(put_aside(path)) == 1
    assert set(kept) <= set(ids)


def test_found_at_work_it_is_remembered_even_if_the_file_looks_well(path):
    made(path)
    whole = path.read_bytes()
    store = SqliteReplicaStore(path, "")
    for page in range(1, len(whole) // PAGE):
        overwrite(path, page * PAGE, b"\xaa" * 100)
    with pytest.raises(StoreDamaged):
        store.outbox("pending")
    path.write_bytes(whole)
    store.close()
    assert len(pending(path)) == 50
    assert len(put_aside(path)) == 1


@pytest.mark.parametrize("steps", range(5))
def test_an_exchange_of_files_that_was_interrupted_goes_on(path, steps):
    """Whatever was renamed before the process ended, the next opening does the rest."""
    ids = made(path)
    overwrite(path, 0, b"\0" * 100)
    aside, _ = mend(path, node)
    mended = f"{path}.mended-{aside.name.rpartition('-')[2]}"
    done = [(mended, path), (f"{mended}.sums", f"{path}.sums"), (f"{path}.sums", f"{aside}.sums"), (path, aside)]
    for source, target in done[:steps]:
        Path(target).rename(source)
    assert pending(path) == ids
    assert aside in put_aside(path) or steps == 4
    assert len(put_aside(path)) == 1


def test_a_replica_that_was_put_aside_goes_on_under_a_new_node(path):
    ids = made(path)
    with closing(open_replica(path, node)) as store:
        before = store.state()
    overwrite(path, 0, b"\0" * 100)
    with closing(open_replica(path, node)) as store:
        state = store.state()
    assert state.node != before.node
    assert (state.seq, state.cursor, state.stamp) == (0, None, ids[-1])


def test_a_file_of_which_only_the_wal_is_left(path, tmp_path):
    replica = Replica(open_replica(path, node))
    ids = [event.id for event in replica.record_many([Draft("task.milk", "update", n) for n in range(50)])]
    copy = copied(path, tmp_path / "b.db")
    replica.close()
    copy.write_bytes(b"")
    assert pending(copy) == ids
    (aside,) = put_aside(copy)
    assert Path(f"{aside}-wal").stat().st_size
