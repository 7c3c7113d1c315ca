"""``verify`` and ``prove``: each damage is told with its seq, and nothing else; beside a server, too. Proofs hold."""

import json
import random
import shutil
import sqlite3
from contextlib import closing

import httpx2
import pytest

import syncline
from syncline.cli.addresses import Address
from syncline.core.log import Receipts
from syncline.stores import load
from syncline.stores.sqlite import SqliteEventStore
from syncline.testing import Author
from tests import postgres
from tests.cli.test_backup import PLACES, done, fill, pushed, served

COUNT = 2_500


@pytest.fixture
def home(terminal):
    """A log of 2,500 entries."""
    fill(terminal.directory / "home.db", COUNT)
    return terminal.directory / "home.db"


def change(path, statement, *parameters):
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute(statement, parameters).rowcount


def verified(terminal, path):
    """The seqs that are told to be wrong, and why."""
    ended = terminal("verify", path, "--json")
    assert ended.code in (0, 1), ended.err
    (log,) = ended.json["logs"].values()
    assert ended.json["well"] == (not log["damaged"]) == (ended.code == 0)
    return [(damage["seq"], damage["what"]) for damage in log["damaged"]]


def rewritten(path, seq, old, new):
    """Part of an entry's content is replaced."""
    with closing(sqlite3.connect(path)) as database, database:
        ((entry,),) = database.execute("SELECT entry FROM entries WHERE seq = ?", (seq,))
        assert old in entry
        database.execute("UPDATE entries SET entry = ? WHERE seq = ?", (entry.replace(old, new), seq))


# What is well


def test_a_log_is_well_beside_the_server_that_writes_it(terminal):
    with served(terminal.directory / "one") as one:
        head = pushed(one.url, one.key, "home", Author(user=".root"), 500)
        ended = terminal("verify", "--data", "one/data", "--json")
        (home,) = (log for name, log in ended.json["logs"].items() if name == "home")
        assert (ended.code, home["head"], home["entries"], home["damaged"]) == (0, head, head, [])
        assert home["foreign_receipts"] == 0
        assert terminal("verify", "--data", "one/data", "--space", "nowhere").code == 4


@pytest.mark.parametrize("store", ["lmdb", "jsonl", "postgresql"])
def test_whatever_the_store_the_root_is_the_same(terminal, home, store):
    copy = f"{postgres.new_database()}#home" if store == "postgresql" else f"home.{store}"
    assert terminal("spaces", "copy", home, copy).code == 0
    one, other = (next(iter(terminal("verify", log, "--json").json["logs"].values())) for log in (home, copy))
    assert one == other
    assert (one["head"], len(one["root"])) == (COUNT, 64)


def test_people_are_told_in_words(terminal, home):
    well = terminal("verify", home)
    assert (well.code, "2,500 entries, all well" in well.out) == (0, True)
    rewritten(home, 7, b'"ann"', b'"eve"')
    wrong = terminal("verify", home)
    assert wrong.code == 1
    assert f"error: {home}, seq 7: what is there does not lead to the tail kept here" in wrong.err
    assert "damaged" in wrong.out


# What is damaged


def test_content_that_was_changed_is_told_at_its_seq_alone(terminal, home):
    rewritten(home, 1_234, b'"ann"', b'"eve"')
    assert {seq for seq, _ in verified(terminal, home)} == {1_234}


def test_what_does_not_read_is_told(terminal, home):
    rewritten(home, 10, b'"item":', b'"item";')
    ((seq, what),) = verified(terminal, home)
    assert (seq, "does not read" in what) == (10, True)


def test_a_tail_that_was_changed_accuses_nobody_else(terminal, home):
    change(home, "UPDATE entries SET tail = zeroblob(8) WHERE seq = 100")
    ((seq, what),) = verified(terminal, home)
    assert (seq, "tail" in what) == (100, True)


def test_missing_entries_are_told_as_a_stretch(terminal, home):
    change(home, "DELETE FROM entries WHERE seq BETWEEN 50 AND 59")
    change(home, "DELETE FROM entries WHERE seq = 1500")
    assert [(seq, what) for seq, what in verified(terminal, home) if seq] == [
        (50, "there is nothing from here to seq 59"),
        (1_500, "there is nothing"),
    ]


def test_content_that_is_gone_without_a_horizon_is_missed(terminal, home):
    """A stub is where history was let go of, and nowhere else."""
    change(home, "UPDATE entries SET entry = NULL WHERE seq = 1200")
    assert verified(terminal, home) == [
        (1_200, "its content is gone, though the history that is kept begins before it")
    ]


def test_time_does_not_go_back(terminal, home):
    rewritten(home, 900, b'"at":17', b'"at":16')
    found = verified(terminal, home)
    assert {seq for seq, _ in found} == {900}
    assert any("its time is before" in what for _, what in found)


def test_several_damages_are_all_told(terminal, home):
    seqs = sorted(random.Random(8).sample(range(2, COUNT), 30))
    for seq in seqs:
        rewritten(home, seq, b'"ann"', b'"eve"')
    assert sorted({seq for seq, _ in verified(terminal, home)}) == seqs
    assert "40 more" in terminal("verify", home).err, "each is wrong by its tail, and by the digest beside it"


