"""Parts that are broken on purpose: a simulation that does not find these finds nothing."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from syncline.core.cursors import Cursor
from syncline.core.documents.settings import Policies
from syncline.core.effects import Restamp
from syncline.core.events import Event
from syncline.core.messages import Pull, Push
from syncline.core.session import ClientSession
from syncline.stores import load
from syncline.testing import LogServer
from tests.simulation.world import World, rebuilt
from tests.simulation.writing import NamingReplica


class PlainWorld(World):
    """Nobody edits documents here: for what shows in plain events, and shows sooner where there is nothing else."""

    def choose_deeds(self):
        return {**super().choose_deeds(), **dict.fromkeys(self.writing.deeds(), 0)}


class WorldOfEarlyAnswers(World):
    """The server answers before the disk has what it answers: a crash takes the last commit with it."""

    def crash_server(self):
        super().crash_server()
        entries = list(load(self.server.store))
        self.server.store = rebuilt([entry for entry in entries if entry.at < entries[-1].at])


class WorldOfBlindRenaming(PlainWorld):
    """A replica gives new ids to what it has pushed before, without looking whether the log has it."""

    def choose_deeds(self):
        return {**super().choose_deeds(), self.copy_file: 2, self.break_line: 8}

    class Session(ClientSession):
        def _step(self, local):
            if self.greeted and local.pending and (local.copied or self._ahead(local.pending, self._server_ms)):
                return Restamp(self._server_ms)
            return super()._step(local)


class WorldOfEagerPushes(PlainWorld):
    """A replica begins each conversation with a push."""

    def choose_deeds(self):
        return {**super().choose_deeds(), self.back_up: 10, self.copy_file: 0}

    class Session(ClientSession):
        has_begun = False

        def _step(self, local):
            step = super()._step(local)
            if self.has_begun or local.copied or not local.pending or not isinstance(step, Pull):
                return step
            self.has_begun = True
            self._pushed = self._first(local.pending)
            return Push.of(self._pushed)


class WorldOfSkippedEntries(World):
    """The server's cursor goes ahead of its page."""

    class Server(LogServer):
        def page(self, request):
            text, cursor = super().page(request)
            head = self.store.head()
            if b'"more":true' in text and head.seq % 5 == 0:
                ahead = self.codec.encode(Cursor(head.epoch, head.seq, head.tail))
                return text.replace(cursor.encode(), ahead.encode()), ahead
            return text, cursor


class WorldOfStaleDocuments(World):
    """A replica goes on with the documents it has when it goes back to an older cursor."""

    def choose_deeds(self):
        return {**super().choose_deeds(), self.back_up: 10}

    class Replica(NamingReplica):
        def __init__(self, phone, **sources):
            super().__init__(phone, **sources)
            let_go = self.library.let_go
            self.library.let_go = lambda item=None: item and let_go(item)


class WorldOfOldNames(World):
    """A re-stamp gives events new ids, but in their ops the old ones stay."""

    class Replica(NamingReplica):
        def _commit(self, change):
            if change.drop:
                ops = {event.payload: event.ops for event in self.pending()}
                outbox = [each._replace(event=_with_ops(each.event, ops[each.event.payload])) for each in change.outbox]
                change = replace(change, outbox=outbox)
            super()._commit(change)


def _with_ops(event, ops):
    return Event.of(msgspec.to_builtins(event) | ({} if ops is msgspec.UNSET else {"ops": ops}))


class WorldOfTodaysPolicies(World):
    """A replica judges all of a document's history by the policy in force now."""

    def choose_deeds(self):
        return {**super().choose_deeds(), self.writing.set_policy: 10}

    class Replica(NamingReplica):
        def __init__(self, phone, **sources):
            super().__init__(phone, **sources)
            policies = self.library._policies
            policies.of = lambda item, seq=None: Policies.of(policies, item)
