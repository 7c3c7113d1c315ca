"""Finding documents: whatever happened to a replica, a query answers what a look at every document would."""

import random
from contextlib import suppress

import pytest

from syncline.core.documents.values import Counter, ORSet, Text
from syncline.core.effects import Apply, Greet, Restamp, Rewind, Settle
from syncline.core.events import Entry
from syncline.core.messages import Page, Welcome
from syncline.core.queries import Query
from syncline.errors import BadRequest, Forbidden
from syncline.replica.documents import DocumentReplica
from syncline.replica.documents import finding as findings
from syncline.stores.memory import MemoryReplicaStore
from syncline.stores.sqlite import SqliteDocumentIndex, SqliteReplicaStore
from syncline.testing import ManualClock, entropy_from, nodes_from

QUESTIONS = [
    {},
    {"where": {"done": False}},
    {"where": {"n": (">=", 3)}, "order_by": "-n"},
    {"where": {"tags": ("has", "shop")}, "limit": 3},
    {"text": "milk -bread"},
]


def naive(replica, items, pattern="*", where=None, order_by="", limit=None, text=""):
    """The answer by looking at every document that may be there."""
    shown = {item: replica.document(item).plain for item in items}
    found = [item for item in sorted(shown) if shown[item] is not None and item.startswith(pattern.rstrip("*"))]
    if "done" in (where or {}):
        found = [item for item in found if shown[item].get("done") is where["done"]]
    if "n" in (where or {}):
        found = [item for item in found if shown[item].get("n", 0) >= 3]
    if "tags" in (where or {}):
        found = [item for item in found if "shop" in shown[item].get("tags", [])]
    if text:
        words = {item: str(shown[item].get("title")).split() for item in found}
        found = [item for item in found if "milk" in words[item] and "bread" not in words[item]]
    if order_by:
        found.sort(key=lambda item: shown[item]["n"], reverse=True)
    return found[:limit]


