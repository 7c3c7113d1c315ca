"""Editing: what a person wants, as ops that name what they see."""

import random
from typing import Any

import pytest

from syncline.core import canonical
from syncline.core.documents import ops, values
from syncline.core.documents.assign import assign
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.objects import CounterObject, Ref
from syncline.core.documents.sequence import Events
from syncline.core.limits import MAX_SAFE_INTEGER
from syncline.errors import BadOp, EventTooLarge, TooDeep
from tests.core.documents.histories import a_value
from tests.core.documents.test_fold import COUNT, FIRST, LIST, SET, TEXT, an_event, folded, name


@pytest.fixture
def document() -> Document:
    return folded(FIRST)


@pytest.fixture
def editor(document) -> Editor:
    return Editor(document, name(2, 0)[:36])


def at(editor: Editor, object: str) -> Any:
    return editor.document.objects[object]


def test_an_edit_names_what_stands(editor):
    root = at(editor, "")
    editor.put(root, "text", 1)
    editor.put(root, "text", {"in": 2})
    editor.put(at(editor, editor.event + ":2"), "in", 3)
    editor.delete(root, "count")
    assert editor.wire() == [
        {"op": "put", "key": "text", "value": 1, "over": [name(1, 0)]},
        {"op": "put", "key": "text", "value": {"in": 2}, "over": [":0"]},
        {"op": "put", "in": ":2", "key": "in", "value": 3, "over": [":2"]},
        {"op": "del", "key": "count", "over": [name(1, 11)]},
    ]
    assert editor.has_changed
    assert editor.document.value() == {"text": {"in": 3}, "list": [1, 2], "set": {"$set": [1, 2]}}


def test_an_edit_of_nothing_changes_nothing(editor):
    editor.splice(at(editor, TEXT), 1)
    editor.discard(at(editor, SET), 7)
    editor.restore_document()
    editor.remove_characters(at(editor, TEXT), [])
    editor.put_back_characters(at(editor, TEXT), [])
    assert editor.wire() == []
    editor.increment(at(editor, COUNT), 0)
    assert not editor.has_changed


def test_elements_are_named_by_their_insertion(editor):
    numbers = at(editor, LIST)
    editor.put_at(numbers, 0, "one")
    editor.put_at(numbers, 0, "eins")
    editor.move(numbers, 0, 1)
    editor.move(numbers, 1, 0)
    editor.insert(numbers, 1, ["x", "y"])
    editor.remove(numbers, 0, 3)
    assert [op.get("over") for op in editor.wire()] == [None, [":0"], None, [":2"], None, [":1"]]
    assert editor.wire()[-1]["elems"] == [name(1, 7), ":5+2"]
    assert editor.document.value()["list"] == [2]


def test_a_child_by_its_place_is_made_once(editor):
    root = at(editor, "")
    child = editor.ensure(root, "a/b", "map")
    assert editor.ensure(root, "a/b", "map") is child
    editor.ensure(child, "n", "counter")
    editor.ensure_root("list")
    editor.ensure_root("list")
    editor.ensure_root("map")
    assert editor.wire() == [
        {"op": "ensure", "key": "a/b", "kind": "map"},
        {"op": "ensure", "in": "/a~1b:map", "key": "n", "kind": "counter"},
        {"op": "ensure", "kind": "list"},
        {"op": "ensure", "kind": "map", "over": [":2"]},
    ]
    assert editor.document.value()["a/b"] == {"n": {"$counter": 0}}


def test_a_text_that_reads_like_a_child_is_replaced_by_it(editor):
    root = at(editor, "")
    editor.put(root, "a", "/a:map")
    editor.ensure(root, "a", "map")
    assert editor.document.value()["a"] == {}
    editor.put_root("")
    editor.ensure_root("map")
    assert editor.document.value()["a"] == {}


