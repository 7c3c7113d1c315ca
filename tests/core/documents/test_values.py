"""What programs write, and how it travels."""

import pytest

from syncline.core.documents import values
from syncline.core.documents.values import Counter, ORSet, Text
from syncline.errors import BadOp


def test_a_text_reads_and_compares_like_a_string():
    assert str(Text("é😀")) == "é😀"
    assert repr(Text("a")) == "Text('a')"
    assert Text("a") == Text("a") == "a"
    assert Text("a") != "b"
    assert Text("1") != 1


def test_a_counter_reads_and_compares_like_a_number():
    assert int(Counter(3)) == 3
    assert repr(Counter()) == "Counter(0)"
    assert Counter(3) == Counter(3) == 3
    assert Counter(3) != 4
    assert Counter(3) != "3"


def test_a_set_holds_json_by_its_canonical_form():
    members = ORSet([2, 10, "a", {"b": 1, "a": 2}, 2, {"a": 2, "b": 1}, True])
    assert list(members) == ["a", 10, 2, True, {"b": 1, "a": 2}]
    assert len(members) == 5
    assert 2 in members
    assert True in members
    assert 1 not in members
    assert repr(ORSet([1])) == "ORSet([1])"
    assert ORSet([1, 2]) == ORSet([2, 1]) == {1, 2}
    assert ORSet([1]) == [1]
    assert ORSet([1]) != (True,)
    assert ORSet([1]) != 1


@pytest.mark.parametrize("kind", [Text(), Counter(), ORSet()])
def test_what_changes_has_no_hash(kind):
    with pytest.raises(TypeError):
        hash(kind)


PAIRS = [
    (None, None),
    (1.5, 1.5),
    (Text("a"), {"$text": "a"}),
    (Counter(-2), {"$counter": -2}),
    (ORSet(["b", "a"]), {"$set": ["a", "b"]}),
    ({"a": [Text("x"), {"b": Counter(1)}]}, {"a": [{"$text": "x"}, {"b": {"$counter": 1}}]}),
    ({"$a": Text("x")}, {"$map": {"$a": {"$text": "x"}}}),
    ({"$map": {}}, {"$map": {"$map": {}}}),
    ([], []),
]


@pytest.mark.parametrize("place", range(len(PAIRS)))
def test_values_travel_there_and_back(place):
    value, wire = PAIRS[place]
    assert values.to_wire(value) == wire
    assert values.from_wire(wire) == value
    values.check(wire)


def test_what_else_programs_write():
    assert values.to_wire({1, 2}) == values.to_wire(frozenset({1, 2})) == {"$set": [1, 2]}
    assert values.to_wire((1, (2,))) == [1, [2]]


def test_values_without_marks():
    wire = {"$map": {"$a": {"$text": "x"}, "b": [{"$counter": 1}, {"$set": [{"$text": 1}]}], "c": None}}
    assert values.to_plain(wire) == {"$a": "x", "b": [1, [{"$text": 1}]], "c": None}


@pytest.mark.parametrize("value", [{1: 2}, [{"a": {None: 1}}], {"$foo": 1}, {"a": {"$text": "", "b": 1}}, {"$set": 1}])
def test_values_that_do_not_travel(value):
    with pytest.raises(BadOp):
        values.check(value)


def test_members_come_in_the_order_of_their_utf_16_form():
    assert [key for key, _ in values.in_order({"😀": 1, "\ue000": 2, "a": 3})] == ["a", "😀", "\ue000"]


@pytest.mark.parametrize(
    ("value", "names", "depth"),
    [
        ("x", 0, 0),
        ([], 1, 1),
        ([1, [2]], 5, 2),
        ({"a": {"b": {}}, "c": 1}, 3, 3),
        ({"$text": "é😀"}, 3, 1),
        ({"$set": [[1], {"a": 1}]}, 1, 1),
        ({"$map": {"$a": [1]}}, 3, 2),
    ],
)
def test_how_many_names_a_value_takes_and_how_deep_it_nests(value, names, depth):
    assert values.names_in(value) == names
    assert values.depth_of(value) == depth
