"""Revisions: forward and reverse patches of every change, by random editing and by what is easy to get wrong."""

import random
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core import patches
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.folded import Folded
from syncline.core.documents.journal import LOOKBACK
from syncline.core.documents.objects import List, Map, Ref
from syncline.core.documents.policies import MERGE, SERVER_WINS
from syncline.core.documents.recorder import Recorder
from syncline.core.documents.revisions import Blame, Placed, Revision, blame, record, replay
from syncline.core.erasure import erased
from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_PATCH_OPERATIONS
from syncline.core.stamps import Stamp
from tests.core.documents.people import ITEM, Device, Log, create, objects, random_edit

NOW = 1_700_000_000_000


# Every patch leads there and back


def odd_edit(dice, editor):
    """What ``random_edit`` leaves out: marked maps, whole roots, the whole document, values put back, nested values."""
    document = editor.document
    shown = objects(document)
    maps = [each for each in shown if isinstance(each, Map)]
    lists = [each for each in shown if isinstance(each, List) and len(each.sequence)]
    roll = dice.random()
    if roll < 0.15:
        editor.delete_document()
    elif roll < 0.4:
        editor.restore_document()
    elif roll < 0.45:
        editor.put_root(dice.choice([None, 7, {"$text": "all"}, ["a", ["b"]], {"$map": {"$a": 1}}]))
    elif roll < 0.48:
        editor.ensure_root(dice.choice(["map", "list", "set"]))
    elif roll < 0.7 and maps:
        target = dice.choice(maps)
        key = dice.choice(["$a", "$text", "a/b~", ""])
        if key in target.slots and dice.random() < 0.7:
            editor.delete(target, key)
        else:
            editor.put(target, key, dice.choice([1, {"$map": {"$b": [1]}}, {"deep": [{"$text": "t"}, {"m": {}}]}]))
    elif roll < 0.85 and lists:
        target = dice.choice(lists)
        for _ in range(dice.randint(1, 5)):
            editor.move(target, dice.randrange(len(target.sequence)), dice.randrange(len(target.sequence)))
    else:
        put_back(dice, editor)


def put_back(dice, editor):
    """Puts back an object that was replaced, as undo does."""
    document = editor.document
    hidden = [
        each
        for each in document.objects.values()
        if each.birth and isinstance(each.birth[0], Map) and each.birth[0].shows(each.birth[1]) != each.name
    ]
    if hidden:
        target = dice.choice(hidden)
        parent, key = target.birth
        put = SimpleNamespace(value=Ref(target.name), origin=f"{editor.event}:0")
        editor.put_back(parent, key, put)


def play(seed, *, steps=14):
    """The log of a random history on three devices, some of it in groups."""
    dice = random.Random(seed)
    log = Log()
    devices = [Device(log, "ann", "ann1"), Device(log, "ann", "ann2"), Device(log, "bob", "bob1")]
    Device(log, "eve", "eve1").make(create)
    for device in devices:
        device.sync()
    for step in range(steps):
        device = dice.choice(devices)
        roll = dice.random()
        meta = {"group": f"g{step // 4}"} if dice.random() < 0.3 else {}
        if roll < 0.3:
            device.edit(lambda editor: random_edit(dice, editor), **meta)
        elif roll < 0.65:
            device.edit(lambda editor: [dice.choice([random_edit, odd_edit])(dice, editor) for _ in range(4)], **meta)
        elif roll < 0.75:
            dice.choice([device.undo, device.redo])()
        else:
            device.sync()
    for device in devices:
        device.sync()
    return log.events


def check_change(change, before, after):
    """The two properties, and that what a patch says is sent and read as JSON."""
    change = msgspec.json.decode(msgspec.json.encode(change))
    if not isinstance(change, dict):
        change = dict(zip(("kind", "forward", "reverse"), change, strict=True))
    if change["kind"] == "update":
        assert patches.equal(patches.apply(before, change["forward"]), after)
        assert patches.equal(patches.apply(after, change["reverse"]), before)
        assert len(change["forward"]) == len(change["reverse"])
    elif change["kind"] == "create":
        assert patches.equal(change["forward"], after)
        assert change["reverse"] is None
    else:
        assert patches.equal(change["reverse"], before)
        assert change["forward"] is None


