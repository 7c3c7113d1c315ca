"""Worlds that erase: what is gone is gone everywhere, and everybody has the same, byte for byte."""

import pytest

from syncline.core.admission import Submission
from tests.simulation.erasing import BoundedErasingWorld, ErasingPeerWorld, ErasingWorld
from tests.simulation.running import CHUNK, check_found, run

SEEDS = {ErasingWorld: 100, ErasingPeerWorld: 50, BoundedErasingWorld: 50}
CHUNKS = [(kind, first) for kind, seeds in SEEDS.items() for first in range(0, seeds, CHUNK)]


@pytest.mark.parametrize(("kind", "first"), CHUNKS)
def test_what_is_erased_is_gone_from_everybody(kind, first):
    erased = 0
    for world in run(kind, range(first, first + CHUNK)):
        erased += len(world.server.gone)
    assert erased > CHUNK, "hardly anything was erased"


class WorldOfForgottenErasures(ErasingWorld):
    """A log that was put back takes from its authors what was erased, as they had said it."""

    class Server(ErasingWorld.Server):
        def pushed(self, events, user):
            return Submission(events, user)


class WorldOfSilentErasures(ErasingWorld):
    """The log is erased, and nobody is told."""

    class Server(ErasingWorld.Server):
        def _tell_of(self, payload):
            """Nothing."""


@pytest.mark.parametrize("kind", [WorldOfForgottenErasures, WorldOfSilentErasures])
def test_what_is_broken_is_found(kind):
    check_found(kind)
