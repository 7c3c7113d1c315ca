"""The logs in PostgreSQL keep the contracts, and several servers may append to them at once."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count

import pytest

from syncline.core.access.scope import TRUSTED
from syncline.core.access.views import View
from syncline.core.admission import Submission
from syncline.core.limits import MAX_ITEM_LENGTH, MAX_NODE_LENGTH
from syncline.core.log import Receipts
from syncline.core.quotas import Quotas
from syncline.errors import BadSettings, NewerSchema, NodeConflict, SpaceDeleted, StorageFull, StoreUnavailable
from syncline.stores import load
from syncline.stores.postgres import PostgresEventStore, PostgresLogs
from syncline.stores.postgres.database import PostgresDatabase
from syncline.stores.postgres.ends import key_of
from syncline.stores.postgres.schema import SCHEMA
from syncline.testing import AdoptionContract, Author, LogStoreContract
from tests import postgres
from tests.stores.broken_lines import BrokenLine

RECEIPTS = Receipts(b"of these tests")
NOW_MS = 1_750_000_000_000
SPACES = count()


@pytest.fixture(scope="module")
def url():
    """The address of a database for all tests here that do not need one for themselves."""
    return postgres.new_database()


@pytest.fixture
def space():
    return f"space{next(SPACES)}"


@pytest.fixture
def server(url):
    with closing(PostgresLogs(url, RECEIPTS)) as logs:
        yield logs


@pytest.fixture
def other_server(url):
    with closing(PostgresLogs(url, RECEIPTS)) as logs:
        yield logs


class InPostgres:
    """Stores of one log for each test; who opens it again is another server."""

    @pytest.fixture(autouse=True)
    def servers(self, url, space):
        self.url, self.space, self.servers = url, space, []
        yield
        for logs in self.servers:
            logs.close()

    def make(self, directory, epoch, receipts):
        self.servers.append(PostgresLogs(self.url, receipts))
        return self.servers[-1].open(self.space)


class TestPostgresEventStore(InPostgres, LogStoreContract):
    pass


class TestPostgresAdoption(InPostgres, AdoptionContract):
    pass


def push(store, events):
    return store.append([Submission(events, "ann")], now_ms=NOW_MS)


def seqs(store):
    return [entry.seq for entry in load(store)]


# Several servers


@pytest.mark.parametrize("size", [1, 100])
def test_servers_append_to_one_log_at_the_same_time(server, other_server, space, size):
    """By one statement or with COPY, and whether or not they have seen what the others did."""

    def write(store, node):
        author = Author(node)
        return [seq for _ in range(12) for seq in push(store, author.events(size)).outcomes[0]]

    stores = [logs.open(space) for logs in (server, other_server, server, other_server)]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(write, stores, "abcd"))
    assert sorted(seq for each in told for seq in each) == list(range(1, 48 * size + 1))
    assert all(each == sorted(each) for each in told)
    for store in stores:
        store.refresh()
        assert seqs(store) == list(range(1, 48 * size + 1))
    by_seq = {entry.seq: entry.event.node for entry in load(stores[0])}
    assert all(by_seq[seq] == node for node, each in zip("abcd", told, strict=True) for seq in each)


class Interrupted(PostgresDatabase):
    """A database; what is in ``meanwhile`` happens when it has answered, step by step."""

    meanwhile = ()

    @contextmanager
    def at_once(self):
        with super().at_once() as cursor:
            yield cursor
        if self.meanwhile:
            step, *self.meanwhile = self.meanwhile
            step()


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("is_contended", [False, True])
def test_what_was_seen_while_an_append_ended_stays_seen(url, server, space, size, is_contended):
    theirs, author, other = server.open(space), Author(), Author("other")

    def another():
        push(theirs, other.events(1))
        mine.refresh()

    with closing(Interrupted(url, SCHEMA)) as database:
        with database.at_once() as cursor:
            mine = PostgresEventStore(database, key_of(cursor, space), RECEIPTS)
        if is_contended:
            push(theirs, other.events(1))
            push(mine, author.events(1))
        first = mine.head().seq + 1
        database.meanwhile = [another] if is_contended else [lambda: None, another]
        assert push(mine, author.events(size)).outcomes == [list(range(first, first + size))]
        assert mine.head() == theirs.head()
        assert mine.slice(first + size - 1).length == 1


def test_what_another_server_holds_may_be_named_at_once(server, other_server, space):
    mine, theirs = server.open(space), other_server.open(space)
    author, other = Author(), Author("other")
    first = author.event(ops=[{"op": "put", "key": "a", "value": 1}])
    other.receive(first.id)
    second = other.event(ops=[{"op": "put", "key": "a", "value": 2, "over": [f"{first.id}:0"]}])
    assert push(theirs, [first]).outcomes == [[1]]
    assert push(mine, [second]).outcomes == [[2]]


def test_what_a_node_did_elsewhere_is_known(server, other_server, space):
    mine, theirs, author = server.open(space), other_server.open(space), Author()
    first, second, third = author.events(3)
    assert push(mine, [first]).outcomes == [[1]]
    assert push(theirs, [third]).outcomes == [[2]]
    (refused,) = push(mine, [second]).outcomes[0]
    assert isinstance(refused, NodeConflict)


def test_items_of_other_servers_count(server, other_server, space):
    mine, theirs = server.open(space), other_server.open(space)
    author, other, quotas = Author(), Author("other"), Quotas(items=2)

    def told(store, event):
        (outcome,) = store.append([Submission([event], "ann")], now_ms=NOW_MS, quotas=quotas).outcomes[0]
        return outcome if isinstance(outcome, int) else outcome.code

    assert told(mine, author.event("a")) == 1
    assert told(theirs, other.event("b")) == 2
    assert told(mine, author.event("c")) == "quota_exceeded"
    assert told(mine, author.event("b")) == 3


def test_heads_are_read_together(server, space):
    push(server.open(space), Author().events(3))
    server.open(f"{space}-empty")
    assert server.heads([space, f"{space}-empty", f"{space}-none"]) == {space: 3, f"{space}-empty": 0}


# Deleted and put back


def test_a_deleted_log_is_gone_for_all(server, other_server, space):
    mine, theirs, author = server.open(space), other_server.open(space), Author()
    push(mine, author.events(3))
    theirs.refresh()
    neighbour = server.open(f"{space}-too")
    push(neighbour, Author().events(2))
    server.delete(space)
    server.delete(space)
    for call in (theirs.refresh, theirs.reached, theirs.slice, lambda: push(theirs, author.events(1))):
        with pytest.raises(SpaceDeleted):
            call()
    again = server.open(space)
    assert again.head()[1:] == (0, bytes(8), 0)
    assert again.head().epoch != mine.head().epoch
    assert push(again, author.events(1)).outcomes == [[1]]
    assert seqs(neighbour) == [1, 2]


def test_deleting_leaves_no_rows(url, server, space):
    store = server.open(space)
    push(store, Author().events(70))
    held = f"SELECT count(*) FROM syncline.logs JOIN syncline.entries ON log = key WHERE name = '{space}'"
    before = "SELECT count(*) FROM syncline.entries", "SELECT count(*) FROM syncline.nodes"
    assert postgres.cluster().execute(held, url) == "70"
    counts = [int(postgres.cluster().execute(question, url)) for question in before]
    server.delete(space)
    after = [int(postgres.cluster().execute(question, url)) for question in before]
    assert [was - now for was, now in zip(counts, after, strict=True)] == [70, 1]


def test_a_log_that_was_put_back_goes_on_from_there(url, server, other_server, space):
    store, author = server.open(space), Author()
    push(store, author.events(2))
    back, tail = store.head(), store.head().tail.hex()
    lost = author.events(3)
    push(store, lost)
    key = f"(SELECT key FROM syncline.logs WHERE name = '{space}')"
    set_back = f"seq = 2, tail = '\\x{tail}', bytes = 0"
    postgres.cluster().execute(f"DELETE FROM syncline.entries WHERE log = {key} AND seq > 2", url)
    postgres.cluster().execute(f"UPDATE syncline.logs SET {set_back} WHERE name = '{space}'", url)
    assert store.refresh()[:3] == back[:3]
    other = Author("other")
    assert push(other_server.open(space), other.events(1)).outcomes == [[3]]
    assert push(store, lost).outcomes[0] == [4, 5, 6]
    assert seqs(store) == [1, 2, 3, 4, 5, 6]


# Connections that break


@pytest.mark.parametrize("size", [1, 100], ids=["one statement", "COPY"])
@pytest.mark.parametrize("is_stored", [True, False], ids=["stored", "not stored"])
def test_what_became_of_a_commit_is_seen_by_the_next_append(tmp_path_factory, space, url, size, is_stored):
    author, folder = Author(), tmp_path_factory.mktemp("line")
    with (
        BrokenLine(postgres.cluster().folder, folder) as line,
        closing(PostgresLogs(line.address(url), RECEIPTS)) as logs,
    ):
        store = logs.open(space)
        push(store, author.events(2))
        events = author.events(size)
        line.break_at(b"COMMIT\0" if size > 1 else b"INSERT INTO entries", after=is_stored)
        with pytest.raises(StoreUnavailable):
            push(store, events)
        assert line.has_broken
        assert store.reached() == (2 + size if is_stored else 2)
        again = push(store, events)
        assert again.outcomes == [list(range(3, 3 + size))]
        assert len(again.rows) == (0 if is_stored else size)
        assert again.head == store.head() == store.refresh()
        assert seqs(store) == list(range(1, 3 + size))


def test_connections_that_ended_are_not_used(url, server, space):
    store, author = server.open(space), Author()
    push(store, author.events(1))
    ours = "pg_stat_activity WHERE application_name = 'syncline'"
    postgres.cluster().execute(f"SELECT pg_terminate_backend(pid, 10000) FROM {ours}", url)
    assert push(store, author.events(1)).outcomes == [[2]]
    assert seqs(store) == [1, 2]


FULL = """
    CREATE FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '53100'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON syncline.entries FOR EACH ROW EXECUTE FUNCTION refuse()
