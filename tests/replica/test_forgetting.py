"""What a replica keeps of items it may no longer read: nothing in its log, in its documents, or on its disk."""

from contextlib import closing

import pytest
from msgspec.structs import replace

import syncline
from syncline import Counter, DocumentReplica, Draft, ORSet, SyncManager, Text
from syncline.core.access.rules import DEFAULTS, Rule
from syncline.core.answers import decode_answer
from syncline.core.documents.settings import POLICIES_ITEM, SET_POLICY
from syncline.core.effects import Apply, Greet, Rewind, Settle
from syncline.core.events import Entry
from syncline.core.limits import Limits
from syncline.core.messages import Page, Welcome, encode
from syncline.replica import new_node, wall_clock_ms
from syncline.replica.documents import library as libraries
from syncline.stores.memory import MemoryReplicaStore
from syncline.stores.tables.database import Database
from syncline.testing import Author
from syncline.testing.log_server import LogServer

FULL = {
    "title": "Milk",
    "note": Text("a text of some length"),
    "n": Counter(2),
    "tags": ORSet(["shop", "dairy"]),
    "list": [1, {"deep": [2, 3]}, 4],
}


def greet(replica, user="ann", **more):
    replica.perform(Greet(Welcome(epoch="e", head=0, time=0, user=user, **more)))


def arrive(replica, *events, seq=1, cursor="c", late=(), **more):
    entries = [Entry.of(each, each * 1_000, "r" * 24, event) for each, event in enumerate(events, seq)]
    late = [Entry.of(each, each * 1_000, "r" * 24, event) for each, event in late]
    replica.perform(Apply(Page(entries=entries, late=late, cursor=cursor, **more), ()))


def made(path=None):
    replica = syncline.open(path)
    greet(replica)
    return replica


def document_events(item, value=FULL, node="other"):
    """What another replica makes of a document."""
    with closing(made()) as other:
        document = other.create(item, value)
        document["title"] = f"{value['title']}, changed"
        return [event for event in other.events()]  # noqa: C416


@pytest.fixture(params=["memory", "file"])
def notes(request, tmp_path):
    replica = made(tmp_path / "r.db" if request.param == "file" else None)
    yield replica
    replica.close()


def items_of(notes):
    return [entry.event.item for entry in notes.entries()]


# Everything


def test_everything_is_forgotten_and_comes_again_from_the_start(notes):
    milk, bread = document_events("task.milk"), document_events("task.bread")
    arrive(notes, *milk, *bread, cursor="old")
    assert notes.items() == ["task.bread", "task.milk"]
    assert notes.query(text="length")[0].plain["n"] == 2
    told = []
    notes.watch("*", lambda documents: told.append({each.item: each.exists for each in documents}))
    arrive(notes, bread[0], seq=3, cursor="new", forget=["*"], more=True)
    assert told == [{"task.bread": True, "task.milk": False}]
    assert (notes.local().cursor, notes._store.state().seq, notes._store.state().cursors) == ("new", 3, ((3, "new"),))
    assert notes.items() == ["task.bread"]
    assert notes.document("task.bread")["title"] == "Milk"
    assert notes.get("task.milk") is None
    arrive(notes, bread[1], seq=4, cursor="newer")
    assert notes.document("task.bread")["title"] == "Milk, changed"
    assert [each.item for each in notes.query(text="changed")] == ["task.bread"]
    assert notes.local().cursor == "newer"


def test_a_place_below_is_not_taken_for_one_that_was_overtaken(notes):
    author = Author("far")
    arrive(notes, *author.events(9), cursor="at 9")
    arrive(notes, cursor="at 0", forget=["*"], more=True)
    assert (notes.local().cursor, items_of(notes)) == ("at 0", [])
    arrive(notes, author.event(), cursor="at 1")
    assert (notes.local().cursor, len(items_of(notes))) == ("at 1", 1)


def test_policies_and_formats_are_forgotten_too(notes):
    policy = Author("server").event(POLICIES_ITEM, SET_POLICY, {"item": "*", "policy": "server_wins"})
    arrive(notes, policy, *document_events("task.milk"))
    assert notes.library._policies.of("task.milk") == "server_wins"
    assert notes.schema("task.milk") == 1
    arrive(notes, forget=["*"])
    assert notes.library._policies.of("task.milk") == "merge"
    assert (notes.library._shelves, notes._schemas) == ({}, {})


