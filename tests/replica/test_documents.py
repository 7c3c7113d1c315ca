"""Documents on one replica, as a program uses them."""

import pytest

import syncline
from syncline import Counter, ORSet, Text
from syncline.core.documents.settings import POLICIES_ITEM, SET_POLICY
from syncline.core.effects import Apply
from syncline.core.messages import Page
from syncline.errors import (
    BadOp,
    DocumentExists,
    EventTooLarge,
    NotFound,
    PatchFailed,
    PatchTestFailed,
    TooDeep,
)
from syncline.testing import Author

MILK = {"title": "Milk", "done": False, "tags": ORSet(["shop"]), "body": Text("two litres"), "n": Counter(2)}


@pytest.fixture
def notes():
    with syncline.open(None) as replica:
        yield replica


@pytest.fixture
def milk(notes):
    return notes.create("task.milk", MILK)


def arrive(notes, *events, seq=1):
    """What a server would send."""
    entries = [syncline.Entry.of(each, each * 1_000, "r", event) for each, event in enumerate(events, seq)]
    notes.perform(Apply(Page(entries=entries, cursor="c"), ()))


def test_a_document_is_plain_python(milk):
    milk["done"] = True
    milk["tags"].add("urgent")
    milk["body"].insert(3, " or three")
    milk["n"] += 3
    milk["steps"] = ["go", "pay"]
    milk["steps"].append("back")
    milk["steps"].move(2, 0)
    milk["steps"][1:3] = ["walk"]
    milk["owner"] = {"name": "Ann"}
    milk["owner"]["age"] = 7
    del milk["title"]
    assert milk.plain == {
        "done": True,
        "tags": ["shop", "urgent"],
        "body": "two or three litres",
        "n": 5,
        "steps": ["back", "walk"],
        "owner": {"name": "Ann", "age": 7},
    }
    assert milk["tags"] == {"urgent", "shop"}
    assert milk["body"] == "two or three litres"
    assert milk["n"] == 5
    assert milk["steps"] == ["back", "walk"]
    assert milk["owner"] == {"name": "Ann", "age": 7}
    assert milk.value["tags"] == ORSet(["shop", "urgent"])
    assert milk.get("nothing", 3) == 3
    assert "done" in milk
    assert len(milk) == 6
    assert "title" not in milk


def test_reading_what_is_not_there(notes, milk):
    with pytest.raises(KeyError):
        milk["nothing"]
    with pytest.raises(IndexError):
        milk["body"].insert(100, "x")
    with pytest.raises(NotFound):
        _ = notes.document("task.none").root
    assert notes.get("task.none") is None
    assert notes.document("task.none").plain is None


def test_each_change_is_one_event_and_a_block_is_one(notes, milk):
    before = len(list(notes.events()))
    milk["done"] = True
    with milk.edit("markComplete", {"why": "because"}) as edit:
        edit["done"] = False
        edit["tags"].discard("shop")
        edit.update(title="Oat milk", n=7)
        assert edit["n"] == 7
    first, second = list(notes.events())[before:]
    assert (first.action, second.action) == ("update", "markComplete")
    assert second.payload == {"why": "because"}
    assert [op["op"] for op in second.ops] == ["put", "discard", "put", "inc"]


def test_a_block_that_raises_leaves_nothing(notes, milk):
    before = milk.plain
    with pytest.raises(ZeroDivisionError), milk.edit() as edit:  # noqa: PT012
        edit["title"] = "gone"
        edit["body"].append("!")
        raise ZeroDivisionError
    assert milk.plain == before
    assert milk.revision == 1
    milk["title"] = "Oat"
    assert milk["title"] == "Oat"


def test_an_event_that_cannot_be_recorded_leaves_nothing(notes, milk):
    before = milk.plain
    with pytest.raises(EventTooLarge):
        milk["body"].append("x" * 1_048_576)
    with pytest.raises(TooDeep):
        milk["deep"] = deep(65)
    with pytest.raises(BadOp):
        milk["n"].increment(2**53)
    assert milk.plain == before


def deep(levels):
    value = "bottom"
    for _ in range(levels):
        value = {"inner": value}
    return value


def test_a_transaction_is_all_or_nothing(notes, milk):
    with notes.transaction():
        milk["done"] = True
        notes.create("task.bread", {"title": "Bread"})
        milk["title"] = "Oat milk"
    *_, first, second = notes.events()
    assert first.tx == second.tx is not None
    assert milk.revision == 2
    with pytest.raises(ZeroDivisionError), notes.transaction():  # noqa: PT012
        milk["done"] = False
        notes.document("task.bread")["title"] = "Rye"
        raise ZeroDivisionError
    assert milk["done"] is True
    assert notes.document("task.bread")["title"] == "Bread"


def test_creating_what_is_there_and_what_was_deleted(notes, milk):
    with pytest.raises(DocumentExists):
        notes.create("task.milk")
    assert milk["title"] == "Milk"
    milk.delete()
    assert not milk.exists
    assert milk.plain is None
    assert notes.get("task.milk") is None
    notes.create("task.milk", {"title": "Again", "tags": ORSet(["new"])})
    assert milk.plain == {"title": "Again", "tags": ["new"]}


def test_undo_redo_and_restore(milk):
    milk["done"] = True
    milk["body"].append(", fresh")
    assert milk.undo()
    assert milk["body"] == "two litres"
    assert milk["done"] is True
    assert milk.undo()
    assert milk["done"] is False
    assert milk.redo()
    assert milk["done"] is True
    milk["title"] = "Oat"
    assert not milk.redo()
    milk.restore(1)
    assert milk.plain == milk.at(1).plain
    assert milk.undo()
    assert milk["title"] == "Oat"
    while milk.undo():
        pass
    assert not milk.exists
    assert milk.redo()
    assert milk.exists


