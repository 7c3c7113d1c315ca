"""What ops may name. Examples of every rule, then honest histories, whole and with one name changed."""

import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.core.documents import names, ops
from syncline.core.documents.dependencies import Stub, check, names_of, refusal
from syncline.core.documents.document import Document
from syncline.core.documents.made import made_by
from syncline.core.documents.objects import List, Map, TextObject
from syncline.core.events import Event
from syncline.core.limits import MAX_EVENT_BYTES
from syncline.errors import BadOp, MissingDependency
from tests.core.documents.people import Device, Log, create, random_edit
from tests.core.samples import an_event, an_id


def ev(n: int) -> str:
    """The id of the n-th event."""
    return an_event(n).id


def at(n: int, k: int) -> str:
    return f"{ev(n)}:{k}"


# The first event, and what it makes. Its names: 0 the put, 1 the map, 2 "l", 3 to 5 its elements, 6 the map in the
# last one, 7 "n", 8 "s" the set, 9 "t" the text, 10 to 12 its characters, 13 the put of "x".
BASE = an_event(
    1,
    ops=[
        {
            "op": "put",
            "key": "doc",
            "value": {
                "a": 1,
                "l": ["p", True, {}],
                "n": {"$counter": 1},
                "s": {"$set": [1, [2]]},
                "t": {"$text": "abc"},
            },
        },
        {"op": "put", "key": "x", "value": 1},
    ],
)
MAP, LIST, COUNTER, SET, TEXT = (at(1, k) for k in (1, 2, 7, 8, 9))
PUT, X = at(1, 0), at(1, 13)

# The second event, by op
SECOND = an_event(
    2,
    ops=[
        {"op": "put", "key": "x", "value": 2, "over": [X]},  # 0
        {"op": "del", "key": "x", "over": [":0"]},  # 1
        {"op": "put", "key": "x", "value": 1, "again": X, "over": []},  # 2
        {"op": "ensure", "key": "e", "kind": "map"},  # 3
        {"op": "insert", "in": LIST, "after": at(1, 4), "values": ["q", [7], "r"]},  # 4, elements 5, 6, 9
        {"op": "put", "in": LIST, "elem": at(1, 3), "value": "new"},  # 10
        {"op": "move", "in": LIST, "elem": at(1, 3), "after": at(1, 4)},  # 11
        {"op": "move", "in": LIST, "elem": at(1, 3), "again": at(1, 3), "over": [":11"]},  # 12
        {"op": "del", "in": LIST, "elems": [at(1, 3) + "+2"]},  # 13
        {"op": "insert", "in": TEXT, "after": at(1, 11), "text": "de"},  # 14, characters 15 and 16
        {"op": "del", "in": TEXT, "elems": [at(1, 10) + "+2"]},  # 17
        {"op": "put", "in": TEXT, "elems": [at(1, 10)]},  # 18
        {"op": "add", "in": SET, "value": 3},  # 19
        {"op": "discard", "in": SET, "value": [2], "over": [SET]},  # 20
        {"op": "inc", "in": COUNTER, "by": 2},  # 21
        {"op": "delete"},  # 22
        {"op": "restore", "over": [":22"]},  # 23
        {"op": "put", "value": {"whole": True}},  # 24, the map 25
        {"op": "put", "in": ":25", "key": "inner", "value": []},  # 26, the list 27
        {"op": "ensure", "kind": "list"},  # 28
        {"op": "put", "in": MAP, "key": "l", "value": 5, "over": [MAP]},  # 29
        {"op": "put", "key": "y", "value": [{"deep": []}]},  # 30, list 31, element 32, map 33, list 34
    ],
)
EMPTY = an_event(3, payload="no ops")
ELSEWHERE = an_event(4, item="task.bread", ops=[{"op": "put", "key": "x", "value": {}}])
ERASED = an_event(5)
UNREADABLE = Event.read(an_event(6).body.replace(b'"user"', b'"ops":[{"op":"sing"}],"user"'))
ODD = Event.read(an_event(7).body.replace(b'"user"', b'"ops":[{"op":"put","key":"x","value":{"$x":1}}],"user"'))
UNKNOWN, LATER = at(8, 0), at(200, 0)
HELD: dict[str, Any] = {e.id: e for e in (BASE, SECOND, EMPTY, ELSEWHERE, UNREADABLE, ODD)}
HELD |= {ERASED.id: Stub("task.milk"), an_id(counter=9): Stub("task.bread")}


def of(*given_ops: dict[str, Any]) -> Event:
    return an_event(100, ops=list(given_ops))


