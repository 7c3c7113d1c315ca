"""The vectors of ``spec/vectors/access.json``: rules, views and their differences, for every implementation."""

import json
from pathlib import Path

import pytest

from syncline.core.access.rules import Rule, Rules, check_rule
from syncline.core.access.views import View, differences
from syncline.errors import BadRequest
from tests.core.access import model

VECTORS = json.loads((Path(__file__).parents[3] / "spec" / "vectors" / "access.json").read_text("utf-8"))


def cases(part: str):
    return [pytest.param(case, id=f"{place} {case['about'][:40]}") for place, case in enumerate(VECTORS[part])]


def test_shapes_of_rules():
    for shape in VECTORS["taken"]:
        assert check_rule(shape) == Rule(**shape)
    for shape in VECTORS["refused"]:
        with pytest.raises(BadRequest):
            check_rule(shape)


@pytest.mark.parametrize("case", cases("decided"))
def test_deciding(case):
    rules = [Rule(*shape, seq, f"e{seq}") for seq, shape in enumerate(case["rules"], 1)]
    for *question, place in case["questions"]:
        expected = None if place is None else rules[place]
        assert Rules(rules).decide(*question) == model.decide(rules, *question) == expected


@pytest.mark.parametrize("case", cases("views"))
def test_views(case):
    view = View.of(case["decisions"], case["asked"]).narrowed(case.get("scope", ()))
    assert [list(each) for each in view.decisions] == case["shown"]
    assert view.digest.hex() == case["digest"]
    assert {item: view.shows(item) for item in case["items"]} == case["items"]


@pytest.mark.parametrize("case", cases("differences"))
def test_differences(case):
    old, new = View.of(*case["old"]), View.of(*case["new"])
    assert list(differences(old, new)) == list(differences(new, old)) == case["patterns"]