@given(st.integers(0, 2**32), st.sampled_from([MERGE, SERVER_WINS]))
def test_every_patch_leads_there_and_back(seed, policy):
    document = Document(ITEM)
    for event in play(seed):
        before, did_exist = document.value(), document.exists
        recorder = Recorder(document)
        has_changed = document.fold(event, policy=policy, observer=recorder)
        change = recorder.change()
        if change:
            assert has_changed
            check_change(change, before, document.value())
            assert did_exist == (change.kind != "create")
            assert document.exists == (change.kind != "delete")
        else:
            assert patches.equal(before, document.value())
            assert did_exist == document.exists


@given(st.integers(0, 2**32))
def test_revisions_lead_through_a_document(seed):
    events = play(seed)
    document, plain = Document(ITEM), Document(ITEM)
    values = []
    for event in events:
        plain.fold(event)
        values.append(plain.value())
    place = {event.id: number for number, event in enumerate(events)}
    value = None
    for number, revision in enumerate(replay(document, map(Placed, events), 5), 5):
        assert revision.number == number
        after = values[place[revision.ids[-1]]]
        check_change(msgspec.to_builtins(revision), value, after)
        value = after
    assert patches.equal(value, plain.value())
    assert document.value() == plain.value()


@given(st.integers(0, 2**32))
def test_steps_of_a_list_are_joined_to_one_for_each_element(seed):
    dice = random.Random(seed)
    editor, recorder = an_editor(list("abcdefgh"))
    target = at(editor)
    before, old = editor.document.value(), list(target.visible())
    for _ in range(30):
        length = len(target.sequence)
        match dice.randrange(4):
            case 0:
                editor.insert(target, dice.randint(0, length), [dice.randrange(9), [dice.randrange(9)]])
            case 1 if length > 2:
                editor.remove(target, dice.randint(0, length - 2), 2)
            case 2 if length:
                editor.put_at(target, dice.randrange(length), "new")
            case 3 if length:
                editor.move(target, dice.randrange(length), dice.randrange(length))
    if change := recorder.change():
        check_change(change, before, editor.document.value())
        elements = {*old, *target.visible()}
        assert len(change.forward) <= 2 * len(elements)
        gone = [operation for operation in change.forward if operation["op"] == "remove"]
        came = [operation for operation in change.forward if operation["op"] == "add"]
        assert len(gone) == len({*old} - {*target.visible()})
        assert len(came) == len({*target.visible()} - {*old})


# One change, one operation


class Desk:
    """A document on which each edit is an event of its own."""

    def __init__(self, value):
        self.document, self.n = Document(ITEM), 0
        self.edit(lambda editor: editor.put_root(value))

    def event(self, act, **meta):
        """The event of an edit that is made in a copy."""
        copy = Document(ITEM)
        for event in getattr(self, "events", []):
            copy.fold(event)
        self.n += 1
        editor = Editor(copy, str(Stamp(NOW + self.n, 0, 1, self.n)))
        act(editor)
        value = {"id": editor.event, "item": ITEM, "action": f"act{self.n}", "node": "n", "clock": {"n": self.n}}
        event = Event.of({**value, "ops": editor.wire(), **({"meta": meta} if meta else {})})
        self.events = [*getattr(self, "events", []), event]
        return event

    def edit(self, act, **meta):
        """What an edit changed; checked, too."""
        before = self.document.value()
        change = record(self.document, self.event(act, **meta))
        if change:
            check_change(change, before, self.document.value())
        return change


def at(editor, *path):
    """The object at a path."""
    value = editor.document.root
    for step in path:
        target = editor.document.objects[value]
        value = target.shows(step) if isinstance(target, Map) else target.sequence.content_at(step).value
    return editor.document.objects[value]


def an_editor(value):
    """An editor that is about to edit a document, and what records it."""
    document = Document(ITEM)
    Editor(document, str(Stamp(NOW, 0, 1, 1))).put_root(value)
    recorder = Recorder(document)
    return Editor(document, str(Stamp(NOW + 1, 0, 1, 1)), observer=recorder), recorder


