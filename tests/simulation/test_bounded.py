"""Worlds whose server forgets: documents from bases and what came after them are those of a fold from the start.

Each world compares, byte for byte, what every replica has with a fold of the whole log, amid what happens and at the
end. ``python -m tests.simulation BoundedWorld SEED`` tells what happened in one.
"""

from collections import Counter

import pytest
from msgspec.structs import replace

from syncline.core.stamps import NIL_ID
from tests.simulation.bounded import BoundedWorld
from tests.simulation.running import CHUNK, check_found, run

SEEDS = 300


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_every_world_that_forgets_ends_well(first):
    begun = Counter()
    for world in run(BoundedWorld, range(first, first + CHUNK)):
        begun.update(phone.replica.horizon > 0 for phone in world.phones)
    assert begun[True] > CHUNK // 2, "hardly anybody began from a snapshot"


class WorldOfForgottenStamps(BoundedWorld):
    """A replica does not mind the ids in bases, so its own may be smaller than those they name."""

    class Server(BoundedWorld.Server):
        def _part(self, asked):
            part = super()._part(asked)
            return replace(part, bases=[replace(base, last=NIL_ID) for base in part.bases])


class WorldOfHalfSnapshots(BoundedWorld):
    """The server's last part comes first."""

    class Server(BoundedWorld.Server):
        def _part(self, asked):
            return replace(super()._part(asked), after=None)


@pytest.mark.parametrize("kind", [WorldOfForgottenStamps, WorldOfHalfSnapshots])
def test_what_is_broken_is_found(kind):
    check_found(kind)
