"""A replica's file with a byte that flipped: what each verb says, and that whoever writes mends it."""

import json
from contextlib import closing

from syncline.stores.sqlite import SqliteReplicaStore


def flip(path):
    """Damages the page in which the file's documents are."""
    content = bytearray(path.read_bytes())
    place = content.index(b"task.milk", 4_096)
    content[place] ^= 1
    path.write_bytes(content)


def test_who_only_reads_says_so_and_changes_nothing(doc, terminal):
    path = terminal.directory / "a.db"
    flip(path)
    before = path.read_bytes()
    for arguments in (("status", "a.db"), ("doc", "get", "task.milk")):
        result = terminal(*arguments)
        assert result.code == 5
        assert "a.db is damaged" in result.err
        assert "puts it aside" in result.err
    assert path.read_bytes() == before


def test_who_writes_goes_on_with_what_is_whole(doc, terminal):
    assert terminal("doc", "create", "task.bread", "title=Bread").code == 0
    flip(terminal.directory / "a.db")
    result = terminal("doc", "create", "task.eggs", "title=Eggs")
    assert result.code == 0
    assert "It is kept as a.db.damaged-" in result.err
    listed = {line["item"] for line in terminal("doc", "list", "--json").lines}
    assert "task.eggs" in listed
    assert "task.milk" in listed or "task.bread" in listed
    (aside,) = terminal("status", "a.db", "--json").json["put_aside"]
    assert aside.startswith("a.db.damaged-")
    assert "damaged once, and put aside" in terminal("status", "a.db").err


def test_doctor_does_not_vouch_for_a_file_that_is_open(doc, terminal):
    with closing(SqliteReplicaStore(terminal.directory / "a.db", "")):
        result = terminal("doctor", "a.db", "--json")
    assert [finding["state"] for finding in json.loads(result.out)["findings"]] == ["warning"]


def test_doctor_looks_at_a_file(doc, terminal):
    result = terminal("doctor", "a.db", "--json")
    assert result.code == 0
    assert [finding["state"] for finding in json.loads(result.out)["findings"]] == ["good"]
    flip(terminal.directory / "a.db")
    result = terminal("doctor", "a.db")
    assert result.code == 1
    assert "a.db is damaged" in result.out
    terminal("doc", "create", "task.eggs", "title=Eggs")
    result = terminal("doctor", "a.db", "--json")
    assert result.code == 0
    assert [finding["state"] for finding in json.loads(result.out)["findings"]] == ["warning", "good"]
