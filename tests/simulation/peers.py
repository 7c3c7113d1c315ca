"""Worlds in which replicas meet each other, too, with no server between them, whenever they like."""

from __future__ import annotations

import asyncio

from syncline.core import stamps
from syncline.core.merkle import span
from syncline.core.messages import Hello
from syncline.errors import ConnectionLost, SynclineError
from syncline.replica import Draft
from syncline.replica.horizon import in_bases
from syncline.sync.options import SyncOptions
from syncline.sync.peers import agree
from syncline.sync.replica_peer import ReplicaPeer
from syncline.testing import ManualClock
from syncline.transports.memory import MemoryTransport
from tests.simulation.bounded import BoundedWorld
from tests.simulation.world import DAY, ITEMS, MINUTE, World


class _Shaky(ReplicaPeer):
    """The answering end, until the connection breaks after so many messages."""

    left = 1_000

    async def answer(self, request):
        self.left -= 1
        if self.left < 0:
            raise ConnectionLost("broken")
        return await super().answer(request)


class PeerWorld(World):
    """Whoever meets has the same afterwards, unless the connection broke or a clock is wrong."""

    def __init__(self, seed, *, tell=None):
        self.meetings = self.heard = 0
        super().__init__(seed, tell=tell)

    def choose_deeds(self):
        deeds = super().choose_deeds()
        left_out = (self.copy_file, self.set_clock)
        return {deed: weight for deed, weight in deeds.items() if deed not in left_out} | {self.meet: 25}

    def _wrong_clock(self):
        """None so wrong that a server would not take its events: once a peer has them, they keep their ids."""
        return ManualClock(self.server_clock.now_ms + self.chance.choice((0, 30_000, -2 * MINUTE, 4 * MINUTE, -DAY)))

    def _draft(self, phone):
        """Of nothing that is refused for good: only its author is told, and a peer goes on hoping."""
        return Draft(self.chance.choice(ITEMS), "update", phone.name_event())

    def meet(self):
        """Two replicas sync with each other, perhaps not to the end."""
        one, other = self.chance.sample(self.phones, 2)
        peer = _Shaky(other.replica, now_ms=other.clock)
        if self.has_bad_luck(0.3):
            peer.left = self.chance.randrange(8)
        try:
            agreed = asyncio.run(_meet(one.replica, peer))
        except SynclineError as error:
            self.note(one.name, "meets", other.name, "but", error.code)
            return
        self.note(one.name, "meets", other.name, agreed.given, agreed.heard, [error.code for error in agreed.errors])
        self.meetings += 1
        self.heard += agreed.given + agreed.heard
        self.check_phone(one)
        self.check_phone(other)
        if not agreed.errors:
            self.check_same(one, other)

    def check_same(self, one, other):
        """What one of them alone still holds, somebody's base stands for: nobody need take it."""
        since = max(one.replica.horizon, other.replica.horizon)
        (one_tree, read), (other_tree, read_other) = one.replica.tree((), since), other.replica.tree((), since)
        if one_tree.root == other_tree.root:
            return
        ones, others = set(read(*span(""))), set(read_other(*span("")))
        for phone, alone in ((one, ones - others), (other, others - ones)):
            events = [entry.event for entry in phone.store.find([stamps.from_key(each.key) for each in alone])]
            known = [*in_bases(one.store, events), *in_bases(other.store, events)]
            more = {event.id for event in events} - {event.id for event in known}
            assert not more, f"{one.name} and {other.name} met, and {phone.name} alone has {more}"


class BoundedPeerWorld(PeerWorld, BoundedWorld):
    """Some of those who meet have no history."""


async def _meet(replica, peer):
    transport = MemoryTransport(peer)
    welcome = await transport.hello(Hello(node=replica.node))
    return await agree(replica, transport, welcome, SyncOptions())