def put(key: str = "x", value: Any = 1, **more: Any) -> dict[str, Any]:
    return {"op": "put", "key": key, "value": value, **more}


def back(key: str, object: str, again: str, **more: Any) -> dict[str, Any]:
    return {"op": "put", "key": key, "object": object, "again": again, **more}


def within(name: str, **op: Any) -> dict[str, Any]:
    return {"in": name, **op}


GOOD = [
    [put(), {"op": "delete"}],
    [put(over=[X]), {"op": "del", "key": "x", "over": [X, at(2, 0), at(2, 1), at(2, 2), ":0"]}],
    [put(), put(value=2, over=[":0"]), put(value=1, again=":0", over=[":1"])],
    [put(again=X), put(value=2, again=at(2, 0))],
    [within(MAP, **put("a", 2, over=[MAP])), within(MAP, **put("a", 1, again=MAP))],
    [back("doc", MAP, PUT), within(MAP, **back("l", LIST, MAP)), back("e", "/e:map", at(2, 3))],
    [within("/e:map", **put()), within("/new:map/a~1b:map", **put()), within(MAP + "/k:map", **put())],
    [within("/k:list", op="insert", values=[1]), within("/k:text", op="insert", text="a")],
    [within("/k:set", op="add", value=1), within("/k:counter", op="inc", by=1)],
    [within(":list", op="insert", values=[1]), within(":text", op="insert", text="a")],
    [{"op": "ensure", "key": "e", "kind": "map", "over": [at(2, 3)]}, within(MAP, op="ensure", key="l", kind="list")],
    [{"op": "ensure", "kind": "text", "over": [at(2, 24), at(2, 28)]}, {"op": "del", "over": [at(2, 28), ":0"]}],
    [{"op": "put", "object": at(2, 25), "again": at(2, 24)}, {"op": "put", "object": ":list", "again": at(2, 28)}],
    [within(LIST, op="insert", values=[1]), within(LIST, op="insert", values=[2], after=":1")],
    [within(LIST, op="insert", values=[1], after=at(2, 11)), within(LIST, op="insert", values=[1], after=at(2, 9))],
    [within(LIST, op="move", elem=at(1, 3), after=at(2, 11), over=[at(2, 12), at(1, 3)])],
    [within(LIST, op="move", elem=at(1, 3), again=at(2, 11)), within(LIST, op="move", elem=at(2, 9), again=at(2, 9))],
    [within(LIST, op="put", elem=at(1, 4), value=True, again=at(1, 4), over=[at(1, 4), at(2, 13)])],
    [within(LIST, op="put", elem=at(1, 3), value="new", again=at(2, 10), over=[at(2, 10)])],
    [within(LIST, op="put", elem=at(1, 5), object=at(1, 6), again=at(1, 5))],
    [within(LIST, op="del", elems=[at(1, 3) + "+3", at(2, 5) + "+2", at(2, 9)], over=[at(2, 10), at(1, 5)])],
    [within(at(2, 7), op="insert", values=[8], after=at(2, 8)), within(at(2, 34), op="insert", values=[8])],
    [within(TEXT, op="insert", text="f", after=at(1, 12)), within(TEXT, op="insert", text="f", after=at(2, 16))],
    [within(TEXT, op="del", elems=[at(1, 10) + "+3", at(2, 15)], over=[at(2, 18), at(1, 10), at(2, 17)])],
    [within(TEXT, op="put", elems=[at(1, 10), at(1, 11) + "+2"], over=[at(2, 18)])],
    [within(SET, op="add", value=3, over=[at(2, 19)]), within(SET, op="discard", value=1, over=[SET])],
    [within(SET, op="discard", value=[2], over=[SET, at(2, 20)]), within(COUNTER, op="inc", by=1, once="o")],
    [{"op": "delete"}, {"op": "restore", "over": [":0", at(2, 22)]}],
    # An event that is held without its content, and what an earlier version may have taken
    [within(at(5, 3), **put(over=[at(5, 9)])), within(at(5, 3) + "/k:text", op="insert", text="a", after=at(5, 4))],
    [within(LIST, op="move", elem=at(5, 1), again=at(5, 2)), within(TEXT, op="del", elems=[at(5, 1) + "+9"])],
    [put(again=at(5, 1)), back("x", at(5, 2), at(5, 1)), within(at(5, 3), op="del", elems=[at(5, 4)])],
    [put(over=[at(6, 0), at(7, 5)])],
]


@pytest.mark.parametrize("good", GOOD)
def test_what_may_be_named(good):
    check(of(*good), HELD.get)


