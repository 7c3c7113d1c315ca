"""What people do with documents, on their replicas, and the policies that the server's owner sets for them."""

from __future__ import annotations

import re
from contextlib import suppress
from unittest.mock import patch

from msgspec import UNSET

from syncline.core import canonical
from syncline.core.access.scope import TRUSTED
from syncline.core.admission import Submission
from syncline.core.documents.policies import POLICIES
from syncline.core.documents.settings import POLICIES_ITEM, SET_POLICY
from syncline.core.documents.values import from_wire
from syncline.errors import EventError, HistoryExpired
from syncline.replica import Draft
from syncline.replica.documents import DocumentReplica, library
from syncline.testing import Author
from tests.core.documents import histories
from tests.core.documents.people import FIRST, random_edit
from tests.simulation import documents

ITEMS = ("list.a", "list.b", "memo")
PATTERNS = ("*", "list.*", "list.a", "memo")
FIRST_VALUE = from_wire(FIRST)
STRETCH = 5
"""Events between two snapshots: few, so that short histories have some."""
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

short_stretches = patch.multiple(library, STRETCH=STRETCH, LOOKED_AT=1)


class GivenUp(Exception):
    """Somebody thought better of it."""


class NamingReplica(DocumentReplica):
    """A replica all of whose events have a payload of their own, which names them whatever their ids become."""

    def __init__(self, phone, **sources):
        self._phone = phone
        super().__init__(phone.store, **sources)

    def record_many(self, drafts, *, together=False):
        phone = self._phone
        drafts = [each if each.payload is not UNSET else each._replace(payload=phone.name_event()) for each in drafts]
        events = super().record_many(drafts, together=together)
        phone.world.recorded_at(phone, events, together=together)
        return events


class Writing:
    """The deeds of a world that are about documents, and what their events mean."""

    def __init__(self, world):
        self.world, self.chance = world, world.chance
        self._owner = Author("owner", "owner", now_ms=world.server_clock)
        self._names = {}
        self.meanings = {}
        """Of the events' payloads: their ops and meta, with the payloads of those they name in place of ids."""

    def deeds(self):
        """What may happen, and how often."""
        has_policies = self.chance.random() < 0.6
        return {
            self.edit: 12,
            self.create: 3,
            self.undo_or_redo: 4,
            self.transact: 2,
            self.delete_or_restore: 1,
            self.look: 4,
            self.set_policy: 2 if has_policies else 0,
        }

    def _somewhere(self):
        phone = self.chance.choice(self.world.phones)
        return phone, phone.replica.document(self.chance.choice(ITEMS))

    def edit(self):
        _, document = self._somewhere()
        self._edit(document)

    def _edit(self, document):
        meta = {"group": f"g{self.chance.randrange(3)}"} if self.chance.random() < 0.15 else {}
        with suppress(EventError), document.edit(**meta) as edit:  # such as TooDeep: nothing happened
            if self.chance.random() < 0.6:
                random_edit(self.chance, edit.editor)
            else:
                histories.change(self.chance, edit.editor, histories.Memory())

    def create(self):
        phone, document = self._somewhere()
        if not document.exists:
            keys = self.chance.sample(sorted(FIRST_VALUE), 3)
            phone.replica.create(document.item, {key: FIRST_VALUE[key] for key in keys})

    def undo_or_redo(self):
        _, document = self._somewhere()
        with suppress(EventError, HistoryExpired):
            (document.undo if self.chance.random() < 0.7 else document.redo)()

    def transact(self):
        """Two documents change together, or it is given up; meanwhile others are read, and something is recorded."""
        phone = self.chance.choice(self.world.phones)
        one, other = self.chance.sample(ITEMS, 2)
        with suppress(EventError, GivenUp), phone.replica.transaction():
            self._edit(phone.replica.document(one))
            if self.chance.random() < 0.2:
                phone.replica.record_many([Draft(self.chance.choice([one, "task.a"]), "update", phone.name_event())])
            if self.chance.random() < 0.5:
                _ = phone.replica.document(one).revision
            self._edit(phone.replica.document(other))
            if self.chance.random() < 0.2:
                raise GivenUp

    def delete_or_restore(self):
        _, document = self._somewhere()
        if document.exists:
            if self.chance.random() < 0.5:
                document.delete()
            elif document.revision:
                with suppress(HistoryExpired):
                    document.restore(self.chance.randint(1, document.revision))
        else:
            document.restore()

    def look(self):
        """Whatever happened, a replica shows what a fold of all it holds shows."""
        phone, document = self._somewhere()
        if not phone.store.state().copied:  # until it has a new node, its counters mean two events each
            documents.check_one(phone, document.item)

    def set_policy(self):
        """The server's log says how conflicts are judged from now on."""
        pattern, policy = self.chance.choice(PATTERNS), self.chance.choice([*sorted(POLICIES), None])
        event = self._owner.event(POLICIES_ITEM, SET_POLICY, {"item": pattern, "policy": policy})
        server = self.world.server
        server.store.append([Submission([event], "owner", is_system=True, rights=TRUSTED)], now_ms=server.now_ms())
        self.world.note("the policy of", pattern, "becomes", policy, "at", server.store.head().seq)

    # What events mean

    def note_names(self, events):
        """These events have these ids now."""
        self._names.update((event.id, event.payload) for event in events)

    def note_meanings(self, events):
        self.note_names(events)
        self.meanings.update((event.payload, self.meaning(event)) for event in events)

    def name_of(self, event):
        """Its payload, also when that was erased."""
        return event.payload if not event.is_erased else self._names[event.id]

    def meaning(self, event):
        """An event's ops and meta, told without ids."""
        return ID.sub(lambda found: self._names.get(found[0], found[0]), _said(event))

    def named(self, event):
        """The ids of other events that an event names."""
        return set(ID.findall(_said(event))) - {event.id}


def _said(event):
    return canonical.encode([None if part is UNSET else part for part in (event.ops, event.meta)]).decode()
