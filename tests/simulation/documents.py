"""What must hold of documents: each replica shows what a fold of its log from the beginning shows, and all the same."""

from __future__ import annotations

from typing import NamedTuple

from syncline.core.documents.conflicts import conflicts_of
from syncline.core.documents.document import Document
from syncline.core.documents.revisions import Placed, replay
from syncline.core.documents.settings import POLICIES_ITEM, Policies
from syncline.core.documents.snapshots import encode
from syncline.core.erasure import ERASURES
from syncline.stores import ON_ITS_WAY, load


class Folded:
    """A document folded from the beginning, apart from all that replicas keep."""

    def __init__(self, item, placed, policies):
        self.item, self.placed, self.policies = item, list(placed), policies
        self.document = Document(item)
        for each in self.placed:
            self.document.fold(each.event, policy=self._policy(each.seq or None))

    def _policy(self, seq=None):
        return self.policies.of(self.item, seq)

    @property
    def state(self):
        return encode(self.document)

    @property
    def conflicts(self):
        return conflicts_of(self.document, [each.event for each in self.placed], self._policy())

    @property
    def revisions(self):
        return list(replay(Document(self.item), self.placed, policy=self._policy))


def of_phone(phone, item):
    """A document of all that a replica holds."""
    entries = phone.world.entries_of(phone, item)
    local = phone.store.outbox(*ON_ITS_WAY, items=[item])
    placed = [*map(Placed.of, entries), *(Placed(each.event) for each in local)]
    return Folded(item, placed, Policies(phone.world.entries_of(phone, POLICIES_ITEM)))


def of_log(store, item):
    """A document of the server's log."""
    return Folded(item, map(Placed.of, load(store, items=[item])), Policies(load(store, items=[POLICIES_ITEM])))


def check_one(phone, item):
    """A replica's document, its history and its conflicts are what a fold of all it holds says."""
    folded = of_phone(phone, item)
    check_state(phone, item, folded.state, folded.document)
    check_history(phone, item, folded.revisions, folded.conflicts)


def check_state(phone, item, state, document):
    """``state``: the bytes of the document that should be there."""
    assert encode(phone.replica.library.document(item)) == state, f"{phone.name} shows another {item}"
    assert phone.replica.document(item).wire == document.value(), f"{phone.name} tells another value of {item}"
    found = phone.replica.items(item)
    assert found == ([item] if document.exists else []), f"{phone.name} finds {item} or does not"
    assert not found or phone.index._documents[item] == (document.plain(),), f"{phone.name} finds an older {item}"


def check_history(phone, item, revisions, conflicts):
    library = phone.replica.library
    assert library.revision(item) == len(revisions), f"{phone.name} counts other revisions of {item}"
    known = revisions[library.first_revision(item) - 1 :]
    assert library.revisions(item) == known, f"{phone.name} tells other revisions of {item}"
    found = library.conflicts(item)
    is_whole = library._source.base(item) is None  # otherwise it cannot tell whose an older edit was
    assert (found == conflicts) if is_whole else (found.values == conflicts.values), f"{phone.name} disagrees on {item}"


class Ending(NamedTuple):
    """What the server's log says of a document."""

    folded: Folded
    state: bytes
    revisions: list
    conflicts: object

    @classmethod
    def of(cls, store, item):
        folded = of_log(store, item)
        return cls(folded, folded.state, folded.revisions, folded.conflicts)


def check_documents(world, items):
    """In the end all show the same, as the server's log says, also when they are opened anew."""
    endings = [Ending.of(world.server.store, item) for item in items]
    for phone in world.phones:
        for folded, state, revisions, conflicts in endings:
            check_state(phone, folded.item, state, folded.document)
            if world.restores:  # a restored log may have taken the same events at another time
                revisions = of_phone(phone, folded.item).revisions
            check_history(phone, folded.item, revisions, conflicts)
        phone.reopen(keeps_snapshots=world.chance.random() < 0.5)
        for folded, state, revisions, _ in endings:
            check_state(phone, folded.item, state, folded.document)
            assert phone.replica.library.revision(folded.item) == len(revisions), f"{phone.name} counts anew"


def check_meanings(world, log):
    """Whatever ids they have now, events name what their authors meant."""
    writing = world.writing
    events = [entry.event for entry in log] + [each.event for phone in world.phones for each in phone.store.outbox()]
    for event in events:
        if event.item not in (POLICIES_ITEM, ERASURES) and not event.is_erased:
            assert writing.meaning(event) == writing.meanings[event.payload], f"{event.payload} names something else"


def check_transactions(world, log):
    """What was recorded together is stored together, as neighbours, or not at all."""
    places = {world.writing.name_of(entry.event): entry.seq for entry in log}
    for payloads in world.together:
        seqs = [places.get(payload) for payload in payloads]
        is_whole = None not in seqs and (world.restores or seqs == list(range(seqs[0], seqs[0] + len(seqs))))
        # After a restore it may be given back by two replicas of one user, of which one had seen a part of it.
        assert is_whole or not any(seqs) or world.twofold.intersection(payloads), f"torn apart: {payloads} at {seqs}"


def excused(world):
    """Refused events that name what is refused itself, or what a restored log has lost (its author may have given it
    back later, or under another id); and what was recorded together with them."""
    excused = set()
    for phone in world.phones:
        inbox = [each.event for each in phone.replica.refused()]
        refused = {event.id for event in inbox}
        for event in inbox:
            named = world.writing.named(event)
            if named & (refused | world.lost):
                excused.add(event.payload)
    for payloads in world.together:
        if excused.intersection(payloads):
            excused.update(payloads)
    return excused