def test_history(milk):
    milk["done"] = True
    with milk.edit("finish", group="g") as edit:
        edit["title"] = "a"
    with milk.edit("finish", group="g") as edit:
        edit["title"] = "b"
    first, second, third = milk.history()
    assert (first.kind, first.forward, first.reverse) == ("create", milk.at(1).wire, None)
    assert second.forward == [{"op": "replace", "path": "/done", "value": True}]
    assert third.forward == [{"op": "replace", "path": "/title", "value": "b"}]
    assert len(third.ids) == 2
    assert milk.diff(1, 2) == second.forward
    assert milk.diff(2) == third.forward
    assert [each.number for each in milk.history(after=1, limit=1)] == [2]
    with pytest.raises(NotFound):
        milk.at(99)
    with pytest.raises(TypeError):
        milk.at(1)["title"] = "the past"
    with pytest.raises(TypeError):
        milk.at(1, seq=3)


def test_patches_and_stale_patches(milk):
    milk["steps"] = ["a", "b", "c"]
    base = milk.revision
    milk["steps"].insert(0, "x")
    milk.patch([{"op": "remove", "path": "/steps/1"}], base=base)
    assert milk["steps"] == ["x", "a", "c"]
    milk.patch([{"op": "replace", "path": "/body", "value": "two big litres"}])
    milk.merge({"done": None, "owner": {"name": "Ann"}})
    assert milk["body"] == "two big litres"
    assert "done" not in milk
    before = milk.plain
    with pytest.raises(PatchTestFailed) as caught:
        milk.patch([{"op": "remove", "path": "/title"}, {"op": "test", "path": "/n", "value": 9}])
    assert caught.value.details["index"] == 1
    with pytest.raises(PatchFailed):
        milk.patch([{"op": "remove", "path": "/title"}, {"op": "remove", "path": "/title"}])
    assert milk.plain == before


def test_a_value_that_is_copied_and_a_slice(milk):
    milk["copy"] = milk["tags"]
    milk["copy"].add("more")
    assert milk["tags"] == ["shop"]
    milk["all"] = {"body": milk["body"], "list": [milk["n"]]}
    assert milk["all"] == {"body": "two litres", "list": [2]}


def test_keys_that_look_like_something_else(milk):
    milk["__proto__"] = 1
    milk["odd"] = {"$text": "not a text", "a/b~c": {"$x": [1]}}
    milk["odd"]["a/b~c"]["$y"] = 2
    assert milk["odd"] == {"$text": "not a text", "a/b~c": {"$x": [1], "$y": 2}}
    assert milk.value["odd"]["$text"] == "not a text"
    assert milk.wire["odd"]["$map"]["$text"] == "not a text"


def test_an_overruled_edit_is_told_to_its_author(notes, milk):
    other = Author("other")
    policy = Author("server").event(POLICIES_ITEM, SET_POLICY, {"item": "task.*", "policy": "server_wins"})
    arrive(notes, policy, *notes.pending())
    told = []
    notes.watch_overruled(lambda document, event: told.append((document.item, event.id)))
    theirs = other.event("task.milk", ops=[retitle(milk)])
    milk["title"] = "Mine"
    mine = notes.pending()[-1]
    arrive(notes, theirs, mine, seq=3)
    assert milk["title"] == "Theirs"
    assert told == [("task.milk", mine.id)]
    assert [each.id for each in milk.conflicts().overruled] == [mine.id]


def retitle(milk):
    """The op of somebody who has seen the present title."""
    over = [put.name for put in milk.document.objects[""].slots["title"]]
    return {"op": "put", "key": "title", "value": "Theirs", "over": over}


def test_conflicting_values_can_be_read(notes, milk):
    other = Author("other")
    arrive(notes, *notes.pending())
    theirs = other.event("task.milk", ops=[retitle(milk)])
    milk["title"] = "Mine"
    arrive(notes, theirs, seq=2)
    (conflict,) = milk.conflicts().values
    assert conflict.path == ["title"]
    assert {milk["title"], conflict.others[0][1]} == {"Mine", "Theirs"}
    milk["title"] = "Both"
    assert not milk.conflicts()


@pytest.mark.parametrize("is_edit", [True, False])
def test_an_event_recorded_amid_a_draft_comes_before_it(notes, milk, is_edit):
    bread = notes.create("task.bread", {"title": "Bread"})
    with milk.edit() if is_edit else notes.transaction():
        milk["title"] = "Oat milk"
        milk["steps"] = ["go", {"to": "shop"}]
        bread["title"] = "Rye"
        amid = notes.record("task.milk", "mark", ops=[{"op": "put", "key": "by", "value": "Ann"}])
        milk["steps"][1]["to"] = "market"
        milk["by"] = "Bob"
    shown = {**milk.plain}
    assert (shown["title"], shown["steps"], shown["by"]) == ("Oat milk", ["go", {"to": "market"}], "Bob")
    pending = notes.pending()
    assert [event.n for event in pending] == list(range(1, len(pending) + 1)), "they are pushed in the order of ids"
    assert [event.action for event in pending if event.item == "task.milk"] == ["create", "mark", "update"]
    assert amid in pending
    assert milk.undo()
    assert (milk["title"], milk["by"]) == ("Milk", "Ann")


def test_what_is_recorded_amid_a_draft_arrives_as_it_is_shown_here(notes, milk):
    with milk.edit():
        milk["steps"] = ["go", {"to": "shop"}]
        notes.record("task.milk", "mark")
        milk["steps"][1]["to"] = "market"
    with syncline.open(None) as other:
        arrive(other, *notes.pending())
        assert other.document("task.milk").plain == milk.plain
