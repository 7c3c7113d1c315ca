"""A thousand worlds, and some that are broken on purpose.

A failure names its seed; ``python -m tests.simulation KIND SEED`` tells what happened there, step by step.
"""

import pytest

from tests.simulation import broken
from tests.simulation.healing import ForkedWorld, LostWorld, RestoredWorld
from tests.simulation.peers import BoundedPeerWorld, PeerWorld
from tests.simulation.running import CHUNK, check_found, run
from tests.simulation.world import World

SEEDS = 1_000
HEALED_SEEDS = 200


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_every_world_ends_well(first):
    for world in run(World, range(first, first + CHUNK)):
        assert world.trace


@pytest.mark.parametrize("kind", [RestoredWorld, ForkedWorld, LostWorld])
@pytest.mark.parametrize("first", range(0, HEALED_SEEDS, CHUNK))
def test_what_a_server_loses_comes_back_once(kind, first):
    happened = 0
    for world in run(kind, range(first, first + CHUNK)):
        happened += world.restores
    assert happened > CHUNK // 4, "hardly anything was lost"


@pytest.mark.parametrize("kind", [PeerWorld, BoundedPeerWorld])
@pytest.mark.parametrize("first", range(0, HEALED_SEEDS // 2, CHUNK))
def test_replicas_that_also_meet_each_other_end_well(kind, first):
    heard = 0
    for world in run(kind, range(first, first + CHUNK)):
        heard += world.heard
    assert heard > CHUNK * 10, "hardly anything was heard"


def test_a_seed_always_tells_the_same_story():
    one, other = World(17), World(17)
    one.run()
    other.run()
    assert one.trace == other.trace
    assert len(one.trace) > 100


@pytest.mark.parametrize(
    "kind",
    [
        broken.WorldOfBlindRenaming,
        broken.WorldOfEagerPushes,
        broken.WorldOfEarlyAnswers,
        broken.WorldOfOldNames,
        broken.WorldOfSkippedEntries,
        broken.WorldOfStaleDocuments,
        broken.WorldOfTodaysPolicies,
    ],
)
def test_what_is_broken_is_found(kind):
    check_found(kind)
