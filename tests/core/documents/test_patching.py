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
from syncline.core.limits import MAX_DEPTH, MAX_PATCH_COPIED_BYTES, MAX_PATCH_OPERATIONS
from syncline.errors import BadPatch, PatchFailed, PatchTestFailed, SynclineError, TooDeep, TooLarge
from tests.core import test_patches
from tests.core.samples import NOW, an_id, same
from tests.core.test_patches import add, copied, move, nested, op, public_cases, remove, replace

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


# Kinds, in both spellings


@pytest.mark.parametrize(
    ("patch", "drafted", "changed"),
    [
        (replace("/body", "hello you"), [{"op": "insert", "text": " you"}], {"body": {"$text": "hello you"}}),
        (replace("/body/$text", "hallo"), [{"op": "del"}, {"op": "insert", "text": "a"}], {"body": {"$text": "hallo"}}),
        (add("/body/$text", "hell"), [{"op": "del"}], {"body": {"$text": "hell"}}),
        (replace("/body", {"$text": "hello"}), [], {}),
        (add("/body", 5), [{"op": "put", "key": "body", "value": 5}], {"body": 5}),
        (replace("/n", 7), [{"op": "inc", "by": 2}], {"n": {"$counter": 7}}),
        (replace("/n/$counter", 4), [{"op": "inc", "by": -1}], {"n": {"$counter": 4}}),
        (replace("/n", {"$counter": 5}), [], {}),
        (add("/tags/-", "b"), [{"op": "add", "value": "b"}], {"tags": {"$set": ["a", "b", "c", {"x": 1}]}}),
        (add("/tags/$set/0", "a"), [{"op": "add", "value": "a"}], {}),
        (remove("/tags/0"), [{"op": "discard", "value": "a"}], {"tags": {"$set": ["c", {"x": 1}]}}),
        (remove("/tags/$set/2"), [{"op": "discard", "value": {"x": 1}}], {"tags": {"$set": ["a", "c"]}}),
        (replace("/tags/1", "c"), [], {}),
        (
            replace("/tags/1", "b"),
            [{"op": "discard", "value": "c"}, {"op": "add", "value": "b"}],
            {"tags": {"$set": ["a", "b", {"x": 1}]}},
        ),
        (
            replace("/tags", ["c", "d", {"x": 1}]),
            [{"op": "discard", "value": "a"}, {"op": "add", "value": "d"}],
            {"tags": {"$set": ["c", "d", {"x": 1}]}},
        ),
        (
            replace("/tags/$set", []),
            [{"op": "discard", "value": each} for each in ("a", "c", {"x": 1})],
            {"tags": {"$set": []}},
        ),
        (
            add("/tags/-", {"$text": "raw"}),
            [{"op": "add", "value": {"$text": "raw"}}],
            {"tags": {"$set": ["a", "c", {"$text": "raw"}, {"x": 1}]}},
        ),
        (remove("/m/$x"), [{"op": "del", "key": "$x"}], {"m": {"$map": {"$map": {"y": 2}, "l": []}}}),
        (
            replace("/m/$map/$x", 2),
            [{"op": "put", "key": "$x", "value": 2}],
            {"m": {"$map": {"$x": 2, "$map": {"y": 2}, "l": []}}},
        ),
        (
            replace("/m/$map/$map/y", 3),
            [{"op": "put", "key": "y", "value": 3}],
            {"m": {"$map": {"$x": 1, "$map": {"y": 3}, "l": []}}},
        ),
        (
            replace("/m/$map", {"$x": 1, "l": [0]}),
            [{"op": "del", "key": "$map"}, {"op": "insert", "values": [0]}],
            {"m": {"$map": {"$x": 1, "l": [0]}}},
        ),
        (
            add("/list/1", {"$text": "x"}),
            [{"op": "insert", "values": [{"$text": "x"}]}],
            {"list": ["a", {"$text": "x"}, {"$text": "b"}, [1]]},
        ),
        (replace("/list/1", "bc"), [{"op": "insert", "text": "c"}], {"list": ["a", {"$text": "bc"}, [1]]}),
        (replace("/list/1/$text", "bc"), [{"op": "insert", "text": "c"}], {"list": ["a", {"$text": "bc"}, [1]]}),
        (remove("/list/0"), [{"op": "del"}], {"list": [{"$text": "b"}, [1]]}),
        (move("/list/2", "/list/0"), [{"op": "move"}], {"list": [[1], "a", {"$text": "b"}]}),
        (move("/list/0", "/list/-"), [{"op": "move"}], {"list": [{"$text": "b"}, [1], "a"]}),
        (move("/list/2", "/list/-"), [], {}),
        (move("/list/1", "/list/2/0"), None, None),
        (
            move("/body", "/text"),
            [{"op": "del", "key": "body"}, {"op": "put", "key": "text", "value": {"$text": "hello"}}],
            {"body": None, "text": {"$text": "hello"}},
        ),
        (
            move("/list/0", "/list/1/0"),
            [{"op": "del"}, {"op": "insert", "values": ["a"]}],
            {"list": [{"$text": "b"}, ["a", 1]]},
        ),
        (move("/body", "/body"), [], {}),
        (copied("/tags", "/more"), [{"op": "put", "key": "more", "value": TASK["tags"]}], {"more": TASK["tags"]}),
        (
            copied("/tags/$set", "/more"),
            [{"op": "put", "key": "more", "value": ["a", "c", {"x": 1}]}],
            {"more": ["a", "c", {"x": 1}]},
        ),
        (copied("/m/$map", "/more"), [{"op": "put", "key": "more", "value": TASK["m"]}], {"more": TASK["m"]}),
        (copied("/body", "/n/$counter"), None, None),
        (
            copied("/body/$text", "/list/1/$text"),
            [{"op": "del"}, {"op": "insert", "text": "hello"}],
            {"list": ["a", {"$text": "hello"}, [1]]},
        ),
        (
            copied("/m", "/tags/-"),
            [{"op": "add", "value": TASK["m"]["$map"]}],
            {"tags": {"$set": ["a", "c", TASK["m"]["$map"], {"x": 1}]}},
        ),
        (copied("/tags/2/x", "/one"), [{"op": "put", "key": "one", "value": 1}], {"one": 1}),
    ],
)
def test_kinds_are_edited(patch, drafted, changed):
    if drafted is None:
        assert error_of(TASK, [patch]).code == "patch_failed"
        return
    log = Log()
    assert shapes(log.patch([patch])) == drafted
    if changed is not None:
        assert log.value() == {key: value for key, value in (TASK | changed).items() if value is not None}


