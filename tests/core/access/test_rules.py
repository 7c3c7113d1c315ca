import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.access import rules as module
from syncline.core.access.rules import ALLOW, DEFAULTS, DENY, READ, Rule, Rules, check_rule
from syncline.errors import BadRequest
from tests.core.access import model
from tests.core.access.model import names, questions, rule_lists, users

SHAPE = {"user": "ann", "item": "task.*", "action": "*", "type": "allow"}


# A rule's shape


@pytest.mark.parametrize("user", ["ann", "*", "team-*", "Ann Müller", ".root", "a" * 256, "a" * 256 + "*"])
@pytest.mark.parametrize("item", ["task.milk", "*", ".*", "a" * 256])
@pytest.mark.parametrize("action", ["create", "*", ".read"])
def test_a_rule_is_made_of_patterns(user, item, action):
    assert check_rule({"user": user, "item": item, "action": action, "type": "deny"}) == Rule(user, item, action, DENY)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "an object"),
        ([], "an object"),
        ({}, "type: must be"),
        (SHAPE | {"type": "maybe"}, "type: must be"),
        (SHAPE | {"type": ["allow"]}, "type: must be"),
        (SHAPE | {"until": 3}, "'until' is not a field"),
        (SHAPE | {"seq": 3}, "'seq' is not a field"),
        ({"user": "ann", "item": "a", "type": "allow"}, "action: must be a string"),
        (SHAPE | {"user": 3}, "user: must be a string"),
        (SHAPE | {"user": ""}, "user: '' is neither"),
        (SHAPE | {"item": ""}, "item: '' is neither"),
        (SHAPE | {"item": "a*b"}, "not at its end"),
        (SHAPE | {"item": "**"}, "not at its end"),
        (SHAPE | {"user": "*ann"}, "not at its end"),
        (SHAPE | {"user": "a\n"}, "user: 'a\\n' is neither"),
        (SHAPE | {"item": "a b"}, "item: 'a b' is neither"),
        (SHAPE | {"item": "a" * 257}, "is neither"),
        (SHAPE | {"action": "ä"}, "action: 'ä' is neither"),
        (SHAPE | {"action": "a" * 129 + "*"}, "is neither"),
    ],
)
def test_anything_else_is_refused_with_words_that_help(value, words):
    with pytest.raises(BadRequest) as refused:
        check_rule(value)
    assert words in refused.value.message


# Who decides


@given(rule_lists, questions)
def test_the_most_specific_rule_decides(rules, question):
    assert Rules(rules).decide(*question) == model.decide(rules, *question)
    assert Rules(rules).allows(*question) == model.allows(rules, *question)


@given(rule_lists, st.lists(questions, max_size=6))
def test_what_was_remembered_changes_nothing(rules, questions):
    known = Rules(rules)
    for question in questions * 2:
        assert known.decide(*question) == model.decide(rules, *question)


def test_no_more_is_remembered_than_the_bound(monkeypatch):
    monkeypatch.setattr(module, "MAX_REMEMBERED", 3)
    rules = Rules(DEFAULTS)
    for number in range(10):
        assert rules.allows("ann", f"task.{number}", "create")
        assert len(rules._remembered) <= 3


@given(rule_lists, users)
def test_the_rules_of_a_user_are_those_that_concern_it_in_order(rules, user):
    of = Rules(rules).of(user)
    assert sorted(rule.seq for rule in of) == [rule.seq for rule in rules if model.concerns(rule, user)]
    assert of == sorted(of, key=model.place)


@given(rule_lists, questions)
def test_a_user_s_own_rules_decide_alike(rules, question):
    everyone = Rules(rules)
    assert Rules(everyone.of(question[0])).decide(*question) == everyone.decide(*question)


@given(rule_lists, users)
def test_decisions_about_reading(rules, user):
    decisions = Rules(rules).decisions(user)
    about = [r for r in rules if model.concerns(r, user) and model.matches(r.action, READ, READ)]
    assert decisions == {
        rule.item: max((each for each in about if each.item == rule.item), key=model.rank).type == ALLOW
        for rule in about
    }


@given(rule_lists, users, names)
def test_decisions_suffice_for_reading(rules, user, item):
    assert model.shows(Rules(rules).decisions(user), item) == model.allows(rules, user, item, READ)


# Adding and removing


