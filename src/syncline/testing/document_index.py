"""What every index of documents must do: ``DocumentIndexContract``, to be inherited by the tests of an adapter."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from syncline.core import canonical
from syncline.core.queries import Query, parse_path
from syncline.errors import StoreClosed
from syncline.stores.documents import DocumentIndex, Indexed

TASKS = {
    "task.bread": {"title": "Bread", "done": True, "priority": 2, "due": "2026-05-02", "tags": ["shop"]},
    "task.call": {"title": "Call Zoë", "done": False, "priority": 10, "owner": {"name": "Ann"}, "tags": ["phone", 1]},
    "task.milk": {
        "title": "Fresh milk",
        "done": False,
        "priority": 2.5,
        "due": "2026-05-01",
        "tags": ["shop", "urgent"],
    },
    "task.odd": {"title": "Odd", "done": 0, "priority": "2", "tags": "shop", "due": None},
    "note.milk": {"title": "Milk is fresh, bread is not", "lines": ["Buy", {"what": "牛乳を買う"}]},
}
PATHS = ("done", "priority", "due", "tags", "owner.name", "owner", "title", "a.b", "/x~1y", "lines")

ANSWERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["task.bread", "task.call", "task.milk", "task.odd"]),
    ({"where": {"done": False}}, ["task.call", "task.milk"]),
    ({"where": {"done": 0}}, ["task.odd"]),
    ({"where": {"done": True, "priority": 2}}, ["task.bread"]),
    ({"where": {"done": ("!=", False)}}, ["task.bread", "task.odd"]),
    ({"where": {"priority": (">=", 2.5)}}, ["task.call", "task.milk"]),
    ({"where": {"priority": (">", 2, "<", 10)}}, ["task.milk"]),
    ({"where": {"priority": ("<=", "2")}}, ["task.odd"]),
    ({"where": {"priority": ("in", [2, "2", None])}}, ["task.bread", "task.odd"]),
    ({"where": {"priority": ("in", [])}}, []),
    ({"where": {"due": None}}, ["task.call", "task.odd"]),
    ({"where": {"due": ("!=", None)}}, ["task.bread", "task.milk"]),
    ({"where": {"due": ("begins", "2026-05")}}, ["task.bread", "task.milk"]),
    ({"where": {"tags": ("has", "shop")}}, ["task.bread", "task.milk"]),
    ({"where": {"tags": ("has", 1)}}, ["task.call"]),
    ({"where": {"tags": ("has", True)}}, []),
    ({"where": {"tags": ["shop"]}}, ["task.bread"]),
    ({"where": {"owner.name": "Ann"}}, ["task.call"]),
    ({"where": {"owner": {"name": "Ann"}}}, ["task.call"]),
    ({"where": {"title": ("begins", "Fr")}}, ["task.milk"]),
    ({"order_by": "priority"}, ["task.bread", "task.milk", "task.call", "task.odd"]),
    ({"order_by": "-priority", "limit": 2}, ["task.odd", "task.call"]),
    ({"order_by": ["-done", "due"]}, ["task.odd", "task.bread", "task.call", "task.milk"]),
    ({"limit": 0}, []),
    ({"text": "milk OR bread"}, ["task.bread", "task.milk"]),
    ({"text": "zoe"}, ["task.call"]),
    ({"text": "-milk", "where": {"done": False}}, ["task.call"]),
]

SEARCHES = [
    ("milk", ["note.milk", "task.milk"]),
    ("MILK bread", ["note.milk"]),
    ('"fresh milk"', ["task.milk"]),
    ('"milk fresh"', []),
    ('"buy 牛乳"', []),
    ("牛乳", ["note.milk"]),
    ("牛 買", ["note.milk"]),
    ("b*", ["note.milk", "task.bread"]),
    ('"fresh mi"*', ["task.milk"]),
    ("b", []),
    ("milk -fresh", []),
    ("(milk OR zoe) NOT bread", ["task.call", "task.milk"]),
    ("NOT (milk OR zoe)", ["task.bread", "task.odd"]),
    ("", sorted(TASKS)),
    ("!?", sorted(TASKS)),
    ('" OR 1=1; DROP TABLE documents --', []),
]

ODD_KEYS = ("", "a.b", 'a"b', "a\\b", "a'b", "$", "]", "ä", "\u0001", "0", "\ue000", "x/y", "#", "x~y")
ODD_VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**53 - 1, -(2**53 - 1), 0.1, 1e21, 1e300, -5e-324, 12345678901234567000.0),
    *("", "a", "A", "é", "\ud7ff", "\ue000", "\U0010ffff", "a\x00b", "a\U0010ffff", "1", "true", "'", '"', "%", "milk"),
    *([], [1], [[1]], [None, True], ["a", "é"], {}, {"a": 1}, {"b": {"a": []}}, {"$text": "milk bread"}),
]


class DocumentIndexContract:
    """Subclass it as ``Test…``, give ``make``, and inherit every test. See ``syncline.stores.documents``."""

    persists = True
    """Whether ``make`` in the same directory opens the same data again."""

    def make(self, directory: Path) -> DocumentIndex:
        """An index in a directory."""
        raise NotImplementedError

    @pytest.fixture
    def index(self, tmp_path: Path) -> DocumentIndex:
        """An empty index."""
        return self.make(tmp_path)

    def test_a_new_index_is_empty(self, index: DocumentIndex) -> None:
        assert index.place() == ""
        assert index.local() == {}
        assert index.find(Query.of()) == []

    # Finding

    @pytest.mark.parametrize("has_fields", [False, True])
    @pytest.mark.parametrize(("asked", "answer"), ANSWERS, ids=[str(asked) for asked, _ in ANSWERS])
    def test_queries(self, index: DocumentIndex, asked: dict[str, Any], answer: list[str], *, has_fields: bool) -> None:
        index.update(_indexed(TASKS))
        _add_fields(index, "task.*" if has_fields else None)
        assert index.find(Query.of("task.*", **asked)) == answer

    @pytest.mark.parametrize(("text", "answer"), SEARCHES)
    def test_searches(self, index: DocumentIndex, text: str, answer: list[str]) -> None:
        index.update(_indexed(TASKS))
        assert index.find(Query.of(text=text)) == answer

    @pytest.mark.parametrize("pattern", ["*", "task.*", "task.m*", "task.milk", "task", "none.*", "*task"])
    def test_patterns(self, index: DocumentIndex, pattern: str) -> None:
        index.update(_indexed({**TASKS, "task.~": {}, "task": {}, "tasks": {}}))
        _add_fields(index, "task.*")
        if pattern == "*task":
            return
        query = Query.of(pattern, where={"done": ("!=", True)})
        expected = query.answer({**TASKS, "task.~": {}, "task": {}, "tasks": {}}.items())
        assert index.find(query) == expected

    @pytest.mark.parametrize("has_fields", [False, True])
    @pytest.mark.parametrize("seed", range(8))
    def test_odd_values_under_odd_keys(self, index: DocumentIndex, seed: int, *, has_fields: bool) -> None:
        """Whatever is asked of whatever documents, the answer is what ``Query`` itself says."""
        dice = random.Random(seed)
        documents = {f"item.{n}": _odd_document(dice) for n in range(60)}
        index.update(_indexed(documents))
        for key in ODD_KEYS if has_fields else ():
            index.add_field("item.*", (key,))
        for _ in range(150):
            query = _odd_query(dice)
            assert index.find(query) == query.answer(documents.items()), query

    # Updating

    @pytest.mark.parametrize("has_fields", [False, True])
    def test_what_changed_is_found_as_it_is_now(self, index: DocumentIndex, *, has_fields: bool) -> None:
        _add_fields(index, "*" if has_fields else None)
        index.update(_indexed(TASKS))
        milk = {"title": "Oat drink", "done": True, "tags": []}
        index.update(_indexed({"task.milk": milk}) | {"task.bread": Indexed(None)})
        left = {**TASKS, "task.milk": milk}
        del left["task.bread"]
        for query in (*(Query.of(**asked) for asked, _ in ANSWERS), *(Query.of(text=text) for text, _ in SEARCHES)):
            assert index.find(query) == query.answer(left.items())

    def test_scalars_and_lists_are_documents_too(self, index: DocumentIndex) -> None:
        index.update(_indexed({"a": None, "b": "fresh milk", "c": ["milk"], "d": 3}))
        assert index.find(Query.of()) == ["a", "b", "c", "d"]
        assert index.find(Query.of(text="milk")) == ["b", "c"]
        assert index.find(Query.of(where={"": ("has", "milk")})) == ["c"]
        assert index.find(Query.of(where={"x": None})) == ["a", "b", "c", "d"]

    def test_the_place_is_remembered(self, index: DocumentIndex) -> None:
        index.update(_indexed(TASKS), "one")
        index.update({})
        assert index.place() == "one"
        index.update({}, "two")
        assert index.place() == "two"
        index.update({}, "")
        assert index.place() == ""

    def test_local_events_are_remembered(self, index: DocumentIndex) -> None:
        index.update({"a": Indexed(b"{}", "1"), "b": Indexed(None, "2"), "c": Indexed(b"{}")})
        assert index.local() == {"a": "1", "b": "2"}
        assert index.find(Query.of()) == ["a", "c"]
        index.update({"a": Indexed(b"{}"), "b": Indexed(b"{}", "3"), "d": Indexed(None)})
        assert index.local() == {"b": "3"}
        index.update({"b": Indexed(None)})
        assert index.local() == {}

    def test_beginning_anew_keeps_the_fields(self, index: DocumentIndex) -> None:
        _add_fields(index, "*")
        index.update({**_indexed(TASKS), "x": Indexed(None, "1")}, "one")
        index.update(_indexed({"b": {"done": False, "title": "milk"}}), "two", anew=True)
        assert (index.place(), index.local()) == ("two", {})
        for query in (Query.of(), Query.of(where={"done": False}), Query.of(text="milk")):
            assert index.find(query) == ["b"]

    def test_a_field_is_added_once(self, index: DocumentIndex) -> None:
        index.update(_indexed(TASKS))
        for _ in range(3):
            index.add_field("task.*", ("done",))
            index.add_field("*", ("done",))
        assert index.find(Query.of("task.*", where={"done": False})) == ["task.call", "task.milk"]

    # What may not be known any more

    @pytest.mark.parametrize("anew", [False, True])
    def test_no_byte_is_left_of_what_is_scrubbed(self, tmp_path: Path, *, anew: bool) -> None:
        index = self.make(tmp_path)
        index.add_field("*", ("title",))
        others = {f"task.open{n}": {"title": f"open {n}"} for n in range(99)}
        for round in range(5):
            titles = {f"task.zsecret{n}": {"title": f"zsecret{round}", f"zsecret{n}": ["zsecret"]} for n in range(99)}
            index.update(_indexed(titles | others), "place")
        index.update({} if anew else dict.fromkeys(titles, Indexed(None)), "", anew=anew, scrub=True)
        assert b"secret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
        left = [] if anew else ["task.open7"]
        assert index.place() == ""
        assert index.find(Query.of(where={"title": "open 7"})) == index.find(Query.of(text="open 7")) == left
        assert index.find(Query.of(text="zsecret*")) == []
        index.update(_indexed({"task.again": {"title": "again"}}))
        assert index.find(Query.of(text="again", where={"title": "again"})) == ["task.again"]
        index.close()

    # Being closed and opened

    def test_what_was_updated_is_there_after_a_restart(self, tmp_path: Path) -> None:
        if not self.persists:
            pytest.skip("this index keeps nothing")
        index = self.make(tmp_path)
        _add_fields(index, "*")
        index.update(_indexed(TASKS) | {"x": Indexed(None, "1")}, "one")
        index.close()
        index = self.make(tmp_path)
        assert (index.place(), index.local()) == ("one", {"x": "1"})
        for asked, answer in ANSWERS:
            assert index.find(Query.of("task.*", **asked)) == answer

    def test_a_closed_index_says_so(self, index: DocumentIndex) -> None:
        index.close()
        index.close()
        for call in (
            lambda: index.find(Query.of()),
            index.place,
            index.local,
            lambda: index.update({}),
            lambda: index.add_field("*", ("a",)),
        ):
            with pytest.raises(StoreClosed):
                call()


def _indexed(documents: Mapping[str, Any]) -> dict[str, Indexed]:
    return {item: Indexed(canonical.encode(value)) for item, value in documents.items()}


def _add_fields(index: DocumentIndex, pattern: str | None) -> None:
    for path in PATHS if pattern else ():
        index.add_field(pattern or "", parse_path(path))


def _odd_document(dice: random.Random) -> Any:
    if dice.random() < 0.05:
        return dice.choice(ODD_VALUES)
    return {key: dice.choice([*ODD_VALUES, dice.sample(ODD_VALUES, 3)]) for key in dice.sample(ODD_KEYS, 8)}


def _odd_query(dice: random.Random) -> Query:
    def path() -> str:
        return "/" + dice.choice(ODD_KEYS).replace("~", "~0").replace("/", "~1")

    def comparison() -> Any:
        operator = dice.choice(("=", "!=", "<", "<=", ">", ">=", "in", "has", "begins"))
        value = dice.choice(ODD_VALUES)
        if operator == "in":
            return operator, dice.choices(ODD_VALUES, k=dice.randrange(4))
        if operator == "begins":
            return operator, dice.choice([each for each in ODD_VALUES if isinstance(each, str)])
        if operator[0] in "<>":
            return operator, dice.choice([each for each in ODD_VALUES if type(each) in (int, float, str)])
        return operator, value

    return Query.of(
        dice.choice(("*", "item.*", "item.1*", "item.7")),
        where={path(): comparison() for _ in range(dice.randrange(3))},
        order_by=[dice.choice(("", "-")) + path() for _ in range(dice.randrange(3))],
        limit=dice.choice((None, 0, 1, 5, 100)),
        text=dice.choice(("", "", "milk", "a OR é", "-milk", "1*")),
    )
