"""What each op does to a document, case by case: the examples behind ``spec/DOCUMENTS.md``."""

from typing import Any

import pytest

from syncline.core.documents import snapshots
from syncline.core.documents.document import Document
from syncline.core.documents.policies import SERVER_WINS
from syncline.core.events import Event
from tests.core.samples import NOW, an_id

ITEM = "task.milk"


def name(n: int, k: int, node: str = "n1") -> str:
    """What the n-th event made as its k-th."""
    return f"{an_id(NOW + n, 0, node)}:{k}"


def an_event(n: int, *changes: Any, node: str = "n1") -> Event:
    """The n-th event; nobody has checked its ops."""
    return Event(action="edit", clock={node: n}, id=name(n, 0, node)[:36], item=ITEM, node=node, ops=list(changes))


def folded(*events: list[dict[str, Any]], policy: str = "merge") -> Document:
    """The document of events with these ops."""
    document = Document(ITEM)
    for n, changes in enumerate(events, 1):
        document.fold(an_event(n, *changes), policy=policy)
    return document


def conflicts(document: Document) -> list[Any]:
    return [[list(path), shown, [list(other) for other in others]] for path, shown, others in document.conflicts()]


FIRST = [
    {"op": "put", "key": "text", "value": {"$text": "abc"}},
    {"op": "put", "key": "list", "value": [1, 2]},
    {"op": "put", "key": "set", "value": {"$set": [1, 2]}},
    {"op": "put", "key": "count", "value": {"$counter": 2}},
]
TEXT, LIST, SET, COUNT = name(1, 1), name(1, 6), name(1, 10), name(1, 12)
SHOWN = {"text": {"$text": "abc"}, "list": [1, 2], "set": {"$set": [1, 2]}, "count": {"$counter": 2}}


# What does not fit, or does not read, does nothing

UNREADABLE = [
    {},
    {"op": 5},
    {"op": "frob"},
    {"op": "put", "key": "x"},
    {"op": "put", "key": "x", "value": 1, "more": 2},
    {"op": "put", "key": 5, "value": 1},
    {"op": "put", "key": "x" * 1025, "value": 1},
    {"op": "put", "in": "/a:zzz", "key": "x", "value": 1},
    {"op": "put", "in": ":map", "key": "x", "value": 1},
    {"op": "put", "in": "/a:map" * 64, "key": "x", "value": 1},
    {"op": "put", "in": "/a:map" * 10_000, "key": "x", "value": 1},
    {"op": "put", "in": LIST, "elem": "nonsense", "value": 1},
    {"op": "put", "in": LIST, "elem": name(1, 7), "key": "x", "value": 1},
    {"op": "put", "in": LIST, "value": 1},
    {"op": "put", "key": "x", "value": 1, "again": "nonsense"},
    {"op": "put", "key": "x", "value": {}, "again": name(1, 0)},
    {"op": "put", "key": "x", "value": 1, "object": TEXT, "again": name(1, 0)},
    {"op": "put", "key": "text", "object": TEXT},
    {"op": "put", "key": "text", "object": "nonsense", "again": name(1, 0)},
    {"op": "put", "key": "x", "value": {"$foo": 1}},
    {"op": "put", "key": "x", "value": {"$text": 1}},
    {"op": "put", "key": "x", "value": [{"$counter": 1.5}]},
    {"op": "put", "key": "x", "value": {"a": {"$text": "", "b": 1}}},
    {"op": "put", "in": TEXT, "elems": [name(1, 2)], "value": 1},
    {"op": "put", "in": TEXT, "elems": ["nonsense+1"]},
    {"op": "del", "key": "text"},
    {"op": "del", "in": LIST, "over": []},
    {"op": "del", "in": LIST, "key": "x", "elems": [], "over": []},
    {"op": "del", "in": TEXT, "elems": [name(1, 2) + "+99999"]},
    {"op": "del", "in": TEXT, "elems": [name(1, 2) + "+65535"]},
    {"op": "del", "in": TEXT, "elems": [name(1, 2)[:-1] + "65536"]},
    {"op": "ensure", "key": "x", "kind": "zzz"},
    {"op": "ensure", "kind": "zzz"},
    {"op": "ensure", "in": LIST, "kind": "map"},
    {"op": "insert", "in": TEXT, "after": "nonsense", "text": "x"},
    {"op": "insert", "in": TEXT, "text": "x", "values": []},
    {"op": "insert", "in": LIST},
    {"op": "insert", "in": LIST, "values": [{"$set": 1}]},
    {"op": "move", "in": LIST, "elem": name(1, 7) + "+2"},
    {"op": "move", "in": LIST, "elem": name(1, 7), "after": name(1, 8), "again": name(1, 7)},
    {"op": "inc", "in": COUNT, "by": 2**53},
    {"op": "inc", "in": COUNT, "by": 1.5},
    {"op": "inc", "in": COUNT, "by": 1, "once": ""},
    {"op": "discard", "in": SET, "value": 1},
    {"op": "delete", "in": LIST},
    {"op": "restore"},
]

