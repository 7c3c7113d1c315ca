"""Rules: who may do what with which items, and which of them decides.

The most specific matching rule decides, by item, then by user, then by action (a literal beats any prefix, a longer
prefix a shorter one, ``*`` is the shortest), then the newest. ``*`` matches nothing that begins with a dot, except
that the action ``*`` includes ``.read``. So the rules lie in a tree, by user, item and action, and a question follows
few of its branches. Where rules come from, and whom they do not concern, is up to ``state``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from syncline.core.access.index import PatternMap, specificity
from syncline.core.events import ACTION, ITEM, USER
from syncline.errors import BadRequest

ALLOW, DENY = "allow", "deny"
READ = ".read"
GIVE = ".give"
"""The right to push events under their authors' names: to be believed whose they are."""

MAX_REMEMBERED = 10_000

_SHAPES = {"user": USER, "item": ITEM, "action": ACTION}
_BRANCHES = tuple(_SHAPES)

Stack = tuple["Rule", ...]
"""The rules with equal patterns, the newest last."""


class Rule(msgspec.Struct, frozen=True):
    """Whether users may do actions with items, each a pattern. ``id`` is the event that added it; "" for a default."""

    user: str
    item: str
    action: str
    type: str
    seq: int = 0
    id: str = ""


DEFAULTS = (Rule("*", "*", "*", ALLOW), Rule("*", ".policies", READ, ALLOW))
"""A space is open to its members, and its conflict policies are there for their folds to read."""


def check_rule(value: Any) -> Rule:
    """The rule that a decoded JSON value ``{user, item, action, type}`` spells. Raises BadRequest."""
    if not isinstance(value, dict):
        raise BadRequest("A rule is an object {user, item, action, type}.")
    if unknown := sorted(value.keys() - {*_SHAPES, "type"}):
        raise BadRequest(f"{str(unknown[0])[:64]!r} is not a field of a rule; those are user, item, action and type.")
    if value.get("type") not in (ALLOW, DENY):
        raise BadRequest(f"type: must be {ALLOW!r} or {DENY!r}.")
    for field, shape in _SHAPES.items():
        _check_pattern(field, shape, value.get(field))
    return Rule(**value)


def _check_pattern(field: str, shape: re.Pattern[str], pattern: Any) -> None:
    if not isinstance(pattern, str):
        raise BadRequest(f"{field}: must be a string: a literal, a prefix with one trailing *, or * for any {field}.")
    start = pattern.removesuffix("*")
    if "*" in start:
        raise BadRequest(f"{field}: {pattern[:64]!r} has a * that is not at its end, or more than one.")
    if pattern != "*" and not shape.fullmatch(start):
        raise BadRequest(f"{field}: {pattern[:64]!r} is neither * nor a literal or prefix of {shape.pattern}.")


def _is_wide(name: str) -> bool:
    """Whether ``*`` matches this user or item."""
    return not name.startswith(".")


class Rules:
    """An immutable set of rules. Adding and removing make another, which shares what is alike."""

    __slots__ = ("_all", "_remembered", "_users")

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._all = {_name(rule): rule for rule in rules}
        self._users: PatternMap[Any] = _edit(None, [*self._all.values()], _BRANCHES, _push) or PatternMap()
        self._remembered: dict[tuple[str, str, str], Rule | None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._all.values())

    def get(self, id: str) -> Rule | None:
        """The rule that an event added."""
        return self._all.get(id)

    def plus(self, *rules: Rule) -> Rules:
        """With these too; a rule that is there already is not added again."""
        added = {name: rule for rule in rules if (name := _name(rule)) not in self._all}
        return self._with({**self._all, **added}, [*added.values()], _push)

    def minus(self, *ids: str) -> Rules:
        """Without the rules of these events; the newest of the others with equal patterns holds again."""
        removed = [rule for id in dict.fromkeys(ids) if (rule := self._all.get(id)) is not None]
        kept = dict(self._all)
        for rule in removed:
            del kept[rule.id]
        return self._with(kept, removed, _pull)

    def decide(self, user: str, item: str, action: str) -> Rule | None:
        """The rule that decides, if any matches."""
        question = (user, item, action)
        try:
            return self._remembered[question]
        except KeyError:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
        found = self._remembered[question] = self._find(user, item, action)
        return found

    def allows(self, user: str, item: str, action: str) -> bool:
        """Whether a rule matches, and the one that decides allows it."""
        rule = self.decide(user, item, action)
        return rule is not None and rule.type == ALLOW

    def of(self, user: str) -> list[Rule]:
        """All rules that concern a user, the most specific first, the newest of equal patterns first."""
        items = (items for _, items in self._users.matching(user, wide=_is_wide(user)))
        actions = (actions for each in items for _, actions in each.items())
        stacks = (stack for each in actions for _, stack in each.items())
        return sorted((rule for stack in stacks for rule in reversed(stack)), key=_precedence)

    def decisions(self, user: str) -> dict[str, bool]:
        """Whether a user may read, by item pattern: what the most specific rule with this very pattern says."""
        found: dict[str, bool] = {}
        for _, items in self._users.matching(user, wide=_is_wide(user)):
            for pattern, actions in items.items():
                if pattern not in found and (rule := _first(actions, READ)) is not None:
                    found[pattern] = rule.type == ALLOW
        return found

    def _find(self, user: str, item: str, action: str) -> Rule | None:
        """Of the more specific users first: the next ones decide only where their item is more specific still."""
        found, least = None, -1
        for _, items in self._users.matching(user, wide=_is_wide(user)):
            for rank, actions in items.matching(item, wide=_is_wide(item), above=least):
                if (rule := _first(actions, action)) is not None:
                    found, least = rule, rank
                    break
        return found

    def _with(self, all: dict[str | Rule, Rule], changed: list[Rule], leaf: Leaf) -> Rules:
        if not changed:
            return self
        rules = Rules()
        rules._all = all
        rules._users = _edit(self._users, changed, _BRANCHES, leaf) or PatternMap()
        return rules


def _name(rule: Rule) -> str | Rule:
    return rule.id or rule


def _precedence(rule: Rule) -> tuple[Any, ...]:
    return specificity(rule.item), specificity(rule.user), specificity(rule.action), -rule.seq


def _first(actions: PatternMap[Stack], action: str) -> Rule | None:
    """What the most specific action pattern says."""
    for _, stack in actions.matching(action, wide=action == READ or not action.startswith(".")):
        return stack[-1]
    return None


# The tree: patterns of users, below each those of items, below each those of actions, and there a stack

Leaf = Callable[[Stack, Sequence[Rule]], Stack]


def _edit(node: Any, rules: Sequence[Rule], branches: Sequence[str], leaf: Leaf) -> Any:
    """A node of the tree with the stacks of these rules' patterns changed; None if nothing is left of it."""
    if not branches:
        return leaf(node or (), rules) or None
    below: dict[str, list[Rule]] = defaultdict(list)
    for rule, pattern in zip(rules, map(attrgetter(branches[0]), rules), strict=True):
        below[pattern].append(rule)
    tree: PatternMap[Any] = node or PatternMap()
    edited = {pattern: _edit(tree.get(pattern), group, branches[1:], leaf) for pattern, group in below.items()}
    return tree.put(edited) or None


def _push(stack: Stack, rules: Sequence[Rule]) -> Stack:
    return tuple(sorted((*stack, *rules), key=attrgetter("seq")))


def _pull(stack: Stack, rules: Sequence[Rule]) -> Stack:
    ids = {rule.id for rule in rules}
    return tuple(rule for rule in stack if rule.id not in ids)