def test_what_is_not_there_cannot_be_edited(editor):
    for act in (
        lambda: editor.splice(at(editor, TEXT), 2, 2),
        lambda: editor.splice(at(editor, TEXT), -1),
        lambda: editor.remove(at(editor, LIST), 1, 2),
        lambda: editor.move(at(editor, LIST), 0, 2),
        lambda: editor.put_at(at(editor, LIST), 2, 1),
    ):
        with pytest.raises(IndexError):
            act()
    with pytest.raises(KeyError):
        editor.delete(at(editor, ""), "nothing")
    for by in (0.5, MAX_SAFE_INTEGER + 1, True):
        with pytest.raises(BadOp):
            editor.increment(at(editor, COUNT), by)
    for value in ({"$foo": 1}, {1: 2}, [{"$counter": 0.5}]):
        with pytest.raises(BadOp):
            editor.put(at(editor, ""), "x", value)
    assert editor.wire() == []


def test_nothing_is_drafted_too_deep(editor):
    deep: Any = 1
    for _ in range(64):
        deep = {"a": deep}
    for act in (
        lambda: editor.put(at(editor, ""), "x", deep),
        lambda: editor.insert(at(editor, LIST), 0, [deep]),
        lambda: editor.put_root({"a": deep}),
    ):
        with pytest.raises(TooDeep):
            act()
    child = at(editor, "")
    for _ in range(63):
        child = editor.ensure(child, "a", "map")
    drafted = len(editor.ops)
    with pytest.raises(TooDeep):
        editor.ensure(child, "a", "map")
    assert len(editor.ops) == drafted == 63


def test_a_document_is_deleted_and_restored(editor):
    editor.delete_document()
    assert not editor.document.exists
    editor.restore_document()
    assert editor.wire() == [{"op": "delete"}, {"op": "restore", "over": [":0"]}]
    assert editor.document.exists


def test_an_op_made_elsewhere_is_taken_as_it_is(editor):
    editor.do(ops.Put(key="x", value=1))
    assert editor.wire() == [{"op": "put", "key": "x", "value": 1}]


def test_an_event_makes_fewer_than_65536_names():
    ops.check([{"op": "insert", "in": LIST, "values": [0] * 65_534}])
    with pytest.raises(BadOp):
        ops.check([{"op": "insert", "in": LIST, "values": [0] * 65_535}])


# Assigning does the least

LEAST: list[tuple[str, Any, list[str]]] = [
    ("text", "abc", []),
    ("text", "axc", ["del", "insert"]),
    ("text", {"$text": "abcd"}, ["insert"]),
    ("text", 1, ["put"]),
    ("count", 5, ["inc"]),
    ("count", 2, []),
    ("count", {"$counter": -1}, ["inc"]),
    ("count", -MAX_SAFE_INTEGER, ["inc", "inc"]),
    ("count", 0.5, ["put"]),
    ("count", True, ["put"]),
    ("set", [2, 3], ["discard", "add"]),
    ("set", {"$set": [2, 1]}, []),
    ("set", {"a": 1}, ["put"]),
    ("list", [1, 2], []),
    ("list", [1, 3, 2], ["insert"]),
    ("list", [2], ["del"]),
    ("list", [3, 4, 5], ["put", "put", "insert"]),
    ("list", "x", ["put"]),
    ("new", None, ["put"]),
    ("new", {}, ["put"]),
]


@pytest.mark.parametrize(("key", "value", "expected"), LEAST)
def test_assigning_does_the_least(editor, key, value, expected):
    assign(editor, at(editor, ""), key, value)
    assert [op["op"] for op in editor.wire()] == expected
    assert editor.document.plain()[key] == values.to_plain(value) or key == "set"
    assert assigned_again(editor, key, value) == expected


def assigned_again(editor: Editor, key: str, value: Any) -> list[str]:
    assign(editor, at(editor, ""), key, value if value != {} else editor.document.value()[key])
    return [op["op"] for op in editor.wire()]


def test_assigning_to_a_scalar_and_to_the_document(editor):
    root, top = at(editor, ""), editor.document.top
    for value in (1, 1, True, None, None):
        assign(editor, root, "x", value)
    assign(editor, at(editor, LIST), 0, 1)
    assign(editor, at(editor, LIST), 0, "one")
    assign(editor, top, "", {"x": 2, "list": ["one", 2]})
    assert editor.document.value() == {"x": 2, "list": ["one", 2]}
    assign(editor, top, "", 5)
    assert editor.document.value() == 5
    assert [op["op"] for op in editor.wire()] == ["put"] * 4 + ["del"] * 3 + ["put"] * 2
    assert type(top.shows("")) is not Ref