def test_what_was_copied_out_of_a_set_travels():
    value = {"tags": {"$set": [{"$x": 1}]}}
    assert patched(value, [move("/tags/0", "/m")]) == {"tags": {"$set": []}, "m": {"$map": {"$x": 1}}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("", TASK),
        ("", {"body": "hello", "n": 5, "tags": TASK["tags"], "m": TASK["m"]["$map"], "list": ["a", "b", [1.0]]}),
        ("/body", "hello"),
        ("/body", {"$text": "hello"}),
        ("/body/$text", "hello"),
        ("/n", 5.0),
        ("/n", {"$counter": 5}),
        ("/n/$counter", 5),
        ("/tags", ["a", "c", {"x": 1}]),
        ("/tags/$set/2/x", 1),
        ("/m", TASK["m"]),
        ("/m", TASK["m"]["$map"]),
        ("/m/$map", TASK["m"]["$map"]),
        ("/m/$map/$map", {"y": 2}),
        ("/list/2/0", 1),
    ],
)
def test_a_test_takes_either_spelling(path, value):
    log = Log()
    assert log.patch([op("test", path, value=value)]) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("", None),
        ("", {}),
        ("", TASK | {"n": 6}),
        ("/body", "hallo"),
        ("/body", ["h", "e", "l", "l", "o"]),
        ("/body", {"$text": "hello", "b": 1}),
        ("/body", {"$set": "hello"}),
        ("/body/$text", {"$text": "hello"}),
        ("/n", True),
        ("/n", "5"),
        ("/tags", ["a", "c"]),
        ("/tags", ["c", "a", {"x": 1}]),
        ("/tags/2", {"x": True}),
        ("/m", {"$x": 1, "l": []}),
        ("/m/$map", TASK["m"]),
        ("/list", ["a", "b"]),
        ("/list", ["a", "b", [True]]),
        ("/list/0", ["a"]),
    ],
)
def test_a_test_that_fails_says_which(path, value):
    error = error_of(TASK, [remove("/list/0"), add("/list/0", "a"), op("test", path, value=value)])
    assert (type(error), error.details) == (PatchTestFailed, {"index": 2})