"""


@pytest.mark.parametrize("size", [1, 100])
def test_on_a_full_disk_nothing_is_stored(size):
    url, author = postgres.new_database(), Author()
    with closing(PostgresLogs(url, RECEIPTS)) as logs:
        store, events = logs.open("a"), author.events(size)
        postgres.cluster().execute(FULL, url)
        for _ in range(2):
            with pytest.raises(StorageFull):
                push(store, events)
        assert (store.head().seq, store.reached(), store.node("node")) == (0, 0, None)
        postgres.cluster().execute("DROP TRIGGER full_disk ON syncline.entries", url)
        assert push(store, events).outcomes == [list(range(1, size + 1))]


WITHOUT = """
import sys
sys.modules["psycopg"] = None
try:
    import syncline.stores.postgres
except Exception as error:
    print(type(error).__name__, error)
"""


def test_what_has_to_be_installed_is_told():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("BadSettings")
    assert "pip install 'syncline[postgres]'" in done.stdout


def hold(url, space, act):
    """Holds a log, does something else for longer than the database allows, and goes on."""
    with closing(PostgresDatabase(url, SCHEMA)) as database, database.writing() as cursor:
        cursor.execute("SELECT key FROM logs WHERE name = %s FOR UPDATE", (space,))
        cursor.execute("SET idle_in_transaction_session_timeout TO '10ms'")
        act()
        cursor.execute("SELECT 1")


def test_who_holds_a_log_and_is_silent_loses_it(url, server, space):
    store, event = server.open(space), Author().event()
    with pytest.raises(StoreUnavailable):
        hold(url, space, lambda: push(store, [event]))  # which waits for the lock
    assert seqs(store) == [1]


def test_nobody_at_the_address(tmp_path):
    with pytest.raises(StoreUnavailable):
        PostgresLogs(f"postgresql://ann:secret@/db?host={tmp_path}", RECEIPTS)
    with pytest.raises(BadSettings) as error:
        PostgresLogs("postgresql://ann:secret@host/db?colour=red", RECEIPTS)
    assert "secret" not in error.value.message


# Versions

OPENER = """
import sys
from syncline.core.log import Receipts
from syncline.stores.postgres import PostgresLogs
print("ready", flush=True)
sys.stdin.readline()
logs = PostgresLogs(sys.argv[1], Receipts(b"key"))
print(logs.open("a").head().epoch)
logs.close()
"""


def test_servers_that_start_at_once_make_the_tables_once():
    url = postgres.new_database()
    command = [sys.executable, "-c", OPENER, url]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.stdout.readline() for process in started] == ["ready\n"] * 4
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60) for process in started]
    assert [error for _, error in said] == [""] * 4
    assert len({epoch for epoch, _ in said}) == 1


def test_a_database_of_a_newer_version_is_left_as_it_is():
    url = postgres.new_database()
    PostgresLogs(url, RECEIPTS).close()
    postgres.cluster().execute("UPDATE syncline.schemas SET version = 1000", url)
    with pytest.raises(NewerSchema):
        PostgresLogs(url, RECEIPTS)
    assert postgres.cluster().execute("SELECT name, version FROM syncline.schemas", url) == "logs|1000"


# What is in it


def test_names_may_be_as_long_as_they_may(server, space):
    item, node = "~" * MAX_ITEM_LENGTH, "n" * MAX_NODE_LENGTH
    store, author = server.open(space), Author(node, "ü" * 128)
    for size in (1, 70):
        store.append([Submission(author.events(size, item=item), author.user)], now_ms=NOW_MS)
    assert store.items("*", "", 10) == [item]
    assert store.slice(view=View.everything([item])).length == 71
    assert store.node(node).user == author.user


@pytest.mark.parametrize("item", ["NULL", "null", "~", "a:b/c-d.e_f"])
def test_odd_names_are_names(server, space, item):
    store = server.open(space)
    push(store, Author(item if item != "~" else "node").events(1, item=item))
    assert (store.items("*", "", 10), seqs(store)) == ([item], [1])


MANY = 12_000
KINDS = ["task.1", "task.2", "note.1", "tasks", ".user.x", "task.10", "memo", "task.2.x"]


@pytest.fixture(scope="module")
def long_log(url):
    """A log for which a slice goes through the index; ``rare`` comes three times."""
    with closing(PostgresLogs(url, RECEIPTS)) as logs:
        store, author = logs.open("long"), Author()
        items = [KINDS[place % len(KINDS)] for place in range(MANY)]
        for place in (5, 6_000, 11_990):
            items[place] = "rare"
        for start in range(0, MANY, 1_000):
            events = [author.event(item) for item in items[start : start + 1_000]]
            store.append([Submission(events, "ann", is_system=True, rights=TRUSTED)], now_ms=NOW_MS)
        yield store, items


@pytest.mark.parametrize(
    "decisions",
    [
        {"rare": True},
        {"rare": True, "memo": True, "none": True},
        {"task.*": True, "task.2*": False, "task.2.x": True},
        {"task*": True, "rare": True},
        {"*": True, "task*": False, "task.10": True},
        {"*": True, ".*": True, "rare": False},
        {"rare*": True} | {f"nothing.{n}": True for n in range(70)},
        {"*": True} | {f"task.{n}": False for n in range(100)},
    ],
)
@pytest.mark.parametrize(("limit", "max_bytes"), [(1_000, 10**7), (700, 20_000)])
def test_views_of_a_long_log(long_log, decisions, limit, max_bytes):
    store, items = long_log
    view = View.of(decisions)
    since, found, more = 0, [], True
    while more:
        part = store.slice(since, view=view, limit=limit, max_bytes=max_bytes)
        assert part.length <= limit
        assert len(part.encoded) < max_bytes or part.length == 1
        assert part.seq > since
        found += (
            [] if not part.encoded else [int(each.split(b",", 1)[0]) for each in part.encoded.split(b'{"seq":')[1:]]
        )
        since, more = part.seq, part.more
    assert found == [seq for seq, item in enumerate(items, 1) if view.shows(item)]
    assert since == MANY


def test_events_are_there_for_people_who_ask_with_sql(url, server, space):
    store, author = server.open(space), Author()
    push(store, [author.event(payload={"n": 1}), author.event(payload="a\0b")])
    question = f"SELECT seq, item, event->'payload', at FROM syncline.events WHERE space = '{space}' ORDER BY seq"
    assert postgres.cluster().execute(f"SET timezone TO 'UTC'; {question}", url).splitlines()[-2:] == [
        '1|task.milk|{"n": 1}|2025-06-15 15:06:40+00',
        '2|task.milk|"a\ufffdb"|2025-06-15 15:06:40+00',
    ]
