"""Worlds whose server forgets: it makes snapshots, and who stands before its horizon has to begin from one."""

from __future__ import annotations

from itertools import groupby

from syncline.core.documents.folded import Folded
from syncline.core.documents.revisions import Placed
from syncline.core.documents.settings import POLICIES_ITEM, Policies
from syncline.core.messages import AskSnapshot, Snapshot, encode
from syncline.errors import CursorExpired, SnapshotGone
from syncline.stores import load
from syncline.testing import LogServer
from tests.simulation.phone import Phone
from tests.simulation.world import World


class ForgettingServer(LogServer):
    """It has all entries still, so that the end can be judged; but it shows none from before its horizon."""

    def __init__(self, *arguments, **sources):
        super().__init__(*arguments, **sources)
        self.horizon, self.newest = 0, Snapshot(seq=0, at=0, cursor="", bases=[])

    def take(self, until=None):
        """Makes a snapshot, as things stood at a seq (None: stand now)."""
        log = [entry for entry in load(self.store) if until is None or entry.seq <= until]
        if not log:
            return
        policies = Policies(entry for entry in log if entry.event.item == POLICIES_ITEM)
        bases, entries = [], []
        for item, of_item in groupby(sorted(log, key=lambda entry: (entry.event.item, entry.seq)), _item):
            if item[0] == ".":
                entries += of_item
                continue
            folded = Folded(item)
            for entry in of_item:
                folded.fold(Placed.of(entry), policies.of(item, entry.seq))
            bases.append(folded.base())
        self.newest = Snapshot(seq=log[-1].seq, at=log[-1].at, cursor="", bases=bases, entries=entries)

    def reply(self, inquiry, user):
        return encode(self._part(inquiry)) if isinstance(inquiry, AskSnapshot) else super().reply(inquiry, user)

    def _part(self, asked):
        """As many items as a page has entries."""
        whole = self.newest
        if asked.seq not in (None, whole.seq):
            raise SnapshotGone("The snapshot made room for a newer one.")
        items = sorted({base.item for base in whole.bases} | {entry.event.item for entry in whole.entries})
        items = [item for item in items if item > asked.after]
        part = items[: self.limits.page_entries]
        return Snapshot(
            ref=asked.ref,
            seq=whole.seq,
            at=whole.at,
            cursor=self.cursor(whole.seq),
            bases=[base for base in whole.bases if base.item in part],
            entries=[entry for entry in whole.entries if entry.event.item in part],
            after=part[-1] if len(part) < len(items) else None,
        )

    def cursor(self, seq):
        head = self.store.head()
        place = self.codec.decode(self.page_at(seq))
        return self.codec.encode(place._replace(epoch=head.epoch, seq=seq, tail=self.store.tail(seq)))

    def page_at(self, seq):
        """Some cursor, which knows the reader's view."""
        return LogServer.page(self, _Ask(None, ()))[1]

    def page(self, request):
        place = self.codec.decode(request.cursor).seq if request.cursor else 0
        if place < self.horizon:
            raise CursorExpired("The log's beginning is not kept: take a snapshot.")
        return super().page(request)


class _Ask:
    def __init__(self, cursor, items):
        self.cursor, self.items = cursor, items


def _item(entry):
    return entry.event.item


class BoundedWorld(World):
    """Snapshots are made, history goes, and new replicas come that have never seen it."""

    Server = ForgettingServer

    def choose_deeds(self):
        return {**super().choose_deeds(), self.back_up: 0, self.take: 3, self.forget: 2, self.join: 1}

    def take(self):
        self.server.take()
        self.note("a snapshot is made at", self.server.newest.seq)

    def forget(self):
        self.server.horizon = self.server.newest.seq
        self.note("history is forgotten up to", self.server.horizon)

    def join(self):
        """Somebody begins anew, with or without history."""
        if len(self.phones) < 7:
            user = self.chance.choice(self.phones).user
            phone = Phone(self, f"new{len(self.phones)}", user, self._wrong_clock(), history=self.has_bad_luck(0.3))
            self.note(phone.name, "joins as", user)
            self._add(phone)

    def entries_of(self, phone, item):
        """What the log has of it, up to where the replica stands: what it holds itself may be in a base."""
        until = phone.store.state().seq
        return [entry for entry in load(self.server.store, items=[item]) if entry.seq <= until]
