"""Whatever happens to a replica's files, no answer is wrong, and what is whole of what was not shared gets through.

``DAMAGED_FILES`` says how many are tried, each damaged in a way that its number tells; ``-s`` shows what came of them.
"""

import os
import random
from collections import Counter
from contextlib import closing

import pytest

from syncline.stores import load
from syncline.stores.sqlite.mending import put_aside
from tests.stores import damage

FILES = int(os.environ.get("DAMAGED_FILES", "200"))
PARTS = 2


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return damage.World(tmp_path_factory.mktemp("replicas"))


@pytest.mark.parametrize("part", range(PARTS))
def test_no_answer_is_wrong_and_what_is_whole_arrives(world, part):
    outcomes = Counter()
    for seed in range(part, FILES, PARTS):
        path, what = damage.damage(world, random.Random(seed))
        outcomes[outcome(world, path, f"file {seed}: {what}")] += 1
    print(dict(outcomes))
    assert {"as it was", "put aside", "WAL mended"} <= outcomes.keys()


def outcome(world, path, what):
    """Opens the file, syncs, and compares with the truth at each step."""
    whole, server = whole_events(world, path), world.server()
    with closing(damage.opened(path, server)) as ann:
        aside, seen = put_aside(path), damage.shown(ann)
        came_of_it = "put aside" if aside else "WAL mended" if ann.node != world.node else "older"
        check_before_sync(world, ann, seen, whole, came_of_it, what)
        result = ann.sync()
        assert {error.code for error in result.errors} <= {"missing_dependency"}, (what, result)
        assert len(result.errors) == len(ann.refused()), what  # they name what was destroyed
        after = damage.shown(ann)
    stored = [entry.event.id for entry in load(server.store)]
    assert len(stored) == len(set(stored)), what
    assert whole <= set(stored), what
    assert after.pending == 0, what
    assert after[:2] == damage.shown_by_another(server)[:2], what
    return "as it was" if seen == world.truth else came_of_it


def check_before_sync(world, ann, seen, whole, came_of_it, what):
    """Offline, a replica shows what it showed once, or (if it knows of damage) no more than is whole of that."""
    if came_of_it == "older":
        assert seen.documents == world.views[len(seen.events)], what
        assert sorted(seen.events) == sorted(world.truth.events)[: len(seen.events)], what
    else:
        assert whole <= {event.id for event in ann.pending()}, what
        assert set(seen.events) <= set(world.truth.events), what


def whole_events(world, path):
    """The events not shared yet that stand in the files as they did, committed, as do those which they name."""
    content = damage.committed(path)
    whole = {id for id, pieces in world.pieces.items() if all(piece in content for piece in pieces)}
    lost = world.unsent.keys() - whole
    while more := {id for id in whole - lost if any(each.encode() in world.unsent[id].body for each in lost)}:
        lost |= more
    return whole - lost