NOWHERE = name(9, 0, "n9")
UNFIT = [
    {"op": "put", "in": TEXT, "key": "x", "value": 1},
    {"op": "put", "in": NOWHERE, "key": "x", "value": 1},
    {"op": "put", "in": "/a:map" * 63, "key": "x", "value": {}},
    {"op": "put", "key": "x", "object": TEXT, "again": name(1, 0)},
    {"op": "put", "key": "x", "object": NOWHERE, "again": name(1, 0)},
    {"op": "put", "in": LIST, "elem": name(1, 6), "value": 3},
    {"op": "put", "in": LIST, "elem": NOWHERE, "value": 3},
    {"op": "put", "in": TEXT, "elem": name(1, 2), "value": 3},
    {"op": "put", "in": LIST, "elems": [name(1, 7)]},
    {"op": "put", "in": TEXT, "elems": [NOWHERE, name(1, 9)]},
    {"op": "del", "in": LIST, "key": "0", "over": []},
    {"op": "del", "key": "x", "over": [NOWHERE]},
    {"op": "del", "in": SET, "elems": [name(1, 7)]},
    {"op": "del", "in": LIST, "elems": [NOWHERE, name(1, 9) + "+4"]},
    {"op": "del", "in": TEXT, "elems": [NOWHERE]},
    {"op": "ensure", "in": LIST, "key": "x", "kind": "map"},
    {"op": "ensure", "in": "/a:map" * 63, "key": "x", "kind": "map"},
    {"op": "insert", "in": LIST, "text": "x"},
    {"op": "insert", "in": TEXT, "values": [1]},
    {"op": "insert", "in": TEXT, "text": ""},
    {"op": "insert", "in": LIST, "values": []},
    {"op": "insert", "in": LIST, "after": NOWHERE, "values": [1]},
    {"op": "insert", "in": LIST, "after": name(1, 2), "values": [1]},
    {"op": "insert", "in": TEXT, "after": name(1, 7), "text": "x"},
    {"op": "insert", "in": NOWHERE, "text": "x"},
    {"op": "move", "in": LIST, "elem": NOWHERE},
    {"op": "move", "in": TEXT, "elem": name(1, 2)},
    {"op": "move", "in": LIST, "elem": name(1, 7), "after": name(1, 2)},
    {"op": "move", "in": LIST, "elem": name(1, 7), "after": NOWHERE},
    {"op": "move", "in": LIST, "elem": name(1, 7), "again": name(1, 8)},
    {"op": "move", "in": LIST, "elem": name(1, 7), "again": name(1, 2)},
    {"op": "move", "in": LIST, "elem": name(1, 7), "again": NOWHERE},
    {"op": "inc", "in": LIST, "by": 1},
    {"op": "inc", "in": COUNT, "by": 0},
    {"op": "add", "in": COUNT, "value": 1},
    {"op": "add", "value": 1},
    {"op": "discard", "in": SET, "value": 1, "over": [NOWHERE]},
    {"op": "discard", "in": SET, "value": 7, "over": []},
    {"op": "restore", "over": [NOWHERE]},
]


@pytest.mark.parametrize("policy", ["merge", "server_wins"])
@pytest.mark.parametrize(
    "op", [*UNREADABLE, *UNFIT], ids=[f"{n} {op.get('op')}" for n, op in enumerate(UNREADABLE + UNFIT)]
)
def test_what_does_not_fit_does_nothing(op, policy):
    document = folded(FIRST)
    assert document.value() == SHOWN
    assert not document.fold(an_event(2, op), policy=policy)
    assert document.value() == SHOWN
    assert conflicts(document) == []
    assert snapshots.decode(ITEM, snapshots.encode(document)).value() == SHOWN


@pytest.mark.parametrize("op", UNREADABLE, ids=[f"{n} {op.get('op')}" for n, op in enumerate(UNREADABLE)])
def test_what_does_not_read_takes_no_name(op):
    document = folded(FIRST, [op, {"op": "put", "key": "x", "value": 1}])
    assert document.objects[""].slots["x"][0].name == name(2, 0)


def test_what_does_not_fit_takes_its_names():
    document = folded(FIRST, [{"op": "put", "in": NOWHERE, "key": "x", "value": {"a": [1]}}, {"op": "delete"}])
    assert document.deletes == {name(2, 4)}


def test_an_event_is_folded_once():
    document, event = Document(ITEM), an_event(1, {"op": "ensure", "key": "n", "kind": "counter"})
    more = an_event(2, {"op": "inc", "in": "/n:counter", "by": 1})
    assert document.fold(event)
    assert document.fold(more)
    assert not document.fold(more)
    assert not document.fold(event)
    assert document.plain() == {"n": 1}


def test_an_event_without_ops_makes_no_document():
    document = Document(ITEM)
    assert not document.fold(Event(action="seen", clock={"n1": 1}, id=name(1, 0)[:36], item=ITEM, node="n1"))
    assert not document.fold(an_event(2))
    assert document.value() is None
    assert document.clock == {"n1": 2}