# The whole document


@pytest.mark.parametrize(
    ("before", "patch", "drafted", "after"),
    [
        ({"a": 1, "b": 2}, replace("", {"a": 1, "b": 3}), [{"op": "put", "key": "b", "value": 3}], {"a": 1, "b": 3}),
        (
            {"$map": {"$a": 1}},
            replace("/$map", {"$a": 2}),
            [{"op": "put", "key": "$a", "value": 2}],
            {"$map": {"$a": 2}},
        ),
        ({"a": 1}, add("", [1]), [{"op": "put", "value": [1]}], [1]),
        ([1], add("", {"a": 1}), [{"op": "ensure", "kind": "map"}, {"op": "put", "key": "a", "value": 1}], {"a": 1}),
        ([1], add("/-", 2), [{"op": "insert", "values": [2]}], [1, 2]),
        ([1, 2], move("/0", ""), [{"op": "del"}, {"op": "put", "value": 1}], 1),
        ([1, 2], replace("", [1, 2, 3]), [{"op": "insert", "values": [3]}], [1, 2, 3]),
        ({"$counter": 1}, replace("", 3), [{"op": "inc", "by": 2}], {"$counter": 3}),
        ({"$counter": 1}, replace("/$counter", 3), [{"op": "inc", "by": 2}], {"$counter": 3}),
        ({"$set": [1]}, add("/$set/-", 3), [{"op": "add", "value": 3}], {"$set": [1, 3]}),
        ({"$text": "a"}, replace("", "ab"), [{"op": "insert", "text": "b"}], {"$text": "ab"}),
        ("a", replace("", "a"), [], "a"),
        ("a", replace("", None), [{"op": "put", "value": None}], None),
        ({}, remove(""), [{"op": "delete"}], None),
    ],
)
def test_the_root_may_be_anything(before, patch, drafted, after):
    log = Log(before)
    assert shapes(log.patch([patch])) == drafted
    assert log.value() == after


def test_what_is_empty_is_made_all_the_same():
    log = Log({})
    assert (log.document().exists, log.value()) == (True, {})
    assert log.patch([add("", {})]) == []


def test_a_deleted_document_comes_back_as_what_is_added_to_it():
    for edit in (
        lambda log: log.patch([add("", {"a": 1, "c": 3})]),
        lambda log: log.merge({"a": 1, "b": None, "c": 3}),
    ):
        log = Log({"a": 1, "b": 2})
        log.patch([remove("")])
        assert not log.document().exists
        assert [each["op"] for each in edit(log)] == ["restore", "del", "put"]
        assert log.value() == {"a": 1, "c": 3}


def test_a_document_can_be_deleted_and_made_in_one_patch():
    assert patched({"a": 1}, [remove(""), add("", {"b": 1}), remove("/b")]) == {}


def test_without_a_document_nothing_can_be_asked_of_it():
    for patch in ([remove("")], [replace("", 1)], [op("test", "", value=None)], [add("/a", 1)], [copied("", "")]):
        for prefix in ([], [add("", {}), remove("")]):
            editor = Editor(Document(ITEM), an_id())
            with pytest.raises(PatchFailed, match="no document"):
                patching.apply(editor, prefix + patch)


# Errors


