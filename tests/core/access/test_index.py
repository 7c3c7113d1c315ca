import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.access import index as module
from syncline.core.access.index import PatternMap, widest
from tests.core.access import model
from tests.core.access.model import ITEMS, item_patterns, names

maps = st.dictionaries(item_patterns, st.integers(), max_size=8)


def covers(wide: str, narrow: str) -> bool:
    """All that one matches, the other matches too."""
    return all(model.matches(wide, item) for item in [*ITEMS, narrow[:-1] + "zzzz"] if model.matches(narrow, item))


@given(maps)
def test_a_map_holds_what_was_put(values):
    index = PatternMap(values)
    assert dict(index.items()) == values
    assert len(index) == len(values)
    assert [*map(model.width, dict(index.items()))] == sorted(map(model.width, values), reverse=True)
    assert all(index.get(pattern) == value for pattern, value in values.items())
    assert index.get("bbbb") is index.get("bbbb*") is None


@given(maps, st.dictionaries(item_patterns, st.none() | st.integers(), max_size=8))
def test_putting_makes_another_map(values, changes):
    index = PatternMap(values)
    changed = index.put(changes)
    assert dict(index.items()) == values
    assert dict(changed.items()) == {p: value for p, value in (values | changes).items() if value is not None}
    assert bool(changed) == bool(len(changed))


@given(maps, names)
def test_what_matches_comes_most_specific_first(values, name):
    matching = sorted((p for p in values if model.matches(p, name)), key=model.width, reverse=True)
    for many in (module.MANY, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "MANY", many)
            found = [*PatternMap(values).matching(name, wide=not name.startswith("."))]
        assert [value for _, value in found] == [values[pattern] for pattern in matching]


@given(maps, item_patterns)
def test_what_covers_a_pattern_comes_most_specific_first(values, pattern):
    covering = sorted((p for p in values if covers(p, pattern)), key=model.width, reverse=True)
    assert [*PatternMap(values).covering(pattern, itself=True)] == [values[each] for each in covering]
    assert [*PatternMap(values).covering(pattern)] == [values[each] for each in covering if each != pattern]


@given(st.lists(item_patterns, max_size=8))
def test_the_widest_cover_the_others(patterns):
    found = widest(patterns)
    assert list(found) == sorted(set(found))
    assert all(any(covers(wide, pattern) for wide in found) for pattern in patterns)
    assert not any(covers(wide, narrow) for wide in found for narrow in found if wide != narrow)


def test_prefixes_of_all_lengths_match_up_to_the_name_s():
    values = {"a" * length + "*": length for length in range(1, 40)}
    for literals in ({}, {"a" * 10: 100, "a" * 30: 300}):
        index = PatternMap(values | literals)
        assert [*index.matching("a" * 10, wide=True)][-10:] == [(length, length) for length in range(10, 0, -1)]
        assert [value for _, value in index.matching("a" * 30, wide=True, above=28)] == [300, 30, 29][not literals :]
        assert len([*index.matching("a" * 10, wide=True)]) == 10 + bool(literals)
