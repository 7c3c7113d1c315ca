"""Files of rules and of expectations about them: four words in a line, as people write them.

    # user  item        action  allow or deny
    ann     task.*      *       allow
    "the board"  secret.*  .read  deny

``#`` begins a comment; quotes keep together what has spaces. In a file of expectations the first three are names, in a
file of rules patterns; of rules with equal patterns the last one decides.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from syncline.cli.failures import misused
from syncline.core.access.rules import ALLOW, DENY, Rule, check_rule
from syncline.core.events import ACTION, ITEM, USER
from syncline.errors import BadRequest

SHAPES = {"user": USER, "item": ITEM, "action": ACTION}


class Expectation(NamedTuple):
    """What somebody takes to be allowed or denied, and the line that says so."""

    line: int
    user: str
    item: str
    action: str
    allowed: bool

    @property
    def words(self) -> str:
        """As people say it."""
        return f"{self.user} {self.item} {self.action} should be {ALLOW if self.allowed else DENY}"

    def to_json(self) -> dict[str, Any]:
        """For machines; what is ``allowed`` in fact is another member."""
        expected = ALLOW if self.allowed else DENY
        return {"line": self.line, "user": self.user, "item": self.item, "action": self.action, "expected": expected}


def read_expectations(file: Path) -> list[Expectation]:
    """The expectations of a file. Ends the command if there is a line that is none."""
    found = []
    for line, names in _lines(file):
        for (field, shape), name in zip(SHAPES.items(), names, strict=False):
            if not shape.fullmatch(name):
                _bad(file, line, f"{field}: {name[:64]!r} does not match {shape.pattern}.")
        user, item, action, answer = names
        if answer not in (ALLOW, DENY):
            _bad(file, line, f"{answer[:64]!r} is neither {ALLOW} nor {DENY}.")
        found.append(Expectation(line, user, item, action, answer == ALLOW))
    return found


def read_rules(file: Path) -> list[Rule]:
    """The rules of a file, each with its line as ``seq``. Ends the command if there is a line that is none."""
    return [_rule(file, line, names) for line, names in _lines(file)]


def words(rule: Mapping[str, Any]) -> str:
    """A rule in one line, as files have it."""
    return " ".join(_quoted(rule[field]) for field in ("user", "item", "action", "type"))


def _rule(file: Path, line: int, names: list[str]) -> Rule:
    user, item, action, type = names
    try:
        check_rule({"user": user, "item": item, "action": action, "type": type})
    except BadRequest as error:
        _bad(file, line, error.message)
    return Rule(user, item, action, type, line, f"{file}:{line}")


def _lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines of four words, with their numbers."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError:
        misused(f"{file} is not text in UTF-8.")
    for line, each in enumerate(text.splitlines(), 1):
        try:
            names = shlex.split(each, comments=True)
        except ValueError as error:
            _bad(file, line, f"{error}.")
        if names:
            if len(names) != 4:
                _bad(file, line, f"four words are needed, USER ITEM ACTION allow|deny; there are {len(names)}.")
            yield line, names


def _quoted(name: str) -> str:
    return f'"{name}"' if not name or any(each in name for each in " \t#'") else name


def _bad(file: Path, line: int, words: str) -> NoReturn:
    misused(f"{file}:{line}: {words}")