BAD = [
    # Names
    (put(over=[at(100, 0)]), "its own event's"),
    (put(over=[LATER]), "comes later"),
    (within(LATER + "/k:map", **put()), "comes later"),
    (put(over=[":0"]), "not made before"),
    (put(value={}, over=[":1"]), "not made before"),
    (put(over=[at(1, 14)]), "was not made"),
    (put(over=[at(3, 0)]), "was not made"),
    (within(TEXT, op="del", elems=[at(1, 99999)]), "names no elements"),
    (put(over=[at(4, 0)]), "another item"),
    (within(at(4, 1), **put()), "another item"),
    (put(over=[f"{an_id(counter=9)}:0"]), "another item"),
    # Objects
    (within(PUT, **put()), "is no object"),
    (within(at(1, 3), **put()), "is no object"),
    *[(within(name, **put()), "is no map") for name in (LIST, TEXT, SET, COUNTER, ":list", "/k:set")],
    *[
        (within(name, **op), "is no ")
        for op, kind in [
            ({"op": "del", "key": "x", "over": []}, "map"),
            ({"op": "ensure", "key": "x", "kind": "map"}, "map"),
            ({"op": "insert", "values": [1]}, "list"),
            ({"op": "put", "elem": at(1, 3), "value": 1}, "list"),
            ({"op": "move", "elem": at(1, 3)}, "list"),
            ({"op": "insert", "text": "a"}, "text"),
            ({"op": "put", "elems": [at(1, 10)]}, "text"),
            ({"op": "inc", "by": 1}, "counter"),
            ({"op": "add", "value": 1}, "set"),
            ({"op": "discard", "value": 1, "over": []}, "set"),
        ]
        for other, name in [("map", MAP), ("list", LIST), ("text", TEXT), ("counter", COUNTER), ("set", SET)]
        if other != kind
    ],
    *[({"op": "del", "elems": [at(1, 3)], "in": name}, "is no text or list") for name in ("", MAP, COUNTER, SET)],
    (within(LIST + "/k:map", **put()), "lies in no map"),
    (within("/k:text/k:map", **put()), "lies in no map"),
    (within(":list/k:map", **put()), "lies in no map"),
    (within(X + "/k:map", **put()), "is no object"),
    # Elements
    (within(LIST, op="put", elem=at(1, 2), value=1), "is no element"),
    (within(LIST, op="put", elem=at(1, 10), value=1), "is no element"),
    (within(LIST, op="put", elem=at(2, 8), value=1), "is no element"),
    (within(LIST, op="move", elem=at(2, 11)), "is no element"),
    (within(LIST, op="insert", values=[1], after=at(2, 12)), "is no element"),
    (within(LIST, op="insert", values=[1], after=at(2, 4)), "is no element"),
    (within(LIST, op="insert", values=[1], after=at(2, 8)), "is no element"),
    (within(at(2, 7), op="insert", values=[1], after=at(2, 11)), "elsewhere"),
    (within(LIST, op="del", elems=[at(1, 3) + "+4"]), "names no elements"),
    (within(LIST, op="del", elems=[at(2, 5) + "+3"]), "names no elements"),
    (within(LIST, op="del", elems=[at(2, 8)]), "names no elements"),
    (within(TEXT, op="del", elems=[at(1, 9)]), "names no elements"),
    (within(TEXT, op="del", elems=[at(1, 12) + "+2"]), "names no elements"),
    (within(TEXT, op="put", elems=[at(1, 3)]), "names no elements"),
    (within(TEXT, op="insert", text="a", after=at(1, 3)), "is no element"),
    # What was overwritten
    (put(over=[PUT]), "did not write"),
    (put(over=[MAP]), "did not write"),
    (put(over=[at(1, 3)]), "did not write"),
    (put("l", over=[MAP]), "did not write"),
    (put("x", over=[at(2, 24)]), "did not write"),
    ({"op": "put", "value": 1, "over": [X]}, "did not write"),
    (within(MAP, **put("x", over=[X])), "did not write"),
    (within(MAP, **put("gone", over=[MAP])), "did not write"),
    (within(at(1, 6), **put("a", over=[MAP])), "did not write"),
    (within(LIST, op="put", elem=at(1, 4), value=1, over=[at(1, 3)]), "did not write"),
    (within(LIST, op="put", elem=at(1, 4), value=1, over=[at(2, 11)]), "did not write"),
    (within(LIST, op="put", elem=at(1, 5), value=1, over=[at(2, 13)]), "did not write"),
    (within(LIST, op="move", elem=at(1, 4), over=[at(2, 11)]), "did not write"),
    (within(LIST, op="move", elem=at(1, 3), over=[at(2, 10)]), "did not write"),
    (within(TEXT, op="del", elems=[at(1, 11)], over=[at(2, 18)]), "did not write"),
    (within(TEXT, op="del", elems=[at(2, 15)], over=[at(2, 18)]), "did not write"),
    (within(TEXT, op="del", elems=[at(1, 11)], over=[at(1, 12)]), "did not write"),
    (within(SET, op="add", value=4, over=[at(2, 19)]), "did not write"),
    (within(SET, op="add", value=True, over=[SET]), "did not write"),
    (within(SET, op="add", value=3, over=[at(2, 21)]), "did not write"),
    ({"op": "restore", "over": [X]}, "did not write"),
    ({"op": "restore", "over": [MAP]}, "did not write"),
    ({"op": "restore", "over": [at(1, 3)]}, "did not write"),
    # What is put back
    (put(value=2, again=X), "something else"),
    (put(value=True, again=X), "something else"),
    (put(value="1", again=X), "something else"),
    (put(value=None, again=at(2, 1)), "something else"),
    (put(value=1, again=PUT), "did not put"),
    (put(value=1, again=at(2, 2)), "did not put"),
    (within(MAP, **put("a", True, again=MAP)), "something else"),
    (within(MAP, **put("l", 1, again=MAP)), "something else"),
    (back("doc", LIST, PUT), "something else"),
    (back("doc", at(100, 1), PUT), "its own event's"),
    (back("doc", X, PUT), "is no object"),
    (back("x", MAP, X), "something else"),
    (back("e", "/e:text", at(2, 3)), "something else"),
    (within(LIST, op="put", elem=at(1, 3), value="old", again=at(2, 10)), "something else"),
    (within(LIST, op="put", elem=at(1, 3), value=True, again=at(1, 4)), "did not put"),
    (within(LIST, op="put", elem=at(1, 3), value=None, again=at(2, 13)), "something else"),
    (within(LIST, op="move", elem=at(1, 3), again=at(2, 12)), "did not put"),
    (within(LIST, op="move", elem=at(1, 4), again=at(2, 11)), "did not put"),
    (within(LIST, op="move", elem=at(1, 4), again=at(1, 3)), "did not put"),
]