def test_clocks_are_read_anew(notes):
    author = Author("far")
    arrive(notes, author.event("a"), author.event("b"))
    assert notes.record("a", "update").clock == {"far": 1, notes.node: 1}
    arrive(notes, forget=["*"], cursor="d")
    assert notes.record("a", "update").clock == {notes.node: 2}
    assert notes.record("b", "update").clock == {notes.node: 3}


class ForgetfulServer(LogServer):
    """One that may have to say that it cannot tell what a reader may no longer see."""

    has_changed = False

    def page(self, pull):
        if not self.has_changed or not pull.cursor:
            return super().page(pull)
        self.has_changed = False
        text, cursor = super().page(replace(pull, cursor=None))
        return encode(replace(decode_answer(text), forget=["*"])), cursor


@pytest.mark.parametrize("live", [False, True])
async def test_a_conversation_in_which_all_begins_from_the_start(live):
    server = ForgetfulServer(now_ms=wall_clock_ms)
    server.limits = Limits(page_entries=3)
    notes, other = (DocumentReplica(MemoryReplicaStore(new_node())) for _ in range(2))
    mine, theirs = (SyncManager(replica, server.transport(), token="ann") for replica in (notes, other))
    for n in range(8):
        notes.create(f"mine.{n}", FULL)
        other.create(f"theirs.{n}", FULL)
    for manager in (mine, theirs, mine):
        assert (await manager.sync()).ok
    before, node = [entry.encoded for entry in notes.entries()], notes.node
    if live:
        await mine.start_auto_sync()
        await mine.sync()
    notes.document("theirs.1")["title"] = "Mine"
    server.has_changed = True
    other.create("theirs.9", FULL)
    for manager in (theirs, mine, mine):
        assert (await manager.sync()).ok
    assert [entry.encoded for entry in notes.entries()][: len(before)] == before
    assert (server.store.head().seq, len(list(notes.entries()))) == (18, 18)
    assert (notes.status.pending, notes.status.refused, notes.node) == (0, 0, node)
    assert len(notes.items()) == 17
    assert notes.document("theirs.1")["title"] == "Mine"
    await mine.close()
    await theirs.close()


# Pending edits


@pytest.mark.parametrize("forget", ["task.milk", "*"])
def test_pending_edits_of_a_forgotten_document_stay_and_are_answered(notes, forget):
    arrive(notes, *document_events("task.milk"))
    milk = notes.document("task.milk")
    milk["title"] = "Mine"
    milk["note"].splice(2, 4, "word")
    milk["n"] += 3
    milk["tags"].add("mine")
    milk["tags"].discard("shop")
    milk["list"].move(0, 2)
    milk["list"].insert(1, "between")
    milk["list"][0]["deep"].append("below")
    del milk["list"][2]
    with milk.edit() as edit:
        edit["more"] = {"a": Text("b")}
    milk.undo()
    milk.redo()
    pending = notes.pending()
    assert len(pending) == 12
    changed = []
    notes.watch("*", lambda documents: changed.extend(each.item for each in documents))
    arrive(notes, forget=[forget], cursor="d")
    assert changed == ["task.milk"]
    assert [event.id for event in notes.pending()] == [event.id for event in pending]
    shows_what_it_can(notes)
    milk["mine"] = "on what is left"
    shows_what_it_can(notes)
    milk.undo()
    shows_what_it_can(notes)
    pending = notes.pending()
    notes.perform(Settle([(event, seq) for seq, event in enumerate(pending, 20)]))
    assert notes.pending() == []
    arrive(notes, *pending, seq=20, cursor="e")
    shows_what_it_can(notes)
    assert notes.local().cursor == "e"


def shows_what_it_can(notes):
    milk = notes.document("task.milk")
    for _ in range(2):
        shown = milk.plain
        assert notes.query("task.*", text="mine") is not None
        assert notes.items() == (["task.milk"] if milk.exists else [])
        assert len(milk.history()) == milk.revision
        for revision in range(1, milk.revision + 1):
            milk.at(revision)
        assert milk.conflicts() is not None
        notes.library.let_go()
        assert milk.plain == shown