@pytest.mark.parametrize(
    "patch",
    [
        remove("/missing"),
        remove("/list/3"),
        remove("/list/-"),
        remove("/tags/3"),
        remove("/tags/2/x"),
        remove("/body/$text"),
        remove("/body/0"),
        remove("/n/0"),
        replace("/missing", 1),
        replace("/list/-", 1),
        replace("/list/01", 1),
        replace("/tags/3", 1),
        replace("/tags/2/x", 2),
        replace("/body/0", "x"),
        replace("/body/$text", 5),
        replace("/body/$counter", 5),
        replace("/n/$counter", 1.5),
        replace("/m/$map", []),
        replace("/m/$text", ""),
        add("/missing/x", 1),
        add("/list/4", 1),
        add("/list/x", 1),
        add("/list/0/x", 1),
        add("/tags/4", 1),
        add("/tags/x", 1),
        add("/tags/2/y", 1),
        add("/body/0", "x"),
        add("/body/$text/0", "x"),
        add("/n/-", 1),
        move("/missing", "/missing"),
        move("/m", "/m/x"),
        move("", "/x"),
        move("/list/0", "/list/3"),
        move("/body/$text", "/x"),
        move("/list/1/$text", "/list/1/x"),
        copied("/missing", "/x"),
        copied("/n", "/body/$text"),
        op("test", "/missing", value=None),
        op("test", "/body/0", value="h"),
    ],
    ids=lambda patch: " ".join(str(member) for member in patch.values()),
)
def test_a_patch_that_does_not_fit_fails_and_names_the_operation(patch):
    good = [op("test", "/n", value=5), add("/new", 1)]
    error = error_of(TASK, [*good, patch, *good])
    assert (type(error), error.details) == (PatchFailed, {"index": 2})


@pytest.mark.parametrize(
    ("patch", "index"),
    [
        ({"op": "add"}, None),
        ([remove("/n")] * (MAX_PATCH_OPERATIONS + 1), None),
        ([remove("/missing"), op("spam", "/a")], 1),
        ([remove("n")], 0),
        ([add("/x", 1), add("/y", {"$foo": 1})], 1),
        ([add("/y", [{"$text": 1}])], 0),
        ([replace("/n", {"$counter": 1.5})], 0),
        ([replace("", {"n": {"$set": 1}})], 0),
        ([add("/list/0", {"$text": "", "x": 1})], 0),
    ],
)
def test_a_malformed_patch_is_refused(patch, index):
    error = error_of(TASK, patch)
    assert (type(error), error.details.get("index")) == (BadPatch, index)


def test_a_malformed_merge_patch_is_refused():
    for patch in ({"$foo": 1}, {"a": {"$text": None}}, {"a": [{"$counter": "1"}]}, {"m": {"$map": None}}):
        with pytest.raises(BadPatch):
            patching.merge(Log().editor(), patch)


# Limits


@pytest.mark.parametrize(
    ("fits", "too_deep"),
    [
        ([add("/x", nested(MAX_DEPTH - 1))], [add("/x", nested(MAX_DEPTH))]),
        ([replace("", nested(MAX_DEPTH))], [replace("", nested(MAX_DEPTH + 1))]),
        ([replace("/v", {"y": nested(MAX_DEPTH - 2)})], [replace("/v", {"y": nested(MAX_DEPTH - 1)})]),
        ([copied("/v", "/o/v")], [copied("/v", "/o/p/v")]),
        ([move("/v", "/o/v")], [move("/v", "/o/p/v")]),
        ([add("/s/-", nested(MAX_DEPTH - 2))], [add("/s/-", nested(MAX_DEPTH - 1))]),
        ([replace("/s/0", nested(MAX_DEPTH - 2))], [replace("/s/0", nested(MAX_DEPTH - 1))]),
    ],
)
def test_a_result_nests_no_deeper_than_the_limit(fits, too_deep):
    value = {"v": nested(MAX_DEPTH - 2), "o": {"p": {}}, "s": {"$set": [1]}}
    patched(value, fits)
    error = error_of(value, [op("test", "/o", value={"p": {}}), *too_deep])
    assert (type(error), error.details) == (TooDeep, {"index": 1})


