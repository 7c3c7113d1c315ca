"""An event that is erased says nothing any more, and everything that rests on it still stands."""

import os
import random
import re
from typing import Any

import pytest

from syncline.core import gifts
from syncline.core.admission import Ledger, NodeState, Submission
from syncline.core.documents import dependencies, ops, snapshots
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.names import COUNTER, LIST, MAP, SET, TEXT
from syncline.core.documents.undo import Difference, fold_without
from syncline.core.documents.values import open_value
from syncline.core.erasure import (
    ERASE,
    ERASURES,
    SET_ERASABLE,
    Erasures,
    erased,
    erased_entry,
    events_of,
    items_of,
    put_back_by,
    salted,
)
from syncline.core.events import ERASED, Entry, Event
from syncline.core.gifts import Given, Offer, Voucher
from syncline.core.log import Head, extend
from syncline.errors import BadOp, InvalidEvent, MissingDependency
from tests.core.documents.histories import ITEM, history
from tests.core.samples import EPOCH, NOW, RECEIPTS, an_event, an_id

COUNT = int(os.environ.get("HISTORIES", "1000" if "PYTEST_XDIST_WORKER" in os.environ else "200"))
SECRET = "hunter2"


def shape(value: Any) -> Any:
    """A value without what erasing takes."""
    kind, content = open_value(value)
    if kind == MAP:
        return {key: shape(member) for key, member in content.items()}
    if kind == LIST:
        return [shape(member) for member in content]
    return {TEXT: lambda: len(content), COUNTER: lambda: "counter", SET: lambda: "set"}.get(kind, lambda: None)()


def puts(document: Document) -> Any:
    """Which puts stand where, and in what order: all but what they put."""
    found = {}
    for name, each in document.objects.items():
        if each.kind == MAP:
            found[name] = {key: [put[:2] for put in slot] for key, slot in each.slots.items() if slot}
        if each.kind == LIST:
            found[name] = [[put[:2] for put in each.elements[place].puts] for place in sorted(each.elements)]
    return found


