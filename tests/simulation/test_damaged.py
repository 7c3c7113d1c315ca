"""Worlds in which files are damaged: what is whole of them gets to the server, once."""

import pytest

from tests.simulation.damaged import DamagedWorld
from tests.simulation.test_simulation import CHUNK, ENOUGH, TOLD

SEEDS = 100


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_what_is_whole_of_a_damaged_file_is_stored_once(first):
    damages = 0
    for seed in range(first, first + CHUNK):
        world = DamagedWorld(seed)
        try:
            world.run()
        except Exception as error:  # noqa: BLE001  (whatever it is, the seed has to be told)
            trace = "\n".join(" ".join(map(str, words))[:300] for words in world.trace[-TOLD:])
            pytest.fail(f"DamagedWorld({seed}).run()\n{trace}\n{type(error).__name__}: {error}")
        damages += world.damages
    assert damages > CHUNK, "hardly anything was damaged"


class WorldOfCarelessRescue(DamagedWorld):
    """The first local event is left in the damaged file, whole as it is."""

    def put_in_place(self, phone, rescued):
        super().put_in_place(phone, rescued._replace(outbox=rescued.outbox[1:]))


def test_what_is_broken_is_found():
    for seed in range(ENOUGH):
        try:
            WorldOfCarelessRescue(seed).run()
        except Exception:  # noqa: BLE001  (whatever shows it)
            return
    pytest.fail("it went unnoticed")
