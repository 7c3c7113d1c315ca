"""Patches as ops: plain JSON does what ``patches`` does, kinds are edited, concurrent patches merge."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core import patches
from syncline.core.documents import ops, patching, snapshots, values
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.events import Event
from syncline.errors import SynclineError
from tests.core import test_patches
from tests.core.samples import NOW, an_id, same
from tests.core.test_patches import add, public_cases

ITEM = "task.milk"
TASK = {
    "body": {"$text": "hello"},
    "n": {"$counter": 5},
    "tags": {"$set": ["a", "c", {"x": 1}]},
    "m": {"$map": {"$x": 1, "$map": {"y": 2}, "l": []}},
    "list": ["a", {"$text": "b"}, [1]],
}


class Log:
    """Events of several authors, each of whom has seen the ones before a place."""

    def __init__(self, value: Any = TASK) -> None:
        self.events: list[Event] = []
        self.patch([add("", value)])

    def document(self, seen: int | None = None) -> Document:
        document = Document(ITEM)
        for event in self.events[:seen]:
            document.fold(event)
        return document

    def editor(self, seen: int | None = None) -> Editor:
        return Editor(self.document(seen), an_id(NOW + len(self.events)))

    def push(self, editor: Editor) -> list[dict[str, Any]]:
        """Ends an event; its ops."""
        n = len(self.events) + 1
        wire = editor.wire()
        ops.check(wire)
        event = Event(action="edit", clock={"n1": n}, id=editor.event, item=ITEM, node="n1", ops=wire)
        self.events.append(event)
        return wire

    def patch(self, patch: list[dict[str, Any]], seen: int | None = None) -> list[dict[str, Any]]:
        editor = self.editor(seen)
        patching.apply(editor, patch)
        return self.push(editor)

    def merge(self, patch: Any, seen: int | None = None) -> list[dict[str, Any]]:
        editor = self.editor(seen)
        patching.merge(editor, patch)
        return self.push(editor)

    def value(self) -> Any:
        return self.document().value()


def shapes(wire: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ops without the names in them."""
    return [{k: v for k, v in each.items() if k not in ("in", "over", "after", "elem", "elems")} for each in wire]


def patched(value: Any, patch: list[dict[str, Any]]) -> Any:
    """What a document of this value is after a patch, its author and a reader of its event agreeing."""
    log = Log(value)
    editor = log.editor()
    patching.apply(editor, patch)
    log.push(editor)
    assert same(editor.document.value(), log.value())
    return log.value()


def error_of(value: Any, patch: Any) -> SynclineError:
    editor = Log(value).editor()
    with pytest.raises(SynclineError) as failure:
        patching.apply(editor, patch)
    return failure.value


# Plain JSON: the same as patching the value

atoms = st.sampled_from([None, False, True, 0, 1, 2, 0.5, "", "a", "1"])
plain = st.recursive(
    atoms,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["a", "b", "/", "~1", "$text"]), inner),
    max_leaves=12,
)


def marked(patch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A patch of plain values, as it travels."""
    return [{key: values.to_wire(member) if key == "value" else member for key, member in op.items()} for op in patch]


def check_plain(value: Any, edit: Any, argument: Any, expected: Any) -> None:
    log = Log(values.to_wire(value))
    editor = log.editor()
    kept = copy.deepcopy(argument)
    edit(editor, argument)
    assert same(argument, kept)
    assert same(editor.document.plain(), expected)
    log.push(editor)
    document = log.document()
    assert same(document.plain(), expected)
    assert list(document.conflicts()) == []
    editor.document.clock = document.clock
    assert snapshots.encode(editor.document) == snapshots.encode(document)


@given(plain, plain)
def test_a_diff_leads_there(before, after):
    check_plain(before, patching.apply, marked(patches.diff(before, after)), after)


@given(plain, st.integers(0, 2**32), st.integers(0, 8))
def test_random_operations_do_what_they_do_to_the_value(value, seed, length):
    model = test_patches.Editor(copy.deepcopy(value), seed)
    patch = model.patch(length)
    assert same(patches.apply(value, patch), model.value)
    check_plain(value, patching.apply, marked(patch), model.value)


@given(plain, plain)
def test_a_merge_does_what_it_does_to_the_value(value, patch):
    check_plain(value, patching.merge, values.to_wire(patch), patches.merge(value, patch))


@pytest.mark.parametrize("case", [*public_cases()])
def test_a_public_case(case):
    if "error" in case:
        error = error_of(values.to_wire(case["doc"]), case["patch"])
        assert error.code in ("bad_patch", "patch_failed", "patch_test_failed")
    else:
        check_plain(case["doc"], patching.apply, marked(case["patch"]), case.get("expected", case["doc"]))
