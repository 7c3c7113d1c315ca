"""A replica's file can be looked at while the program it belongs to has it open, and looking changes nothing."""

import apsw
import pytest

from syncline.errors import ForeignFile
from syncline.replica import Draft, Replica
from syncline.stores import Change
from syncline.stores.sqlite import SqliteReplicaStore


def look(path):
    return SqliteReplicaStore(path, "", read_only=True)


def test_beside_the_program_that_has_it_open(tmp_path):
    replica = Replica(SqliteReplicaStore(tmp_path / "a.db", "mine"))
    replica.record("task.milk", "create")
    reader = look(tmp_path / "a.db")
    assert reader.state().node == "mine"
    assert len(reader.outbox("pending")) == 1
    replica.record_many([Draft("task.milk", "update")])
    assert len(reader.outbox("pending")) == 2
    reader.close()
    replica.close()


def test_it_cannot_write(tmp_path):
    SqliteReplicaStore(tmp_path / "a.db", "mine").close()
    reader = look(tmp_path / "a.db")
    with pytest.raises(apsw.ReadOnlyError):
        reader.commit(Change(state=reader.state()))
    reader.close()


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(apsw.CantOpenError):
        look(tmp_path / "a.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to be looked at" * 100])
def test_another_file_is_left_as_it_is(tmp_path, content):
    (tmp_path / "a.db").write_bytes(content)
    with pytest.raises(ForeignFile):
        look(tmp_path / "a.db")
    assert (tmp_path / "a.db").read_bytes() == content
