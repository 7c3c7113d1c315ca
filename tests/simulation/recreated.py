"""Worlds whose space is deleted, and another made in its place: nothing of the old log comes into the new one.

Who holds entries of the old log is told, and changes none of them; who holds none goes on with the new log. In the end
the old replicas have what they had, show it, and can be edited, while those of the new log agree as in any world.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from syncline.core.access.rules import GIVE
from syncline.core.cursors import CursorCodec
from syncline.core.documents.settings import POLICIES_ITEM
from syncline.core.log import Receipts
from syncline.errors import SpaceDeleted
from syncline.stores import load
from syncline.stores.memory import MemoryEventStore
from tests.simulation import documents, writing
from tests.simulation.healing import HealingServer, HealingWorld
from tests.simulation.peers import PeerWorld
from tests.simulation.phone import Phone

MOST = 7
"""Replicas in one world."""


class RecreatedServer(HealingServer):
    """It remembers, or its register does, which logs were deleted."""

    def __init__(self, *arguments, **sources):
        super().__init__(*arguments, **sources)
        self.deleted = set()

    def _take_epoch(self, epoch, user):
        if epoch in self.deleted and self.access.may_all(user, GIVE):
            raise SpaceDeleted("That log was deleted.")
        super()._take_epoch(epoch, user)


class Left(NamedTuple):
    """What a replica of a deleted log held when that was deleted."""

    epoch: str
    entries: list[bytes]
    local: dict[str, str]
    """The status of each event that no entry has settled, by its id."""

    @classmethod
    def of(cls, phone):
        local = {each.event.id: each.status for each in phone.store.outbox()}
        return cls(phone.store.state().epoch, [entry.encoded for entry in phone.store.load()], local)

    @property
    def is_of_a_log(self):
        """Whether anything of it was in a log, as far as its replica knows, or came from another."""
        return bool(self.entries) or not set(self.local.values()) <= {"pending", "refused"}


class RecreatedWorld(HealingWorld):
    """Once or twice the space is another."""

    Server = RecreatedServer

    def __init__(self, seed, **more):
        self.left, self.gone, self.past = {}, {}, []
        super().__init__(seed, **more)
        self.is_remembered = self.chance.random() < 0.6

    def choose_deeds(self):
        return {**super().choose_deeds(), self.recreate: 3, self.join: 3, self.back_up: 0, self.copy_file: 0}

    def join(self):
        """Somebody begins with whatever log there is now."""
        if len(self.phones) < MOST:
            user = self.chance.choice(self.phones).user
            self._add(Phone(self, f"new{len(self.phones)}", user, self._wrong_clock()))
            self.note(self.phones[-1].name, "joins as", user)

    def recreate(self):
        """The space is deleted. Its server remembers that; or that is begun anew as well, and somebody wrote there."""
        head = self.server.store.head()
        if len(self.past) >= 2 or not head.seq:
            return
        self.lose_lines()
        self.past.append(head.epoch)
        self.note("the space is deleted at", head.seq)
        self.gone |= {entry.event.id: entry.event for entry in load(self.server.store)}
        self._leave()
        self.acked.clear()
        epoch = UUID(int=200 + len(self.past)).hex
        if self.is_remembered:
            self.server.deleted.add(head.epoch)
            self.server.store = MemoryEventStore(epoch, self.server.receipts)
        else:
            self._make_anew(epoch)

    def _leave(self):
        """Who holds something of a deleted log stays behind with it."""
        for phone in self.phones:
            held, epoch = Left.of(phone), phone.store.state().epoch
            if epoch in self.past and phone.name not in self.left and held.is_of_a_log:
                self.left[phone.name] = held

    def _make_anew(self, epoch):
        key = b"of another server" + bytes([len(self.past)])
        self.server.receipts, self.server.codec, self.server.deleted = Receipts(key), CursorCodec(key), set()
        self.server.store = MemoryEventStore(epoch, self.server.receipts)
        self.writing.set_policy()
        first = Phone(self, f"new{len(self.phones)}", "bob", self._wrong_clock())
        self._add(first)
        first.replica.record_many([self._draft(first)])
        is_rough, self.is_rough = self.is_rough, False
        self._sync(first)
        self.is_rough = is_rough

    # The end

    def heal(self):
        self._leave()
        super().heal()
        self.check_all()

    def check_all(self):
        """Of whoever stays behind, and of the new log."""
        behind = [phone for phone in self.phones if phone.name in self.left]
        for phone in behind:
            self.check_left(phone, self.left[phone.name])
        self.phones = [phone for phone in self.phones if phone not in behind]
        self.check_new_log()
        self._set_aside({payload for payload in self.recorded if self._author(payload) in self.left})

    def check_left(self, phone, left):
        """It was told, has what it had, and goes on showing that."""
        assert phone.failure == self._told(phone, left), f"{phone.name} was told {phone.failure}"
        held = Left.of(phone)
        assert held.epoch == left.epoch, f"{phone.name} has gone over"
        assert held.entries == left.entries, f"{phone.name} holds other entries"
        assert left.local.items() <= held.local.items(), f"{phone.name} has lost what was not sent, or not answered"
        for item in writing.ITEMS:
            documents.check_one(phone, item)

    def _told(self, phone, left):
        """What its server says: who may give everything, and knows who they are, asks whether their log is taken."""
        user = phone.store.state().user
        is_refused = left.epoch in self.server.deleted and user is not None and self.server.access.may_all(user, GIVE)
        return "space_deleted" if is_refused else "epoch_changed"

    def check_new_log(self):
        """What was in an old log is in the new one only if its author holds nothing else of the old one."""
        came = [entry.event for entry in load(self.server.store) if entry.event.id in self.gone]
        strange = [each.id for each in came if each.item == POLICIES_ITEM or self._author(each.payload) in self.left]
        assert not strange, f"of a deleted log: {strange}"

    def _author(self, payload):
        """Whose event it is: the name of a replica."""
        return payload.split("/")[0]

    def _set_aside(self, payloads):
        """They are not to be in the new log, and nobody waits for them."""
        for payload in payloads:
            del self.recorded[payload]
        self.refused -= payloads
        self.together = [each for each in self.together if payloads.isdisjoint(each)]


class RecreatedPeerWorld(RecreatedWorld, PeerWorld):
    """Replicas of one log meet those of another, too: who holds nothing of either goes over to what it hears first."""

    def check_all(self):
        """What was heard before anybody knew a log, of somebody who went over to another: people let go of it."""
        strange = [(phone, event) for phone in self.phones for event in phone.replica.heard() if self._is_left(event)]
        for phone, event in strange:
            if phone.name not in self.left:
                phone.replica.drop(event.id)
                self.lost.add(event.id)
        HealingWorld.heal(self)
        super().check_all()

    def _is_left(self, event):
        return self._author(event.payload) in self.left
