"""Writes ``spec/vectors/access.json``: which rule decides, what a view shows, and where two views differ.

Every case says its answers itself; this program refuses to write one that Syncline answers otherwise. Only the digests
of views are what Syncline makes of them. Old cases stay for ever; new ones are added here, then

    python spec/make_access.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from syncline.core.access.rules import DEFAULTS, Rule, Rules, check_rule
from syncline.core.access.views import View, differences
from syncline.errors import BadRequest

FILE = Path(__file__).parent / "vectors" / "access.json"

ABOUT = (
    "Access. taken, refused: the shapes of rules (refused: bad_request). decided: rules as [user, item, action, "
    "type] in the order in which they came, and questions as [user, item, action, deciding rule]: its place among "
    "the rules counted from 0, or null if none matches, which denies. views: what is decided about reading by "
    "item pattern, the patterns asked for and, if there is one, a scope to narrow the view to. shown: the "
    "decisions that stay, the most specific first (literals, then prefixes by length; then by name). digest: the "
    "first 8 bytes of SHA-256 over lines joined by LF: + or - and the pattern for each decision shown, then ? and "
    "the pattern for each asked, sorted; 8 zero bytes for [['.*', true], ['*', true]] with nothing asked. items: "
    "whether an item shows. differences: two views as [decisions, asked], and the patterns below which they "
    "differ; * stands for items without a leading dot."
)

TAKEN = [
    {"user": "*", "item": "*", "action": "*", "type": "allow"},
    {"user": "ann", "item": "task.milk", "action": "create", "type": "deny"},
    {"user": "team-*", "item": ".user.*", "action": ".*", "type": "allow"},
    {"user": "Änne 😀*", "item": ".acl", "action": ".read", "type": "allow"},
    {"user": "a" * 256, "item": "a" * 256 + "*", "action": "a" * 128 + "*", "type": "deny"},
]
REFUSED: list[Any] = [
    None,
    [],
    {},
    {"user": "*", "item": "*", "action": "*"},
    {"user": "*", "item": "*", "action": "*", "type": "ALLOW"},
    {"user": "*", "item": "*", "action": "*", "type": None},
    {"user": "*", "item": "*", "action": "*", "type": "allow", "seq": 1},
    {"user": "*", "item": "*", "type": "allow"},
    {"user": 1, "item": "*", "action": "*", "type": "allow"},
    {"user": "", "item": "*", "action": "*", "type": "allow"},
    {"user": "a*b", "item": "*", "action": "*", "type": "allow"},
    {"user": "a\n", "item": "*", "action": "*", "type": "allow"},
    {"user": "*", "item": "**", "action": "*", "type": "allow"},
    {"user": "*", "item": "a b", "action": "*", "type": "allow"},
    {"user": "*", "item": "a" * 257, "action": "*", "type": "allow"},
    {"user": "*", "item": "*", "action": "*.read", "type": "allow"},
    {"user": "*", "item": "*", "action": "a" * 129, "type": "allow"},
]

BASE = [[rule.user, rule.item, rule.action, rule.type] for rule in DEFAULTS]

DECIDED: list[tuple[str, list[list[str]], list[list[Any]]]] = [
    ("without rules nothing is allowed", [], [["ann", "task.milk", "create", None]]),
    (
        "the rules that come with every space",
        BASE,
        [
            ["ann", "task.milk", "create", 0],
            ["ann", "task.milk", ".read", 0],
            ["ann", "task.milk", ".policy.set", None],
            ["ann", ".policies", ".read", 1],
            ["ann", ".policies", ".policy.set", None],
            ["ann", ".acl", ".read", None],
            [".root", "task.milk", "create", None],
        ],
    ),
    (
        "an item's literal before a prefix, a longer prefix before a shorter",
        [*BASE, ["*", "task.*", "*", "deny"], ["*", "task.home.*", "*", "allow"], ["*", "task.home.tax", "*", "deny"]],
        [
            ["ann", "note", "edit", 0],
            ["ann", "task.", "edit", 2],
            ["ann", "task", "edit", 0],
            ["ann", "task.home", "edit", 2],
            ["ann", "task.home.", "edit", 3],
            ["ann", "task.home.tax", "edit", 4],
            ["ann", "task.home.taxes", "edit", 3],
        ],
    ),
    (
        "a literal before a prefix that is as long, or longer",
        [["*", "ab*", "*", "deny"], ["*", "ab", "*", "allow"], ["*", "abc*", "*", "allow"]],
        [["ann", "ab", "edit", 1], ["ann", "abb", "edit", 0], ["ann", "abc", "edit", 2]],
    ),
    (
        "item before user, user before action, action before age",
        [
            ["*", "task.milk", "*", "deny"],
            ["ann", "task.*", "edit", "allow"],
            ["a*", "task.*", "edit", "deny"],
            ["ann", "task.*", "*", "deny"],
            ["ann", "task.*", "ed*", "deny"],
        ],
        [
            ["ann", "task.milk", "edit", 0],
            ["ann", "task.soap", "edit", 1],
            ["ann", "task.soap", "edited", 4],
            ["ann", "task.soap", "create", 3],
            ["amy", "task.soap", "edit", 2],
            ["amy", "task.soap", "create", None],
            ["bob", "task.soap", "edit", None],
        ],
    ),
    (
        "a more specific item decides nothing for another user or action",
        [["*", "*", "*", "allow"], ["bob", "task.milk", "*", "deny"], ["*", "task.milk", "edit", "deny"]],
        [["ann", "task.milk", "create", 0], ["ann", "task.milk", "edit", 2], ["bob", "task.milk", "edit", 1]],
    ),
    (
        "of equal patterns the newest",
        [["ann", "*", "*", "allow"], ["ann", "*", "*", "deny"], ["ann", "*", "*", "allow"]],
        [["ann", "task.milk", "edit", 2]],
    ),
    (
        "a star matches nothing with a leading dot, but the action * includes .read",
        [
            ["*", "*", "*", "allow"],
            ["ann", "*", ".*", "deny"],
            ["*", ".*", "*", "allow"],
            ["*", ".user.*", ".k*", "deny"],
        ],
        [
            ["ann", "task.milk", ".read", 1],
            ["bob", "task.milk", ".read", 0],
            ["ann", "task.milk", ".key.create", 1],
            ["bob", "task.milk", ".key.create", None],
            ["bob", ".acl", ".read", 2],
            ["bob", ".acl", ".acl.addRule", None],
            ["bob", ".acl", "edit", 2],
            ["bob", ".user.ann", ".key.create", 3],
            ["bob", ".user.ann", ".user.create", None],
            ["bob", ".user.ann", ".read", 2],
            [".root", "task.milk", "edit", None],
        ],
    ),
]

WHOLE = {"*": True, ".*": True}
MEMBER = {"*": True, ".policies": True}
HIDDEN = {"*": True, "secret.*": False, "secret.plan": True}

View_ = tuple[str, dict[str, bool], list[str], list[str] | None, list[list[Any]], dict[str, bool]]
VIEWS: list[View_] = [
    ("nothing", {}, [], None, [], {"a": False, ".a": False}),
    ("everything", WHOLE, [], None, [[".*", True], ["*", True]], {"a": True, ".acl": True}),
    ("everything but what begins with a dot", {"*": True}, [], None, [["*", True]], {"a": True, ".acl": False}),
    ("a member", MEMBER, [], None, [[".policies", True], ["*", True]], {".policies": True, ".policies.": False}),
    (
        "decisions that say what the next wider one says are left out",
        {"*": True, "a*": True, "ab*": False, "ab": False, "abc*": False, "abcd": True, "z": True, ".x": False},
        [],
        None,
        [["abcd", True], ["ab*", False], ["*", True]],
        {"a": True, "ab": False, "abc": False, "abcd": True, "abcde": False},
    ),
    (
        "asked for: a part of it",
        HIDDEN,
        ["task.*", "secret.plan"],
        None,
        [["secret.plan", True], ["task.*", True]],
        {"task.milk": True, "secret.plan": True, "secret.other": False, "note": False},
    ),
    (
        "asked for: in the middle of what is hidden",
        HIDDEN,
        ["secret.p*"],
        None,
        [["secret.plan", True]],
        {"secret.plan": True, "secret.plans": False, "secret.p": False},
    ),
    (
        "asked for: all",
        HIDDEN,
        ["*", "a"],
        None,
        [["secret.plan", True], ["secret.*", False], ["*", True]],
        {"b": True},
    ),
    ("the root asks as a member does", WHOLE, ["task.*"], None, [["task.*", True]], {"task.": True, ".acl": False}),
    (
        "a scope",
        MEMBER,
        ["task.*", "note.*"],
        ["task.a*", ".policies"],
        [["task.a*", True]],
        {"task.a": True, "task": False},
    ),
    ("a scope that leaves nothing", MEMBER, ["note.*"], ["task.*"], [], {"note.a": False, "task.a": False}),
]

Asked = tuple[dict[str, bool], list[str]]
DIFFERENCES: list[tuple[str, Asked, Asked, list[str]]] = [
    ("none", (MEMBER, []), (MEMBER, []), []),
    ("a rule that changes nothing", (MEMBER, []), ({**MEMBER, "task.*": True}, []), []),
    ("a part is closed", (MEMBER, []), ({**MEMBER, "secret.*": False}, []), ["secret.*"]),
    ("one item of it is opened", ({"*": True, "secret.*": False}, []), (HIDDEN, []), ["secret.plan"]),
    ("all but a part is closed", ({"*": True}, []), ({"task.*": True}, []), ["*"]),
    ("what is below another is left out", ({"*": True, "a.b": False}, []), ({"a.*": False, "*": True}, []), ["a.*"]),
    ("the other way round inside", ({"*": True, "a.*": False}, []), ({"a.*": True}, []), ["*"]),
    ("the dots", (MEMBER, []), (WHOLE, []), [".*"]),
    ("all", ({}, []), (WHOLE, []), ["*", ".*"]),
    ("more is asked for", (HIDDEN, ["task.*"]), (HIDDEN, ["task.*", "note.*", "secret.a"]), ["note.*"]),
    ("something else is asked for", (MEMBER, ["task.*"]), (MEMBER, ["task.a*", "b"]), ["b", "task.*"]),
    ("the closed part is not asked for", ({"*": True}, ["task.*"]), (HIDDEN, ["task.*"]), []),
]


def agree(about: str, said: Any, found: Any) -> None:
    """Ends the program where a case says something else than Syncline."""
    if said != found:
        raise SystemExit(f"{about}: {said} is said, but {found} is found")


def decided(about: str, shapes: list[list[str]], questions: list[list[Any]]) -> dict[str, Any]:
    """Rules, and which of them decides."""
    rules = [Rule(*shape, seq, f"e{seq}") for seq, shape in enumerate(shapes, 1)]
    index = Rules(rules)
    for user, item, action, place in questions:
        agree(about, None if place is None else rules[place], index.decide(user, item, action))
    return {"about": about, "rules": shapes, "questions": questions}


def view(
    about: str,
    decisions: dict[str, bool],
    asked: list[str],
    scope: list[str] | None,
    shown: list[list[Any]],
    items: dict[str, bool],
) -> dict[str, Any]:
    """A view, its normal form and its digest."""
    made = View.of(decisions, asked).narrowed(scope or ())
    agree(about, shown, [list(each) for each in made.decisions])
    for item, shows in items.items():
        agree(f"{about}: {item}", shows, made.shows(item))
    case: dict[str, Any] = {"about": about, "decisions": decisions, "asked": asked}
    case |= {"scope": scope} if scope else {}
    return case | {"shown": shown, "digest": made.digest.hex(), "items": items}


def difference(about: str, old: Asked, new: Asked, patterns: list[str]) -> dict[str, Any]:
    """Two views, and where they differ."""
    agree(about, tuple(patterns), differences(View.of(*old), View.of(*new)))
    return {"about": about, "old": list(old), "new": list(new), "patterns": patterns}


def check_shapes() -> None:
    """Ends the program where a shape is taken that should not be, or the other way round."""
    for shape in TAKEN:
        agree("taken", Rule(**shape), check_rule(shape))
    for shape in REFUSED:
        try:
            agree("refused", shape, check_rule(shape))
        except BadRequest:
            continue


def main() -> None:
    """Writes the file."""
    check_shapes()
    parts = {
        "taken": TAKEN,
        "refused": REFUSED,
        "decided": [decided(*case) for case in DECIDED],
        "views": [view(*case) for case in VIEWS],
        "differences": [difference(*case) for case in DIFFERENCES],
    }
    lists = [f"{json.dumps(name)}:[\n" + ",\n".join(map(compact, cases)) + "\n]" for name, cases in parts.items()]
    FILE.write_text(f'{{"about":{compact(ABOUT)},\n' + ",\n".join(lists) + "\n}\n", "utf-8")


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    main()