class Home:
    """A replica that is opened and closed, a log it is in, and somebody else who writes into that log."""

    def __init__(self, directory, seed):
        self.dice, self.clock = random.Random(seed), ManualClock()
        self.directory, self.log, self.items = directory, [], [f"task.{n}" for n in range(8)] + ["note.1", "note.2"]
        self.other = self.make("other", MemoryReplicaStore("other"), None)
        self.open()

    def make(self, user, store, index):
        sources = {"now_ms": self.clock, "entropy": entropy_from(self.dice), "make_node": nodes_from(self.dice)}
        replica = DocumentReplica(store, index=index, **sources)
        replica.perform(Greet(Welcome(epoch="e", head=10**6, time=self.clock(), user=user)))
        return replica

    def open(self):
        store = SqliteReplicaStore(self.directory / "notes.db", "me")
        self.replica = self.make("me", store, SqliteDocumentIndex(self.directory / "notes.db.documents"))
        if self.dice.random() < 0.5:
            self.replica.index("task.*", "done", "n", "tags")

    def restart(self):
        self.replica.close()
        if self.dice.random() < 0.2:
            (self.directory / "notes.db.documents").unlink()
        self.open()

    def crash(self):
        """The index is left as it was: what would be written at the end is not."""
        self.replica._catalog._is_caught_up = False
        self.restart()

    def edit(self, replica):
        document = replica.document(self.dice.choice(self.items))
        if document.exists and self.dice.random() < 0.2:
            document.delete()
        elif document.exists and self.dice.random() < 0.2:
            document.undo()
        else:
            with document.edit() as edit:
                edit["title"] = " ".join(self.dice.choices(["milk", "bread", "tea"], k=2))
                edit["n"] = self.dice.randrange(6)
                edit.update(done=self.dice.random() < 0.5, tags=self.dice.sample(["shop", "home", "urgent"], 2))

    def edit_in_vain(self):
        with suppress(ZeroDivisionError), self.replica.transaction():
            self.edit(self.replica)
            if self.dice.random() < 0.5:
                self.check()
            raise ZeroDivisionError

    def push(self, replica):
        for event in self.unsent(replica)[: self.dice.randrange(4)]:
            self.log.append(Entry.of(len(self.log) + 1, self.clock(), "", event))

    def pull(self, replica):
        state = replica._store.state()
        entries = self.log[state.seq : state.seq + self.dice.randrange(1, 6)]
        cursor = str(entries[-1].seq) if entries else str(state.seq)
        replica.perform(Apply(Page(entries=entries, cursor=cursor, more=True), ()))

    def unsent(self, replica):
        sent = {entry.event.id for entry in self.log}
        return [event for event in replica.pending() if event.id not in sent]

    def refuse(self):
        if unsent := self.unsent(self.replica):
            self.replica.perform(Settle([(self.dice.choice(unsent), Forbidden("No."))]))

    def restamp(self):
        if len(self.unsent(self.replica)) == len(self.replica.pending()):
            self.replica.perform(Restamp(self.clock()))

    def lose_sight(self):
        """The view changes: an item is forgotten, or what was forgotten comes back."""
        state = self.replica._store.state()
        item = self.dice.choice(self.items)
        forget, late = [item], []
        if self.dice.random() < 0.7:
            late = [entry for entry in self.log[: state.seq] if entry.event.item == item]
        self.replica.perform(Apply(Page(entries=[], forget=forget, late=late, cursor=f"{state.seq}", more=True), ()))

    def step(self):
        act = self.dice.choice(
            [
                *[lambda: self.edit(self.replica)] * 8,
                *[lambda: self.edit(self.other)] * 4,
                *[lambda: self.push(self.replica), lambda: self.pull(self.replica)] * 4,
                *[lambda: self.push(self.other), lambda: self.pull(self.other)] * 2,
                *[self.restart, self.crash, self.refuse, self.restamp, self.lose_sight, self.edit_in_vain],
                lambda: self.replica.perform(Rewind()),
            ]
        )
        act()

    def check(self):
        for asked in QUESTIONS:
            pattern = self.dice.choice(["*", "task.*", "note.1"])
            found = [document.item for document in self.replica.query(pattern, **asked)]
            assert found == naive(self.replica, self.items, pattern, **asked), asked


@pytest.mark.parametrize("many", [0, 50])
@pytest.mark.parametrize("seed", range(12))
def test_a_query_answers_what_a_look_at_every_document_would(tmp_path, monkeypatch, seed, many):
    monkeypatch.setattr(findings, "MANY", many)
    home = Home(tmp_path, seed)
    for _ in range(120):
        home.step()
        if home.dice.random() < 0.4:
            home.check()
    home.restart()
    home.check()
    home.replica.close()


@pytest.fixture
def notes(tmp_path):
    store, index = SqliteReplicaStore(tmp_path / "r.db", "me"), SqliteDocumentIndex(tmp_path / "r.db.documents")
    with_index = DocumentReplica(store, index=index)
    yield with_index
    with_index.close()


def test_items_are_those_of_documents_that_are_there(notes):
    notes.create("task.milk", {"n": 1})
    notes.create("note.1")
    notes.record("task.event", "said", {"n": 1})
    notes.create("task.gone").delete()
    assert notes.items() == ["note.1", "task.milk"]
    assert notes.items("task.*") == ["task.milk"]
    assert [document.plain for document in notes.documents("task.*")] == [{"n": 1}]


def test_an_edit_folds_that_document_alone(notes, monkeypatch):
    for n in range(100):
        notes.create(f"task.{n}", {"done": False})
    assert len(notes.query(where={"done": False})) == 100
    folded = []
    document = notes.library.document
    monkeypatch.setattr(notes.library, "document", lambda item: folded.append(item) or document(item))
    notes._store.load = None  # nothing is read but what changed
    notes.document("task.7")["done"] = True
    folded.clear()
    assert len(notes.query(where={"done": True})) == 1
    assert set(folded) == {"task.7"}
    folded.clear()
    assert len(notes.query(where={"done": True})) == 1
    assert folded == []


