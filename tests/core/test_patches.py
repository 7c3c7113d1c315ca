import copy
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core import canonical, patches
from syncline.core.limits import (
    MAX_DEPTH,
    MAX_PATCH_COPIED_BYTES,
    MAX_PATCH_OPERATIONS,
    MAX_POINTER_LENGTH,
)
from syncline.errors import BadPatch, PatchFailed, PatchTestFailed, SynclineError, TooDeep, TooLarge
from tests.core.samples import json_values, same

DATA = Path(__file__).parent / "data"


def op(name: str, path: str, **members) -> dict:
    return {"op": name, "path": path, **members}


def add(path: str, value) -> dict:
    return op("add", path, value=value)


def remove(path: str) -> dict:
    return op("remove", path)


def replace(path: str, value) -> dict:
    return op("replace", path, value=value)


def move(source: str, path: str) -> dict:
    return op("move", path) | {"from": source}


def copied(source: str, path: str) -> dict:
    return op("copy", path) | {"from": source}


def nested(depth: int):
    """Arrays within arrays; one is 1 deep."""
    return [nested(depth - 1)] if depth > 1 else []


def error_of(value, patch) -> SynclineError:
    kept = copy.deepcopy((value, patch))
    with pytest.raises(SynclineError) as failure:
        patches.apply(value, patch)
    assert (value, patch) == kept
    return failure.value


# Small values with much in common: few keys, few elements, and what Python holds for equal but JSON does not

atoms = st.sampled_from([None, False, True, 0, 1, 2, 0.5, "", "a", "1"])
small = st.recursive(
    atoms,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(["a", "b", "/", "~1"]), inner),
    max_leaves=20,
)
any_value = small | json_values


# The public cases


def public_cases():
    for file in ("json_patch_tests.json", "json_patch_spec_tests.json"):
        for number, case in enumerate(json.loads((DATA / file).read_text("utf-8"))):
            if "patch" in case and not case.get("disabled"):
                yield pytest.param(case, id=f"{file.removesuffix('.json')} {number} {case.get('comment', '')}".strip())


@pytest.mark.parametrize("case", [*public_cases()])
def test_a_public_case(case):
    if "error" in case:
        assert error_of(case["doc"], case["patch"]).code in ("bad_patch", "patch_failed", "patch_test_failed")
    else:
        result = patches.apply(case["doc"], case["patch"])
        assert same(result, case.get("expected", result))


def test_all_public_cases_are_here():
    assert len(list(public_cases())) == 91


# Applying


@pytest.mark.parametrize(
    ("value", "patch", "result"),
    [
        ("a", [replace("", "b")], "b"),
        ({"a": 1}, [add("", [])], []),
        ([1], [add("/-", 2), add("/0", 0), add("/3", 3)], [0, 1, 2, 3]),
        ({"a": 1}, [add("/a", 2)], {"a": 2}),
        ({"-": 1}, [replace("/-", 2)], {"-": 2}),
        ({"a": [1, [2]]}, [replace("/a/1/0", 3), remove("/a/0")], {"a": [[3]]}),
        ({"a": 1}, [move("/a", "/b")], {"b": 1}),
        ({"a": {"b": 1}}, [move("/a/b", "")], 1),
        ({"a": {"b": 1}}, [move("", "")], {"a": {"b": 1}}),
        ([1, 2, 3], [move("/0", "/2")], [2, 3, 1]),
        ([1, 2, 3], [move("/0", "/-")], [2, 3, 1]),
        ({"a": [1], "ab": {}}, [move("/a", "/ab/x")], {"ab": {"x": [1]}}),
        ({"a": 1}, [copied("", "/b")], {"a": 1, "b": {"a": 1}}),
        ({"a": [1]}, [copied("/a", "")], [1]),
        ({"a": 1}, [op("test", "/a", value=1.0)], {"a": 1}),
        ({"a": 1}, [op("test", "", value={"a": 1}, note="ignored")], {"a": 1}),
    ],
)
def test_what_a_patch_does(value, patch, result):
    assert same(patches.apply(value, patch), result)