@pytest.mark.parametrize("block", range(10))
def test_what_was_erased_keeps_its_shape_in_every_history(block):
    for seed in range(block * COUNT // 10, (block + 1) * COUNT // 10):
        past = history(seed)
        dice = random.Random(seed)
        gone = {event.id for event in past.events if dice.random() < 0.4}
        left = past._replace(events=[erased(event) if event.id in gone else event for event in past.events])
        before, after = past.fold(range(len(past.events))), left.fold(range(len(past.events)))
        assert shape(after.value()) == shape(before.value()), seed
        assert puts(after) == puts(before), seed
        assert (after.clock, after.overruled, after.deletes) == (before.clock, before.overruled, before.deletes)
        other = left.fold(left.order(dice))
        assert snapshots.encode(other) == snapshots.encode(after), seed
        for one, form in zip(past.events, left.events, strict=True):
            assert [ops.size(op) for op in form.changes] == [ops.size(op) for op in one.changes]


def test_members_of_sets_that_others_added_stay_and_those_that_were_taken_stay_away():
    first, second, third, fourth = (an_id(NOW + n, 0, "n1") for n in range(4))

    def event(n: int, id: str, *changes: dict[str, Any]) -> Event:
        return Event.of({**VALUE, "id": id, "clock": {"n1": n}, "ops": list(changes)})

    makes = event(1, first, {"op": "ensure", "key": "s", "kind": "set"}, add("mine", []), add("ours", []))
    again = event(2, second, add("mine", [f"{first}:1"]), add("other", []))
    takes = event(3, third, {"op": "discard", "in": "/s:set", "value": "mine", "over": [f"{second}:0"]})
    keeps = event(4, fourth, add("ours", [f"{first}:2"]))
    document = folded(makes, erased(again), erased(takes), erased(keeps))
    assert document.plain() == {"s": []}
    assert folded(makes, erased(again), takes, keeps).plain() == {"s": ["ours"]}


VALUE = {"action": "edit", "item": ITEM, "node": "n1"}


def add(value: Any, over: list[str]) -> dict[str, Any]:
    return {"op": "add", "in": "/s:set", "value": value, "over": over}


def folded(*events: Event) -> Document:
    document = Document(ITEM)
    for event in events:
        document.fold(event)
    return document


def a_secret() -> Event:
    return an_event(
        3,
        payload={"why": SECRET},
        meta={"salt": SECRET, "group": "g", "undoes": "u", "tx": SECRET},
        ops=[
            {"op": "put", "key": "a", "value": {"b": SECRET, "c": [SECRET, {"$set": [SECRET]}], "d": {"$counter": 7}}},
            {"op": "put", "key": "t", "value": {"$text": SECRET}},
            {"op": "put", "key": "$m", "value": {"$map": {"$x": SECRET}}},
            {"op": "insert", "in": ":11", "text": SECRET},
            {"op": "ensure", "key": "n", "kind": "counter"},
            {"op": "inc", "in": "/n:counter", "by": 5, "once": "k"},
            {"op": "ensure", "key": "s", "kind": "set"},
            {"op": "add", "in": "/s:set", "value": SECRET},
            {"op": "ensure", "key": "l", "kind": "list"},
            {"op": "insert", "in": "/l:list", "values": [SECRET, {"x": SECRET}]},
            {"op": "delete"},
        ],
    )


def test_nothing_that_was_said_is_left():
    event = a_secret()
    form = erased(event)
    assert SECRET in event.body.decode()
    assert SECRET not in form.body.decode()
    assert "ann" not in form.body.decode()
    assert (form.id, form.item, form.node, form.n, form.action) == (event.id, event.item, event.node, 3, ERASED)
    assert form.meta == {"group": "g", "undoes": "u"}
    assert form.ops[0]["value"] == {"b": None, "c": [None, {"$set": []}], "d": {"$counter": 0}}
    assert form.ops[1]["value"] == {"$text": "�" * len(SECRET)}
    assert form.ops[2]["value"] == {"$map": {"$x": None}}
    assert form.ops[7] == {"op": "discard", "in": "/s:set", "over": []}
    assert form.ops[9]["values"] == [None, {"x": None}]
    assert None not in form.changes


def test_erasing_twice_is_erasing_once():
    form = erased(a_secret())
    assert erased(form) is form
    assert not a_secret().is_erased
    assert erased(an_event(1)).meta is erased(an_event(1)).ops


def test_an_erased_entry_carries_the_digest_that_cannot_be_computed_any_more():
    entry = Entry.of(9, NOW, "r" * 24, a_secret())
    form = erased_entry(entry)
    again = Entry.read(form.encoded)
    assert again.encoded == form.encoded
    assert again.event.digest == entry.event.digest == form.event.digest
    assert again.event.body == form.event.body
    assert (again.seq, again.at, again.receipt) == (entry.seq, entry.at, entry.receipt)
    assert Entry.read(entry.encoded).event.digest == entry.event.digest


@pytest.mark.parametrize("digest", ["", "x", "A" * 42, "A" * 44, "é" * 43, "A" * 42 + "B", "*" * 43])
def test_a_digest_that_is_none_is_refused(digest):
    encoded = erased_entry(Entry.of(9, NOW, "r" * 24, a_secret())).encoded.decode()
    start = encoded.index('"digest":"') + len('"digest":"')
    with pytest.raises(InvalidEvent):
        Entry.read((encoded[:start] + digest + encoded[encoded.index('","event"') :]).encode()).event  # noqa: B018


def test_nobody_writes_the_shape_that_erasing_leaves():
    with pytest.raises(BadOp):
        ops.check([{"op": "discard", "over": []}])


def test_what_was_erased_cannot_be_put_back_and_its_null_can():
    first, second = an_id(NOW, 0, "n1"), an_id(NOW + 1, 0, "n1")
    put = Event.of({**VALUE, "id": first, "clock": {"n1": 1}, "ops": [{"op": "put", "key": "a", "value": SECRET}]})
    held = {first: erased(put)}

    def back(value: Any) -> Event:
        op = {"op": "put", "key": "a", "value": value, "again": f"{first}:0", "over": []}
        return Event.of({**VALUE, "id": second, "clock": {"n1": 2}, "ops": [op]})

    assert dependencies.refusal(back(None), held.get) is None
    assert isinstance(dependencies.refusal(back(SECRET), held.get), BadOp)


def test_what_others_do_with_members_that_were_erased_names_nothing_there():
    first, second = an_id(NOW, 0, "n1"), an_id(NOW + 1, 0, "n1")
    made = [{"op": "ensure", "key": "s", "kind": "set"}, add(SECRET, [])]
    held = {first: erased(Event.of({**VALUE, "id": first, "clock": {"n1": 1}, "ops": made}))}
    op = {"op": "discard", "in": "/s:set", "value": SECRET, "over": [f"{first}:1"]}
    takes = Event.of({**VALUE, "id": second, "clock": {"n1": 2}, "ops": [op]})
    assert isinstance(dependencies.refusal(takes, held.get), BadOp)


def test_undo_leaves_alone_what_nobody_knows_any_more():
    first, second, third = (an_id(NOW + n, 0, "n1") for n in range(3))
    makes = Event.of({**VALUE, "id": first, "clock": {"n1": 1}, "ops": [{"op": "ensure", "key": "s", "kind": "set"}]})
    changes = [add(SECRET, []), {"op": "put", "key": "a", "value": SECRET}]
    adds = erased(Event.of({**VALUE, "id": second, "clock": {"n1": 2}, "ops": changes}))
    editor = Editor(folded(makes, adds), third)
    Difference(editor, fold_without(folded(makes), [adds], {adds.id}, ())).touched([adds])
    assert [(op["op"], op["key"]) for op in editor.wire()] == [("del", "a")]


# Acts


def act(seq: int, **payload: Any) -> Event:
    return an_event(seq, item=ERASURES, action=ERASE, payload=payload)


def test_acts_say_what_was_erased_and_when():
    erasures = Erasures()
    one, two, three = an_event(1), an_event(2), an_event(3)
    erasures.note(5, act(5, events=[one.id], items=["a"]))
    erasures.note(9, act(9, events=[two.id]))
    erasures.note(9, act(9, events=[three.id]))
    assert [erasures.has(event) for event in (one, two, three)] == [True, True, False]
    assert [erasures.between(*stretch) for stretch in ((0, 9), (5, 9), (0, 8), (9, 20))] == [[5, 9], [9], [5], []]


@pytest.mark.parametrize("payload", [{}, {"events": "x"}, {"events": [1, None, "a"], "items": {}}])
def test_an_act_of_another_shape_says_what_it_says(payload):
    assert events_of(act(1, **payload)) == (["a"] if payload.get("items") == {} else [])
    assert items_of(act(1, **payload)) == []
    assert events_of(an_event(1, payload=[1])) == []


def test_what_puts_something_back_holds_its_value():
    first, second = an_id(NOW, 0, "n1"), an_id(NOW + 1, 0, "n1")
    puts = [
        {"op": "put", "key": "a", "value": 1, "again": f"{first}:0", "over": []},
        {"op": "put", "key": "b", "value": 1},
        {"op": "put", "key": "b", "value": 1, "again": ":1", "over": []},
    ]
    assert put_back_by(Event.of({**VALUE, "id": second, "clock": {"n1": 2}, "ops": puts})) == {first}
    assert put_back_by(an_event(1)) == set()


# Gifts


def given(*entries: Entry) -> list[Given]:
    return gifts.decode(b"[" + b",".join(entry.encoded for entry in entries) + b"]")


def a_log() -> tuple[Head, list[Entry]]:
    """Two events, the second of which took from a set what the first had added."""
    first = Event.of(
        {**VALUE, "id": an_id(NOW), "user": "ann", "clock": {"n1": 1}, "ops": [SET_OF_SECRETS, add(SECRET, [])]}
    )
    takes = {"op": "discard", "in": "/s:set", "value": SECRET, "over": [f"{first.id}:1"]}
    second = Event.of({**VALUE, "id": an_id(NOW + 1), "user": "ann", "clock": {"n1": 2}, "ops": [takes]})
    head, rows = extend(Head(EPOCH), [first, second], NOW, RECEIPTS)
    return head, [Entry.read(row.encoded) for row in rows]


SET_OF_SECRETS = {"op": "ensure", "key": "s", "kind": "set"}


def a_ledger(head: Head, held: dict[str, Event]) -> Ledger:
    known = {event.key: (n, event.digest) for n, event in enumerate(held.values(), 1)}
    nodes: dict[str, NodeState] = {}
    return Ledger(head, known=known, held=held, nodes=nodes, last_n=lambda *_: 0, last_seq=lambda *_: None, now_ms=NOW)


def test_what_was_erased_is_given_back_in_its_erased_form_and_keeps_its_digest():
    head, entries = a_log()
    gone = [erased_entry(entry) for entry in entries]
    offers = [Offer(entry.event, Voucher.of(EPOCH, entry)) for entry in gone]
    assert [offer.entry.encoded for offer in offers] == [entry.encoded for entry in gone]
    assert [offer.voucher.event(offer.event.body).digest for offer in offers] == [each.event.digest for each in entries]
    gift = given(*gone)
    events = [each.event for each in gift]
    vouched = gifts.vouched(RECEIPTS, EPOCH, gift)
    assert vouched == {entry.event.digest for entry in entries}
    submission = Submission(events, "bob", is_gift=True, vouched=vouched)
    ledger = a_ledger(Head(EPOCH), {})
    assert ledger.submit(submission) == [1, 2]
    assert ledger.nodes["n1"].user == ""
    again, rows = extend(Head(EPOCH), ledger.accepted, NOW, RECEIPTS)
    assert [row.encoded for row in rows] == [entry.encoded for entry in gone]
    assert again == head


def test_an_erased_event_whose_names_are_not_held_waits():
    _, entries = a_log()
    gone = erased_entry(entries[1])
    submission = Submission([gone.event], "bob", is_gift=True, vouched=frozenset([gone.event.digest]))
    (outcome,) = a_ledger(Head(EPOCH), {}).submit(submission)
    assert isinstance(outcome, MissingDependency)
    assert outcome.details["name"] == entries[0].event.id


def test_who_wrote_is_known_again_when_they_say_so():
    _, entries = a_log()
    gone = erased_entry(entries[0]).event
    ledger = a_ledger(Head(EPOCH), {})
    assert ledger.submit(Submission([gone], "bob", is_gift=True, vouched=frozenset([gone.digest]))) == [1]
    more = Event.of({**VALUE, "id": an_id(NOW + 9), "user": "ann", "clock": {"n1": 9}})
    assert ledger.submit(Submission([more], "ann")) == [2]
    assert ledger.nodes["n1"].user == "ann"


CHANGES = {
    "another action": ('".erased"', '"edit"'),
    "not canonical": ('"event":{', '"event":{ '),
    "no item": (f'"item":"{ITEM}",', ""),
    "an op that is none": (r'"ops":\[', '"ops":[1,'),
    "a digest that is none": ('"digest":"[^"]*"', '"digest":"x"'),
    "a number": ('"event":.*', '"event":1}'),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_only_looks_erased_is_refused(change):
    _, entries = a_log()
    text = erased_entry(entries[0]).encoded.decode()
    changed = re.sub(*CHANGES[change], text)
    assert changed != text
    ((_, _, event),) = gifts.decode(f"[{changed}]".encode())
    assert isinstance(event, InvalidEvent)


def test_a_salt_is_random_and_one_that_is_there_stays():
    bits = iter(range(1, 9))
    first, second = salted({}, lambda: next(bits)), salted({"tx": "t"}, lambda: next(bits))
    assert first == {"salt": "AAAAAQAAAAIAAAADAAAABA"}
    assert second == {"tx": "t", "salt": "AAAABQAAAAYAAAAHAAAACA"}
    assert salted({"salt": "mine"}, lambda: next(bits)) == {"salt": "mine"}


def test_what_is_erasable_is_what_was_said_last():
    erasures = Erasures()
    for seq, items in ((3, ["a"]), (4, ["b.*"]), (4, ["c"])):
        erasures.note(seq, an_event(seq, item=ERASURES, action=SET_ERASABLE, payload={"items": items}))
    assert (erasures.erasable, erasures.seqs) == (("b.*",), [])
    assert [erasures.is_erasable(item) for item in ("a", "b.1")] == [False, True]
    assert not Erasures().is_erasable("b.1")
    erasures.note(9, an_event(9, item=ERASURES, action=".other"))
    erasures.note(10, act(10, events=[], deep=True))
    assert (erasures.erasable, erasures.seqs, erasures.deep) == (("b.*",), [10], 10)