def test_an_own_entry_that_comes_back_is_no_copys(notes):
    mine = [notes.record(item, "update") for item in ("a", "b", "a")]
    arrive(notes, *mine)
    arrive(notes, forget=["a"], cursor="d")
    assert items_of(notes) == ["b"]
    greet(notes, own=mine[2].id)
    arrive(notes, late=[(1, mine[0]), (3, mine[2])], cursor="e")
    assert items_of(notes) == ["a", "b", "a"]
    arrive(notes, mine[0], forget=["*"], more=True, cursor="f")
    arrive(notes, *mine[1:], seq=2, cursor="g")
    assert not notes.local().copied
    arrive(notes, Author(notes.node, now_ms=lambda: 9_000_000_000_000).event("c"), seq=4)
    assert notes.local().copied


def test_older_cursors_of_another_view_are_not_gone_back_to(notes):
    author = Author("far")
    arrive(notes, *author.events(4, "a"), cursor="at 4")
    arrive(notes, author.event("b"), seq=5, cursor="at 5")
    arrive(notes, forget=["a"], cursor="at 5 without a")
    arrive(notes, author.event("b"), seq=6, cursor="at 6 without a")
    notes.perform(Rewind())
    assert notes.local().cursor == "at 5 without a"
    notes.perform(Rewind())
    assert notes.local().cursor is None


def test_late_entries_are_told_to_who_watches_events(notes):
    heard = []
    notes.watch_events(lambda events: heard.extend(event.item for event in events))
    arrive(notes, late=[(1, Author("far").event("a"))])
    assert heard == ["a"]


def test_what_may_be_written_and_not_read_is_let_go_of_when_it_is_stored(notes):
    closed = [*DEFAULTS, Rule("ann", "box", ".read", "deny", 1, "x")]
    greet(notes, rules=closed)
    box, open_ = notes.record("box", "drop"), notes.record("open", "drop")
    notes.perform(Settle([(box, 1), (open_, 2)]))
    notes.keep_acks()
    arrive(notes, cursor="where nothing is to be seen")
    assert [event.item for event in notes.events()] == ["open"]
    arrive(notes, Author("far").event(), seq=3)
    assert [event.id for event in notes.pending()] == [open_.id]  # which the log has lost
    assert [event.item for event in notes.events()] == ["task.milk", "open"]
    greet(notes, own=box.id, rules=closed)
    assert not notes.local().copied


# On the disk


class Traces:
    """Strings that are nowhere but in what is to be forgotten, and where on the disk each of them is."""

    def __init__(self, directory):
        self.directory, self.count = directory, 0
        self.secret, self.open = [], []

    def word(self, *, secret):
        self.count += 1
        word = f"{'zsecret' if secret else 'zopen'}q{self.count:05}x"
        (self.secret if secret else self.open).append(word)
        return word

    def found(self):
        """The secret words, or parts of them, in the files."""
        contents = {path.name: path.read_bytes() for path in sorted(self.directory.iterdir())}
        return {name for name, content in contents.items() if b"zsecret" in content or b"secretq" in content}

    def all_open_are_there(self):
        content = b"".join(path.read_bytes() for path in self.directory.iterdir())
        return all(word.encode() in content for word in self.open)


def written(traces, secret, count=60):
    """Documents and events of others, as entries without a place."""
    word, events = lambda: traces.word(secret=secret), []
    author = Author(f"{'zsecret' if secret else 'open'}.node")
    for _ in range(count):
        item = f"doc.{word()}"
        value = {word(): word(), "title": word(), "note": Text(f"{word()} {word()} " * 20), "set": ORSet([word()])}
        events += document_events(item, value)
        events.append(author.event(item, "say", {word(): word() * 30}, meta={"group": word()}))
    return events


