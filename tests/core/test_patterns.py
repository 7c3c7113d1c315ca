import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.limits import MAX_ITEM_LENGTH, MAX_ITEM_PATTERNS
from syncline.core.patterns import check, matcher
from syncline.errors import BadRequest

items = st.text("abt.", min_size=1, max_size=4)
patterns = st.lists(items | items.map(lambda prefix: prefix + "*") | st.just("*"), max_size=4)


@given(patterns, items)
def test_an_item_is_asked_for_if_some_pattern_says_so(wanted, item):
    def matches(pattern: str) -> bool:
        return item == pattern or (pattern.endswith("*") and item.startswith(pattern[:-1]))

    assert matcher(check(wanted))(item) == (not wanted or any(map(matches, wanted)))


@given(patterns)
def test_checked_patterns_stand_once_and_sorted(wanted):
    checked = check(wanted)
    assert list(checked) == sorted(set(checked))
    assert check(checked) == checked
    assert check(wanted[::-1]) == checked


def test_everything_is_no_pattern():
    assert check(["task.*", "*"]) == ()
    assert check([]) == ()


def test_a_star_inside_a_matcher_is_everything():
    assert matcher(["*"])("anything")


@pytest.mark.parametrize("pattern", ["", "**", "*a", "a*b", "a**", "a b", "é", "a\n", "a" * 257, "a" * 257 + "*"])
def test_another_pattern_is_refused(pattern):
    with pytest.raises(BadRequest):
        check(["task.*", pattern])


def test_the_limits():
    longest = "a" * MAX_ITEM_LENGTH
    assert check([longest, longest + "*"]) == (longest, longest + "*")
    assert len(check([f"item.{number}" for number in range(MAX_ITEM_PATTERNS)])) == 100
    with pytest.raises(BadRequest):
        check([f"item.{number}" for number in range(MAX_ITEM_PATTERNS + 1)])
