"""Documents on several devices, through a real server: offline edits merge, and undo knows the user, not the device."""

import random
from contextlib import ExitStack

import pytest

import syncline
from syncline import Counter, ORSet, Text
from syncline.core.documents.snapshots import encode
from syncline.errors import NotFound
from tests.core.documents.people import random_edit
from tests.server.running import eventually

MILK = {"title": "Milk", "done": False, "tags": ORSet(["shop"]), "body": Text("two litres"), "n": Counter(2)}


@pytest.fixture
def device(open_server, space, tmp_path):
    """Opens replicas of this test's space, each in a file of its own."""
    with ExitStack() as opened:

        def open(name):
            return opened.enter_context(syncline.open(tmp_path / name, server=open_server.url, space=space))

        yield open


def agree(*devices):
    """Everybody syncs until everybody has everything."""
    for each in [*devices, *devices]:
        assert not each.sync().errors


def states(devices, item):
    return {encode(each.library.document(item)) for each in devices}


def test_the_first_example(device):
    notes = device("notes.db")
    milk = notes.create("task.milk", {"title": "Milk", "done": False, "tags": syncline.ORSet(["shop"])})
    milk["done"] = True
    milk["tags"].add("urgent")
    notes.sync()
    milk.undo()
    assert milk.plain == {"title": "Milk", "done": True, "tags": ["shop"]}
    assert [(each.number, each.user) for each in milk.history()] == [(number, "anyone") for number in (1, 2, 3, 4)]


def test_offline_edits_merge(device):
    ann, bob = device("ann"), device("bob")
    mine = ann.create("task.milk", MILK)
    agree(ann, bob)
    theirs = bob.get("task.milk")
    mine["body"].insert(4, "fresh ")
    theirs["body"].append(", or three")
    mine["tags"].add("urgent")
    theirs["tags"].discard("shop")
    mine["n"] += 2
    theirs["n"] += 3
    theirs["done"] = True
    agree(ann, bob)
    assert mine.plain == theirs.plain == {
        "title": "Milk",
        "done": True,
        "tags": ["urgent"],
        "body": "two fresh litres, or three",
        "n": 7,
    }  # fmt: skip
    assert states([ann, bob], "task.milk") == {encode(ann.library.document("task.milk"))}


def test_two_devices_that_create_the_same_document_apart_merge_it(device):
    ann, bob = device("ann"), device("bob")
    ann.create("task.list", {"tags": ORSet(["a"]), "steps": ["one"], "n": Counter(5), "deep": {"set": ORSet([1])}})
    bob.create("task.list", {"tags": ORSet(["b"]), "steps": ["two"], "n": Counter(5), "deep": {"set": ORSet([2])}})
    agree(ann, bob)
    merged = ann.get("task.list").plain
    assert merged == bob.get("task.list").plain
    assert merged["tags"] == ["a", "b"]
    assert sorted(merged["steps"]) == ["one", "two"]
    assert merged["n"] == 5
    assert merged["deep"] == {"set": [1, 2]}


def test_undo_on_another_device_and_on_both(device):
    phone, desk = device("phone"), device("desk")
    mine = phone.create("task.milk", MILK)
    mine["n"] += 10
    mine["title"] = "Oat milk"
    agree(phone, desk)
    other = desk.get("task.milk")
    assert other.undo()
    assert other["title"] == "Milk"
    assert mine.undo()  # the same edit, undone on both devices before they meet
    agree(phone, desk)
    assert mine["title"] == other["title"] == "Milk"
    assert other.undo()
    assert mine.undo()
    agree(phone, desk)
    assert mine["n"] == other["n"] == 2
    assert mine.redo()
    agree(phone, desk)
    assert other["n"] == 12


def test_deleting_against_an_edit_that_had_not_seen_it(device):
    ann, bob = device("ann"), device("bob")
    mine = ann.create("task.milk", MILK)
    agree(ann, bob)
    mine.delete()
    theirs = bob.get("task.milk")
    theirs["title"] = "Still wanted"
    agree(ann, bob)
    assert not mine.exists
    assert not theirs.exists
    assert [each.action for each in mine.conflicts().unseen] == ["update"]
    theirs.restore()
    agree(ann, bob)
    assert mine["title"] == "Still wanted"


def test_a_transaction_arrives_whole(device):
    ann, bob = device("ann"), device("bob")
    with ann.transaction():
        ann.create("account.a", {"n": Counter(5)})
        ann.create("account.b", {"n": Counter(0)})
    with ann.transaction():
        ann.document("account.a")["n"].decrement(3)
        ann.document("account.b")["n"].increment(3)
    agree(ann, bob)
    assert [bob.get(item).plain["n"] for item in ("account.a", "account.b")] == [2, 3]


def test_live_typing(device):
    ann, bob = device("ann"), device("bob")
    mine = ann.create("note", {"body": Text("")})
    ann.start()
    bob.start()
    theirs = eventually(lambda: bob.get("note"), what="the document")
    for letter in "hello":
        mine["body"].append(letter)
    eventually(lambda: theirs["body"] == "hello", what="what ann typed")
    theirs["body"].insert(5, " world")
    eventually(lambda: mine["body"] == "hello world", what="what bob typed")
    with pytest.raises(NotFound):
        theirs.at(99)


@pytest.mark.parametrize("seed", range(5))
def test_random_edits_on_three_devices(device, seed):
    dice = random.Random(seed)
    devices = [device(name) for name in ("ann", "bob", "eve")]
    devices[0].create("task.milk", MILK)
    agree(*devices)
    for _ in range(40):
        each = dice.choice(devices)
        roll = dice.random()
        if roll < 0.6:
            with each.document("task.milk").edit() as edit:
                random_edit(dice, edit.editor)
        elif roll < 0.75:
            each.document("task.milk").undo()
        elif roll < 0.8:
            each.document("task.milk").redo()
        else:
            assert not each.sync().errors
    agree(*devices)
    assert len(states(devices, "task.milk")) == 1
    assert not any(each.refused() for each in devices)


def test_edits_of_what_was_removed_meanwhile_can_be_found(device):
    ann, bob = device("ann"), device("bob")
    mine = ann.create("task.milk", {**MILK, "owner": {"name": "Ann"}, "steps": [{"go": 1}]})
    agree(ann, bob)
    theirs = bob.get("task.milk")
    del mine["owner"]
    del mine["steps"][0]
    theirs["owner"]["name"] = "Bob"
    theirs["steps"][0]["go"] = 2
    agree(ann, bob)
    assert "owner" not in mine
    assert [each.node for each in mine.conflicts().unseen] == [bob.node, bob.node]
    assert not mine.conflicts().values