@pytest.mark.parametrize("forget", ["named", "all"])
@pytest.mark.parametrize("more", [False, True])
def test_no_byte_of_what_was_forgotten_is_left(tmp_path, monkeypatch, forget, more):
    monkeypatch.setattr(libraries, "STRETCH", 2)  # so that there are snapshots
    traces = Traces(tmp_path)
    secret, others = written(traces, secret=True), written(traces, secret=False)
    mixed = [event for pair in zip(secret, others, strict=True) for event in pair]
    items = sorted({event.item for event in secret})
    notes = made(tmp_path / "r.db")
    notes.index("doc.*", "title")
    mine = [notes.record(items[0], "own", "zsecret " * 40) for _ in range(20)]
    for start in range(0, len(mixed), 50):
        arrive(notes, *mixed[start : start + 50], seq=start + 1, more=True)
        notes.query("doc.*", text="z*")
    arrive(notes, *mine, seq=len(mixed) + 1)
    for item in [*items, *{event.item for event in others}]:
        notes.document(item)["title"] = "another"
        notes.library.let_go(item)
        assert notes.document(item).plain
    pending = notes.pending()
    arrive(notes, *pending, seq=len(mixed) + 100)
    notes.query("doc.*", text="z*")
    assert traces.found() >= {"r.db", "r.db.documents"} or traces.found() >= {"r.db-wal"}
    assert any("snapshots" in name for name in traces.found())

    names = items if forget == "named" else ["*"]
    if more:
        half = len(names) // 2
        arrive(notes, forget=names[:half], seq=10_000, cursor="d", more=True)
        arrive(notes, forget=names[half:], seq=10_000, cursor="e", more=True)
        arrive(notes, seq=10_000, cursor="f")
    else:
        arrive(notes, forget=names, seq=10_000, cursor="d")
    assert traces.found() == set()
    assert traces.all_open_are_there() is (forget == "named")
    left = sorted({event.item for event in others}) if forget == "named" else []
    assert [each.item for each in notes.query("doc.*", text="another")] == left
    assert traces.found() == set()
    notes.close()
    assert traces.found() == set()
    with syncline.open(tmp_path / "r.db") as again:
        assert again.items() == left
        assert traces.found() == set()


def test_pending_edits_are_all_that_is_left(tmp_path):
    traces = Traces(tmp_path)
    secret = written(traces, secret=True, count=5)
    with made(tmp_path / "r.db") as notes:
        arrive(notes, *secret)
        mine = notes.record("doc.mine", "own", "kept, as it is this user's")
        notes.query(text="z*")
        arrive(notes, forget=["doc.mine", *{event.item for event in secret}])
        assert traces.found() == set()
        assert b"kept, as it is" in b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert notes.pending() == [mine]


def test_what_a_crash_left_is_cleaned_at_the_next_opening(tmp_path, monkeypatch):
    traces = Traces(tmp_path)
    secret = written(traces, secret=True, count=20)
    notes = made(tmp_path / "r.db")
    arrive(notes, *secret)
    notes.query(text="z*")
    with monkeypatch.context() as patch:
        patch.setattr(Database, "scrub", lambda self: False)  # as if it had died there
        arrive(notes, forget=["*"])
    assert traces.found() == {"r.db-wal"}  # what is derived begins anew if it cannot be cleaned
    assert notes.items() == []
    crashed = {path: path.read_bytes() for path in tmp_path.glob("r.db*") if not path.name.endswith((".lock", "-shm"))}
    notes.close()  # which would have cleaned it, too
    for path, content in crashed.items():
        path.write_bytes(content)
    assert traces.found() == {"r.db-wal"}
    with made(tmp_path / "r.db") as again:
        assert traces.found() == set()
        assert again.items() == []


def test_somebody_who_reads_meanwhile_only_delays_it(tmp_path, monkeypatch):
    monkeypatch.setattr("syncline.stores.tables.database.BUSY_MS", 50)
    traces = Traces(tmp_path)
    with made(tmp_path / "r.db") as notes:
        arrive(notes, *written(traces, secret=True, count=20))
        with notes._store._db.reading() as cursor:
            cursor.execute("BEGIN; SELECT * FROM entries LIMIT 1")
            arrive(notes, forget=["*"])
            assert traces.found()
            cursor.execute("COMMIT")
        notes.record("a", "update")
        assert traces.found() == set()


def test_records_are_kept_while_it_is_cleaned(tmp_path):
    with made(tmp_path / "r.db") as notes:
        arrive(notes, *Author("far").events(300))
        notes.record_many([Draft("a", "update", n) for n in range(20)])
        arrive(notes, forget=["task.milk"])
        assert [event.payload for event in notes.events()] == list(range(20))
        assert notes.status.pending == 20