@pytest.mark.parametrize(("op", "why"), BAD)
def test_what_may_not_be_named(op, why):
    with pytest.raises(BadOp, match=re.escape(why)) as caught:
        check(of(put("first"), op) if ":0" not in op.get("over", ()) else of(op), HELD.get)
    assert caught.value.details == {"index": caught.value.details["index"]}


@pytest.mark.parametrize(
    ("op", "name"),
    [
        (put(over=[X, UNKNOWN]), UNKNOWN),
        (put(again=UNKNOWN), UNKNOWN),
        (back("x", UNKNOWN, X), UNKNOWN),
        (within(UNKNOWN, **put()), UNKNOWN),
        (within(UNKNOWN + "/a:map/b:map", **put()), UNKNOWN),
        (within(LIST, op="insert", values=[1], after=UNKNOWN), UNKNOWN),
        (within(LIST, op="move", elem=UNKNOWN), UNKNOWN),
        (within(TEXT, op="del", elems=[at(1, 10), UNKNOWN + "+7"]), UNKNOWN),
        ({"op": "restore", "over": [UNKNOWN]}, UNKNOWN),
    ],
)
def test_what_is_not_held_is_named(op, name):
    with pytest.raises(MissingDependency) as caught:
        check(of(put("first"), op), HELD.get)
    assert caught.value.details == {"index": 1, "name": name}


def test_the_names_of_an_event_are_the_others_it_needs():
    assert names_of(EMPTY) == names_of(BASE) == set()
    assert names_of(SECOND) == {BASE.id}
    several = of(
        within(at(1, 2) + "/k:list", op="move", elem=at(2, 1), after=at(3, 1), over=[at(4, 1), ":0"]),
        within(TEXT, op="del", elems=[at(5, 1) + "+2", ":7"]),
        back("x", at(6, 1), at(7, 1)),
        within("/k:map", **put()),
    )
    assert names_of(several) == {ev(n) for n in range(1, 8)}
    assert names_of(UNREADABLE) == set()
    check(UNREADABLE, HELD.get)
    check(EMPTY, HELD.get)


def test_a_refusal_is_what_check_raises():
    assert refusal(of(put()), HELD.get) is None
    assert isinstance(refusal(of(put(over=[UNKNOWN])), HELD.get), MissingDependency)


