"""What happens to a replica's documents when its log changes otherwise than at its end, or while they are edited."""

import pytest

import syncline
from syncline import Counter
from syncline.core.documents.settings import POLICIES_ITEM, SET_POLICY
from syncline.core.documents.snapshots import encode
from syncline.core.effects import Apply, Rewind, Settle
from syncline.core.messages import Page
from syncline.errors import ReservedAction
from syncline.replica import Draft
from syncline.replica.documents import library as libraries
from syncline.testing import Author


@pytest.fixture
def notes():
    with syncline.open(None) as replica:
        yield replica


@pytest.fixture
def milk(notes):
    return notes.create("task.milk", {"title": "Milk", "n": Counter(2)})


def arrive(notes, *events, seq=1):
    """What a server would send."""
    entries = [syncline.Entry.of(each, each * 1_000, "r", event) for each, event in enumerate(events, seq)]
    notes.perform(Apply(Page(entries=entries, cursor=f"c{seq}"), ()))


def opened_anew(notes, item):
    """The state of a document as its log tells it."""
    notes.library.let_go(item)
    return encode(notes.document(item).document)


def policy(kind):
    return Author(f"server.{kind}").event(POLICIES_ITEM, SET_POLICY, {"item": "task.*", "policy": kind})


def theirs(title):
    return {"op": "put", "key": "title", "value": "Theirs", "over": [title]}


def title_of(document):
    return document.document.objects[""].slots["title"][0].name


def test_a_policy_judges_what_was_pending_when_it_came(notes, milk):
    arrive(notes, *notes.pending())
    other = Author("other").event("task.milk", ops=[theirs(title_of(milk))])
    milk["title"] = "Mine"
    (mine,) = notes.pending()
    arrive(notes, other, seq=2)
    assert milk.document.overruled == set()
    arrive(notes, policy("server_wins"), mine, seq=3)
    assert milk["title"] == "Theirs"
    assert milk.document.overruled == {mine.id}


def test_a_snapshot_of_what_was_pending_does_not_outlive_its_policy(notes, milk, monkeypatch):
    monkeypatch.setattr(libraries, "STRETCH", 2)
    arrive(notes, *notes.pending())
    other = Author("other").event("task.milk", ops=[theirs(title_of(milk))])
    milk["title"] = "Mine"
    milk["n"] += 1
    arrive(notes, other, seq=2)
    opened_anew(notes, "task.milk")  # with a snapshot
    mine = notes.pending()
    notes.library.let_go("task.milk")
    arrive(notes, policy("server_wins"), *mine, seq=3)
    assert milk.plain == {"title": "Theirs", "n": 3}


def test_policies_that_a_restored_log_has_lost_hold_no_longer(notes, milk):
    created = notes.pending()
    arrive(notes, *created)
    other = Author("other").event("task.milk", ops=[theirs(title_of(milk))])
    arrive(notes, policy("server_wins"), seq=2)
    milk["title"] = "Mine"
    (mine,) = notes.pending()
    notes.perform(Rewind())
    arrive(notes, other, mine, seq=2)
    assert milk.document.overruled == set()
    assert len(milk.conflicts().values) == 1


def test_a_rule_that_comes_late_does_not_hold_longer_than_a_newer_one(notes):
    arrive(notes, policy("manual"), seq=5)
    entry = syncline.Entry.of(3, 3_000, "r", policy("server_wins"))
    notes.perform(Apply(Page(entries=[], late=[entry], cursor="c"), ()))
    assert notes.library._policies.of("task.milk") == "manual"


def test_documents_under_way_stay_in_memory(notes, milk, monkeypatch):
    monkeypatch.setattr(libraries, "LOOKED_AT", 1)
    bread = notes.create("task.bread", {"title": "Bread"})
    notes.library._budget_bytes = 1
    notes.library.let_go()
    with notes.transaction():
        milk["title"] = "Oat"
        bread["title"] = "Rye"
        milk["n"] += 1
    assert (bread.revision, milk.revision) == (2, 2)
    assert milk.plain == {"title": "Oat", "n": 3}
    assert encode(milk.document) == opened_anew(notes, "task.milk")


def test_a_document_under_way_can_be_asked_for_its_revision(notes, milk):
    arrive(notes, *notes.pending())
    other = Author("other").event("task.milk", ops=[theirs(title_of(milk))])
    milk["n"] += 1
    arrive(notes, other, seq=2)
    with notes.transaction():
        milk["title"] = "Both"
        assert milk.revision == 3
    assert milk["title"] == "Both"
    assert encode(milk.document) == opened_anew(notes, "task.milk")


def test_a_draft_that_is_given_up_is_in_no_snapshot(notes, milk, monkeypatch):
    monkeypatch.setattr(libraries, "STRETCH", 2)
    with pytest.raises(ZeroDivisionError), notes.transaction():  # noqa: PT012
        milk["title"] = "Draft"
        for _ in range(3):
            notes.record("task.milk", "seen")
        raise ZeroDivisionError
    assert milk["title"] == "Milk"


def test_a_transaction_falls_as_a_whole_with_what_it_names(notes, milk):
    bread = notes.create("task.bread", {"title": "Bread"})
    arrive(notes, *notes.pending())
    milk["title"] = "Oat"
    (first,) = notes.pending()
    with notes.transaction():
        bread["title"] = "Rye"
        milk["title"] = "Soy"
    bread["title"] = "Spelt"
    notes.record_many([Draft("task.milk", "seen")])
    notes.perform(Settle([(first, ReservedAction("No."))]))
    assert [each.action for each in notes.pending()] == ["seen"]
    assert (milk["title"], bread["title"]) == ("Milk", "Bread")


def test_an_acknowledged_event_is_pending_until_its_entry_comes_or_the_conversation_ends(notes, milk):
    milk["title"] = "Oat milk"
    first, second = notes.pending()
    notes.perform(Settle([(first, 1), (second, 2)]))
    assert (notes.pending(), notes.status.pending) == ([], 2)
    arrive(notes, first)
    assert notes.status.pending == 1
    notes.keep_acks()
    assert notes.status.pending == 0


@pytest.mark.parametrize("is_open", [True, False])
def test_an_older_event_that_a_gift_brings_after_newer_ones_of_its_node_counts(notes, milk, monkeypatch, is_open):
    monkeypatch.setattr(libraries, "STRETCH", 2)
    arrive(notes, *notes.pending())
    first, *later = Author("other").events(4, "task.milk", ops=[{"op": "inc", "in": "/n:counter", "by": 1}])
    arrive(notes, *later, seq=2)
    if not is_open:
        notes.library.let_go("task.milk")
    else:
        assert milk["n"] == 5
    arrive(notes, first, seq=5)
    assert (milk["n"], milk.revision) == (6, 5)
    opened_anew(notes, "task.milk")
    assert [change.seq for change in milk.history()] == [1, 2, 3, 4, 5]
