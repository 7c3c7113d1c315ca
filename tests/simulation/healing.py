"""Worlds whose server loses what it had: put back from an older copy, forked, or lost and begun anew."""

from __future__ import annotations

from uuid import UUID

from syncline.core.access.rules import DEFAULTS, GIVE, Rule, Rules
from syncline.core.access.state import Access
from syncline.core.cursors import CursorCodec
from syncline.core.documents.settings import POLICIES_ITEM, SET_POLICY
from syncline.core.log import Receipts
from syncline.errors import EpochChanged, Overloaded, Recovering
from syncline.stores import load
from syncline.stores.memory import MemoryEventStore
from syncline.testing import LogServer
from tests.simulation.world import RECEIPTS, World

RECOVERING_MS = 30_000


class HealingServer(LogServer):
    """A server that knows who may give everything, and takes nothing new for a while after it was put back."""

    recovering_until = 0

    def allow(self, giver):
        rules = [Rule(giver, item, GIVE, "allow") for item in ("*", POLICIES_ITEM)]
        self.access = Access(Rules([*DEFAULTS, *rules, Rule("owner", POLICIES_ITEM, SET_POLICY, "allow")]))

    def commit(self, commit, user):
        store, self.store = self.store, _Judging(self)
        try:
            return super().commit(commit, user)
        finally:
            self.store = store

    def give(self, gift, user):
        if gift.epoch != self.store.head().epoch:
            self._take_epoch(gift.epoch, user)
        store, self.store = self.store, _Judging(self)
        try:
            return super().give(gift, user)
        finally:
            self.store = store

    def _take_epoch(self, epoch, user):
        if self.store.head().seq or not self.access.may_all(user, GIVE):
            raise EpochChanged("not empty, or not yours to give")
        self.store = MemoryEventStore(epoch, self.receipts)
        raise Overloaded("taken")


class _Judging:
    """The log of a server, with what the server says of each submission."""

    def __init__(self, server):
        self._server, self._store = server, server.store

    def append(self, submissions, *, now_ms):
        (submission,) = submissions
        hold = Recovering("wait", retry_after=1) if now_ms < self._server.recovering_until else None
        submission = submission._replace(hold=hold)
        return self._store.append([submission], now_ms=now_ms, access=self._server.access)

    def head(self):
        return self._store.head()


class HealingWorld(World):
    """What a server has lost is on its replicas."""

    Server = HealingServer

    def __init__(self, seed, **more):
        super().__init__(seed, **more)
        self.server.allow("ann")

    def heal(self):
        self.server.recovering_until = 0
        super().heal()


class RestoredWorld(HealingWorld):
    """It is put back from older copies, again and again."""

    def choose_deeds(self):
        return {**super().choose_deeds(), self.back_up: 14}

    def restore(self):
        super().restore()
        self.server.recovering_until = self.server_clock() + RECOVERING_MS


class ForkedWorld(HealingWorld):
    """Somebody starts a copy of it beside it, which some replicas take for the server; then it ends."""

    def __init__(self, seed, **more):
        self.other = None
        super().__init__(seed, **more)

    def choose_deeds(self):
        return {**super().choose_deeds(), self.fork: 3, self.copy_file: 0, self.back_up: 0}

    def fork(self):
        if self.other is None and self.restores < 2:
            self.note("the server is forked at", self.server.store.head().seq)
            self.other = self.Server(_twin(self.server.store), now_ms=self.server_clock, receipts=RECEIPTS)
            self.other.limits = self.server.limits
            self.other.allow("ann")
            self.lose_lines()
        elif self.other is not None:
            self.end_fork()

    def open_line(self, phone):
        server = self.server
        if self.other is not None and self.phones.index(phone) % 2:
            self.server = self.other
        try:
            return super().open_line(phone)
        finally:
            self.server = server

    def end_fork(self):
        self.note("the fork ends")
        lost = [entry.event for entry in load(self.other.store)]
        self.restores += 1
        self.lost.update(event.id for event in lost)
        self.unanswered |= {event.payload for event in lost if event.item != POLICIES_ITEM} - self.acked.keys()
        self.other = None
        self.lose_lines()

    def heal(self):
        if self.other is not None:
            self.end_fork()
        super().heal()


class LostWorld(HealingWorld):
    """It is lost with its secrets, and begun anew; then somebody who may give everything syncs first."""

    def choose_deeds(self):
        return {**super().choose_deeds(), self.lose: 2, self.back_up: 0, self.copy_file: 0}

    def may_keep(self, outboxed):
        """Policies that only those have who may not give them: their author has no replica."""
        return outboxed.status == "unvouched" and outboxed.event.item == POLICIES_ITEM

    def lose(self):
        seeders = [each for each in self.phones if each.user == "ann" and each.store.state().seq]
        if not seeders or self.restores >= 2:
            return
        self.restores += 1
        self.note("the server is lost at", self.server.store.head().seq)
        self.lose_lines()
        events = [entry.event for entry in load(self.server.store)]
        self.lost.update(event.id for event in events)
        self.unanswered |= {event.payload for event in events if event.item != POLICIES_ITEM} - self.acked.keys()
        key = b"of another server" + bytes([self.restores])
        self.server.receipts, self.server.codec = Receipts(key), CursorCodec(key)
        self.server.store = MemoryEventStore(UUID(int=100 + self.restores).hex, self.server.receipts)
        is_rough, self.is_rough = self.is_rough, False
        for _ in range(5):
            self._sync(seeders[0])
        self.is_rough = is_rough


def _twin(store):
    """A copy of a log."""
    twin = MemoryEventStore(store.head().epoch, RECEIPTS)
    twin.adopt(list(load(store)), store.head())
    return twin
