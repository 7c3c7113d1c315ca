"""Writes ``spec/vectors/bases.json``: what a base covers, how a document goes on from one, and how a snapshot is taken.

Old cases stay for ever; new ones are added here, then

    python spec/make_bases.py
"""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import msgspec

from syncline.core.documents import snapshots
from syncline.core.documents.document import Document
from syncline.core.documents.folded import Folded
from syncline.core.documents.revisions import Placed, replay
from syncline.core.events import Event
from syncline.core.stamps import Stamp, node_hash

FILE = Path(__file__).parent / "vectors" / "bases.json"

ABOUT = (
    "Bases (PROTOCOL.md section 5, page). covers: whether a base with this clock holds the event of a node with this "
    "n. documents: the entries of an item; cut: after so many of them a base stands for these; base: that base, but "
    "for its state, which is unpacked (the bytes of a packed one depend on the compressor); state: the document after "
    "all entries, the same from the base as from the start; revisions: the numbers and forward patches of those that "
    "can be told from the base on. taking: a replica's half of a session, as in session_client.json (next, step, "
    "receive, effects); next may have horizon, and takes_bases; options may have history. A step may be snapshot: the "
    "question; an effect may be take: the items of the part's bases, whether it is the first, whether it is the last, "
    "the ids of all entries so far, and the cursor to go on from."
)

COVERS: list[tuple[dict[str, int], str, int]] = [
    ({}, "a", 1),
    ({"a": 1}, "a", 1),
    ({"a": 1}, "a", 2),
    ({"a": 5, "b": 2}, "b", 2),
    ({"a": 5, "b": 2}, "b", 3),
    ({"a": 9007199254740991}, "a", 9007199254740991),
]

CREATE = [
    {"op": "put", "key": "title", "value": "Milk"},
    {"op": "put", "key": "n", "value": {"$counter": 2}},
    {"op": "put", "key": "body", "value": {"$text": "two litres"}},
    {"op": "put", "key": "steps", "value": ["go", "pay"]},
    {"op": "put", "key": "tags", "value": {"$set": ["shop"]}},
]


def entry(n: int, ops: list[Any] | None, node: str = "n1", seq: int | None = None, **meta: Any) -> dict[str, Any]:
    """The n-th entry, by default at seq n."""
    event: dict[str, Any] = {
        "action": "edit",
        "clock": {node: n},
        "id": name(n, node),
        "item": "task.milk",
        "node": node,
        "user": "ann",
    }
    event |= ({"ops": ops} if ops is not None else {}) | ({"meta": meta} if meta else {})
    return {"seq": seq or n, "at": 1_700_000_000_000 + n, "event": event}


def name(n: int, node: str = "n1") -> str:
    return str(Stamp(1_700_000_000_000 + n, 0, node_hash(node), 0))


DOCUMENTS: list[tuple[str, list[dict[str, Any]], int]] = [
    (
        "kinds, and an increment that comes again after the base",
        [
            entry(1, CREATE),
            entry(2, [{"op": "inc", "in": f"{name(1)}:1", "by": 5}]),
            entry(3, [{"op": "put", "key": "title", "value": "Oats", "over": [f"{name(1)}:0"]}]),
            entry(2, [{"op": "inc", "in": f"{name(1)}:1", "by": 5}], seq=4),
            entry(5, [{"op": "inc", "in": f"{name(1)}:1", "by": 1}]),
        ],
        3,
    ),
    (
        "a group that is cut in two: what goes on with it is no revision of its own",
        [
            entry(1, CREATE),
            entry(2, [{"op": "put", "key": "a", "value": 1}], group="g"),
            entry(3, [{"op": "put", "key": "b", "value": 2}], group="g"),
            entry(4, [{"op": "put", "key": "c", "value": 3}], group="h", schema=4),
            entry(5, [{"op": "put", "key": "d", "value": 4}]),
        ],
        2,
    ),
    (
        "a document that was deleted, and comes back after the base",
        [
            entry(1, CREATE),
            entry(2, [{"op": "delete"}]),
            entry(3, [{"op": "restore", "over": [f"{name(2)}:0"]}]),
        ],
        2,
    ),
    ("no document yet", [entry(1, None), entry(2, None, "n2"), entry(3, CREATE)], 2),
]


def folded(entries: list[dict[str, Any]], start: Folded | None = None) -> Folded:
    """The item after these entries."""
    item = start or Folded("task.milk")
    for each in entries:
        item.fold(Placed(Event.of(each["event"]), each["seq"], each["at"]), "merge")
    return item


def document(about: str, entries: list[dict[str, Any]], cut: int) -> dict[str, Any]:
    """One case; refuses to write what is not the same from the base as from the start."""
    base = folded(entries[:cut]).base()
    whole, gone_on = folded(entries), folded(entries[cut:], Folded("task.milk", base))
    assert snapshots.encode(whole.document) == snapshots.encode(gone_on.document), about
    placed = [Placed(Event.of(each["event"]), each["seq"], each["at"]) for each in entries]
    numbered = list(replay(Document("task.milk"), placed))
    rest = replay(Folded("task.milk", base).document, placed[cut:], base.revision + 1, group=base.group)
    told = [{"number": each.number, "forward": each.forward} for each in rest]
    later = [{"number": each.number, "forward": each.forward} for each in numbered if each.number > base.revision]
    assert told == later, about
    shown = msgspec.to_builtins(base)
    if base.state:
        shown["state"] = json.loads(snapshots.unpack(b64decode(base.state)))
    state = json.loads(snapshots.encode(whole.document))
    return {"about": about, "entries": entries, "cut": cut, "base": shown, "state": state, "revisions": told}