@pytest.mark.parametrize(
    ("patch", "index"),
    [
        ({"op": "add"}, None),
        ("[]", None),
        (None, None),
        ([remove("/a")] * (MAX_PATCH_OPERATIONS + 1), None),
        (["remove"], 0),
        ([None], 0),
        ([{}], 0),
        ([{"op": "remove"}], 0),
        ([remove("/missing"), op("spam", "/a")], 1),
        ([op(1, "/a")], 0),
        ([op(["add"], "/a")], 0),
        ([{"op": "x" * 10_000, "path": ""}], 0),
        ([remove("/a"), op("add", "/a")], 1),
        ([op("replace", "/a")], 0),
        ([op("test", "/a")], 0),
        ([op("move", "/a")], 0),
        ([op("copy", "/a")], 0),
        ([op("copy", "/a") | {"from": 1}], 0),
        ([remove(None)], 0),
        ([remove(["a"])], 0),
        ([remove("/a"), remove("/a"), remove("a")], 2),
        ([remove("/~2")], 0),
        ([remove("/" + "a" * MAX_POINTER_LENGTH)], 0),
        ([move("a", "/a")], 0),
    ],
)
def test_a_malformed_patch_is_refused_whatever_the_value(patch, index):
    for value in ({"a": 1}, [], None):
        error = error_of(value, patch)
        assert (type(error), error.details.get("index")) == (BadPatch, index)
        assert len(error.message) < 200


@pytest.mark.parametrize(
    "patch",
    [
        [remove("")],
        [remove("/missing")],
        [replace("/missing", 1)],
        [copied("/missing", "/x")],
        [move("/missing", "/missing")],
        [move("/o", "/o/p")],
        [move("", "/x")],
        [add("/missing/x", 1)],
        [add("/n/x", 1)],
        [add("/n/0", 1)],
        [remove("/n/0")],
        [add("/l/3", 1)],
        [add("/l/01", 1)],
        [add("/l/x", 1)],
        [remove("/l/2")],
        [remove("/l/-")],
        [replace("/l/-", 1)],
        [op("test", "/l/-", value=1)],
        [op("test", "/missing", value=None)],
    ],
)
def test_a_patch_that_does_not_fit_fails_and_names_the_operation(patch):
    value = {"l": [1, 2], "n": 7, "o": {"p": {}}}
    good = [op("test", "/n", value=7), add("/new", 1)]
    error = error_of(value, good + patch + good)
    assert (type(error), error.details) == (PatchFailed, {"index": 2})


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (1, True),
        (0, False),
        (1, "1"),
        (None, False),
        (0, None),
        ([], {}),
        ([1, True], [1, 1]),
        ([1], [1, 2]),
        ({"a": {"b": 1}}, {"a": {"b": True}}),
        ({"a": 1}, {"a": 1, "b": 1}),
        ("é", "e\u0301"),
    ],
)
def test_a_test_fails_where_json_values_differ(found, wanted):
    for value, patch in ((found, wanted), (wanted, found)):
        error = error_of({"a": value}, [op("test", "/a", value=patch)])
        assert (type(error), error.details) == (PatchTestFailed, {"index": 0})


@pytest.mark.parametrize(
    ("left", "right"),
    [(1, 1.0), (0, -0.0), ([1, [True]], [1.0, [True]]), ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}), (True, True)],
)
def test_equality_is_json_s(left, right):
    assert patches.equal(left, right)
    assert patches.equal(right, left)
    assert patches.diff(left, right) == []


@given(any_value, any_value)
def test_equality_is_that_of_the_canonical_form(left, right):
    assert patches.equal(left, right) is (canonical.encode(left) == canonical.encode(right))
    assert patches.equal(left, copy.deepcopy(left))


def test_the_result_shares_what_did_not_change():
    value = {"a": {"b": [1]}, "c": {"d": 2}}
    result = patches.apply(value, [add("/a/b/-", 2)])
    assert result == {"a": {"b": [1, 2]}, "c": {"d": 2}}
    assert value == {"a": {"b": [1]}, "c": {"d": 2}}
    assert result["c"] is value["c"]
    assert patches.apply(value, []) is value


