"""What a query means."""

import pytest

from syncline.core.documents.values import Counter, ORSet, Text
from syncline.core.queries import MAX_TERMS, Query, find, parse_path, read, term
from syncline.errors import BadRequest

DOCUMENTS = {
    "task.a": {"n": 1, "done": False, "tags": ["x", 1], "owner": {"name": "Ann"}, "a.b": "dotted"},
    "task.b": {"n": 2.5, "done": True, "tags": [], "title": "Fresh milk"},
    "task.c": {"n": "2", "done": None, "tags": "x"},
    "note.d": [1, 2],
}
VALUES = [None, False, True, -1, 0.5, 1, 2**53, 1e300, "", "A", "a", "é", "\U0001f600", [1], [], {"a": 1}, {}]


def ask(pattern="*", **asked):
    return Query.of(pattern, **asked).answer(DOCUMENTS.items())


@pytest.mark.parametrize(
    ("where", "items"),
    [
        ({}, "abcd"),
        ({"n": 1}, "a"),
        ({"n": True}, ""),
        ({"n": ("=", 1)}, "a"),
        ({"n": ("!=", 1)}, "bcd"),
        ({"n": (">=", 1, "<", 2)}, "a"),
        ({"n": (">", 1)}, "b"),
        ({"n": ("<=", "2")}, "c"),
        ({"n": ("in", (1, "2", 3))}, "ac"),
        ({"n": ("in", [])}, ""),
        ({"n": ("begins", "")}, "c"),
        ({"done": None}, "cd"),
        ({"tags": ("has", "x")}, "a"),
        ({"tags": ("has", True)}, ""),
        ({"tags": ["x", 1]}, "a"),
        ({"owner.name": "Ann", "n": 1}, "a"),
        ({"owner.name.first": None}, "abcd"),
        ({"/a.b": "dotted"}, "a"),
        ({"": [1, 2]}, "d"),
        ({"title": Text("Fresh milk")}, "b"),
        ({"n": Counter(1)}, "a"),
        ({"tags": ORSet()}, "b"),
    ],
)
def test_conditions(where, items):
    assert [item[-1] for item in sorted(ask(where=where), key=lambda item: item[-1])] == list(items)


def test_patterns_limits_and_searches():
    assert ask("task.*") == ["task.a", "task.b", "task.c"]
    assert ask("task.b") == ["task.b"]
    assert ask("task.*", limit=2) == ["task.a", "task.b"]
    assert ask(text="milk") == ["task.b"]
    assert ask(text="-milk", where={"n": ("!=", None)}) == ["task.a", "task.c"]


def test_order():
    assert ask("task.*", order_by="-n") == ["task.c", "task.b", "task.a"]
    assert ask(order_by=["-done", "-n"]) == ["task.b", "task.a", "task.c", "note.d"]
    assert [term(value) for value in VALUES] == sorted(map(term, VALUES))


def test_what_is_written_is_read():
    assert read(b'{"a":[1,"x"]}') == {"a": [1, "x"]}
    assert repr(read(b"12345678901234567000")) == "1.2345678901234567e+19"


@pytest.mark.parametrize(
    ("text", "path"),
    [("", ()), ("a", ("a",)), ("a.b", ("a", "b")), ("/a.b/c~1d", ("a.b", "c/d")), ("a..b", ("a", "", "b"))],
)
def test_paths(text, path):
    assert parse_path(text) == path


def test_a_path_leads_through_maps_only():
    assert find({"a": [{"b": 1}]}, ("a", "0", "b")) is None
    assert find({"a": {"0": {"b": 1}}}, ("a", "0", "b")) == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"pattern": "a*b"},
        {"limit": -1},
        {"limit": True},
        {"where": {"a": ()}},
        {"where": {"a": (">",)}},
        {"where": {"a": ("like", "x")}},
        {"where": {"a": (">", None)}},
        {"where": {"a": ("begins", 1)}},
        {"where": {"a": ("in", range(MAX_TERMS + 1))}},
        {"where": {"a": float("inf")}},
        {"where": {"a": "\ud800"}},
        {"where": {"\ud800": 1}},
        {"where": {"/a~": 1}},
    ],
)
def test_what_is_no_query_is_refused(asked):
    with pytest.raises(BadRequest):
        Query.of(**asked)