WELCOME = {
    "type": "welcome",
    "epoch": "0123456789abcdef0123456789abcdef",
    "head": 9,
    "time": 1_700_000_000_000,
    "user": "ann",
}


def base(item: str) -> dict[str, Any]:
    return {"item": item, "seq": 9, "at": 1, "count": 1, "clock": {"n2": 1}}


def part(*items: str, seq: int = 9, after: str | None = None, entries: list[Any] | None = None) -> dict[str, Any]:
    """A part of a snapshot, as it is sent."""
    message = {"type": "snapshot", "seq": seq, "at": 1, "cursor": f"at {seq}", "bases": [base(item) for item in items]}
    return message | ({"entries": entries} if entries else {}) | ({"after": after} if after else {})


def following(cursor: str | None = None, **more: Any) -> dict[str, Any]:
    return {"node": "n1", "cursor": cursor, "copied": False, "pending": [], **more}


GREETED = [
    {"next": following(), "step": {"hello": {"node": "n1", "space": "home", "token": None}}},
    {"receive": WELCOME, "effects": [{"greet": True}]},
]


def asks(seq: int | None = None, after: str = "", cursor: str | None = None, **more: Any) -> dict[str, Any]:
    return {"next": following(cursor, **more), "step": {"snapshot": {"items": [], "seq": seq, "after": after}}}


def pulls(cursor: str | None, **more: Any) -> dict[str, Any]:
    return {"next": following(cursor, **more), "step": {"pull": {"cursor": cursor, "limit": 10_000, "items": []}}}


def takes(items: list[str], *, first: bool, last: bool, entries: list[str], cursor: str = "at 9") -> dict[str, Any]:
    return {"take": {"bases": items, "first": first, "last": last, "entries": entries, "cursor": cursor}}


def error(code: str) -> dict[str, Any]:
    return {"type": "error", "code": code, "message": "No.", "retryable": False, "details": {}}


POLICY = {
    "seq": 2,
    "at": 1,
    "receipt": "r",
    "event": {**entry(2, None)["event"], "item": ".policies", "action": ".policy.set"},
}

TAKING: list[dict[str, Any]] = [
    {
        "about": "a new replica without history: part by part, then what came after",
        "options": {"history": False},
        "steps": [
            *GREETED,
            asks(),
            {
                "receive": part("a", "b", after="b", entries=[POLICY]),
                "effects": [takes(["a", "b"], first=True, last=False, entries=[name(2)])],
            },
            asks(9, "b"),
            {"receive": part("c"), "effects": [takes(["c"], first=False, last=True, entries=[name(2)])]},
            pulls("at 9", horizon=9),
        ],
    },
    {
        "about": "the log no longer has what comes next",
        "options": {},
        "steps": [
            *GREETED,
            pulls("old"),
            {"receive": error("cursor_expired"), "effects": []},
            asks(cursor="old"),
            {"receive": part("a"), "effects": [takes(["a"], first=True, last=True, entries=[])]},
            pulls("at 9", horizon=9),
        ],
    },
    {
        "about": "the snapshot is gone before its end: it begins again",
        "options": {"history": False},
        "steps": [
            *GREETED,
            asks(),
            {"receive": part("a", after="a"), "effects": [takes(["a"], first=True, last=False, entries=[])]},
            asks(9, "a"),
            {"receive": error("snapshot_gone"), "effects": []},
            asks(),
            {
                "receive": part("a", seq=12),
                "effects": [takes(["a"], first=True, last=True, entries=[], cursor="at 12")],
            },
            pulls("at 12", horizon=12),
        ],
    },
    {
        "about": "a cursor that the log does not know, and none that is later than the horizon: another snapshot",
        "options": {},
        "steps": [
            *GREETED,
            pulls("at 9", horizon=9),
            {"receive": error("cursor_reset"), "effects": [{"rewind": True}]},
            asks(horizon=9),
            {"receive": part(seq=3), "effects": [takes([], first=True, last=True, entries=[], cursor="at 3")]},
            pulls("at 3", horizon=3),
        ],
    },
    {
        "about": "a part of another snapshot is refused",
        "options": {"history": False},
        "steps": [
            *GREETED,
            asks(),
            {"receive": part("a", after="a"), "effects": [takes(["a"], first=True, last=False, entries=[])]},
            asks(9, "a"),
            {"receive": part("b", seq=8), "raises": "bad_request"},
        ],
    },
    {
        "about": "what keeps a log of its own takes no snapshot",
        "options": {},
        "steps": [
            *GREETED,
            pulls("old", takes_bases=False),
            {"receive": error("cursor_expired"), "raises": "cursor_expired"},
        ],
    },
]


def main() -> None:
    covers = [{"clock": clock, "node": node, "n": n, "covers": n <= clock.get(node, 0)} for clock, node, n in COVERS]
    documents = [document(*case) for case in DOCUMENTS]
    vectors = {"about": ABOUT, "covers": covers, "documents": documents, "taking": TAKING}
    FILE.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
