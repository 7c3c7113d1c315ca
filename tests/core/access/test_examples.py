"""The worked examples of ``docs/access.md`` come out as they say."""

import re
from pathlib import Path

import pytest

from syncline.core.access.rules import ALLOW, DEFAULTS, Rule
from syncline.core.access.state import Access, Rules

PAGE = (Path(__file__).parents[3] / "docs" / "access.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```rules\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
NAMED = dict(zip("AB", DEFAULTS, strict=True))


def rule_of(line: str) -> tuple[str, Rule]:
    name, *shape = line.split()
    return name, Rule(*shape, int(name), f"e{name}")


def test_there_are_six():
    assert len(EXAMPLES) == 6


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example(example):
    lines = example.splitlines()
    rules = NAMED | dict(rule_of(line) for line in lines if not line.startswith("?"))
    access = Access(Rules(rules.values()))
    for line in lines:
        if line.startswith("?"):
            _, user, item, action, answer, *rest = line.split()
            decided = access.explain(user, item, action)
            assert (decided.is_allowed, decided.rule) == (answer == ALLOW, rules[rest[1]] if rest else None), line


def test_the_rules_that_come_with_every_space():
    rows = re.findall(r"^\| ([AB]) \| `(.+?)` \| `(.+?)` \| `(.+?)` \| (\w+) \|$", PAGE, re.MULTILINE)
    assert {name: Rule(*shape) for name, *shape in rows} == NAMED
