"""Worlds whose space is made anew: who holds something of the old log is told and keeps it, and none of it comes in."""

import pytest
from msgspec.structs import replace

from syncline.core.messages import Welcome
from syncline.core.session import ClientSession
from syncline.errors import EpochChanged
from syncline.stores import Change
from tests.simulation.healing import HealingServer
from tests.simulation.recreated import RecreatedPeerWorld, RecreatedWorld
from tests.simulation.running import check_found, run
from tests.simulation.writing import NamingReplica


@pytest.mark.parametrize(("kind", "seeds"), [(RecreatedWorld, 50), (RecreatedPeerWorld, 25)])
def test_what_was_in_a_deleted_log_stays_out_of_the_next(kind, seeds):
    left = living = 0
    for world in run(kind, range(seeds)):
        left, living = left + len(world.left), living + len(world.phones)
    assert min(left, living) > seeds, "hardly anybody was left, or went on"


class WorldOfMixedLogs(RecreatedWorld):
    """A replica does not look which log it meets."""

    class Session(ClientSession):
        def receive(self, answer):
            if isinstance(answer, Welcome) and self._local.epoch:
                answer = replace(answer, epoch=self._local.epoch)
            return super().receive(answer)


class WorldOfHastyReplicas(RecreatedWorld):
    """A replica that meets another log lets go of its entries, and goes over."""

    class Replica(NamingReplica):
        def perform(self, effect):
            try:
                super().perform(effect)
            except EpochChanged:
                anew = replace(self._state, epoch=None, seq=0, cursor=None, cursors=())
                self._commit(Change(forget=["*"], state=anew))
                super().perform(effect)


class WorldOfForgottenDeletions(RecreatedWorld):
    """An empty log takes the epoch of one that was deleted."""

    class Server(RecreatedWorld.Server):
        _take_epoch = HealingServer._take_epoch


@pytest.mark.parametrize("kind", [WorldOfMixedLogs, WorldOfHastyReplicas, WorldOfForgottenDeletions])
def test_what_is_broken_is_found(kind):
    check_found(kind)