@given(rule_lists, st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=20), questions)
def test_rules_come_and_go(given_rules, steps, question):
    there: dict[str, Rule] = {}
    rules = Rules()
    for number, is_added in steps:
        rule = given_rules[number % len(given_rules)] if given_rules else Rule("*", "*", "*", ALLOW, 1, "e1")
        if is_added:
            rules = rules.plus(rule)
            there[rule.id] = rule
        else:
            rules = rules.minus(rule.id)
            there.pop(rule.id, None)
        assert rules.decide(*question) == model.decide(there.values(), *question)
        assert sorted(rules, key=model.rank) == sorted(there.values(), key=model.rank)
        assert len(rules) == len(there)
        assert all(rules.get(id) == rule for id, rule in there.items())


@given(rule_lists, rule_lists, questions)
def test_many_at_once_are_the_same_as_one_by_one(some, others, question):
    rules = Rules(some).plus(*others)
    step = Rules(some)
    for rule in others:
        step = step.plus(rule)
    assert rules.decide(*question) == step.decide(*question)
    assert list(rules) == list(step)


@given(rule_lists, questions)
def test_rules_are_values(rules, question):
    before = Rules(rules)
    decided = before.decide(*question)
    before.plus(Rule("*", question[1], question[2], DENY, 99, "e99"))
    before.minus("e1", "e2")
    assert Rules(list(before)).decide(*question) == before.decide(*question) == decided
    assert list(before) == rules


def test_removing_the_newest_of_equal_patterns_revives_the_one_below():
    old, new = Rule("ann", "*", "*", ALLOW, 1, "e1"), Rule("ann", "*", "*", DENY, 2, "e2")
    rules = Rules().plus(new).plus(old)
    assert rules.decide("ann", "task", "create") == new
    assert rules.minus("e2").decide("ann", "task", "create") == old
    assert rules.minus("e1").decide("ann", "task", "create") == new
    assert rules.minus("e1", "e2").decide("ann", "task", "create") is None


def test_what_changes_nothing_is_the_same_value():
    rules = Rules(DEFAULTS).plus(Rule("ann", "*", "*", DENY, 1, "e1"))
    assert rules.minus("e2") is rules.minus() is rules.plus() is rules.plus(*DEFAULTS) is rules


def test_the_rules_of_every_space_have_no_id_and_stay():
    rules = Rules(DEFAULTS)
    assert rules.minus("") is rules
    assert rules.get("") is None
    assert list(rules) == list(DEFAULTS)


def test_where_patterns_are_equal_the_more_specific_user_decides_about_reading():
    rules = Rules(
        [Rule("*", "task.*", READ, DENY), Rule("ann", "task.*", "*", ALLOW), Rule("ann", "task.*", "do", DENY)]
    )
    assert rules.decisions("ann") == {"task.*": True}
    assert rules.decisions("bob") == {"task.*": False}


# Dots


@pytest.mark.parametrize(
    ("item", "action", "is_allowed"),
    [
        ("task.milk", "create", True),
        ("task.milk", ".read", True),
        ("task.milk", ".policy.set", False),
        (".policies", ".read", True),
        (".policies", ".policy.set", False),
        (".policies", "create", False),
        (".acl", ".read", False),
        (".acl", ".acl.addRule", False),
        (".user.ann", ".read", False),
    ],
)
def test_what_comes_with_every_space(item, action, is_allowed):
    assert Rules(DEFAULTS).allows("ann", item, action) == is_allowed
    assert not Rules(DEFAULTS).allows(".root", item, action)


# Cost


SHAPES = {
    "items of one user": lambda n: ("ann", f"task.{n}", "*"),
    "users": lambda n: (f"user{n}", "*", "*"),
    "actions": lambda n: ("*", "*", f"do{n}"),
    "prefixes": lambda n: ("*", "a" * (n % 250) + f"{n}*", "*"),
    "equal patterns": lambda n: ("*", "*", "*"),
}
"""What the n-th rule is for, in shapes that an index could stumble over."""


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_ten_thousand_rules_of_any_shape_are_quick(shape):
    """Far from the figures of the bench, so that a busy machine does not fail: a scan of all takes milliseconds."""
    rules = Rules([*DEFAULTS, *(Rule(*shape(n), DENY, n, f"e{n}") for n in range(10_000))])
    names = [("ann", f"task.{n}x", f"do{n}x") for n in range(200)]
    assert quickest(lambda: [rules.decide(*question) for question in names]) / len(names) < 0.001
    added = Rule("bob", "b", "c", ALLOW, 10_001, "new")
    assert quickest(lambda: rules.plus(added)) < 0.01


def quickest(work):
    """The processor time of the quickest of three tries."""
    taken = []
    for _ in range(3):
        started = time.thread_time()
        work()
        taken.append(time.thread_time() - started)
    return min(taken)