@pytest.mark.parametrize("seed", range(40))
def test_what_is_assigned_shows(seed):
    dice = random.Random(seed)
    for _ in range(5):
        before, after = a_value(dice), a_value(dice)
        document = folded([{"op": "put", "key": "x", "value": before}])
        editor = Editor(document, name(2, 0)[:36])
        assign(editor, document.objects[""], "x", after)
        again = Editor(document, name(3, 0)[:36])
        assign(again, document.objects[""], "x", after)
        assert [op for op in again.ops if not isinstance(op, ops.Put) or isinstance(after, dict)] == []
        assert plain(document.value()["x"]) == plain(after)
        replayed = folded([{"op": "put", "key": "x", "value": before}])
        replayed.fold(an_event(2, *editor.wire()))
        assert replayed.value() == document.value()


def plain(value: Any) -> Any:
    """A value without marks, lists in any order: a list may have become a set."""
    kind, content = values.open_value(value)
    if kind == "map":
        return {key: plain(member) for key, member in content.items()}
    if kind in ("list", "set"):
        return sorted({canonical.encode(plain(member)).decode() for member in content})
    return content


def test_only_maps_and_lists_have_slots():
    assert CounterObject(":counter", None, Events()).shows("") is None


def test_what_is_alike_between_changes_stays(editor):
    editor.insert(at(editor, LIST), 2, [3])
    assign(editor, at(editor, ""), "list", ["a", 2, "c"])
    assert [op["op"] for op in editor.wire()] == ["insert", "put", "put"]


def test_the_slot_of_the_document_is_cleared(editor):
    editor.put_root(1)
    editor.clear(editor.document.top, "")
    editor.clear(at(editor, ""), "text")
    assert editor.wire()[1:] == [{"op": "del", "over": [":0"]}, {"op": "del", "key": "text", "over": [name(1, 0)]}]
    assert editor.document.value().keys() == {"list", "set", "count"}


def test_a_document_is_made_once():
    editor = Editor(Document("task.milk"), name(1, 0)[:36])
    editor.create_document()
    editor.create_document()
    assert editor.wire() == [{"op": "ensure", "kind": "map"}]
    assert editor.document.value() == {}


def test_typing_and_deleting_go_on_in_the_last_op(editor):
    body = at(editor, TEXT)
    for position, character in enumerate("xyz", 3):
        editor.splice(body, position, 0, character)
    for position in (5, 4, 0, 0):
        editor.splice(body, position, 1)
    editor.splice(body, 0, 0, "é")
    editor.splice(body, 1, 0, "😀")
    assert editor.wire() == [
        {"op": "insert", "in": TEXT, "after": name(1, 4), "text": "xyz"},
        {"op": "del", "in": TEXT, "elems": [":2+2", name(1, 2) + "+2"]},
        {"op": "insert", "in": TEXT, "text": "é😀"},
    ]
    again = folded(FIRST)
    again.fold(an_event(2, *editor.wire()))
    assert again.value() == editor.document.value() == {**folded(FIRST).value(), "text": {"$text": "é😀cx"}}


def test_nothing_is_drafted_that_one_event_cannot_name(editor):
    with pytest.raises(EventTooLarge):
        editor.splice(at(editor, TEXT), 0, 0, "x" * 65_536)
    with pytest.raises(BadOp):
        editor.put(at(editor, ""), "x", [{"k" * 1025: 1}])
    assert editor.wire() == []


def test_typing_goes_on_after_a_look_elsewhere_and_for_long(editor):
    body = at(editor, TEXT)
    for count in range(150):
        editor.splice(body, 3 + count, 0, "x")
        if count % 50 == 20:
            assert body.sequence.place_at(0) == editor.document.place(name(1, 2))
    assert editor.wire() == [{"op": "insert", "in": TEXT, "after": name(1, 4), "text": "x" * 150}]
