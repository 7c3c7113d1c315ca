"""``backup``: taken while a server runs and is pushed to, killed and gone on with, looked at, restored, and served."""

import json
import os
import shutil
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest

import syncline
from syncline.cli.addresses import Address
from syncline.core.access.state import ROOT
from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.core.retention import Retention
from syncline.server.backups.sealing import Seals
from syncline.server.history.archives import Archives
from syncline.server.history.retaining import retain
from syncline.server.history.snapshotting import Snapshotting
from syncline.server.registry import open_registry
from syncline.stores import load
from syncline.stores.bases import Point
from syncline.stores.sqlite import SqliteEventStore
from syncline.stores.tables.database import hold
from syncline.testing import Author
from syncline.testing.seeded import START_MS
from tests import postgres
from tests.cli.terminals import Served
from tests.processes import DEADLINE, kill

RECEIPTS = Receipts(b"of these tests")
PLACES = {"sqlite": "spaces/{}.db", "lmdb": "lmdb/{}.lmdb", "jsonl": "jsonl/{}.jsonl"}
KEY = "9f1c0f3f5f0b4c0e8a7d6b5c4a39281706f5e4d3c2b1a0998877665544332211"


def fill(path, count, *, author=None, size=1):
    """A log in a SQLite file gets events, 100 in a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    author = author or Author()
    with closing(SqliteEventStore(path, RECEIPTS)) as store:
        for start in range(0, count, 100):
            events = [author.event(f"task.{n % 7}", payload="x" * size) for n in range(min(100, count - start))]
            store.append([Submission(events, "ann")], now_ms=START_MS + 10 * start)
    return author


def look(address):
    """The end of a log and its entries."""
    with Address.read(str(address)).open(makes=False) as store:
        return store.refresh(), [entry.encoded for entry in load(store)]


def pushed(url, key, space, author, count):
    """Events in one push; the head after it."""
    events = b",".join(author.event(f"task.{n % 7}", payload={"n": n}).body for n in range(count))
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    url = f"{url}/v1/spaces/{space}/push"
    answer = httpx2.post(url, content=b'{"events":[%b]}' % events, headers=headers, timeout=DEADLINE)
    assert answer.status_code == 200, answer.text
    return answer.json()["head"]


@pytest.fixture
def data(terminal):
    """A data directory whose server is down, with two spaces."""
    fill(terminal.directory / "data" / "spaces" / "home.db", 2_500)
    fill(terminal.directory / "data" / "spaces" / "work.db", 300)
    return terminal.directory / "data"


@contextmanager
def served(directory, *flags):
    """A server that has to end well."""
    directory.mkdir(exist_ok=True)
    server = Served(directory, *flags)
    try:
        yield server
    except BaseException:
        kill(server.process)
        raise
    code, logged = server.stop()
    assert code == 0, logged


@contextmanager
def pushing(server, space):
    """Somebody pushes to a space all the while; what is given tells the head after each push."""
    author, heads, is_over = Author(user=ROOT), [], threading.Event()

    def push():
        while not is_over.is_set():
            heads.append(pushed(server.url, server.key, space, author, 50))

    thread = threading.Thread(target=push)
    thread.start()
    try:
        yield heads
    finally:
        is_over.set()
        thread.join()


def done(terminal, *arguments, **more):
    """What a command says as JSON."""
    ended = terminal("backup", *arguments, "--json", **more)
    assert ended.code == 0, ended.err
    return ended.json


# The drill


@pytest.mark.parametrize("store", ["sqlite", "lmdb", "jsonl", "postgresql"])
def test_a_server_is_backed_up_while_it_is_pushed_to_and_the_copy_is_served(terminal, store):
    where = postgres.new_database() if store == "postgresql" else store
    with served(terminal.directory / "one", "--store", where) as one:
        for space in ("home", "work"):
            pushed(one.url, one.key, space, Author(node=space, user=ROOT), 500)
        with pushing(one, "home") as heads:
            while len(heads) < 3:
                time.sleep(0.01)
            first = done(terminal, "create", "kept", "--data", "one/data", "--store", where)
            count = len(heads)
            while len(heads) < count + 3:
                time.sleep(0.01)
            second = done(terminal, "create", "kept", "--data", "one/data", "--store", where)
    assert first["spaces"] >= 2
    assert second["events"] > first["events"] > 1_000
    assert second["bytes_written"] < second["bytes"]
    assert done(terminal, "verify", "kept", "--all")["well"]

    target = ("--data", "two/data", *(("--store", postgres.new_database()) if store == "postgresql" else ()))
    heads = done(terminal, "restore", "kept", *target, "--with-register")["spaces"]
    with served_again(terminal.directory / "two", one.key, *target[2:]) as two:
        for space in ("home", "work"):
            answer = httpx2.get(
                f"{two.url}/v1/spaces/{space}/pull?limit=1000", headers={"Authorization": f"Bearer {one.key}"}
            )
            assert [entry["seq"] for entry in answer.json()["entries"]] == list(
                range(1, min(1_000, heads[space]["head"]) + 1)
            )
        assert pushed(two.url, one.key, "work", Author(node="new", user=ROOT), 1) == heads["work"]["head"] + 1


@contextmanager
def served_again(directory, key, *flags):
    """A server in a directory that has a register."""
    with served(directory, *flags) as server:
        assert server.key is None
        server.key = key
        yield server


def test_one_that_was_killed_goes_on(terminal):
    """The first segment is there, the listing is not: the next backup keeps that segment and makes the others."""
    fill(terminal.directory / "data" / "spaces" / "home.db", 4_000, size=20_000)
    process = terminal.begin("backup", "create", "kept", "--data", "data")
    limit = time.monotonic() + DEADLINE
    while not list((terminal.directory / "kept").glob("logs/*/*/*.zst")):
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.002)
    kill(process)
    left = {path.name: path.stat().st_mtime_ns for path in (terminal.directory / "kept").glob("logs/*/*/*.zst")}
    assert terminal("backup", "verify", "kept").code == 2, "no backup was finished"
    again = done(terminal, "create", "kept", "--data", "data")
    files = {path.name: path.stat().st_mtime_ns for path in (terminal.directory / "kept").glob("logs/*/*/*.zst")}
    assert left.items() <= files.items(), "what was there is not written again"
    assert again["files_written"] == len(files) - len(left) > 0
    done(terminal, "verify", "kept")


def test_a_restore_that_was_killed_goes_on(terminal, data):
    done(terminal, "create", "kept", "--data", "data")
    done(terminal, "restore", "kept", "--data", "new", "--space", "home", "--to-seq", "1234")
    done(terminal, "restore", "kept", "--data", "new")
    for space in ("home", "work"):
        assert look(data / PLACES["sqlite"].format(space)) == look(
            terminal.directory / "new" / PLACES["sqlite"].format(space)
        )


def test_a_restore_with_its_register_that_was_killed_goes_on(terminal):
    """The register is there and a log is begun: said again, with the same words, it goes on."""
    fill(terminal.directory / "one" / "data" / "spaces" / "home.db", 4_000, size=5_000)
    with served(terminal.directory / "one") as one:
        pushed(one.url, one.key, "home", Author(user=ROOT, node="last"), 10)
        done(terminal, "create", "kept", "--data", "one/data")
    words = ("restore", "kept", "--data", "two/data", "--with-register")
    process = terminal.begin("backup", *words)
    limit = time.monotonic() + DEADLINE
    while not (terminal.directory / "two" / "data" / "spaces" / "home.db").exists():
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.002)
    kill(process)
    assert done(terminal, *words)["spaces"]["home"]["head"] == 4_010
    with served_again(terminal.directory / "two", one.key) as two:
        pushed(two.url, two.key, "home", Author(user=ROOT, node="later"), 1)
    assert terminal("backup", *words).code == 5, "a register that was in use is left alone"


def test_an_old_replica_heals_against_a_restored_server(terminal):
    """What its user wrote after the backup was lost with the server, and comes back."""
    with served(terminal.directory / "one") as one:
        database = terminal.directory / "notes.db"
        with syncline.open(database, server=one.url, space="home", token=one.key) as notes:
            notes.record("task.milk", "create", {"title": "Milk"})
            notes.sync()
            done(terminal, "create", "kept", "--data", "one/data")
            notes.record("task.milk", "rename", {"title": "Oat milk"})
            assert notes.sync().pushed == 1
    done(terminal, "restore", "kept", "--data", "two/data", "--with-register")
    with (
        served_again(terminal.directory / "two", one.key) as two,
        syncline.open(database, server=two.url, space="home", token=two.key) as notes,
    ):
        notes.sync()
        notes.sync()
        assert notes.status.pending == 0
        assert [event.action for event in notes.events(items=["task.milk"])] == ["create", "rename"]
        answer = httpx2.get(f"{two.url}/v1/spaces/home/pull", headers={"Authorization": f"Bearer {two.key}"}).json()
        assert [entry["event"]["action"] for entry in answer["entries"]][-2:] == ["create", "rename"]


# What is restored


@pytest.mark.parametrize("store", ["sqlite", "lmdb", "jsonl", "postgresql"])
def test_into_any_store_comes_what_there_was(terminal, data, store):
    done(terminal, "create", "kept", "--data", "data")
    if store == "postgresql":
        url = postgres.new_database()
        done(terminal, "restore", "kept", "--store", url)
        assert look(f"{url}#home") == look(data / "spaces" / "home.db")
    else:
        done(terminal, "restore", "kept", "--data", "new", "--store", store)
        place = terminal.directory / "new" / PLACES[store].format("home")
        assert look(place) == look(data / "spaces" / "home.db")


@pytest.mark.parametrize("seq", [0, 999, 1_000, 1_001])
def test_up_to_a_seq(terminal, data, seq):
    done(terminal, "create", "kept", "--data", "data")
    done(terminal, "restore", "kept", "--data", "new", "--space", "home", "--to-seq", seq)
    head, entries = look(terminal.directory / "new" / "spaces" / "home.db")
    before, all_entries = look(data / "spaces" / "home.db")
    assert (head.epoch, head.seq, entries) == (before.epoch, seq, all_entries[:seq])


def test_up_to_a_time(terminal, data):
    """2,500 events came in 25 seconds: ten seconds after the first, 1,100 were there; of the other space all."""
    done(terminal, "create", "kept", "--data", "data")
    then = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(START_MS // 1000 + 10))
    spaces = done(terminal, "restore", "kept", "--data", "new", "--to-time", then)["spaces"]
    assert {name: space["head"] for name, space in spaces.items()} == {"home": 1_100, "work": 300}
    again = terminal("backup", "restore", "kept", "--data", "new", "--to-seq", 20, "--space", "home")
    assert again.code == 1
    assert "goes on to seq 1100" in again.err


def test_users_and_keys_come_when_they_are_asked_for(terminal):
    with served(terminal.directory / "one") as one:
        pushed(one.url, one.key, "home", Author(user=ROOT), 10)
        done(terminal, "create", "kept", "--data", "one/data")
        done(terminal, "create", "logs-alone", "--data", "one/data", "--no-register")
    assert done(terminal, "list", "kept")["backups"][0]["register"]
    refused = terminal("backup", "restore", "logs-alone", "--data", "two/data", "--with-register")
    assert (refused.code, "without a register" in refused.err) == (2, True)
    done(terminal, "restore", "kept", "--data", "two/data")
    with served(terminal.directory / "two") as two:
        assert two.key != one.key
        headers = {"Authorization": f"Bearer {one.key}"}
        assert httpx2.get(f"{two.url}/v1/spaces/home", headers=headers).status_code == 401
        assert httpx2.get(f"{two.url}/v1/spaces", headers={"Authorization": f"Bearer {two.key}"}).json()["spaces"] == [
            "default",
            "home",
        ]
    again = terminal("backup", "restore", "kept", "--data", "two/data", "--with-register")
    assert again.code == 5
    assert "a register already" in again.err


def test_another_backup_than_the_newest(terminal, data):
    first = done(terminal, "create", "kept", "--data", "data")
    fill(data / "spaces" / "home.db", 100, author=Author(node="other"))
    done(terminal, "create", "kept", "--data", "data")
    spaces = done(terminal, "restore", "kept", "--data", "new", "--name", first["name"])["spaces"]
    assert spaces["home"]["head"] == 2_500
    assert terminal("backup", "restore", "kept", "--data", "new", "--name", "yesterday").code == 2


# Where nothing is restored


def test_not_where_a_server_runs_or_another_log_is(terminal, data):
    done(terminal, "create", "kept", "--data", "data")
    with served(terminal.directory / "one"):
        refused = terminal("backup", "restore", "kept", "--data", "one/data")
        assert (refused.code, "held by another program" in refused.err) == (5, True)
    fill(terminal.directory / "new" / "spaces" / "home.db", 10)
    refused = terminal("backup", "restore", "kept", "--data", "new")
    assert (refused.code, "another log" in refused.err) == (1, True)
    assert terminal("backup", "restore", "kept").code == 2, "it has to be said where to"


def test_where_a_log_goes_on_beyond_the_backup_or_otherwise_it_stays(terminal, data):
    done(terminal, "create", "kept", "--data", "data")
    for name, more in (("longer", Author(node="more")), ("other", Author(node="other"))):
        part = () if name == "longer" else ("--to-seq", 10, "--space", "home")
        done(terminal, "restore", "kept", "--data", name, *part)
        fill(terminal.directory / name / "spaces" / "home.db", 100, author=more)
        before = look(terminal.directory / name / "spaces" / "home.db")
        refused = terminal("backup", "restore", "kept", "--data", name)
        assert (refused.code, refused.err.rstrip().endswith("(log_changed)")) == (1, True), refused.err
        assert look(terminal.directory / name / "spaces" / "home.db") == before


def test_a_deleted_space_stays_deleted(terminal, data):
    done(terminal, "create", "kept", "--data", "data")
    (terminal.directory / "new").mkdir()
    with closing(open_registry(terminal.directory / "new", "", lambda: START_MS)) as registry:
        registry.create_space("home")
        registry.delete_space("home")
    refused = terminal("backup", "restore", "kept", "--data", "new")
    assert (refused.code, "was deleted" in refused.err) == (4, True)
    assert not (terminal.directory / "new" / "spaces" / "home.db").exists()


# A log that was taken back


def test_a_log_that_was_taken_back_is_told_and_both_ways_are_kept(terminal, data):
    home = data / "spaces" / "home.db"
    shutil.copy(home, terminal.directory / "yesterday.db")
    fill(home, 200, author=Author(node="today"))
    before = done(terminal, "create", "kept", "--data", "data")
    shutil.copy(terminal.directory / "yesterday.db", home)
    fill(home, 300, author=Author(node="again"))
    after = done(terminal, "create", "kept", "--data", "data")
    assert (before["rolled_back"], after["rolled_back"]) == ([], ["home"])
    assert done(terminal, "verify", "kept", "--all")["well"]
    done(terminal, "restore", "kept", "--data", "new")
    assert look(terminal.directory / "new" / "spaces" / "home.db") == look(home)
    done(terminal, "restore", "kept", "--data", "older", "--name", before["name"])
    assert look(terminal.directory / "older" / "spaces" / "home.db")[0].seq == 2_700


# What is damaged


def segments(terminal, space="home"):
    return sorted((terminal.directory / "kept" / "logs" / space).glob("*/*.zst"))


@pytest.mark.parametrize("how", ["flipped", "cut", "missing", "swapped"])
@pytest.mark.parametrize("key", [False, True])
def test_a_damaged_segment_is_named(terminal, data, how, key):
    flags = ("--key-file", terminal.file("key", KEY)) if key else ()
    done(terminal, "create", "kept", "--data", "data", *flags)
    (home,), (work,) = segments(terminal), segments(terminal, "work")
    match how:
        case "flipped":
            content = bytearray(home.read_bytes())
            content[len(content) // 2] ^= 1
            home.write_bytes(content)
        case "cut":
            os.truncate(home, home.stat().st_size - 1)
        case "missing":
            home.unlink()
        case "swapped":
            shutil.copy(work, home)
    looked = terminal("backup", "verify", "kept", "--json", *flags)
    (wrong, *_) = looked.json["backups"][0]["damaged"]
    assert looked.code == 1
    assert wrong.startswith("home, seq 1 to 2500: logs/home/")
    assert terminal("backup", "restore", "kept", "--data", "new", *flags).code == 5
    again = done(terminal, "create", "kept", "--data", "data", "--full", *flags)
    assert again["files_written"] == 2
    assert done(terminal, "verify", "kept", *flags)["well"]


def test_a_listing_that_was_changed_is_told(terminal, data):
    name = done(terminal, "create", "kept", "--data", "data")["name"]
    listing = terminal.directory / "kept" / f"{name}.json"
    listing.write_bytes(listing.read_bytes().replace(b'"seq":2500', b'"seq":2400'))
    looked = terminal("backup", "verify", "kept")
    assert (looked.code, "not as it was written" in looked.err) == (5, True)


def test_segments_that_lead_elsewhere_are_told(terminal, data):
    """Each file is as it was written, but not what the log was: the sums of a folder without a key are anybody's."""
    name = done(terminal, "create", "kept", "--data", "data")["name"]
    path = terminal.directory / "kept" / f"{name}.json"
    listing = json.loads(path.read_text().splitlines()[0])
    listing["spaces"]["home"]["segments"] = listing["spaces"]["work"]["segments"]
    text = json.dumps(listing).encode()
    path.write_bytes(text + b'\n{"sum":"%s"}\n' % Seals().sum(text).encode())
    looked = terminal("backup", "verify", "kept", "--json")
    assert looked.code == 1
    assert [wrong.split(":")[0] for wrong in looked.json["backups"][0]["damaged"]] == ["home, seq 1 to 300", "home"]