def test_receipts_are_looked_at_where_their_key_is(terminal):
    """Those of another server may be at the beginning; among one's own they are damage."""
    with served(terminal.directory / "one") as one:
        pushed(one.url, one.key, "home", Author(user=".root"), 100)
    path = terminal.directory / "one" / "data" / "spaces" / "home.db"
    with closing(SqliteEventStore(path, Receipts(b""))) as store:
        receipts = {entry.seq: entry.receipt.encode() for entry in load(store)}
    first = len(receipts) - 50
    rewritten(path, first, receipts[first], receipts[first + 1])
    ended = terminal("verify", "--data", "one/data", "--space", "home", "--json")
    assert ended.code == 1
    assert ended.json["logs"]["home"]["damaged"] == [{"seq": first, "what": "its receipt is not this server's"}]
    shutil.rmtree(terminal.directory / "one" / "data" / "spaces")
    fill(path, 50)
    foreign = terminal("verify", "--data", "one/data", "--space", "home", "--json")
    assert (foreign.code, foreign.json["logs"]["home"]["foreign_receipts"]) == (0, 50)


def test_a_line_of_json_lines_that_was_changed_is_told(terminal, home):
    assert terminal("spaces", "copy", home, "home.jsonl").code == 0
    (segment,) = (terminal.directory / "home.jsonl").glob("0*.jsonl")
    lines = segment.read_bytes().split(b"\n")
    (number,) = (n for n, line in enumerate(lines) if line.startswith(b'{"seq":1234,'))
    lines[number] = lines[number].replace(b'"ann"', b'"eve"')
    segment.write_bytes(b"\n".join(lines))
    assert {seq for seq, _ in verified(terminal, "home.jsonl")} == {1_234}


# Replicas


def test_a_replica_is_verified_while_it_is_open(terminal):
    with served(terminal.directory / "one") as one:
        database = terminal.directory / "notes.db"
        with syncline.open(database, server=one.url, space="home", token=one.key) as notes:
            notes.record("task.milk", "create", {"title": "Milk"})
            notes.sync()
            notes.record("task.milk", "rename", {"title": "Oat milk"})
            assert verified(terminal, database) == []
    change(database, "UPDATE entries SET item = 'task.bread' WHERE item = 'task.milk'")
    ((seq, what),) = verified(terminal, database)
    assert (seq, "damaged" in what) == (0, True), "another program has written there"


def test_what_is_nothing_of_ours_is_said_so(terminal):
    (terminal.directory / "letter.db").write_text("Dear Ann, " * 100)
    assert terminal("verify", "letter.db").code == 5
    assert terminal("verify", "nowhere.db").code == 5
    assert terminal("verify", "--data", "nowhere").code == 2


# Proofs


def some_event(path, seq):
    with Address.read(str(path)).open(makes=False) as store:
        return next(load(store, seq - 1, limit=1)).event


@pytest.mark.parametrize("store", ["sqlite", "jsonl"])
def test_a_proof_holds_and_a_changed_one_does_not(terminal, home, store):
    if store == "jsonl":
        assert terminal("spaces", "copy", home, "home.jsonl").code == 0
    log = home if store == "sqlite" else "home.jsonl"
    event = some_event(home, 1_234)
    assert terminal("prove", event.id, "--log", log, "--out", "proof.json").code == 0
    proof = json.loads((terminal.directory / "proof.json").read_text())
    root = next(iter(terminal("verify", log, "--json").json["logs"].values()))["root"]
    assert (proof["root"], proof["seq"], proof["event"]["id"]) == (root, COUNT, event.id)
    held = terminal("prove", "--check", "proof.json", "--root", root, "--json")
    assert (held.code, held.json["holds"]) == (0, True)
    other = terminal("prove", "--check", "proof.json", "--root", "00" * 32)
    assert (other.code, "another root" in other.err) == (1, True)
    proof["event"]["payload"] = "something else"
    forged = terminal("prove", "--check", terminal.file("forged.json", proof))
    assert (forged.code, "not the one" in forged.err) == (1, True)


def test_an_event_that_is_not_there_is_not_proven(terminal, home):
    for id in (Author(node="other").event().id, "no id"):
        refused = terminal("prove", id, "--log", home)
        assert (refused.code, refused.out) == (5, "")


def test_a_proof_comes_from_beside_a_server(terminal):
    with served(terminal.directory / "one") as one:
        author = Author(user=".root")
        event = author.event("task.milk")
        body = b'{"events":[%b]}' % event.body
        headers = {"Authorization": f"Bearer {one.key}", "Content-Type": "application/json"}
        assert httpx2.post(f"{one.url}/v1/spaces/home/push", content=body, headers=headers).status_code == 200
        made = terminal("prove", event.id, "--data", "one/data", "--space", "home")
        assert made.json["digest"] == event.digest.hex()
        asked = terminal("prove", event.id, "--server", one.url, "--token", one.key, "--space", "home")
        assert asked.json == made.json, "the administrator may read all"
        named = {"SYNCLINE_SERVER": one.url, "SYNCLINE_TOKEN": one.key, "SYNCLINE_SPACE": "home"}
        assert terminal("prove", event.id, **named).json == made.json
        named["SYNCLINE_SERVER"] = "http://127.0.0.1:1"
        assert terminal("prove", event.id, **named).code == 3, "it is this server that is asked"
        assert terminal("prove", event.id, "--data", "one/data", **named).json == made.json, "what is said goes first"
        unknown = terminal("prove", author.event().id, "--server", one.url, "--token", one.key, "--space", "home")
        assert (unknown.code, "There is no event" in unknown.err) == (1, True)


def test_one_says_what_is_to_be_proven(terminal):
    assert terminal("prove").code == 2
    assert terminal("prove", "--check", terminal.file("no.json", "{}")).code == 1


# Copies


@pytest.mark.parametrize("store", PLACES)
def test_what_a_backup_restores_is_verified(terminal, store):
    fill(terminal.directory / "data" / "spaces" / "home.db", COUNT)
    done(terminal, "create", "kept", "--data", "data")
    done(terminal, "restore", "kept", "--data", "new", "--store", store)
    ended = terminal("verify", "--data", "new", "--store", store, "--json")
    assert (ended.code, ended.json["logs"]["home"]["entries"]) == (0, COUNT)