# Depth


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(("depth", "fits"), [(60, True), (61, True), (62, True), (63, True), (64, False), (70, False)])
def test_objects_nest_sixty_four_deep(depth, fits):
    document = folded([{"op": "put", "key": "x", "value": nested(depth)}, {"op": "put", "key": "y", "value": 1}])
    assert ("x" in document.value()) == fits
    assert document.value()["y"] == 1


def test_elements_nest_sixty_four_deep_too():
    document = folded([{"op": "put", "key": "x", "value": []}, {"op": "insert", "in": ":1", "values": [nested(62)]}])
    assert document.value() == {"x": [nested(62)]}
    document.fold(an_event(2, {"op": "insert", "in": name(1, 1), "values": [1, nested(63)]}))
    assert document.value() == {"x": [nested(62)]}


# Policies


def test_an_event_may_write_a_slot_twice():
    document = folded(
        [{"op": "put", "key": "a", "value": 1}],
        [
            {"op": "put", "key": "a", "value": 2, "over": [name(1, 0)]},
            {"op": "put", "key": "a", "value": 3, "over": [":0"]},
        ],
        policy=SERVER_WINS,
    )
    assert document.value() == {"a": 3}
    assert document.overruled == set()


@pytest.mark.parametrize(
    "op",
    [
        {"op": "put", "key": "text", "value": 1},
        {"op": "del", "key": "text", "over": []},
        {"op": "ensure", "key": "text", "kind": "text"},
        {"op": "put", "in": LIST, "elem": name(1, 7), "value": 1},
        {"op": "del", "in": LIST, "elems": [name(1, 8), name(1, 7)]},
        {"op": "move", "in": LIST, "elem": name(1, 8)},
    ],
    ids=["put", "del", "ensure", "put elem", "del elems", "move"],
)
def test_the_server_overrules_what_leaves_a_put_unnamed(op):
    """As a whole, and with it what changes the objects it made; but what it inserted can still be named."""
    before = [
        {"op": "put", "in": LIST, "elem": name(1, 7), "value": "first"},
        {"op": "move", "in": LIST, "elem": name(1, 8)},
    ]
    event = an_event(1, op, {"op": "insert", "in": LIST, "values": ["gone", {"a": 1}, []]}, node="n2")
    document = folded(FIRST, before, policy=SERVER_WINS)
    shown = document.value()
    assert not document.fold(event, policy=SERVER_WINS)
    assert document.overruled == {event.id}
    assert document.value() == shown
    after = f"{event.id}:2"  # the op, the other op, "gone"
    document.fold(an_event(3, {"op": "insert", "in": LIST, "after": after, "values": ["after"]}), policy=SERVER_WINS)
    assert document.value()["list"] == [2, "first", "after"]
    for n, lost in enumerate([{"in": f"{event.id}:4", "key": "a"}, {"in": LIST, "elem": after}], 4):
        document.fold(an_event(n, {"op": "put", **lost, "value": 2}, {"op": "delete"}))
    assert document.value()["list"] == [2, "first", "after"]
    assert len(document.overruled) == 3


def test_what_merges_is_never_overruled():
    document = folded(
        FIRST,
        [{"op": "insert", "in": TEXT, "text": "x"}, {"op": "del", "in": TEXT, "elems": [name(1, 2)]}],
        [{"op": "put", "in": TEXT, "elems": [name(1, 2)]}, {"op": "insert", "in": LIST, "values": [0]}],
        [{"op": "inc", "in": COUNT, "by": 1}, {"op": "add", "in": SET, "value": 3}],
        [{"op": "discard", "in": SET, "value": 3, "over": []}, {"op": "delete"}],
        policy=SERVER_WINS,
    )
    assert document.overruled == set()
    assert document.deletes == {name(5, 1)}


# Objects show only where they were born


def test_a_text_that_reads_like_a_name_is_no_object():
    document = folded(
        [{"op": "ensure", "key": "a", "kind": "map"}, {"op": "put", "in": "/a:map", "key": "b", "value": 1}],
        [{"op": "put", "key": "a", "value": "/a:map", "over": [name(1, 0)]}],
    )
    assert document.value() == {"a": "/a:map"}
    assert not document.is_visible(document.objects["/a:map"])


def test_the_document_can_be_anything():
    document = folded(
        [{"op": "put", "value": [1, [2]]}],
        [{"op": "put", "value": "x"}],
        [{"op": "put", "object": name(1, 1), "again": name(1, 0), "over": [name(2, 0)]}],
    )
    assert document.value() == [1, [2]]
    assert conflicts(document) == []
    assert document.path(document.objects[name(1, 4)]) == [1]
    document.fold(an_event(4, {"op": "put", "value": None}))
    assert document.value() is None
    assert document.exists
    assert conflicts(document) == [[[], name(4, 0), [[name(3, 0), [1, [2]]], [name(1, 0), [1, [2]]]]]]
    document.fold(an_event(5, {"op": "del", "over": [name(4, 0), name(3, 0), name(1, 0)]}))
    assert document.value() == {}
