import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.access import views as module
from syncline.core.access.views import WHOLE, View, differences
from syncline.core.limits import MAX_ITEM_PATTERNS
from syncline.core.patterns import check
from syncline.errors import BadRequest
from tests.core.access import model
from tests.core.access.model import ITEMS, asked, decisions, item_patterns

EVERYTHING = {"*": True, ".*": True}
views = st.builds(View.of, decisions, asked) | st.builds(View.everything, asked)


def shown(view: View) -> set[str]:
    return {item for item in ITEMS if view.shows(item)}


@given(decisions, asked)
def test_a_view_shows_what_is_decided_and_asked_for(decided, items):
    view = View.of(decided, items)
    assert view.items == check(items)
    assert shown(view) == {item for item in ITEMS if model.shows(decided, item) and model.is_asked(items, item)}
    assert shown(view) == shown(view)


@given(asked)
def test_everything_is_what_is_asked_for(items):
    assert shown(View.everything(items)) == {item for item in ITEMS if model.is_asked(items, item)}


@given(views, asked, asked)
def test_a_narrowed_view_is_the_intersection(view, scope, other):
    narrow = view.narrowed(scope)
    assert shown(narrow) == {item for item in shown(view) if model.is_asked(scope, item)}
    assert narrow.items == view.items
    assert narrow.narrowed(other) == view.narrowed(other).narrowed(scope)
    assert narrow.narrowed(scope) == narrow


def test_a_narrowed_view_may_show_nothing():
    nothing = View.of({"*": True}, ["note.*"]).narrowed(["task.*"])
    assert nothing.is_nothing
    assert nothing.digest not in (WHOLE, View.of({"*": True}, ["note.*"]).digest)
    assert View.of({"*": True}).narrowed([".acl"]) == View() == View.of({})
    assert View().digest != WHOLE


@given(decisions, st.randoms(use_true_random=False))
def test_the_order_of_decisions_does_not_matter(decided, random):
    order = list(decided.items())
    random.shuffle(order)
    assert View.of(dict(order)) == View.of(decided)
    assert View.of(dict(order)).digest == View.of(decided).digest


@given(decisions, decisions, asked, asked)
def test_views_that_ask_and_show_alike_are_equal(some, others, items, more):
    """So nothing redundant is in them."""
    one, other = View.of(some, items), View.of({**some, **others}, items + more)
    alike = one.items == other.items and shown(one) == shown(other)
    assert (one == other) == alike
    assert (one.digest == other.digest) == alike
    assert not alike or hash(one) == hash(other)


@given(decisions, asked)
def test_a_view_of_a_view_s_decisions_is_that_view(decided, items):
    view = View.of(decided, items)
    assert View.of(dict(view.decisions), items) == view
    assert [*map(model.width, dict(view.decisions))] == sorted(map(model.width, dict(view.decisions)), reverse=True)


@given(views)
def test_eight_zero_bytes_are_everything(view):
    assert len(view.digest) == len(WHOLE)
    assert (view.digest == WHOLE) == view.is_everything == (len(shown(view)) == len(ITEMS) and not view.items)
    assert view.is_nothing == (not shown(view))


def test_everything_is_everything_whoever_sees_it():
    assert View.everything().digest == View.of(EVERYTHING).digest == View.of({**EVERYTHING, ".acl": True}).digest
    assert View.everything(["*"]) == View.everything()
    assert not View.everything(["task.*"]).is_everything
    assert View.everything(["task.*"]) == View.of({"*": True}, ["task.*"])


@given(views)
def test_patterns_for_an_index(view):
    if view.patterns:
        assert all(any(model.matches(pattern, item) for pattern in view.patterns) for item in shown(view))
        assert list(view.patterns) == sorted(set(view.patterns))
    else:
        assert view.is_nothing or ("*", True) in view.decisions


def test_too_many_patterns_are_no_help():
    few, many = ({f"task.{n}": True for n in range(count)} for count in (MAX_ITEM_PATTERNS, MAX_ITEM_PATTERNS + 1))
    assert View.of(few).patterns == tuple(sorted(few))
    assert View.of(many).patterns == ()


def test_no_more_is_remembered_than_the_bound(monkeypatch):
    monkeypatch.setattr(module, "MAX_REMEMBERED", 3)
    view = View.of({"task.*": True})
    for number in range(10):
        assert view.shows(f"task.{number}")
        assert len(view._remembered) <= 3


@pytest.mark.parametrize("items", [["a b"], ["a*b"], [""]])
def test_what_is_asked_for_is_checked(items):
    for make in (View.everything, View.of(EVERYTHING).narrowed, lambda items: View.of({}, items)):
        with pytest.raises(BadRequest):
            make(items)


# Differences


@given(views, views)
def test_differences_are_all_and_no_more(old, new):
    found = differences(old, new)
    changed = shown(old) ^ shown(new)
    below = {pattern: {item for item in ITEMS if model.matches(pattern, item)} for pattern in found}
    assert changed <= set().union(*below.values())
    assert all(changed & items for items in below.values())
    assert not any(below[one] <= below[other] for one in found for other in found if one != other)
    assert found == differences(new, old)
    assert list(found) == sorted(found)


@given(views, item_patterns, st.booleans())
def test_a_decision_changes_nothing_elsewhere(view, pattern, is_shown):
    new = View.of({**dict(view.decisions), pattern: is_shown})
    assert all(model.matches(pattern, each.removesuffix("*")) for each in differences(view, new) if each != pattern)


def test_some_differences():
    def member(**more: bool) -> View:
        return View.of({"*": True, ".policies": True, **more})

    def asks(*items: str) -> View:
        return View.of({"*": True, "secret.*": False}, items)

    closed = View.of({"*": True, ".policies": True, "secret.*": False})
    assert differences(member(), member()) == ()
    assert differences(member(), closed) == ("secret.*",)
    assert differences(closed, member(**{"secret.*": False, "secret.plan": True})) == ("secret.plan",)
    assert differences(asks(), asks("task.*")) == ("*",)
    assert differences(asks("task.*"), asks("task.*", "note.*", "secret.a")) == ("note.*",)
    assert differences(member(), View.everything()) == (".*",)
    assert differences(View(), View.everything()) == ("*", ".*")