def test_a_bottomless_patch_breaks_no_stack():
    bottomless: list = []
    for _ in range(100_000):
        bottomless = [bottomless]
    for patch in (add("/a", bottomless), replace("/n", bottomless), add("/tags/-", bottomless)):
        assert type(error_of(TASK, [patch])) is TooDeep
    assert type(error_of(TASK, [op("test", "/list", value=bottomless)])) is PatchTestFailed
    with pytest.raises(TooDeep):
        patching.merge(Log().editor(), {"a": bottomless})


def test_a_patch_that_doubles_is_refused_early():
    error = error_of({"l": ["x" * 1_000]}, [copied("/l", "/l/-")] * 30)
    assert (type(error), error.details["index"]) == (TooLarge, 10)


def test_copies_and_moves_are_counted_together():
    half = "x" * (MAX_PATCH_COPIED_BYTES // 2 - 2)  # and two quotes
    value = {"a": half, "s": {"$set": []}}
    patched(value, [copied("/a", "/b"), move("/b", "/c")])
    error = error_of(value, [copied("/a", "/b"), move("/b", "/s/-"), copied("/s/0", "/a")])
    assert (type(error), error.details) == (TooLarge, {"index": 2})


def test_maps_in_maps_are_tested_once():
    """Keys that look like marks offer no choice that would double the work at every level."""
    value: Any = 1
    for _ in range(31):
        value = {"$map": {"$map": value}}
    log = Log(value)
    assert log.patch([op("test", "", value=value)]) == []
    assert type(error_of(value, [op("test", "", value=values.to_plain(value))])) is PatchTestFailed


# Merging


@pytest.mark.parametrize(
    ("patch", "drafted", "changed"),
    [
        ({"body": "hello you"}, [{"op": "insert", "text": " you"}], {"body": {"$text": "hello you"}}),
        ({"n": 7, "missing": None}, [{"op": "inc", "by": 2}], {"n": {"$counter": 7}}),
        ({"n": {"$counter": 5}}, [], {}),
        ({"tags": ["a", "c"]}, [{"op": "discard", "value": {"x": 1}}], {"tags": {"$set": ["a", "c"]}}),
        ({"body": None}, [{"op": "del", "key": "body"}], {"body": None}),
        ({"body": {"a": None, "b": 1}}, [{"op": "put", "key": "body", "value": {"b": 1}}], {"body": {"b": 1}}),
        ({"list": ["a", "b", [2]]}, [{"op": "put", "value": 2}], {"list": ["a", {"$text": "b"}, [2]]}),
        ({"m": {"$map": {"$x": None}}}, [{"op": "del", "key": "$x"}], {"m": {"$map": {"$map": {"y": 2}, "l": []}}}),
        ({"m": {"l": None}}, [{"op": "del", "key": "l"}], {"m": {"$map": {"$x": 1, "$map": {"y": 2}}}}),
        ({"new": {"$map": {"$x": None}}}, [{"op": "put", "key": "new", "value": {"$map": {}}}], {"new": {}}),
    ],
)
def test_a_merge_edits_kinds(patch, drafted, changed):
    log = Log()
    assert shapes(log.merge(patch)) == drafted
    assert log.value() == {key: value for key, value in (TASK | changed).items() if value is not None}


# Apart from one another


@given(st.integers(0, 3), st.integers(0, 3))
def test_elements_that_two_insert_apart_are_both_there(one, other):
    log = Log({"l": [1, 2, 3]})
    log.patch([add(f"/l/{one}", "one")], seen=1)
    log.patch([add(f"/l/{other}", "other")], seen=1)
    found = log.value()["l"]
    assert sorted(found, key=str) == [1, 2, 3, "one", "other"]
    assert [each for each in found if each not in ("one", "other")] == [1, 2, 3]


def test_an_element_that_one_moves_and_another_edits_is_moved_and_edited():
    log = Log({"l": [{"done": False}, "b", "c"]})
    log.patch([move("/l/0", "/l/2")], seen=1)
    log.patch([replace("/l/0/done", True), replace("/l/1", "B")], seen=1)
    assert log.value() == {"l": ["B", "c", {"done": True}]}
    assert [*log.document().conflicts()] == []


def test_whole_arrays_and_texts_assigned_apart_merge():
    log = Log({"l": ["a", "b"], "t": {"$text": "one two"}, "n": {"$counter": 1}, "s": {"$set": [1, 2]}})
    log.patch([replace("", {"l": ["x", "a", "b"], "t": "one, two", "n": 3, "s": [1]})], seen=1)
    log.merge({"l": ["a", "b", "y"], "t": "one two three", "n": 5, "s": [1, 2, 3]}, seen=1)
    assert log.document().plain() == {"l": ["x", "a", "b", "y"], "t": "one, two three", "n": 7, "s": [1, 3]}


# A stale base


@pytest.mark.parametrize(
    ("since", "patch", "after"),
    [
        ([add("/l/0", "x")], [remove("/l/1")], {"l": ["x", "a", "c"]}),
        ([add("/l/0", "x")], [op("test", "/l/1", value="b"), replace("/l/1", "B")], {"l": ["x", "a", "B", "c"]}),
        ([remove("/l/0")], [add("/l/2", "n"), move("/l/2", "/l/0")], {"l": ["n", "b", "c"]}),
        ([remove("/l")], [remove("/l/0")], {"l": None}),
        ([replace("/t", "oh hello")], [replace("/t", "hello world")], {"t": {"$text": "oh hello world"}}),
        ([replace("/t", "hell")], [replace("/t", "hello world")], {"t": {"$text": "hell world"}}),
        ([replace("/n", 7)], [op("test", "/n", value=5), replace("/n", 6)], {"n": {"$counter": 8}}),
        ([add("/s/-", "b")], [remove("/s/1")], {"s": {"$set": ["a", "b"]}}),
        ([replace("/o/k", 2), add("/o/j", 1)], [replace("/o", {"i": 1})], {"o": {"k": 2, "j": 1, "i": 1}}),
        (
            [add("/o/j", 1)],
            [add("/o/i", {"x": [1]}), add("/o/i/x/0", {}), add("/o/i/x/0/y", 0)],
            {"o": {"k": 1, "j": 1, "i": {"x": [{"y": 0}, 1]}}},
        ),
        ([remove("/o")], [replace("/o/k", 2)], {"o": None}),
    ],
)
def test_a_patch_of_an_older_revision_names_what_its_author_saw(since, patch, after):
    before = {
        "l": ["a", "b", "c"],
        "t": {"$text": "hello"},
        "n": {"$counter": 5},
        "s": {"$set": ["a", "c"]},
        "o": {"k": 1},
    }
    log = Log(before)
    log.patch(since)
    base, present = log.editor(seen=1), log.editor()
    patching.apply(base, patch)
    patching.rebase(present, base.ops)
    assert present.wire() == base.wire()
    assert log.push(present) == base.wire()
    assert same(present.document.value(), log.value())
    assert log.value() == {key: value for key, value in (before | after).items() if value is not None}


def test_a_test_of_an_older_revision_looks_at_that_revision():
    log = Log({"a": 1})
    log.patch([replace("/a", 2)])
    patching.apply(log.editor(seen=1), [op("test", "/a", value=1)])
    with pytest.raises(PatchTestFailed):
        patching.apply(log.editor(), [op("test", "/a", value=1)])


@given(plain, plain, plain)
def test_ops_of_an_older_revision_make_the_same_names_everywhere(value, one, other):
    log = Log(values.to_wire({"v": value}))
    log.patch([replace("/v", values.to_wire(one))])
    base, present = log.editor(seen=1), log.editor()
    patching.apply(base, [replace("/v", values.to_wire(other)), add("/new", [{"x": 1}]), add("/new/0/y", 2)])
    patching.rebase(present, base.ops)
    log.push(present)
    assert same(present.document.value(), log.value())
    assert log.value()["new"] == [{"x": 1, "y": 2}]