START = {
    "a": 1,
    "b": {"c": {"d": 1}},
    "list": ["x", "y", {"z": 1}],
    "text": {"$text": "one"},
    "count": {"$counter": 1},
    "set": {"$set": ["k", "m"]},
    "odd": {"$map": {"$y": 1}},
}


def op(kind, path, *value, **members):
    return {"op": kind, **members, "path": path, **({"value": value[0]} if value else {})}


CASES = {
    "a key put": (lambda e: e.put(at(e), "a", 2), [op("replace", "/a", 2)]),
    "a key added": (lambda e: e.put(at(e), "new", {"$text": ""}), [op("add", "/new", {"$text": ""})]),
    "a key removed": (lambda e: e.delete(at(e), "b"), [op("remove", "/b")]),
    "a key deep down": (lambda e: e.put(at(e, "b", "c"), "d", 2), [op("replace", "/b/c/d", 2)]),
    "an odd key": (lambda e: e.put(at(e, "b"), "~/", 2), [op("add", "/b/~0~1", 2)]),
    "a marked map": (lambda e: e.put(at(e, "odd"), "$z", 2), [op("add", "/odd/$map/$z", 2)]),
    "a mark that came": (lambda e: e.put(at(e, "b", "c"), "$", 1), [op("replace", "/b/c", {"$map": {"d": 1, "$": 1}})]),
    "a mark that went": (lambda e: e.delete(at(e, "odd"), "$y"), [op("replace", "/odd", {})]),
    "an insertion": (lambda e: e.insert(at(e, "list"), 1, [0, 1]), [op("add", "/list/1", 0), op("add", "/list/2", 1)]),
    "a removal": (lambda e: e.remove(at(e, "list"), 0, 2), [op("remove", "/list/0")] * 2),
    "an element put": (lambda e: e.put_at(at(e, "list"), 1, 0), [op("replace", "/list/1", 0)]),
    "a move up": (lambda e: e.move(at(e, "list"), 0, 2), [op("move", "/list/2", **{"from": "/list/0"})]),
    "a move down": (lambda e: e.move(at(e, "list"), 2, 1), [op("move", "/list/1", **{"from": "/list/2"})]),
    "inside an element": (lambda e: e.put(at(e, "list", 2), "z", 2), [op("replace", "/list/2/z", 2)]),
    "a text": (lambda e: e.splice(at(e, "text"), 1, 1, "h"), [op("replace", "/text/$text", "ohe")]),
    "a counter": (lambda e: e.increment(at(e, "count"), 2), [op("replace", "/count/$counter", 3)]),
    "a member added": (lambda e: e.add(at(e, "set"), "l"), [op("add", "/set/$set/1", "l")]),
    "a member gone": (lambda e: e.discard(at(e, "set"), "m"), [op("remove", "/set/$set/1")]),
    "the root": (lambda e: e.put_root(7), [op("replace", "", 7)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_change_is_one_operation(name):
    act, expected = CASES[name]
    assert Desk(START).edit(act).forward == expected


NOTHING = {
    "an equal scalar": lambda e: e.put(at(e), "a", 1),
    "an equal object": lambda e: e.put(at(e), "b", {"c": {"d": 1}}),
    "an equal element": lambda e: e.put_at(at(e, "list"), 0, "x"),
    "a key that came and went": lambda e: (e.put(at(e), "new", 1), e.delete(at(e), "new")),
    "a mark that came and went": lambda e: (e.put(at(e, "b"), "$", 1), e.delete(at(e, "b"), "$")),
    "elements that came and went": lambda e: (
        e.insert(at(e, "list"), 1, [1, 2]),
        e.move(at(e, "list"), 0, 3),
        e.remove(at(e, "list"), 0),
        e.move(at(e, "list"), 2, 0),
        e.remove(at(e, "list"), 1),
    ),
    "a move there and back": lambda e: (e.move(at(e, "list"), 0, 2), e.move(at(e, "list"), 2, 0)),
    "characters that came and went": lambda e: (e.splice(at(e, "text"), 0, 0, "a"), e.splice(at(e, "text"), 0, 1)),
    "a member that is there": lambda e: e.add(at(e, "set"), "k"),
    "nothing counted": lambda e: e.increment(at(e, "count"), 0),
    "a document deleted and restored": lambda e: (e.delete_document(), e.restore_document()),
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_shows_the_same_makes_no_revision(name):
    assert Desk(START).edit(NOTHING[name]) is None


def test_true_is_not_one():
    assert Desk(START).edit(lambda e: e.put(at(e), "a", True)).forward == [op("replace", "/a", True)]


def test_one_event_says_what_is_there_in_the_end():
    def act(editor):
        editor.put(at(editor), "a", 2)
        editor.put(at(editor), "new", {"$text": ""})
        editor.splice(at(editor, "new"), 0, 0, "abc")
        editor.put(at(editor), "a", 3)
        editor.insert(at(editor, "list"), 0, [{}])
        editor.put(at(editor, "list", 0), "k", 1)

    assert Desk(START).edit(act).forward == [
        op("replace", "/a", 3),
        op("add", "/new", {"$text": "abc"}),
        op("add", "/list/0", {"k": 1}),
    ]


def test_what_changed_inside_what_goes_comes_back_as_it_was():
    def act(editor):
        editor.splice(at(editor, 0, "text"), 0, 3, "gone")
        editor.add(at(editor, 0, "set"), 7)
        editor.increment(at(editor, 0, "count"), 7)
        editor.move(at(editor, 0, "list"), 0, 1)
        editor.insert(at(editor, 0, "list"), 0, [7])
        editor.remove(at(editor, 0, "list"), 1)
        editor.put(at(editor, 0, "list", 2), "z", 7)
        editor.delete(at(editor, 0, "odd"), "$y")
        editor.remove(at(editor), 0)

    assert Desk([START]).edit(act) == ("update", [op("remove", "/0")], [op("add", "/0", START)])


def test_paths_are_those_after_elements_came_and_went():
    def act(editor):
        editor.put(at(editor, 2), "a", 2)
        editor.insert(at(editor), 0, ["new"])
        editor.remove(at(editor), 1)
        editor.put(at(editor, 2), "b", 3)

    change = Desk([0, 1, {"a": 1}]).edit(act)
    assert change.forward == [
        op("add", "/0", "new"), op("remove", "/1"), op("replace", "/2/a", 2), op("add", "/2/b", 3),
    ]  # fmt: skip


def test_a_map_whose_mark_changes_inside_one_is_replaced_from_where_it_does():
    def act(editor):
        editor.put(at(editor, "m", "$in"), "x", 1)
        editor.put(at(editor, "m"), "y", 1)
        editor.put(at(editor), "$z", 1)

    change = Desk({"m": {"$map": {"$in": {}}}}).edit(act)
    whole = {"$map": {"m": {"$map": {"$in": {"x": 1}, "y": 1}}, "$z": 1}}
    assert change.forward == [op("replace", "", whole)]
    assert change.reverse == [op("replace", "", {"m": {"$map": {"$in": {}}}})]


def test_a_document_comes_goes_and_comes_back():
    desk = Desk({"a": 1})
    gone = desk.edit(lambda e: (e.put(at(e), "a", 2), e.delete_document()))
    assert gone == ("delete", None, {"a": 1})
    assert desk.edit(lambda e: e.put(at(e), "b", 1)) is None
    assert desk.edit(lambda e: e.restore_document()) == ("create", {"a": 2, "b": 1}, None)


def test_an_edit_between_a_delete_and_a_restore_is_a_change():
    desk = Desk({"a": 1})
    event = desk.event(lambda e: (e.delete_document(), e.put(at(e), "a", 2), e.restore_document()))
    recorder = Recorder(desk.document)
    assert desk.document.fold(event, observer=recorder)
    assert recorder.change().forward == [op("replace", "/a", 2)]


def test_an_editor_knows_whether_anything_changed():
    editor, _ = an_editor({"a": 1})
    editor.delete_document()
    assert editor.has_changed
    editor.restore_document()
    assert not editor.has_changed
    editor.put(at(editor), "a", 2)
    assert editor.has_changed


def test_a_root_that_nobody_made_is_there_before_it_is_replaced():
    document = Document(ITEM)
    editor = Editor(document, str(Stamp(NOW, 0, 1, 1)))
    editor.put(document.find(""), "a", 1)
    recorder = Recorder(document)
    Editor(document, str(Stamp(NOW + 1, 0, 1, 1)), observer=recorder).put_root([1])
    assert recorder.change().reverse == [op("replace", "", {"a": 1})]


def test_a_patch_that_apply_would_not_take_replaces_more():
    def long(editor):
        editor.put(at(editor, "o", "k" * 1000, "l" * 21), "m", 1)

    value = {"o": {"k" * 1000: {"l" * 21: {}}}}
    assert Desk(value).edit(long).forward == [op("replace", f"/o/{'k' * 1000}", {"l" * 21: {"m": 1}})]
    many = Desk({"a": [], "b": 1}).edit(lambda e: e.insert(at(e, "a"), 0, [0] * (MAX_PATCH_OPERATIONS + 1)))
    assert many.forward == [op("replace", "/a", [0] * (MAX_PATCH_OPERATIONS + 1))]


def test_a_list_in_which_too_much_came_and_went_is_replaced():
    editor, recorder = an_editor(["x", "y"])
    target = at(editor)
    editor.insert(target, 0, list(range(LOOKBACK + 2)))
    editor.remove(target, 0)
    editor.put_at(target, LOOKBACK + 2, "z")
    editor.remove(target, LOOKBACK + 1)
    after = [*range(1, LOOKBACK + 2), "z"]
    assert recorder.change() == ("update", [op("replace", "", after)], [op("replace", "", ["x", "y"])])


def test_only_what_was_touched_is_looked_at(monkeypatch):
    desk = Desk({"big": {f"k{n}": {"$text": "t"} for n in range(100)}, "list": [[n] for n in range(100)]})
    shown = []
    show = Document.show

    def count(self, value, *, marked=True):
        shown.append(value)
        return show(self, value, marked=marked)

    edits = [
        desk.event(lambda e: e.put(at(e, "big"), "k7", 1)),
        desk.event(lambda e: e.move(at(e, "list"), 0, 90)),
        desk.event(lambda e: e.put_at(at(e, "list", 3), 0, 1)),
    ]
    monkeypatch.setattr(Document, "show", count)
    for event in edits:
        assert len(record(desk.document, event).forward) == 1
    assert len(shown) < 10


def test_marks_are_counted():
    desk = Desk({"$map": {"$a": 1}})
    root = at(SimpleNamespace(document=desk.document))
    assert root.marks == 1
    root.set("$a", root.slots["$a"])
    assert root.marks == 1
    root.set("$a", ())
    root.set("$a", ())
    assert (root.marks, root.slots) == (0, {})


# Revisions


def test_a_revision_says_who_did_what_when():
    desk = Desk({"a": 1})
    desk.event(lambda e: e.put(at(e), "a", 1))
    desk.event(lambda e: e.put(at(e), "a", 2), undoes="that")
    first, second, third = desk.events
    placed = [Placed.of(Entry.of(7, 111, "", first)), Placed(second, 8, 112), Placed(third)]
    revisions = list(replay(Document(ITEM), placed, policy=lambda seq: MERGE if seq else SERVER_WINS))
    assert revisions == [
        Revision(
            number=1, seq=7, at=111, ids=[first.id], user=None, node="n", action="act1",
            kind="create", forward={"a": 1}, reverse=None,
        ),
        Revision(
            number=2, seq=None, at=NOW + 3, ids=[third.id], user=None, node="n", action="act3", kind="update",
            forward=[op("replace", "/a", 2)], reverse=[op("replace", "/a", 1)], undoes="that",
        ),
    ]  # fmt: skip
    assert msgspec.json.decode(msgspec.json.encode(revisions), type=list[Revision]) == revisions


def test_neighbours_of_a_group_are_one_revision():
    desk = Desk({"a": 1})
    desk.event(lambda e: e.put(at(e), "a", 2), group="g")
    desk.event(lambda e: e.put(at(e), "a", 3), group="g")
    desk.event(lambda e: e.put(at(e), "a", 4), group="h")
    desk.event(lambda e: e.put(at(e), "a", 5))
    desk.event(lambda e: e.put(at(e), "a", 6), group="g")
    revisions = list(replay(Document(ITEM), map(Placed, desk.events)))
    assert [len(each.ids) for each in revisions] == [1, 2, 1, 1, 1]
    assert revisions[1].forward == [op("replace", "/a", 3)]
    assert revisions[1].reverse == [op("replace", "/a", 1)]


def test_a_group_of_two_nodes_is_two_revisions():
    desk = Desk({"a": 1})
    desk.event(lambda e: e.put(at(e), "a", 2), group="g")
    event = desk.event(lambda e: e.put(at(e), "a", 3), group="g")
    other = msgspec.structs.replace(event, node="m", clock={"m": 1})
    assert len(list(replay(Document(ITEM), map(Placed, [*desk.events[:2], other])))) == 3


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_an_erased_event_stays_in_its_group(gone):
    desk = Desk({"a": 1})
    desk.event(lambda e: e.put(at(e), "a", 2), group="g")
    desk.event(lambda e: e.put(at(e), "a", 3), group="g")
    events = [event.with_user("ann") for event in desk.events]
    events[gone] = erased(events[gone])
    folded = Folded(ITEM)
    for seq, event in enumerate(events, 1):
        folded.fold(Placed(event, seq), MERGE)
    revisions = list(replay(Document(ITEM), map(Placed, events)))
    assert [len(each.ids) for each in revisions] == [1, 2]
    assert folded.revision == len(revisions)


def test_an_event_folded_twice_makes_no_revision():
    desk = Desk({"a": 1})
    assert record(desk.document, desk.events[0]) is None


# Blame


def test_blame():
    desk = Desk(START)
    first = desk.events[0].id
    edits = [
        lambda e: e.put(at(e), "a", 2),
        lambda e: e.put_at(at(e, "list"), 1, 0),
        lambda e: e.splice(at(e, "text"), 1, 1, "ab"),
        lambda e: e.add(at(e, "set"), "l"),
        lambda e: e.increment(at(e, "count"), 1),
        lambda e: e.increment(at(e, "count"), 1, once="undo"),
    ]
    for act in edits:
        desk.edit(act)
    _, put, element, text, member, _, once = [event.id for event in desk.events]
    assert blame(desk.document, []) == blame(desk.document, ["b", "c", "d"]) == [Blame(first)]
    assert blame(desk.document, ["a"]) == [Blame(put)]
    assert blame(desk.document, ["list", 1]) == [Blame(element)]
    assert blame(desk.document, ["list", 2, "z"]) == blame(desk.document, ["list"]) == [Blame(first)]
    assert blame(desk.document, ["text"]) == [Blame(first, 0, 1), Blame(text, 1, 2), Blame(first, 3, 1)]
    assert blame(desk.document, ["set"]) == [Blame(first, 0), Blame(member, 1), Blame(first, 2)]
    assert blame(desk.document, ["set", 1]) == [Blame(member)]
    assert blame(desk.document, ["count"]) == [Blame(first), Blame(once)]


def test_blame_joins_neighbours_of_one_event():
    desk = Desk({"$text": "abcd"})
    desk.edit(lambda e: e.splice(at(e), 1, 2))
    assert blame(desk.document, []) == [Blame(desk.events[0].id, 0, 2)]


def test_blame_goes_to_who_put_it_first_not_to_who_put_it_back():
    log = Log()
    ann = Device(log, "ann", "ann1")
    ann.edit(lambda e: e.put(at(e), "a", 1))
    first = ann.edit(lambda e: e.put(at(e), "a", 2)).id
    ann.edit(lambda e: e.put(at(e), "a", 3))
    ann.undo()
    assert blame(ann.document, ["a"]) == [Blame(first)]
    assert blame(ann.document, []) == []


@pytest.mark.parametrize(
    "path", [["no"], ["list", 9], ["list", "0"], ["a", "b"], ["text", 0], ["set", 5], ["set", 0, 0]]
)
def test_nobody_is_to_blame_for_what_is_not_there(path):
    with pytest.raises(LookupError):
        blame(Desk(START).document, path)


def test_nobody_is_to_blame_for_a_deleted_document():
    desk = Desk(START)
    desk.edit(lambda e: e.delete_document())
    with pytest.raises(KeyError):
        blame(desk.document, [])
