"""Worlds in which the file of a replica is damaged: it goes on with what is whole of its local events."""

from __future__ import annotations

from syncline.core.documents.settings import POLICIES_ITEM
from syncline.stores import Change, load
from syncline.stores.memory import MemoryReplicaStore
from syncline.stores.sqlite import mending
from syncline.stores.sqlite.rescue import Rescued
from tests.simulation.healing import RestoredWorld


class DamagedWorld(RestoredWorld):
    """Files are damaged, again and again, and the server is put back from older copies meanwhile."""

    def __init__(self, seed, **more):
        self.broken, self.damages = set(), 0
        super().__init__(seed, **more)

    def choose_deeds(self):
        return {**super().choose_deeds(), self.damage: 2, self.copy_file: 0}

    def damage(self):
        """A new file takes the place of a damaged one, as ``mending`` does."""
        phone = self.chance.choice(self.phones)
        phone.crash()
        local = phone.store.outbox()
        share = self.chance.choice((1.0, 0.9, 0.5))
        whole = [each for each in local if self.chance.random() < share]
        self.note(phone.name, "is damaged, whole are", [each.event.id for each in whole])
        gone = [each.event for each in local if each not in whole]
        gone += [entry.event for entry in phone.store.load()]  # a server that is put back then may lack them, too
        self.broken |= {event.payload for event in gone if event.item != POLICIES_ITEM}
        self.lost |= {event.id for event in gone}
        self.damages += 1
        self.put_in_place(phone, Rescued(whole, phone.store.state() if self.chance.random() < 0.5 else None))

    def put_in_place(self, phone, rescued):
        store = MemoryReplicaStore(phone.new_node())
        ids = [each.event.id for each in rescued.outbox]
        state = mending._anew(mending._identity(rescued), store.state().node, ids)
        store.commit(Change(outbox=rescued.outbox, state=state))
        phone.store = store
        phone.reopen(keeps_snapshots=False)
        self.reset_due.pop(phone.name, None)

    def heal(self):
        super().heal()
        log = [entry.event for entry in load(self.server.store) if entry.event.item != POLICIES_ITEM]
        kept = {event.payload for event in log} | self.inboxes
        for payload in self.broken - kept:
            self.recorded.pop(payload, None)
            self.acked.pop(payload, None)
            self.refused.discard(payload)
        for payloads in self.together:
            if not self.broken.isdisjoint(payloads):
                self.refused.difference_update(
                    set(payloads) - self.inboxes
                )  # what was to be refused may be what is gone
        self.together = [payloads for payloads in self.together if self.broken.isdisjoint(payloads)]