# Encryption


def test_without_the_key_nothing_is_read(terminal, data):
    key = terminal.file("key", KEY)
    done(terminal, "create", "kept", "--data", "data", "--key-file", key)
    content = b"".join(path.read_bytes() for path in (terminal.directory / "kept").rglob("*") if path.is_file())
    assert b"task." not in content
    assert segments(terminal)[0].read_bytes()[:4] != b"\x28\xb5\x2f\xfd", "the mark of zstd"
    for verb in (("verify", "kept"), ("list", "kept"), ("restore", "kept", "--data", "new"), ("create", "kept")):
        without = terminal("backup", *verb)
        assert (without.code, "is encrypted" in without.err) == (2, True), verb
    wrong = terminal("backup", "verify", "kept", "--key-file", terminal.file("other", KEY[::-1]))
    assert (wrong.code, "not the key" in wrong.err) == (2, True)
    assert done(terminal, "restore", "kept", "--data", "new", "--key-file", "-", input=KEY + "\n")["spaces"]
    assert look(terminal.directory / "new" / "spaces" / "home.db") == look(data / "spaces" / "home.db")


def test_a_key_that_could_be_guessed_is_refused(terminal, data):
    refused = terminal("backup", "create", "kept", "--data", "data", "--key-file", terminal.file("key", "secret"))
    assert (refused.code, "openssl rand" in refused.err) == (2, True)
    assert not (terminal.directory / "kept").exists()