def test_a_long_stretch_costs_what_a_short_one_does():
    """An event that names many elements many times over is judged by its length, not by what it names."""
    many = an_event(1, ops=[{"op": "ensure", "kind": "list"}, within(":list", op="insert", values=[1] * 30_000)])
    op = within(":list", op="del", elems=[at(1, 2) + "+30000"])
    event = of(*[op] * (MAX_EVENT_BYTES // 120))
    runs = made_by(many)
    assert runs is not None
    assert runs.run(2) is runs.run(30_001)
    check(event, {many.id: many}.get)


# Honest histories


def a_history(seed: int, length: int = 12) -> list[Event]:
    """The log of three devices that edit, undo, redo and restore."""
    dice, log = random.Random(seed), Log()
    devices = [Device(log, user, node) for user, node in (("ann", "a1"), ("ann", "a2"), ("bob", "b1"))]
    devices[0].make(create)
    for device in devices:
        device.sync()
    for _ in range(length):
        device = dice.choice(devices)
        roll = dice.random()
        if roll < 0.6:
            device.edit(lambda editor: random_edit(dice, editor))
        elif roll < 0.75:
            device.undo()
        elif roll < 0.85:
            device.redo()
        elif roll < 0.9:
            device.restore(dice.randint(1, len(device.events)))
        else:
            device.sync()
    for device in devices:
        device.sync()
    return log.events


@settings(max_examples=2 * settings.default.max_examples)
@given(st.integers(0, 10**6))
def test_honest_editing_is_accepted(seed):
    held: dict[str, Event] = {}
    for event in a_history(seed):
        event = Event.read(event.body)
        assert names_of(event) <= held.keys()
        check(event, held.get)
        held[event.id] = event


class Seen:
    """The names of all puts that ever stood, by slot, as the fold tells them."""

    def __init__(self) -> None:
        self.names: dict[tuple[str, Any], set[str]] = {}

    def before(self, target: Any) -> None:
        pass

    def slot(self, target: Any, key: str, before: Any, after: Any) -> None:
        place = ("top" if target.birth is None else target.name, key)
        self.names.setdefault(place, set()).update(put.name for put in (*before, *after))

    def element(self, target: Any, element: Any, before: Any) -> None:
        self.names.setdefault((target.name, element.place), set()).update(put.name for put in element.puts)


NAME = re.compile(r'(?<=[\[:,])"(?:[0-9a-f-]{36})?:[0-9]+')


@settings(max_examples=5 * settings.default.max_examples)
@given(st.integers(0, 10**6), st.data())
def test_a_changed_name_is_refused_or_fits(seed, data):
    *before, last = a_history(seed, 8)
    held = {event.id: event for event in before}
    body = last.body.decode()
    found = list(NAME.finditer(body))
    if not found:
        return
    match = data.draw(st.sampled_from(found))
    maker = data.draw(st.sampled_from([*held, "", an_id()]))
    changed = f'"{maker}:{data.draw(st.integers(0, 40))}'
    event = Event.read((body[: match.start()] + changed + body[match.end() :]).encode())
    if refusal(event, held.get) is not None:
        return
    document, seen = Document(event.item), Seen()
    for each in before:
        document.fold(each, observer=seen)
    for op in event.changes:
        assert_fits(document, seen, held, op)


def assert_fits(document: Document, seen: Seen, held: dict[str, Event], op: Any) -> None:
    """An op that was accepted finds what it names in the folded document (but for what its own event made)."""
    if op.inside and names.maker(op.inside) is None:
        return
    target = document.find(op.inside)
    assert isinstance(target, {ops.Insert: (List, TextObject), ops.Ensure: Map, ops.Move: List}.get(type(op), object))
    for name in (getattr(op, "elem", None), getattr(op, "after", None)):
        if isinstance(name, str) and name[0] != ":":
            assert isinstance(target, List | TextObject)
            place = document.place(name)
            assert place is not None
            assert target.sequence.holds(place)
    if isinstance(target, Map) and isinstance(getattr(op, "key", None), str):
        stood = seen.names.get((target.name, op.key), set())
        for name in op.over or ():
            maker = held.get(name[:36])
            assert name in stood or name == target.name or name[0] == ":" or _is_del(maker, name, op.key)


def _is_del(maker: Event | None, name: str, key: str) -> bool:
    thing = made_by(maker).at(int(name[37:])) if maker else None
    return isinstance(thing.op, ops.Del) and thing.op.key == key
