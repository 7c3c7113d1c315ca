"""The vectors of ``spec/vectors/documents``: stories of one document, for every implementation."""

import json
import random
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from syncline.core.documents import ops, snapshots
from syncline.core.documents.document import Document
from syncline.core.events import Event
from syncline.errors import SynclineError
from tests.core.documents.model import Model

FILES = (Path(__file__).parents[3] / "spec" / "vectors" / "documents").glob("*.json")
VECTORS = {file.stem: json.loads(file.read_text("utf-8")) for file in sorted(FILES)}
CASES = [
    pytest.param(case, id=f"{name} {place} {case['about'][:40]}")
    for name, vectors in VECTORS.items()
    for place, case in enumerate(vectors.get("cases", ()))
]
SHAPES = VECTORS["ops"]


def folded(case: dict[str, Any], order: list[int]) -> Document:
    document = Document("task.milk")
    for place in order:
        policy = case["policies"][place] if "policies" in case else "merge"
        document.fold(Event(**case["events"][place]), policy=policy)
    return document


def told(document: Document) -> dict[str, Any]:
    return {
        "exists": document.exists,
        "value": document.value(),
        "plain": document.plain(),
        "conflicts": [[path, shown, [list(other) for other in others]] for path, shown, others in document.conflicts()],
        "overruled": sorted(document.overruled),
        "snapshot": snapshots.encode(document).decode(),
    }


@pytest.mark.parametrize("case", CASES)
def test_stories(case):
    expected = {name: case[name] for name in ("exists", "value", "plain", "conflicts", "overruled", "snapshot")}
    order = list(range(len(case["events"])))
    assert told(folded(case, order)) == expected
    assert told(folded(case, sorted(order * 2))) == expected
    for seed in () if "server_wins" in case.get("policies", ()) else range(3):
        assert told(folded(case, an_order(case["events"], random.Random(seed)))) == expected
    assert told(snapshots.decode("task.milk", case["snapshot"].encode())) == expected


def an_order(events: list[dict[str, Any]], dice: random.Random) -> list[int]:
    """An order of arrival that the clocks allow."""
    order: list[int] = []
    arrived: dict[str, int] = {}
    while len(order) < len(events):
        place = dice.choice(
            [place for place, event in enumerate(events) if place not in order and fits(event, arrived)]
        )
        order.append(place)
        arrived[events[place]["node"]] = events[place]["clock"][events[place]["node"]]
    return order


def fits(event: dict[str, Any], arrived: dict[str, int]) -> bool:
    return all(arrived.get(node, 0) >= n - (node == event["node"]) for node, n in event["clock"].items())


@pytest.mark.parametrize("case", [case for case in CASES if case.values[0].get("checked", True)])
def test_stories_are_what_a_server_takes_and_the_model_says(case):
    model = Model()
    for value in case["events"]:
        model.take(value["id"], Event.of(value).ops, value["id"] not in case["overruled"])
    assert model.value() == case["value"]
    assert model.value(marked=False) == case["plain"]
    assert model.conflicts() == case["conflicts"]
    assert all(one["id"] < other["id"] for one, other in pairwise(case["events"]))


@pytest.mark.parametrize("place", range(len(SHAPES["taken"])))
def test_shapes_of_ops(place):
    case = SHAPES["taken"][place]
    (op,) = ops.check([case["op"]])
    assert ops.size(op) == case["names"]
    assert ops.write(op) == case["op"]
    assert ops.read([case["op"]]) == [op]


@pytest.mark.parametrize("place", range(len(SHAPES["refused"])))
def test_no_shapes_of_ops(place):
    with pytest.raises(SynclineError) as caught:
        ops.check([{"op": "delete"}, SHAPES["refused"][place]])
    assert caught.value.code == "bad_op"
    assert caught.value.details["index"] == 1
    assert ops.read([{"op": "delete"}, SHAPES["refused"][place]]) == [ops.Delete(), None]


PAGE = (Path(__file__).parents[3] / "spec" / "DOCUMENTS.md").read_text("utf-8")
EXAMPLES = [json.loads(text) for text in re.findall(r'`(\{"op".*?\})`', PAGE)]


@pytest.mark.parametrize("place", range(len(EXAMPLES)))
def test_the_page_shows_ops_that_read(place):
    (op,) = ops.check([EXAMPLES[place]])
    assert ops.write(op) == EXAMPLES[place]


def test_the_page_shows_every_op():
    assert {each["op"] for each in EXAMPLES} == {kind.__struct_config__.tag for kind in ops.AnyOp.__args__}