def test_what_was_copied_changes_on_its_own():
    value = {"a": {"n": 1}}
    patch = [replace("/a/n", 2), copied("/a", "/b"), replace("/a/n", 3), replace("/b/n", 4)]
    assert patches.apply(value, patch) == {"a": {"n": 3}, "b": {"n": 4}}


def test_a_value_of_the_patch_is_not_changed_by_later_operations():
    shared: list[int] = []
    patch = [add("/a", shared), add("/b", shared), add("/a/-", 1), add("/b/-", 2)]
    assert patches.apply({}, patch) == {"a": [1], "b": [2]}
    assert shared == []


class Editor:
    """Makes patches that fit, on its own copy of the value, with RFC 6902 read literally and everything copied."""

    def __init__(self, value, seed: int) -> None:
        self.value, self.random = value, random.Random(seed)

    def patch(self, length: int) -> list[dict]:
        return [self.operation() for _ in range(length)]

    def places(self, value, path: str = ""):
        yield path
        members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, member in members:
            yield from self.places(member, path + "/" + str(key).replace("~", "~0").replace("/", "~1"))

    def operation(self) -> dict:
        path = self.random.choice([*self.places(self.value)])
        kind = self.random.choice(["test", "add", "replace", "remove", "move", "copy"])
        found = copy.deepcopy(self.at(path))
        if not path or kind == "test":
            return op("test", path, value=found)
        if kind == "copy":
            self.put(path, found)
            return copied(path, path)
        if kind == "move":
            self.drop(path)
            self.put("/a" if isinstance(self.value, dict) else "/0", found)
            return move(path, "/a" if isinstance(self.value, dict) else "/0")
        if kind != "add":
            self.drop(path)
        if kind != "remove":
            self.put(path, {"new": [1]})
        return op(kind, path) | ({} if kind == "remove" else {"value": {"new": [1]}})

    def at(self, path: str):
        value = self.value
        for token in self.tokens(path):
            value = value[int(token)] if isinstance(value, list) else value[token]
        return value

    def tokens(self, path: str) -> list[str]:
        return [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:]]

    def place(self, path: str):
        parent, token = self.at(path.rpartition("/")[0]), self.tokens(path)[-1]
        return parent, int(token) if isinstance(parent, list) else token

    def put(self, path: str, value) -> None:
        parent, key = self.place(path)
        if isinstance(parent, list):
            parent.insert(key, copy.deepcopy(value))
        else:
            parent[key] = copy.deepcopy(value)

    def drop(self, path: str) -> None:
        parent, key = self.place(path)
        del parent[key]


@given(small, st.integers(0, 2**32), st.integers(0, 12))
def test_applying_is_that_of_a_naive_model(value, seed, length):
    editor = Editor(copy.deepcopy(value), seed)
    patch = editor.patch(length)
    kept = copy.deepcopy((value, patch))
    assert same(patches.apply(value, patch), editor.value)
    assert same(value, kept[0])
    assert same(patch, kept[1])


# The limits


def test_as_many_operations_as_the_limit_are_applied():
    assert len(patches.apply([], [add("/-", 1)] * MAX_PATCH_OPERATIONS)) == MAX_PATCH_OPERATIONS


def test_a_patch_that_doubles_is_refused_early():
    patch = [copied("", "/-")] * 1_000
    error = error_of(["x" * 1_000], patch)
    assert (type(error), error.details["index"]) == (TooLarge, 10)