# Folders


def test_what_is_no_folder_of_backups_is_left_alone(terminal, data):
    (terminal.directory / "letters").mkdir()
    (terminal.directory / "letters" / "ann.txt").write_text("Dear Ann")
    for verb in (("create", "letters", "--data", "data"), ("verify", "letters"), ("list", "nowhere")):
        refused = terminal("backup", *verb)
        assert (refused.code, "no folder of backups" in refused.err) == (5, True), verb
    assert [path.name for path in (terminal.directory / "letters").iterdir()] == ["ann.txt"]


def test_a_folder_that_says_nothing_of_itself_is_none_of_backups(terminal, data):
    done(terminal, "create", "kept", "--data", "data")
    (terminal.directory / "kept" / "backup.json").write_text("{}")
    for verb in (("create", "kept", "--data", "data"), ("verify", "kept"), ("restore", "kept", "--data", "new")):
        refused = terminal("backup", *verb)
        assert (refused.code, "is not that of a folder of backups, or damaged" in refused.err) == (5, True), refused.err
    assert not (terminal.directory / "new").exists()


def test_there_must_be_something_to_back_up(terminal):
    refused = terminal("backup", "create", "kept", "--data", "nowhere")
    assert (refused.code, "--data" in refused.err) == (2, True)
    assert not (terminal.directory / "kept").exists()


