"""Worlds in which a server erases what was said, while replicas are away, meet each other, or hold bases.

The server's steps are those of ``syncline.server.erasing``, and anything may happen between any two of them. In the end
nobody who synced holds what was erased, and all hold the same bytes.
"""

from __future__ import annotations

from syncline.core import stamps
from syncline.core.access.scope import TRUSTED
from syncline.core.access.state import OPEN
from syncline.core.access.views import FULL_VIEW
from syncline.core.admission import Submission
from syncline.core.cursors import Cursor, Stand, check_place
from syncline.core.erasure import ERASE, ERASURES, Erasures, erased_entry
from syncline.core.log import NO_TAIL
from syncline.core.messages import Pull
from syncline.errors import CursorExpired
from syncline.server import reading
from syncline.server.healing import giving
from syncline.server.history import targets
from syncline.stores import load
from syncline.testing import Author
from tests.simulation.bounded import BoundedWorld, ForgettingServer
from tests.simulation.healing import HealingServer, RestoredWorld
from tests.simulation.peers import PeerWorld


class ErasingServer(ForgettingServer, HealingServer):
    """It has a register of what was erased, beside its log, and erases step by step."""

    def __init__(self, *arguments, **sources):
        super().__init__(*arguments, **sources)
        self.erasures, self.register = Erasures(), []
        self.steps = iter(())
        """What is left to do of the erasure that was begun last."""
        self._owner = Author("eraser", "owner", now_ms=self.now_ms)

    @property
    def gone(self):
        """The ids of all that was erased."""
        return {id for payload in self.register for id in payload["events"]}

    def begin(self, ids):
        """Begins to erase these events, and what has put them back."""
        self.finish()
        self.steps = self._erase(ids)

    def finish(self):
        for _ in self.steps:
            pass

    def open(self):
        """The log is opened anew: what broke off, and what it does not know of, is done again."""
        self.steps, self.erasures = iter(()), Erasures()
        for entry in load(self.store, items=[ERASURES]):
            self.erasures.note(entry.seq, entry.event)
        for payload in self.register:
            if not self.erasures.keys.issuperset(map(stamps.key, payload["events"])):
                self._rewrite(self.store.find(payload["events"]))
                self._tell_of(payload)

    def _erase(self, ids):
        found = targets.find(self.store, None, targets.Target(events=ids)).entries
        yield
        deep = {"deep": True} if any(entry.seq <= self.horizon for entry in found) else {}
        payload = {"events": [e.event.id for e in found], "items": sorted({e.event.item for e in found}), **deep}
        self.register.append(payload)
        yield
        self._rewrite(found)
        yield
        self._tell_of(payload)

    def _rewrite(self, found):
        self.store.rewrite([erased_entry(entry) for entry in found])
        self.take(self.newest.seq)

    def _tell_of(self, payload):
        event = self._owner.event(ERASURES, ERASE, payload)
        act = Submission([event], "owner", is_system=True, rights=TRUSTED)
        (row,) = self.store.append([act], now_ms=self.now_ms()).rows
        self.erasures.note(row.seq, row.event)
        if payload.get("deep"):
            self.take()

    # What others see of it

    def cursor(self, seq):
        """Its bases know what was erased until now."""
        place = self.codec.decode(super().cursor(seq))
        return self.codec.encode(place._replace(erased=self.store.head().seq))

    def pushed(self, events, user):
        events, vouched = giving.pushed(events, user, lambda _item, _action: True, self.erasures)
        return Submission(events, user, vouched=vouched)

    def read_gift(self, gift):
        return giving.read(bytes(gift.entries), gift.epoch, self.receipts, self.erasures)

    def page(self, request):
        """As ``reading`` makes it, of what everybody may see."""
        head, stand = self.store.head(), Stand(FULL_VIEW.digest)
        cursor = self.codec.decode(request.cursor) if request.cursor else Cursor(head.epoch, 0, NO_TAIL, stand)
        check_place(cursor, head, self.store.tail)
        if cursor.seq < self.horizon:
            raise CursorExpired("The log's beginning is not kept: take a snapshot.")
        limit, ref = (request.limit, request.ref or None) if isinstance(request, Pull) else (1_000, None)
        place = reading.Place(cursor, FULL_VIEW, OPEN)
        part = reading.part(self.store, lambda _: FULL_VIEW, place, limit, head.seq, self.erasures)
        text = self.codec.encode(part.next)
        return part.encode(text, ref), text


class ErasingWorld(RestoredWorld):
    """What was said is erased, and the server is put back from copies that still say it."""

    Server = ErasingServer

    def choose_deeds(self):
        return {**super().choose_deeds(), self.erase: 4, self.go_on: 25}

    def erase(self):
        """Some of what the log has."""
        said = [each.event.id for each in load(self.server.store) if _speaks(each.event)]
        ids = self.chance.sample(said, min(len(said), self.chance.choice((1, 1, 2, 5))))
        if ids:
            self.note("begins to erase", ids)
            self.server.begin(ids)

    def go_on(self):
        if next(self.server.steps, self) is None:
            self.note("goes on erasing")

    def crash_server(self):
        super().crash_server()
        self.server.open()

    def restore(self):
        super().restore()
        self.server.open()

    def heal(self):
        self.server.finish()
        super().heal()
        self.lost |= self.server.gone
        self.check_erased()

    def check_erased(self):
        """Nobody holds what was erased, and all hold the same."""
        gone, log = self.server.gone, [entry.event for entry in load(self.server.store)]
        for phone in self.phones:
            held = [entry.event for entry in phone.store.load(phone.store.state().horizon)]
            assert [each.body for each in held] == [each.body for each in log[len(log) - len(held) :]], phone.name
            local = [each.event for each in phone.store.outbox()]
            told = [event.id for event in (*log, *held, *local) if event.id in gone and not event.is_erased]
            assert not told, f"{phone.name} still tells {told}"


class ErasingPeerWorld(ErasingWorld, PeerWorld):
    """Replicas meet, too. Nobody puts back what may be erased: of what is refused for good a peer is not told."""

    def choose_deeds(self):
        return {**super().choose_deeds(), self.writing.undo_or_redo: 0, self.writing.delete_or_restore: 0}

    def may_keep(self, outboxed):
        """What is refused to its author, its peers go on hoping for."""
        return outboxed.status == "heard" and outboxed.event.payload in self.inboxes

    def check_same(self, one, other):
        """What was erased does not go between peers: each hears of it from the server."""
        left = _shared(one) ^ _shared(other)
        left -= self.server.gone | {each.event.id for phone in self.phones for each in phone.replica.refused()}
        assert not left, f"{one.name} and {other.name} met, and differ: {left}"


class BoundedErasingWorld(ErasingWorld, BoundedWorld):
    """History goes, and replicas hold bases that had what was erased in them."""

    def choose_deeds(self):
        return {**super().choose_deeds(), self.back_up: 0, self.writing.look: 0}


def _speaks(event):
    return event.item[0] != "." and not event.is_erased


def _shared(phone):
    """What goes between peers."""
    return {event.id for event in phone.replica.events() if event.item[0] != "."}