def test_copies_are_counted_together():
    half = "x" * (MAX_PATCH_COPIED_BYTES // 2 - 2)  # and two quotes
    assert patches.apply([half], [copied("/0", "/-")] * 2) == [half] * 3
    error = error_of([half], [copied("/0", "/-")] * 2 + [copied("/0/0", "/-")])
    assert (type(error), error.details) == (PatchFailed, {"index": 2})
    error = error_of([half, 0], [copied("/0", "/-")] * 2 + [copied("/1", "/-")])
    assert (type(error), error.details) == (TooLarge, {"index": 2})


def test_what_moves_deeper_counts_as_a_copy_and_what_does_not_is_free():
    value = {"a": "x" * 600_000, "b": {}}
    there, back = move("/a", "/b/a"), move("/b/a", "/a")
    assert patches.apply(value, [there, back]) == value
    assert error_of(value, [there, back, there]).details == {"index": 2}
    assert patches.apply(value, [move("/a", "/c"), move("/c", "/a")] * 100) == value


@pytest.mark.parametrize(
    ("fits", "too_deep"),
    [
        ([add("/x", nested(MAX_DEPTH - 1))], [add("/x", nested(MAX_DEPTH))]),
        ([replace("", nested(MAX_DEPTH))], [replace("", nested(MAX_DEPTH + 1))]),
        ([replace("/v", {"y": nested(MAX_DEPTH - 2)})], [replace("/v", {"y": nested(MAX_DEPTH - 1)})]),
        ([copied("/v", "/o/v")], [copied("/v", "/o/p/v")]),
        ([move("/v", "/o/v")], [move("/v", "/o/p/v")]),
    ],
)
def test_a_result_nests_no_deeper_than_the_limit(fits, too_deep):
    value = {"v": nested(MAX_DEPTH - 2), "o": {"p": {}}}
    assert canonical.depth(canonical.encode(patches.apply(value, fits))) == MAX_DEPTH
    error = error_of(value, [op("test", "/o", value={"p": {}}), *too_deep])
    assert (type(error), error.details) == (TooDeep, {"index": 1})


def test_a_bottomless_patch_breaks_no_stack():
    bottomless: list = []
    for _ in range(100_000):
        bottomless = [bottomless]
    with pytest.raises(TooDeep):
        patches.apply({}, [add("/a", bottomless)])
    with pytest.raises(TooDeep):
        patches.merge({}, {"a": bottomless})


# Comparing


@given(any_value, any_value)
def test_a_diff_leads_there_and_changes_nothing(before, after):
    kept = copy.deepcopy((before, after))
    patch = patches.diff(before, after)
    assert same(patches.apply(before, patch), after)
    assert same((before, after)[0], kept[0])
    assert same((before, after)[1], kept[1])
    assert (patch == []) is same(before, after)


@given(st.lists(atoms, max_size=12), st.lists(atoms, max_size=12))
def test_a_diff_of_an_array_of_atoms_needs_no_more_than_the_edit_distance_by_insertions(before, after):
    longest = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i, one in enumerate(before):
        for j, other in enumerate(after):
            longest[i + 1][j + 1] = longest[i][j] + 1 if same(one, other) else max(longest[i][j + 1], longest[i + 1][j])
    patch = patches.diff(before, after)
    weight = sum(2 if each["op"] == "replace" else 1 for each in patch)
    assert weight == len(before) + len(after) - 2 * longest[-1][-1]


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        (1, 1, []),
        (1, True, [replace("", True)]),
        ({}, [], [replace("", [])]),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, [replace("/a", True)]),
        ({"a": None}, {}, [remove("/a")]),
        ({}, {"a": None}, [add("/a", None)]),
        ({"b": 1, "a": 1}, {"c": 1, "a": 2}, [replace("/a", 2), remove("/b"), add("/c", 1)]),
        ({"\ufb33": 1, "😀": 1}, {}, [remove("/😀"), remove("/\ufb33")]),
        ({"a/b": {"~": 1}}, {"a/b": {"~": 2}}, [replace("/a~1b/~0", 2)]),
        ([1, 2, 3], [1, 3], [remove("/1")]),
        ([1, 3], [1, 2, 3], [add("/1", 2)]),
        ([1, 2], [1, 2, 3, 4], [add("/2", 3), add("/3", 4)]),
        ([1, 2, 3, 4], [3], [remove("/0"), remove("/0"), remove("/1")]),
        ([1, 2, 3], [1, 9, 3], [replace("/1", 9)]),
        ([1, 2, 3, 4, 5], [0, 1, 2, 4, 9], [add("/0", 0), remove("/3"), replace("/4", 9)]),
        ([True, 1], [1, True], [remove("/0"), add("/1", True)]),
        ([[1], [2]], [[1, 2]], [remove("/1"), add("/0/1", 2)]),
    ],
)
def test_what_a_diff_says(before, after, patch):
    found = patches.diff(before, after)
    assert patches.apply(before, found) == after
    assert found == patch


