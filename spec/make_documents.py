"""Writes ``spec/vectors/documents/*.json``: stories of one document, and what comes of them.

Every case says itself what it shows; this program refuses to write one that does not. The rest (without marks,
conflicts, canonical bytes) is what Syncline makes of it. Old cases stay for ever; new ones are added here, then

    python spec/make_documents.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from syncline.core.documents import ops, snapshots
from syncline.core.documents.document import Document
from syncline.core.erasure import erased
from syncline.core.events import Event
from syncline.core.stamps import Stamp, node_hash
from syncline.errors import SynclineError

HERE = Path(__file__).parent / "vectors" / "documents"
NOW = 1_700_000_000_000
ITEM = "task.milk"
LARGEST = 2**53 - 1
Op = dict[str, Any]


class Made(str):
    """An event's id; called with k, the name of what it made."""

    def __call__(self, k: int, count: int = 1) -> str:
        return f"{self}:{k}" + (f"+{count}" if count > 1 else "")


class Story:
    """Events, each a millisecond after the one before, and what their authors had seen."""

    def __init__(self, *policies: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.policies = list(policies)

    def event(self, node: str, *changes: Op, saw: list[Made] | None = None) -> Made:
        """The next event of a node; its author has seen the events in ``saw`` and its own (by default: everything)."""
        id = Made(Stamp(NOW + len(self.events), 0, node_hash(node), 0))
        known = [each for each in self.events if saw is None or each["id"] in saw or each["node"] == node]
        clock: dict[str, int] = {}
        for each in known:
            for other, n in each["clock"].items():
                clock[other] = max(n, clock.get(other, 0))
        clock[node] = clock.get(node, 0) + 1
        self.events.append(
            {"action": "edit", "clock": clock, "id": str(id), "item": ITEM, "node": node, "ops": [*changes]}
        )
        return id

    def erase(self, *ids: Made) -> None:
        """Leaves of these events their erased form."""
        self.events = [
            json.loads(erased(Event.of(value)).body) if value["id"] in ids else value for value in self.events
        ]

    def case(self, about: str, shows: Any, *, checked: bool = True, overruled: tuple[str, ...] = ()) -> dict[str, Any]:
        """What the story is about and what it shows; ``checked``: whether a server would take these ops."""
        document = Document(ITEM)
        policies = self.policies or ["merge"]
        for place, value in enumerate(self.events):
            event = Event(**value)
            if checked:
                event = Event.of(value)
            document.fold(event, policy=policies[min(place, len(policies) - 1)])
        if document.value() != shows or sorted(document.overruled) != sorted(overruled):
            raise SystemExit(f"{about}: shows {document.value()!r}, overruled {document.overruled}")
        return {
            "about": about,
            **(
                {"policies": [policies[min(n, len(policies) - 1)] for n in range(len(self.events))]}
                if self.policies
                else {}
            ),
            **({} if checked else {"checked": False}),
            "events": self.events,
            "exists": document.exists,
            "value": document.value(),
            "plain": document.plain(),
            "conflicts": [
                [path, shown, [list(other) for other in others]] for path, shown, others in document.conflicts()
            ],
            "overruled": sorted(document.overruled),
            "snapshot": snapshots.encode(document).decode(),
        }


def put(key: str, value: Any, **more: Any) -> Op:
    return {"op": "put", "key": key, "value": value, **more}


def two(first: list[Op], one: Any, other: Any, *policies: str) -> tuple[Story, Made, Made, Made]:
    """What n1 begins, then n2 and n3 go on apart; their ops may be made from the first event."""
    story = Story(*policies)
    start = story.event("n1", *first)
    left = story.event("n2", *one(start), saw=[start])
    right = story.event("n3", *other(start), saw=[start])
    return story, start, left, right


def apart(about: str, shows: Any, first: list[Op], one: Any, other: Any) -> dict[str, Any]:
    return two(first, one, other)[0].case(about, shows)


# Maps: the rule of the slot


def maps() -> Iterator[dict[str, Any]]:
    title = [put("title", "Milk")]
    yield apart(
        "put and put: the greater shows, the other is a conflict",
        {"title": "Oats"},
        title,
        lambda s: [put("title", "Soy", over=[s(0)])],
        lambda s: [put("title", "Oats", over=[s(0)])],
    )
    yield apart(
        "put and del: what was not seen survives",
        {"title": "Soy"},
        title,
        lambda s: [put("title", "Soy", over=[s(0)])],
        lambda s: [{"op": "del", "key": "title", "over": [s(0)]}],
    )
    yield apart(
        "del and del",
        {},
        title,
        lambda s: [{"op": "del", "key": "title", "over": [s(0)]}],
        lambda s: [{"op": "del", "key": "title", "over": [s(0)]}],
    )
    yield apart(
        "equal values are no conflict",
        {"title": "Soy"},
        title,
        lambda s: [put("title", "Soy", over=[s(0)])],
        lambda s: [put("title", "Soy", over=[s(0)])],
    )
    yield apart(
        "true is not 1, null is a value",
        {"a": True, "b": None},
        [],
        lambda s: [put("a", 1), put("b", 0)],
        lambda s: [put("a", True), put("b", None)],
    )
    story, start, left, right = two(
        title, lambda s: [put("title", "Soy", over=[s(0)])], lambda s: [put("title", "Oats", over=[s(0)])]
    )
    story.event("n1", put("title", "Rice", over=[left(0), right(0)]))
    yield story.case("a put over both ends the conflict", {"title": "Rice"})
    story, start, left, right = two(
        title, lambda s: [put("title", "Soy", over=[s(0)])], lambda s: [put("title", "Oats", over=[s(0)])]
    )
    story.event("n1", {"op": "del", "key": "title", "over": [right(0)]})
    yield story.case("the other shows when the greater goes", {"title": "Soy"})
    inner = [put("a", {"b": {"c": 1}, "x": 0})]
    yield apart(
        "del and an edit inside: the object is gone, edit and all",
        {},
        inner,
        lambda s: [{"op": "del", "key": "a", "over": [s(0)]}],
        lambda s: [put("c", 2, **{"in": s(2), "over": [s(2)]})],
    )
    yield apart(
        "two maps put apart do not merge",
        {"a": {"y": 2}},
        [],
        lambda s: [put("a", {"x": 1})],
        lambda s: [put("a", {"y": 2})],
    )
    yield apart(
        "ensure and ensure: one child, and both edits",
        {"a": {"x": 1, "y": {"$counter": 3}}},
        [],
        lambda s: [{"op": "ensure", "key": "a", "kind": "map"}, put("x", 1, **{"in": "/a:map"})],
        lambda s: [
            {"op": "ensure", "key": "a", "kind": "map"},
            {"op": "ensure", "in": "/a:map", "key": "y", "kind": "counter"},
            {"op": "inc", "in": "/a:map/y:counter", "by": 3},
        ],
    )
    yield apart(
        "ensure of two kinds is a conflict of two children",
        {"a": {"$text": ""}},
        [],
        lambda s: [{"op": "ensure", "key": "a", "kind": "map"}, put("x", 1, **{"in": "/a:map"})],
        lambda s: [{"op": "ensure", "key": "a", "kind": "text"}],
    )
    yield apart(
        "ensure and del of what was there: the ensure survives",
        {"a": {}},
        [put("a", 1)],
        lambda s: [{"op": "ensure", "key": "a", "kind": "map", "over": [s(0)]}],
        lambda s: [{"op": "del", "key": "a", "over": [s(0)]}],
    )
    story = Story()
    story.event(
        "n1",
        {"op": "ensure", "key": "a/~:b", "kind": "map"},
        put("x", 1, **{"in": "/a~1~0:b:map"}),
        {"op": "ensure", "in": "/a~1~0:b:map", "key": "", "kind": "set"},
        {"op": "add", "in": "/a~1~0:b:map/:set", "value": 1},
    )
    yield story.case("keys in names are escaped", {"a/~:b": {"x": 1, "": {"$set": [1]}}})
    story = Story()
    start = story.event("n1", put("m", {"$map": {"$k": 1, "\ue000": 2, "😀": [3, {"z": {"$text": "é😀"}, "a": []}]}}))
    story.event(
        "n1",
        put("more", 4, **{"in": start(1)}),
        put("x", 5, **{"in": start(5)}),
        {"op": "insert", "in": start(6), "values": [6]},
        {"op": "insert", "in": start(7), "after": start(9), "text": "!"},
    )
    yield story.case(
        "names count ops, elements and objects, keys in canonical order",
        {"m": {"$map": {"$k": 1, "\ue000": 2, "😀": [3, {"z": {"$text": "é😀!"}, "a": [6], "x": 5}], "more": 4}}},
    )
    story = Story()
    start = story.event("n1", put("m", {"\ue000": [], "😀": [1]}))
    story.event("n1", {"op": "insert", "in": start(2), "after": start(3), "values": [2]})
    yield story.case("keys are counted in the order of their UTF-16 form", {"m": {"\ue000": [], "😀": [1, 2]}})
    story = Story()
    story.event("n1", {"op": "ensure", "key": "~1", "kind": "map"}, put("x", 1, **{"in": "/~01:map"}))
    yield story.case("a key that reads like an escape", {"~1": {"x": 1}})
    story = Story()
    start = story.event("n1", put("a", {"b": 1, "c": 2}))
    story.event("n1", {"op": "del", "in": start(1), "key": "b", "over": [start(1)]})
    yield story.case("what an object was made with was put by the object's own name", {"a": {"c": 2}})
    story = Story()
    story.event("n1", put("a", {}), put("x", 1, **{"in": ":1"}), put("x", 2, **{"in": ":1", "over": [":2"]}))
    yield story.case("inside its own event a name is short", {"a": {"x": 2}})


def again() -> Iterator[dict[str, Any]]:
    story = Story()
    a = story.event("n1", put("x", {"in": 1}))
    b = story.event("n1", put("x", 2, over=[a(0)]))
    story.event(
        "n1",
        {"op": "put", "key": "x", "object": a(1), "again": a(0), "over": [b(0)]},
        put("in", 3, **{"in": a(1), "over": [a(1)]}),
    )
    yield story.case("an object comes back by its name", {"x": {"in": 3}})
    story = Story()
    a = story.event("n1", put("x", "old"))
    b = story.event("n2", put("x", "new", over=[a(0)]))
    story.event("n2", put("x", "old", again=a(0), over=[b(0)]))
    story.event("n3", put("x", "other", over=[a(0)]), saw=[a])
    yield story.case("what is put back ranks as it did before", {"x": "other"})
    story = Story()
    a = story.event("n1", put("x", "a"))
    b = story.event("n1", put("x", "b", over=[a(0)]))
    story.event("n2", put("x", "a", again=a(0), over=[b(0)]), saw=[a, b])
    story.event("n3", put("x", "a", again=a(0), over=[b(0)]), saw=[a, b])
    yield story.case("what is put back twice is one value, and no conflict", {"x": "a"})
    story = Story()
    a = story.event("n1", put("l", ["a", "b", "c"]))
    b = story.event(
        "n1", {"op": "move", "in": a(1), "elem": a(2), "after": a(4)}, {"op": "del", "in": a(1), "elems": [a(3)]}
    )
    story.event(
        "n1",
        {"op": "move", "in": a(1), "elem": a(2), "again": a(2), "over": [b(0)]},
        {"op": "put", "in": a(1), "elem": a(3), "value": "b", "again": a(3)},
    )
    yield story.case("an element moves back, another is put back", {"l": ["a", "b", "c"]})
    story = Story()
    a = story.event("n1", put("t", {"$text": "a😀c"}))
    b = story.event("n1", {"op": "del", "in": a(1), "elems": [a(2, 3)]})
    c = story.event("n1", {"op": "put", "in": a(1), "elems": [a(3, 2)]})
    story.event("n2", {"op": "del", "in": a(1), "elems": [a(4)]}, saw=[a, b])
    story.event("n3", {"op": "del", "in": a(1), "elems": [a(4)], "over": [c(0)]})
    yield story.case("characters are put back where they were", {"t": {"$text": "😀"}})

    # Lists and texts
    story = Story()
    a = story.event("n1", put("t", {"$text": "a"}))
    b = story.event("n1", {"op": "del", "in": a(1), "elems": [a(2)]})
    c = story.event("n1", {"op": "put", "in": a(1), "elems": [a(2)]})
    d = story.event("n2", {"op": "put", "in": a(1), "elems": [a(2)], "over": [c(0)]})
    story.event("n3", {"op": "del", "in": a(1), "elems": [a(2)], "over": [d(0)]}, saw=[a, b, c, d])
    yield story.case("a put back of characters takes away those it names", {"t": {"$text": ""}})
    story = Story()
    a = story.event("n1", put("x", {"in": 1}), put("y", 2))
    story.event("n1", {"op": "put", "key": "y", "object": a(1), "again": a(2), "over": [a(2)]})
    yield story.case("an object shows nowhere but where it was born", {"x": {"in": 1}, "y": 2}, checked=False)


def lists() -> Iterator[dict[str, Any]]:
    abc = [put("l", ["a", "b", "c"])]

    def ins(*values: Any, after: str | None = None) -> Any:
        return lambda s: [
            {"op": "insert", "in": s(1), "values": [*values], **({"after": s(int(after))} if after else {})}
        ]

    yield apart(
        "insert and insert after the same: the greater name comes first",
        {"l": ["a", "Y", "Z", "X", "b", "c"]},
        abc,
        ins("X", after="2"),
        ins("Y", "Z", after="2"),
    )
    yield apart("insert and insert at the start", {"l": ["Y", "X", "a", "b", "c"]}, abc, ins("X"), ins("Y"))
    yield apart(
        "insert after what another deletes",
        {"l": ["a", "X", "c"]},
        abc,
        ins("X", after="3"),
        lambda s: [{"op": "del", "in": s(1), "elems": [s(3)]}],
    )
    yield apart(
        "insert after what another moves: it stays where that was",
        {"l": ["a", "X", "c", "b"]},
        abc,
        ins("X", after="3"),
        lambda s: [{"op": "move", "in": s(1), "elem": s(3), "after": s(4)}],
    )
    yield apart(
        "put and put in an element",
        {"l": ["a", 2, "c"]},
        abc,
        lambda s: [{"op": "put", "in": s(1), "elem": s(3), "value": 1}],
        lambda s: [{"op": "put", "in": s(1), "elem": s(3), "value": 2}],
    )
    yield apart(
        "put and del: the element survives",
        {"l": [1]},
        abc,
        lambda s: [{"op": "put", "in": s(1), "elem": s(3), "value": 1}],
        lambda s: [{"op": "del", "in": s(1), "elems": [s(2, 3)]}],
    )
    yield apart(
        "del and an edit inside: the element is gone, edit and all",
        {"l": []},
        [put("l", [{"x": 1}])],
        lambda s: [{"op": "del", "in": s(1), "elems": [s(2)]}],
        lambda s: [put("x", 2, **{"in": s(3), "over": [s(3)]})],
    )
    yield apart(
        "move and move: the greater move, no copy",
        {"l": ["a", "c", "b"]},
        abc,
        lambda s: [{"op": "move", "in": s(1), "elem": s(3)}],
        lambda s: [{"op": "move", "in": s(1), "elem": s(3), "after": s(4)}],
    )
    yield apart(
        "move and del: gone",
        {"l": ["a", "c"]},
        abc,
        lambda s: [{"op": "move", "in": s(1), "elem": s(3)}],
        lambda s: [{"op": "del", "in": s(1), "elems": [s(3)]}],
    )
    yield apart(
        "move and put: moved and changed",
        {"l": [{"x": []}, "a", "c"]},
        abc,
        lambda s: [{"op": "move", "in": s(1), "elem": s(3)}],
        lambda s: [{"op": "put", "in": s(1), "elem": s(3), "value": {"x": []}}],
    )
    story, a, b, _ = two(abc, lambda s: [{"op": "move", "in": s(1), "elem": s(2), "after": s(4)}], lambda s: [])
    story.event("n1", {"op": "insert", "in": a(1), "after": b(0), "values": ["after a"]})
    story.event("n1", {"op": "insert", "in": a(1), "after": a(2), "values": ["where a was"]})
    yield story.case(
        "insert after where a move put an element, and after where it was",
        {"l": ["where a was", "b", "c", "a", "after a"]},
    )
    story = Story()
    a = story.event("n1", put("l", [{"x": 1}, ["y"], {"$text": "z"}]))
    story.event("n1", {"op": "del", "in": a(1), "elems": [a(2), a(4), a(7)]})
    yield story.case("an object takes a name after its element", {"l": []})


def texts() -> Iterator[dict[str, Any]]:
    abc = [put("t", {"$text": "ab😀d"})]
    yield apart(
        "insert and insert after the same: whole stretches, the greater first",
        {"t": {"$text": "abXYuv😀d"}},
        abc,
        lambda s: [{"op": "insert", "in": s(1), "after": s(3), "text": "uv"}],
        lambda s: [{"op": "insert", "in": s(1), "after": s(3), "text": "XY"}],
    )
    yield apart(
        "del and del of overlapping stretches",
        {"t": {"$text": "d"}},
        abc,
        lambda s: [{"op": "del", "in": s(1), "elems": [s(2, 2)]}],
        lambda s: [{"op": "del", "in": s(1), "elems": [s(3, 2)]}],
    )
    yield apart(
        "insert inside what another deletes",
        {"t": {"$text": "x"}},
        abc,
        lambda s: [{"op": "insert", "in": s(1), "after": s(4), "text": "x"}],
        lambda s: [{"op": "del", "in": s(1), "elems": [s(2, 4)]}],
    )
    yield apart(
        "an element is a code point",
        {"t": {"$text": "abd"}},
        abc,
        lambda s: [{"op": "del", "in": s(1), "elems": [s(4)]}],
        lambda s: [],
    )
    story = Story()
    a = story.event(
        "n1", {"op": "ensure", "key": "t", "kind": "text"}, {"op": "insert", "in": "/t:text", "text": "hello"}
    )
    b = story.event("n2", {"op": "insert", "in": "/t:text", "after": a(6), "text": " world"}, saw=[a])
    story.event("n3", {"op": "insert", "in": "/t:text", "after": a(6), "text": "!"}, saw=[a])
    story.event(
        "n2",
        {"op": "insert", "in": "/t:text", "after": b(6), "text": "s"},
        {"op": "insert", "in": "/t:text", "after": b(1), "text": "_"},
        saw=[b],
    )
    yield story.case("a tree of insertions", {"t": {"$text": "hello! _worlds"}})


# Counters, sets, the whole document


def counters() -> Iterator[dict[str, Any]]:
    n = [put("n", {"$counter": 5})]
    yield apart(
        "inc and inc add up",
        {"n": {"$counter": 3}},
        n,
        lambda s: [{"op": "inc", "in": s(1), "by": 1}],
        lambda s: [{"op": "inc", "in": s(1), "by": -3}],
    )
    yield apart(
        "of those with the same once the least name counts",
        {"n": {"$counter": 6}},
        n,
        lambda s: [{"op": "inc", "in": s(1), "by": 1, "once": "undo"}],
        lambda s: [{"op": "inc", "in": s(1), "by": 7, "once": "undo"}],
    )
    story = Story()
    a = story.event(
        "n1",
        put("n", {"$counter": 2**53 - 1}),
        {"op": "inc", "in": ":1", "by": 2**53 - 1},
        {"op": "inc", "in": ":1", "by": 10},
    )
    yield story.case("what is beyond 2^53-1 is kept exactly, and shown as 2^53-1", {"n": {"$counter": 2**53 - 1}})
    story.event("n1", {"op": "inc", "in": a(1), "by": -(2**53 - 1)}, {"op": "inc", "in": a(1), "by": -(2**53 - 1)})
    yield story.case("and comes back exactly", {"n": {"$counter": 10}})
    yield apart(
        "put and inc: the put that had not seen it hides it",
        {"n": 0},
        n,
        lambda s: [{"op": "inc", "in": s(1), "by": 1}],
        lambda s: [put("n", 0, over=[s(0)])],
    )


def sets() -> Iterator[dict[str, Any]]:
    s12 = [put("s", {"$set": [1, 2]})]
    yield apart(
        "add and discard: what was not seen survives",
        {"s": {"$set": [1, 2]}},
        s12,
        lambda s: [{"op": "add", "in": s(1), "value": 1, "over": [s(1)]}],
        lambda s: [{"op": "discard", "in": s(1), "value": 1, "over": [s(1)]}],
    )
    yield apart(
        "discard and discard",
        {"s": {"$set": [2]}},
        s12,
        lambda s: [{"op": "discard", "in": s(1), "value": 1, "over": [s(1)]}],
        lambda s: [{"op": "discard", "in": s(1), "value": 1, "over": [s(1)]}],
    )
    story, a, b, _ = two(
        [],
        lambda s: [{"op": "ensure", "key": "s", "kind": "set"}, {"op": "add", "in": "/s:set", "value": "x"}],
        lambda s: [{"op": "ensure", "key": "s", "kind": "set"}, {"op": "add", "in": "/s:set", "value": "x"}],
    )
    yield story.case("added twice is there once", {"s": {"$set": ["x"]}})
    story.event("n1", {"op": "discard", "in": "/s:set", "value": "x", "over": [b(1)]}, saw=[a, b])
    yield story.case("and stays while an add stands", {"s": {"$set": ["x"]}})
    story = Story()
    story.event("n1", put("s", {"$set": [{"b": 1, "a": 2}, [1], "é", "a", None, True, 1, 10, 9, {"$text": "t"}]}))
    yield story.case(
        "members are plain JSON, in the order of their canonical bytes",
        {"s": {"$set": ["a", "é", 1, 10, 9, [1], None, True, {"$text": "t"}, {"b": 1, "a": 2}]}},
    )


def whole() -> Iterator[dict[str, Any]]:
    yield Story().case("no event, no document", None)
    story = Story()
    story.event("n1")
    yield story.case("no op, no document", None)
    story = Story()
    story.event("n1", {"op": "ensure", "kind": "map"})
    yield story.case("an empty map", {})
    x = [put("x", 1)]
    yield apart(
        "delete and edit: deleted, the edit is underneath",
        None,
        x,
        lambda s: [{"op": "delete"}],
        lambda s: [put("x", 2, over=[s(0)])],
    )
    story, a, b, _ = two(x, lambda s: [{"op": "delete"}], lambda s: [put("x", 2, over=[s(0)])])
    story.event("n1", {"op": "restore", "over": [b(0)]})
    yield story.case("restored, it shows", {"x": 2})
    story, a, b, _ = two(x, lambda s: [{"op": "delete"}], lambda s: [{"op": "delete"}])
    story.event("n1", {"op": "restore", "over": [b(0)]}, saw=[a, b])
    yield story.case("a delete that a restore had not seen stands", None)
    story = Story()
    story.event("n1", {"op": "delete"})
    story.event("n2", *x, saw=[])
    yield story.case("a delete of what was not there yet", None)
    for kind, op, shows in (
        ("list", {"op": "insert", "values": [1]}, [1]),
        ("text", {"op": "insert", "text": "é"}, {"$text": "é"}),
        ("counter", {"op": "inc", "by": 2}, {"$counter": 4}),
        ("set", {"op": "add", "value": 1}, {"$set": [1]}),
    ):
        made = [{"op": "ensure", "kind": kind}, {**op, "in": f":{kind}"}]
        both = {"list": [1, 1], "text": {"$text": "éé"}}.get(kind, shows)
        yield apart(
            f"a root of another kind, made apart: {kind}",
            both,
            [],
            lambda s, made=made: made,
            lambda s, made=made: made,
        )
    yield apart(
        "two roots: the greater shows, the other is a conflict",
        "b",
        [],
        lambda s: [{"op": "put", "value": {"a": 1}}],
        lambda s: [{"op": "put", "value": "b"}],
    )
    story, a, b, _ = two(x, lambda s: [{"op": "put", "value": [1]}], lambda s: [put("y", 2)])
    yield story.case("a put in the place of the root map hides it, edits and all", [1])
    story.event("n1", {"op": "del", "over": [b(0)]})
    yield story.case("and a del of that brings it back", {"x": 1, "y": 2})
    story = Story()
    a = story.event("n1", {"op": "ensure", "kind": "text"})
    story.event("n1", {"op": "ensure", "kind": "map", "over": [a(0)]}, put("x", 1))
    yield story.case("a root map again", {"x": 1})


# Policies, and what does not fit


def policies() -> Iterator[dict[str, Any]]:
    title = [put("title", "Milk")]
    both = (
        lambda s: [put("title", "Soy", over=[s(0)]), put("a", 1)],
        lambda s: [put("b", 1), put("title", "Oats", over=[s(0)])],
    )
    for policy in ("last_write_wins", "manual"):
        yield two(title, *both, policy)[0].case(f"{policy} folds as merge does", {"title": "Oats", "a": 1, "b": 1})
    story, a, b, c = two(title, *both, "server_wins")
    yield story.case("server_wins: the second is overruled, as a whole", {"title": "Soy", "a": 1}, overruled=(c,))
    story.event("n3", put("title", "Rye", over=[b(0), c(1)]))
    yield story.case("and its author can write again", {"title": "Rye", "a": 1}, overruled=(c,))
    story, a, b, c = two(title, *both, "merge", "merge", "merge", "server_wins")
    d = story.event("n1", put("title", "Rye", over=[c(1)]))
    story.event("n1", put("title", "Rice", over=[b(0), c(1)]))
    yield story.case(
        "who names one of two is overruled under server_wins, who names both is not",
        {"title": "Rice", "a": 1, "b": 1},
        overruled=(d,),
    )
    story = Story("server_wins")
    a = story.event("n1", put("x", 1))
    story.event("n1", put("x", 2, over=[a(0)]), put("x", 3, over=[":0"]))
    yield story.case("an event names for its later ops what its earlier ones named", {"x": 3})
    story, a, b, c = two(
        [put("l", [])],
        lambda s: [put("x", 1)],
        lambda s: [put("x", 2), {"op": "insert", "in": s(1), "values": ["gone", {"in": 1}]}, put("m", {})],
        "server_wins",
    )
    d = story.event("n2", {"op": "insert", "in": a(1), "after": c(2), "values": ["stays"]})
    e = story.event("n2", put("in", 2, **{"in": c(4), "over": [c(4)]}), put("y", 1))
    f = story.event("n3", {"op": "put", "in": a(1), "elem": c(2), "value": "back"})
    g = story.event("n3", put("z", 1, **{"in": c(6)}))
    yield story.case(
        "what changes the objects and elements of the overruled is overruled; what stands after them is not",
        {"l": ["stays"], "x": 1},
        overruled=(c, e, f, g),
    )
    ensure = lambda s: [{"op": "ensure", "key": "t", "kind": "text"}, {"op": "insert", "in": "/t:text", "text": "a"}]  # noqa: E731
    story, a, b, c = two([], ensure, ensure, "server_wins")
    yield story.case("two that ensure the same child under server_wins agree", {"t": {"$text": "aa"}}, overruled=())
    story, a, b, c = two(
        [put("l", ["a", "b"])],
        lambda s: [{"op": "move", "in": s(1), "elem": s(2), "after": s(3)}],
        lambda s: [{"op": "move", "in": s(1), "elem": s(2)}],
        "server_wins",
    )
    yield story.case("so is the second move", {"l": ["b", "a"]}, overruled=(c,))
    story, a, b, c = two(
        [put("l", ["a", "b"])],
        lambda s: [{"op": "put", "in": s(1), "elem": s(2), "value": 1}],
        lambda s: [{"op": "del", "in": s(1), "elems": [s(2, 2)]}],
        "server_wins",
    )
    yield story.case("and a del of what was changed", {"l": [1, "b"]}, overruled=(c,))
    story, a, b, c = two(
        [put("t", {"$text": "ab"}), put("s", {"$set": [1]}), put("n", {"$counter": 0})],
        lambda s: [
            {"op": "del", "in": s(1), "elems": [s(2)]},
            {"op": "discard", "in": s(5), "value": 1, "over": [s(5)]},
            {"op": "inc", "in": s(7), "by": 1},
        ],
        lambda s: [
            {"op": "del", "in": s(1), "elems": [s(2, 2)]},
            {"op": "insert", "in": s(1), "text": "x"},
            {"op": "add", "in": s(5), "value": 1},
            {"op": "inc", "in": s(7), "by": 1},
        ],
        "server_wins",
    )
    yield story.case(
        "texts, sets and counters always merge", {"t": {"$text": "x"}, "s": {"$set": [1]}, "n": {"$counter": 2}}
    )
    story, a, b, c = two([], lambda s: [{"op": "delete"}], lambda s: [put("x", 1)], "server_wins")
    yield story.case("so does the delete of the document", None)


def within(depth: int, value: Any) -> Any:
    """A value inside so many lists."""
    for _ in range(depth):
        value = [value]
    return value


def totality() -> Iterator[dict[str, Any]]:
    nowhere = Made(Stamp(NOW + 99, 0, node_hash("n9"), 0))
    for about, op in {
        "no such object": put("x", 1, **{"in": nowhere(1)}),
        "an object of another kind": {"op": "inc", "in": "", "by": 1},
        "an element of another list": {"op": "insert", "in": "", "after": nowhere(2), "values": [{"a": 1}]},
        "too deep": put("x", 1, **{"in": "/a:map" * 63}) | {"value": [1]},
    }.items():
        story = Story()
        a = story.event("n1", put("y", 1), op, {"op": "delete"})
        story.event(
            "n1", {"op": "restore", "over": [a(1 + 1 + {"an element of another list": 2, "too deep": 2}.get(about, 0))]}
        )
        yield story.case(f"what does not fit does nothing, and takes its names: {about}", {"y": 1})
    for about, op in {
        "an unknown op": {"op": "frob", "key": "x"},
        "an unknown member": put("x", 1, more=1),
        "a member missing": {"op": "put", "key": "x"},
        "an unknown mark": put("x", {"$foo": [1, 2]}),
        "a mark with company": put("x", {"$text": "", "a": 1}),
        "no name": put("x", 1, again="x"),
        "an unknown kind": {"op": "ensure", "key": "x", "kind": "tree"},
        "a fraction for a counter": put("x", {"$counter": 0.5}),
        "a k that no event has": {"op": "insert", "in": ":65536", "values": [1, 2]},
        "a path deeper than any object": put("x", 1, **{"in": "/a:map" * 64}),
    }.items():
        story = Story()
        a = story.event("n1", put("y", 1), op, {"op": "delete"})
        story.event("n1", {"op": "restore", "over": [a(1)]})
        yield story.case(f"what does not read does nothing, and takes no name: {about}", {"y": 1}, checked=False)
    story = Story()
    a = story.event("n1", put("x", within(61, 1)))
    story.event("n1", {"op": "insert", "in": a(121), "values": [[[2]]]})
    yield story.case("objects nest 64 deep, the root included", {"x": within(60, [[[2]], 1])})
    story.event(
        "n1",
        {"op": "insert", "in": a(121), "values": [[[[3]]]]},
        {"op": "insert", "in": a(121), "values": [4, [[[4]]]]},
    )
    yield story.case("and no deeper", {"x": within(60, [[[2]], 1])})
    story = Story()
    story.event("n1", {"op": "frob"})
    yield story.case("an event with ops makes a document, whatever they are", {}, checked=False)


# Erasing


def gone() -> Iterator[dict[str, Any]]:
    story = Story()
    a = story.event("n1", put("a", "one"), put("m", {"b": ["x", {"$set": [1]}], "c": {"$counter": 7}}))
    b = story.event("n2", put("a", "two", over=[a(0)]))
    story.erase(b)
    shows = {"a": None, "m": {"b": ["x", {"$set": [1]}], "c": {"$counter": 7}}}
    yield story.case("what an erased put has overwritten does not show again", shows)
    story.erase(a)
    shows = {"a": None, "m": {"b": [None, {"$set": []}], "c": {"$counter": 0}}}
    yield story.case("objects, keys and elements stay, values go", shows)
    story = Story()
    a = story.event("n1", put("t", {"$text": "héllo"}))
    b = story.event("n2", {"op": "insert", "in": a(1), "after": a(4), "text": "😀"})
    story.event("n1", {"op": "insert", "in": a(1), "after": b(1), "text": "x"})
    story.event("n1", {"op": "del", "in": a(1), "elems": [a(2)]})
    story.erase(a)
    yield story.case("a character goes for each character", {"t": {"$text": "��😀x��"}})
    story.erase(a, b)
    yield story.case("what was typed after it stays where it was", {"t": {"$text": "���x��"}})
    story = Story()
    a = story.event("n1", {"op": "ensure", "key": "s", "kind": "set"}, {"op": "add", "in": "/s:set", "value": 1})
    b = story.event("n1", {"op": "add", "in": "/s:set", "value": 1, "over": [a(1)]})
    c = story.event("n2", {"op": "discard", "in": "/s:set", "value": 1, "over": [b(0)]})
    story.event("n2", {"op": "add", "in": "/s:set", "value": 2})
    story.erase(b, c)
    yield story.case("a member that was taken stays away", {"s": {"$set": [2]}}, checked=False)
    story = Story()
    a = story.event("n1", {"op": "ensure", "key": "n", "kind": "counter"}, {"op": "inc", "in": "/n:counter", "by": 5})
    story.event("n2", {"op": "inc", "in": "/n:counter", "by": 2})
    story.erase(a)
    yield story.case("what an erased inc added is taken off", {"n": {"$counter": 2}})
    story = Story()
    a = story.event("n1", put("l", [1, 2, 3]))
    b = story.event("n2", {"op": "insert", "in": a(1), "after": a(2), "values": [{"x": "y"}]})
    story.event("n3", put("x", "z", **{"in": b(2)}))
    story.event("n3", {"op": "move", "in": a(1), "elem": b(1)})
    story.event("n3", {"op": "delete"})
    story.erase(a, b)
    story.event("n3", {"op": "restore", "over": [story.events[4]["id"] + ":0"]})
    yield story.case("elements keep their places", {"l": [{"x": "z"}, None, None, None]}, checked=False)


FILES = {
    "maps": ("The slots of maps.", maps),
    "again": ("What puts back what was there before.", again),
    "lists": ("Lists: elements, places and homes.", lists),
    "texts": ("Texts, code point by code point.", texts),
    "counters": ("Counters.", counters),
    "sets": ("Sets.", sets),
    "whole": ("The whole document: what makes it, deletes and restores it, and what its root is.", whole),
    "policies": ("Conflict policies: `policies` has the one in force at each event.", policies),
    "erased": ("Events of which only the erased form is left.", gone),
    "totality": ("What does not fit, or does not read, does no harm.", totality),
}
FORM = (
    " Fold the events in this order: value (with marks; null if there is no document), plain (without), conflicts"
    " (path, name of the put that shows, [name, value] of each other), overruled (ids), snapshot (canonical bytes)."
    " Without server_wins any order that the clocks allow gives the same, and so does any repetition. checked false:"
    " no server takes these ops."
)

OPS = "Ops. taken: they have the shape of one, and how many names they take; refused: they have not (bad_op)."
E = Made(Stamp(NOW, 0, node_hash("n1"), 0))
TAKEN: list[tuple[int, Op]] = [
    (1, put("done", True)),
    (1, put("done", None, over=[E(0), ":3"])),
    (9, put("x", {"b": {"$text": "é😀"}, "a": [1, {}]}) | {"in": E(1)}),
    (2, put("x", {"$map": {"$text": 1}})),
    (2, put("x", {"$set": [[1], {"$text": 2}]})),
    (1, put("x" * 1024, 1)),
    (1, put("x", 1, again=E(0))),
    (1, {"op": "put", "key": "x", "object": "/x:map", "again": ":0"}),
    (1, {"op": "put", "in": E(1), "elem": E(2), "value": 1, "over": []}),
    (1, {"op": "put", "in": E(1), "elems": [E(5, 2), E(2, 3), ":2+4", E(65535), E(7) + "+65528"]}),
    (2, {"op": "put", "value": []}),
    (1, {"op": "del", "key": "done", "over": [E(0)]}),
    (1, {"op": "del", "in": E(1), "elems": [E(2, 3)], "over": [E(9)]}),
    (1, {"op": "del", "in": E(1), "elems": []}),
    (1, {"op": "del", "over": [E(0)]}),
    (1, {"op": "ensure", "key": "a/b", "kind": "map"}),
    (1, {"op": "ensure", "in": "/a~1b:map/~0:map", "key": "t", "kind": "text", "over": [E(0)]}),
    (1, {"op": "ensure", "kind": "list"}),
    (3, {"op": "insert", "in": E(1), "after": E(2), "text": "é😀"}),
    (7, {"op": "insert", "in": ":list", "values": [1, [2], {}]}),
    (1, {"op": "insert", "in": ":text", "text": ""}),
    (1, {"op": "move", "in": E(1), "elem": E(2), "after": E(4), "over": [E(9)]}),
    (1, {"op": "move", "in": E(1), "elem": E(2), "again": E(2)}),
    (1, {"op": "inc", "in": ":counter", "by": -LARGEST, "once": "x"}),
    (1, {"op": "add", "in": ":set", "value": {"$text": 1}, "over": []}),
    (1, {"op": "discard", "in": ":set", "value": None, "over": []}),
    (1, {"op": "delete"}),
    (1, {"op": "restore", "over": [E(0)]}),
    (1, put("x", 1) | {"in": "/a:map" * 63}),
]
REFUSED: list[Op] = [
    {},
    {"op": "frob"},
    {"op": 5},
    {"op": "put", "key": "x"},
    {"op": "put", "key": 5, "value": 1},
    put("x", 1, more=2),
    put("x", 1, elem=E(2)),
    put("x", 1, elems=[E(2)]),
    put("x" * 1025, 1),
    {"op": "put", "in": E(1), "value": 1},
    {"op": "put", "in": E(1), "elems": [E(2)], "value": 1},
    {"op": "put", "in": E(1), "elems": [E(2)], "again": E(0)},
    {"op": "put", "key": "x", "object": E(1)},
    {"op": "put", "key": "x", "object": "x", "again": E(0)},
    {"op": "put", "key": "x", "object": E(1), "value": 1, "again": E(0)},
    put("x", [], again=E(0)),
    put("x", 1, again=E(0, 2)),
    put("x", 1, over=["x"]),
    put("x", 1, over=[":00"]),
    put("x", 1, over=[":65536"]),
    put("x", 1, over=[E.upper() + ":0"]),
    put("x", 1, over=E(0)),
    put("x", 1) | {"in": "x"},
    put("x", 1) | {"in": ":map"},
    put("x", 1) | {"in": "/a"},
    put("x", 1) | {"in": "/a:tree"},
    put("x", 1) | {"in": "/a~:map"},
    put("x", 1) | {"in": "/a:map" * 64},
    put("x", {"$foo": 1}),
    put("x", {"$text": 1}),
    put("x", {"$text": "", "a": 1}),
    put("x", {"$set": {}}),
    put("x", {"$map": []}),
    put("x", [{"$counter": 0.5}]),
    put("x", {"$counter": float(2**53)}),
    {"op": "del", "key": "x"},
    {"op": "del", "key": "x", "elems": [], "over": []},
    {"op": "del", "in": E(1), "over": []},
    {"op": "del", "in": E(1), "elems": [E(1) + "+65536"]},
    {"op": "del", "in": E(1), "elems": [E(2) + "+65535"]},
    {"op": "del", "in": E(1), "elems": [E(2) + "+0"]},
    {"op": "del", "in": E(1), "elems": [E(9), E(2, 8)]},
    {"op": "ensure", "key": "x"},
    {"op": "ensure", "key": "x", "kind": "tree"},
    {"op": "ensure", "in": E(1), "kind": "map"},
    {"op": "insert", "in": E(1)},
    {"op": "insert", "in": E(1), "values": [], "text": ""},
    {"op": "insert", "in": E(1), "values": [{"$text": 1}]},
    {"op": "insert", "in": E(1), "after": "/a:map", "text": ""},
    {"op": "move", "in": E(1)},
    {"op": "move", "in": E(1), "elem": E(2, 2)},
    {"op": "move", "in": E(1), "elem": E(2), "after": E(3), "again": E(2)},
    {"op": "inc", "in": E(1)},
    {"op": "inc", "in": E(1), "by": 0.5},
    {"op": "inc", "in": E(1), "by": True},
    {"op": "inc", "in": E(1), "by": float(2**53)},
    {"op": "inc", "in": E(1), "by": 1, "once": ""},
    {"op": "inc", "in": E(1), "by": 1, "once": "x" * 1025},
    {"op": "add", "in": E(1)},
    {"op": "discard", "in": E(1), "value": 1},
    {"op": "delete", "in": E(1)},
    {"op": "delete", "over": []},
    {"op": "restore"},
]


def check_ops() -> None:
    """Refuses to write a shape that is not as it is said to be."""
    for size, op in TAKEN:
        (read,) = ops.check([op])
        if ops.size(read) != size:
            raise SystemExit(f"{op} takes {ops.size(read)} names")
    for op in REFUSED:
        if ops.read([op]) != [None]:
            raise SystemExit(f"{op} is taken")


def main() -> None:
    """Writes every file."""
    HERE.mkdir(parents=True, exist_ok=True)
    check_ops()
    taken = ",\n".join(json.dumps({"names": size, "op": op}, ensure_ascii=False) for size, op in TAKEN)
    refused = ",\n".join(json.dumps(op, ensure_ascii=False) for op in REFUSED)
    text = f'{{"about":{json.dumps(OPS)},"taken":[\n{taken}\n],"refused":[\n{refused}\n]}}\n'
    (HERE / "ops.json").write_text(text, "utf-8")
    for name, (about, cases) in FILES.items():
        lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases()]
        head = json.dumps(about + FORM, ensure_ascii=False)
        text = f'{{"about":{head},"cases":[\n' + ",\n".join(lines) + "\n]}\n"
        (HERE / f"{name}.json").write_text(text, "utf-8")


if __name__ == "__main__":
    try:
        main()
    except SynclineError as error:
        raise SystemExit(f"{error.code}: {error}") from error
