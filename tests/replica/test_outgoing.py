"""What a replica pushes while what its events name is only heard."""

import random

import pytest

from syncline.replica.outgoing import Heard, outgoing
from syncline.testing import Author


@pytest.fixture
def ann():
    return Author("anns", "ann")


@pytest.fixture
def bob():
    return Author("bobs", "bob")


def naming(author, other, item="task.1", **more):
    """An event that puts something in place of what another event put."""
    author.receive(other.id)
    op = {"op": "put", "key": "title", "value": 1, "over": [f"{other.id}:0"]}
    return author.event(item, "update", ops=[op], **more)


def test_what_names_something_heard_waits_with_what_follows_on_its_item(ann, bob):
    first, theirs = ann.event("task.1"), bob.event("task.1")
    second = naming(ann, theirs)
    third, elsewhere = ann.event("task.1"), ann.event("task.2")
    pending = [first, second, third, elsewhere]
    assert outgoing(pending, Heard([], {theirs.id: "task.1"})) == [first, elsewhere]
    assert outgoing(pending, Heard([], {})) == pending


def test_what_this_user_may_push_goes_in_its_place(ann, bob):
    theirs = bob.event("task.1")
    mine = naming(ann, theirs)
    bob.receive(mine.id)
    later = bob.event("task.1")
    assert outgoing([mine], Heard([later, theirs], {})) == [theirs, mine, later]


def test_a_transaction_waits_whole_and_what_follows_it(ann, bob):
    theirs = bob.event("task.1")
    ann.receive(theirs.id)
    one = ann.event("task.2", meta={"tx": "t"})
    two = naming(ann, theirs, meta={"tx": "t"})
    after, free = ann.event("task.2"), ann.event("task.3")
    assert outgoing([one, two, after, free], Heard([], {theirs.id: "task.1"})) == [free]


def test_other_names_hold_back_nothing(ann, bob):
    named, heard = bob.event("task.1"), bob.event("task.1")
    mine = naming(ann, named)
    said = ann.event("task.2", payload=f"about {heard.id}")
    assert outgoing([mine, said], Heard([], {heard.id: "task.1"})) == [mine, said]


@pytest.mark.parametrize("seed", range(30))
def test_nothing_goes_before_what_it_names(ann, bob, seed):
    """What goes is closed under names; of each item it is the beginning, and transactions go whole or wait whole."""
    chance = random.Random(seed)
    events, theirs = [], {}
    for _ in range(60):
        item, before = f"task.{chance.randrange(4)}", [each for each in events if chance.random() < 0.2]
        if chance.random() < 0.3:
            events.append(bob.event(item))
            theirs[events[-1].id] = item
        else:
            same = [each for each in before if each.item == item]
            more = {"meta": {"tx": f"t{len(events) // 4}"}} if chance.random() < 0.3 else {}
            events.append(naming(ann, same[0], item, **more) if same else ann.event(item, **more))
        (ann if events[-1].user == "bob" else bob).receive(events[-1].id)
    pending = [event for event in events if event.user == "ann"]
    gone = outgoing(pending, Heard([], theirs))
    waiting = [event for event in pending if event not in gone]
    assert [event.id for event in gone] == sorted(event.id for event in gone)
    for event in gone:
        assert not any(id.encode() in event.body for id in theirs)
        assert not any(other.id.encode() in event.body for other in waiting)
        assert not any(other.item == event.item and other.id < event.id for other in waiting)
        assert not any(other.tx == event.tx for other in waiting if event.tx)