TASKS = [{"id": n, "title": f"task {n}", "done": False} for n in range(5)]


@pytest.mark.parametrize(
    ("after", "patch"),
    [
        ([*TASKS[:2], TASKS[2] | {"done": True}, *TASKS[3:]], [replace("/2/done", True)]),
        ([TASKS[1] | {"done": True}, *TASKS[2:]], [remove("/0"), replace("/0/done", True)]),
        ([*TASKS[:3], TASKS[3] | {"done": True}], [remove("/4"), replace("/3/done", True)]),
        ([{"id": 9}, TASKS[0] | {"done": True}, *TASKS[1:]], [add("/0", {"id": 9}), replace("/1/done", True)]),
        ([TASKS[0] | {"done": True}, {"id": 9}, *TASKS[1:]], [add("/1", {"id": 9}), replace("/0/done", True)]),
    ],
)
def test_a_changed_object_is_found_beside_one_that_came_or_went(after, patch):
    assert patches.diff(TASKS, after) == patch
    assert patches.apply(TASKS, patch) == after


def test_a_few_edits_in_a_long_array_are_few_operations():
    before = list(range(20_000))
    after = before.copy()
    for place in (19_999, 10_000, 5_000, 17):
        after.insert(place, -place)
    del after[3_000]
    patch = patches.diff(before, after)
    assert len(patch) == 5
    assert patches.apply(before, patch) == after


def test_arrays_far_apart_are_paired_by_place():
    before = [{"n": n, "done": False} for n in range(300)]
    after = [{"n": n, "done": True} for n in range(300)]
    assert patches.diff(before, after) == [replace(f"/{n}/done", True) for n in range(300)]
    far = [-1] * (patches.MAX_EDITS + 1)
    assert patches.diff([*far, 1, 2], [3, 1, 4]) != []


def test_a_diff_is_always_a_patch_that_can_be_applied():
    long = "k" * MAX_POINTER_LENGTH
    for before, after, path in (
        ({"l": [0] * 1_001, "m": 1}, {"l": [1] * 1_001, "m": 1}, "/l"),
        ({"o": {long: 1}}, {"o": {long: 2}}, "/o"),
        ({long: 1}, {long: 2}, ""),
        ({"a": [0] * 600, "b": [0] * 600}, {"a": [1] * 600, "b": [1] * 600}, ""),
    ):
        patch = patches.diff(before, after)
        assert [each["path"] for each in patch] == [path]
        assert patches.apply(before, patch) == after


def test_a_diff_does_not_depend_on_the_order_of_keys():
    before, after = {"a": 1, "b": 2, "c": [{"x": 1, "y": 2}]}, {"b": 3, "d": 4, "c": [{"y": 2, "x": 1}, 5]}
    turned = dict(reversed(after.items()))
    assert patches.diff(before, after) == patches.diff(dict(reversed(before.items())), turned)
    assert len(patches.diff(before, after)) == 4


def test_hopeless_arrays_cost_little():
    """Nothing but different elements, and nothing but equal ones in another number: the bound holds."""
    before, after = [f"a{n % 7}" for n in range(30_000)], [f"a{n * n % 7}" for n in range(30_000)]
    assert patches.apply(before, patches.diff(before, after)) == after


# Merging


@pytest.mark.parametrize(  # RFC 7396, appendix A
    ("value", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_merges_of_the_rfc(value, patch, result):
    assert same(patches.merge(value, patch), result)


@given(any_value, any_value)
def test_a_merge_changes_no_argument_and_twice_is_once(value, patch):
    kept = copy.deepcopy((value, patch))
    result = patches.merge(value, patch)
    assert same(patches.merge(result, patch), result)
    assert same(value, kept[0])
    assert same(patch, kept[1])


def test_a_merge_patch_nests_no_deeper_than_the_limit():
    assert patches.merge({}, {"a": nested(MAX_DEPTH - 1)}) == {"a": nested(MAX_DEPTH - 1)}
    with pytest.raises(TooDeep):
        patches.merge({}, {"a": nested(MAX_DEPTH)})
