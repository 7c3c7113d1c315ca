"""Worlds in which files are damaged: what is whole of them gets to the server, once."""

import pytest

from tests.simulation.damaged import DamagedWorld
from tests.simulation.running import CHUNK, check_found, run

SEEDS = 100


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_what_is_whole_of_a_damaged_file_is_stored_once(first):
    damages = 0
    for world in run(DamagedWorld, range(first, first + CHUNK)):
        damages += world.damages
    assert damages > CHUNK, "hardly anything was damaged"


class WorldOfCarelessRescue(DamagedWorld):
    """The first local event is left in the damaged file, whole as it is."""

    def put_in_place(self, phone, rescued):
        super().put_in_place(phone, rescued._replace(outbox=rescued.outbox[1:]))


def test_what_is_broken_is_found():
    check_found(WorldOfCarelessRescue)