def test_a_start_folds_only_what_changed_since(notes, tmp_path, monkeypatch):
    for n in range(100):
        notes.create(f"task.{n}", {"done": False})
    notes.items()
    notes.document("task.7")["done"] = True
    notes.close()
    again = DocumentReplica(
        SqliteReplicaStore(tmp_path / "r.db", "me"), index=SqliteDocumentIndex(tmp_path / "r.db.documents")
    )
    folded = []
    document = again.library.document
    monkeypatch.setattr(again.library, "document", lambda item: folded.append(item) or document(item))
    assert [each.item for each in again.query(where={"done": True})] == ["task.7"]
    assert set(folded) == {"task.7"}
    again.close()


def test_a_transaction_sees_its_own_edits_and_nobody_sees_them_if_it_fails(notes):
    milk = notes.create("task.milk", {"n": 1})
    with suppress(ZeroDivisionError), notes.transaction():
        milk["n"] = 2
        assert notes.query(where={"n": 2}) != []
        raise ZeroDivisionError
    assert notes.query(where={"n": 2}) == []
    assert notes.query(where={"n": 1}) != []


def test_values_of_kinds_are_compared_as_they_show(notes):
    notes.create("a", {"text": Text("milk"), "count": Counter(3), "tags": ORSet(["b", "a"])})
    for where in ({"text": Text("milk")}, {"count": 3}, {"tags": ORSet(["a", "b"])}):
        assert [each.item for each in notes.query(where=where)] == ["a"]


@pytest.mark.parametrize(
    "asked",
    [
        {"where": {"n": ("~", 1)}},
        {"where": {"n": (">=",)}},
        {"where": {"n": ()}},
        {"where": {"n": (">", None)}},
        {"where": {"n": ("begins", 1)}},
        {"where": {"n": float("nan")}},
        {"where": {"n": ("in", range(1_001))}},
        {"where": {"n": "\ud800"}},
        {"where": {"/a~": 1}},
        {"limit": -1},
        {"limit": True},
        {"text": "word " * 65},
        {"pattern": "a*b"},
    ],
)
def test_what_is_no_query_is_refused(notes, asked):
    with pytest.raises(BadRequest):
        notes.query(**asked)


def test_an_index_is_for_a_pattern_and_paths(notes):
    with pytest.raises(BadRequest):
        notes.index("a*b", "done")


def test_an_indexed_field_is_searched_for(tmp_path):
    index = SqliteDocumentIndex(tmp_path / "i.db")
    query = Query.of("task.*", where={"done": False, "tags": ("has", "shop")})
    assert not any("terms" in step for step in index.explain(query))
    index.add_field("task.*", ("done",))
    index.add_field("*", ("tags",))
    plan = index.explain(query)
    assert "SEARCH documents USING INTEGER PRIMARY KEY (rowid=?)" in plan
    assert sum("SEARCH terms USING PRIMARY KEY (field=? AND is_member=? AND kind=?" in step for step in plan) == 2
    assert not any("terms" in step for step in index.explain(Query.of("note.*", where={"done": False})))
    index.close()


def test_a_damaged_index_is_made_again(notes, tmp_path):
    for n in range(30):
        notes.create(f"task.{n}", {"n": n, "title": "milk " * 50})
    notes.index("*", "n")
    assert len(notes.items()) == 30
    notes._catalog._index._db.checkpoint()
    file = tmp_path / "r.db.documents"
    body = bytearray(file.read_bytes())
    body[4096:] = random.Random(1).randbytes(len(body) - 4096)
    file.write_bytes(body)
    notes.document("task.3")["n"] = 99
    assert [each.item for each in notes.query(where={"n": (">", 28)}, text="milk", order_by="n")] == [
        "task.29",
        "task.3",
    ]
