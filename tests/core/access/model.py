"""Access said as plainly as can be, to hold the real one against: every question looks at every rule.

Also the strategies for names and patterns, of so few characters that they meet. "z" stands in no pattern, so that every
pattern matches something that no longer one does.
"""

from collections.abc import Iterable
from itertools import product
from typing import Any

from hypothesis import strategies as st

from syncline.core.access.rules import ALLOW, DENY, READ, Rule

names = st.text("ab.", min_size=1, max_size=3)
item_patterns = names | names.map(lambda name: name + "*") | st.just("*")
actions = names | st.just(READ)
action_patterns = item_patterns | st.sampled_from([READ, ".*", "*"])
users = names | st.just("z")
questions = st.tuples(users, names, actions)
shapes = st.tuples(item_patterns, item_patterns, action_patterns, st.sampled_from([ALLOW, DENY]))

ITEMS = ["".join(letters) for length in (1, 2, 3, 4) for letters in product("abz.", repeat=length)]


def placed(found: Iterable[tuple[str, str, str, str]]) -> list[Rule]:
    return [Rule(*shape, seq, f"e{seq}") for seq, shape in enumerate(found, 1)]


rule_lists = st.lists(shapes, max_size=12).map(placed)
decisions = st.dictionaries(item_patterns, st.booleans(), max_size=8)
asked = st.lists(item_patterns, max_size=3)


def matches(pattern: str, name: str, exception: str | None = None) -> bool:
    if pattern.endswith("*"):
        start = pattern[:-1]
        is_hidden = name.startswith(".") and not start.startswith(".") and name != exception
        return name.startswith(start) and not is_hidden
    return pattern == name


def width(pattern: str) -> float:
    return len(pattern) - 1 if pattern.endswith("*") else float("inf")


def rank(rule: Rule) -> Any:
    return width(rule.item), width(rule.user), width(rule.action), rule.seq


def place(rule: Rule) -> Any:
    """Where a rule stands in a list of those of one user."""
    named = ((-width(pattern), pattern) for pattern in (rule.item, rule.user, rule.action))
    return *named, -rule.seq


def concerns(rule: Rule, user: str) -> bool:
    return matches(rule.user, user)


def decide(rules: Iterable[Rule], user: str, item: str, action: str) -> Rule | None:
    matching = [
        rule
        for rule in rules
        if concerns(rule, user) and matches(rule.item, item) and matches(rule.action, action, READ)
    ]
    return max(matching, key=rank, default=None)


def allows(rules: Iterable[Rule], user: str, item: str, action: str) -> bool:
    rule = decide(rules, user, item, action)
    return rule is not None and rule.type == ALLOW


def shows(decided: dict[str, bool], item: str) -> bool:
    matching = [pattern for pattern in decided if matches(pattern, item)]
    return decided[max(matching, key=width)] if matching else False


def is_asked(items: Iterable[str], item: str) -> bool:
    """Asking is plainer than deciding: ``*``, as no pattern at all, asks for items with a leading dot too."""
    wanted = list(items)
    return not wanted or "*" in wanted or any(matches(pattern, item) for pattern in wanted)
