"""Worlds in which somebody is away for a year: what they bring comes in once, whatever the server has let go of."""

import pytest

from syncline.core.beginning import Take
from syncline.core.session import ClientSession
from syncline.stores import Change
from tests.simulation.away import AwayWorld
from tests.simulation.running import check_found, run
from tests.simulation.writing import NamingReplica

SEEDS, FEW = 40, 10


@pytest.mark.parametrize("first", range(0, SEEDS, FEW))
def test_who_comes_back_after_a_year_brings_everything_once(first):
    returned = overtaken = unheard = 0
    for world in run(AwayWorld, range(first, first + FEW)):
        returned, overtaken = returned + world.returned, overtaken + world.overtaken
        unheard += world.unheard
    assert min(returned, overtaken, unheard) > FEW // 2, "hardly anybody was away for long"


class WorldOfHastyNames(AwayWorld):
    """A replica gives new ids to what a base may hold, without asking."""

    class Session(ClientSession):
        def next(self, local):
            return super().next(local._replace(doubtful=tuple))


class WorldOfForgottenIds(AwayWorld):
    """What history a server lets go of, it does not know any more: no stub stays."""

    def forget(self):
        super().forget()
        known = self.server.store._known
        for key in [key for key, (seq, _) in known.items() if seq <= self.server.horizon]:
            del known[key]


class WorldOfForgottenWork(AwayWorld):
    """A snapshot takes the place of all, of what is pending, too."""

    class Replica(NamingReplica):
        def perform(self, effect):
            super().perform(effect)
            if isinstance(effect, Take) and effect.is_last:
                self._commit(Change(drop=[event.id for event in self.pending()]))


@pytest.mark.parametrize("kind", [WorldOfHastyNames, WorldOfForgottenIds, WorldOfForgottenWork])
def test_what_is_broken_is_found(kind):
    check_found(kind)