def test_two_do_not_write_to_one_folder(terminal, data):
    done(terminal, "create", "kept", "--data", "data")
    with closing(hold(Path(terminal.directory / "kept" / "lock"))):
        refused = terminal("backup", "create", "kept", "--data", "data")
    assert refused.code == 5


def test_people_are_told_in_words(terminal, data):
    made = terminal("backup", "create", "kept", "--data", "data")
    assert (made.code, "2,800" in made.out) == (0, True)
    assert "all well" in terminal("backup", "verify", "kept").out
    assert "2,800" in terminal("backup", "list", "kept").out
    restored = terminal("backup", "restore", "kept", "--data", "new")
    assert "home: 2,500 events" in restored.out
    assert "--with-register" in restored.err


# Erasing, and history that a log has let go of

SECRET = "told-to-nobody-ever"


def holds(folder, text):
    return any(text.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_was_erased_stays_so(terminal):
    """Also in what was copied before: the newest register says so, and is asked without being restored."""
    with served(terminal.directory / "one") as one:
        author = Author(user=ROOT)
        secret = author.event("task.milk", payload={"note": SECRET})
        headers = {"Authorization": f"Bearer {one.key}", "Content-Type": "application/json"}
        address = f"{one.url}/v1/spaces/home"
        httpx2.post(f"{address}/push", content=b'{"events":[%b]}' % secret.body, headers=headers).raise_for_status()
        first = done(terminal, "create", "kept", "--data", "one/data")
        httpx2.post(f"{address}/erase", json={"events": [secret.id]}, headers=headers).raise_for_status()
        pushed(one.url, one.key, "home", author, 10)
        done(terminal, "create", "kept", "--data", "one/data")
        done(terminal, "create", "anew", "--data", "one/data", "--full")
    for number, arguments in enumerate(((), ("--name", first["name"]))):
        done(terminal, "restore", "kept", "--data", f"copy-{number}", *arguments)
        assert not holds(terminal.directory / f"copy-{number}", SECRET)
        _, entries = look(terminal.directory / f"copy-{number}" / "spaces" / "home.db")
        assert any(secret.id.encode() in entry for entry in entries)
        assert terminal("verify", "--data", f"copy-{number}").code == 0
    done(terminal, "restore", "anew", "--data", "copy-anew")
    assert not holds(terminal.directory / "copy-anew", SECRET)


def test_a_damaged_register_says_why_nothing_is_restored_and_what_helps(terminal):
    """What was erased is told by it alone: a restore without it would bring that back."""
    with served(terminal.directory / "one") as one:
        pushed(one.url, one.key, "home", Author(user=".root"), 3)
    older, newest = (done(terminal, "create", "kept", "--data", "one/data")["name"] for _ in range(2))
    max((terminal.directory / "kept" / "register").iterdir()).write_bytes(b"")
    for name in (older, newest):
        refused = terminal("backup", "restore", "kept", "--data", "new", "--name", name)
        assert (refused.code, "what was erased" in refused.err) == (5, True), refused.err
        assert f"move {newest}.json away" in refused.err
    last = done(terminal, "create", "kept", "--data", "one/data")["name"]
    assert done(terminal, "restore", "kept", "--data", "new", "--name", newest)["spaces"]["home"]["head"] == 3
    for name in (newest, last):
        (terminal.directory / "kept" / f"{name}.json").unlink()
    assert done(terminal, "restore", "kept", "--data", "old")["name"] == older


def let_go(address, archives):
    """What retention of no revision but the last leaves of a log; the rest is archived."""
    with Address.read(str(address)).open(makes=False) as store:
        until = Point(store.head().seq, store.head().at)
        for _ in Snapshotting(store, until, is_floor=False).steps():
            pass
        for _ in retain(store, Archives(archives, "home"), Retention(revisions=1), START_MS, is_asked=True):
            pass


@pytest.mark.parametrize("store", ["sqlite", "lmdb", "postgresql"])
def test_history_that_a_log_has_let_go_of_comes_out_of_its_archives(terminal, data, store):
    before = look(data / "spaces" / "home.db")
    where = postgres.new_database() if store == "postgresql" else store
    source = ("--data", "one", "--store", where)
    (terminal.directory / "one" / store).mkdir(parents=True)
    place = f"{where}#home" if store == "postgresql" else terminal.directory / "one" / PLACES[store].format("home")
    Path(terminal.directory / "one" / "spaces").mkdir(exist_ok=True)
    assert terminal("spaces", "copy", data / "spaces" / "home.db", place).code == 0
    archives = terminal.directory / "one" / "archives" / "home"
    let_go(place, archives)
    left = terminal("verify", *source, "--json")
    assert (left.code, left.json["logs"]["home"]["entries"]) == (0, 2_500)
    assert left.json["logs"]["home"]["without_content"] > 2_000
    done(terminal, "create", "kept", *source)
    done(terminal, "restore", "kept", "--data", "new")
    assert look(terminal.directory / "new" / "spaces" / "home.db") == before
    archives.rename(terminal.directory / "attic")
    refused = terminal("backup", "create", "other", *source)
    assert (refused.code, "is in an archive that is not in" in refused.err) == (5, True)
    proven = terminal("prove", json.loads(before[1][5])["event"]["id"], *source, "--space", "home")
    assert (proven.code, "event" in proven.json) == (0, False)


def test_a_log_that_has_let_go_of_its_history_goes_on_with_its_backup(terminal, data):
    before = look(data / "spaces" / "home.db")
    done(terminal, "create", "kept", "--data", "data")
    let_go(data / "spaces" / "home.db", terminal.directory / "attic")
    again = done(terminal, "create", "kept", "--data", "data")
    assert (again["files_written"], again["rolled_back"]) == (0, [])
    done(terminal, "restore", "kept", "--data", "new")
    assert look(terminal.directory / "new" / "spaces" / "home.db") == before
