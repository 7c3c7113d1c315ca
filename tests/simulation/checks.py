"""What must hold: of each replica after every step, and of the whole world once it is quiet."""

from __future__ import annotations

from collections import Counter

from msgspec import UNSET

from syncline.core.documents.settings import POLICIES_ITEM
from syncline.core.erasure import ERASURES
from syncline.stores import load
from tests.simulation import documents, writing


def check_phone(world, phone):
    """A replica holds every entry up to its seq, and counts its outbox right."""
    state = phone.store.state()
    seqs = [entry.seq for entry in phone.store.load(state.horizon)]
    assert seqs == list(range(state.horizon + 1, state.seq + 1)), f"{phone.name} skipped an entry: {seqs}"
    counts = Counter(each.status for each in phone.store.outbox())
    status = phone.replica.status
    assert (status.pending, status.refused) == (counts["pending"], counts["refused"]), f"{phone.name} counts wrong"


def check_world(world):
    log = list(load(world.server.store))
    for phone in world.phones:
        check_agreement(world, phone, log)
    documents.check_documents(world, writing.ITEMS)
    check_resets(world)
    made = [entry for entry in log if entry.event.item not in (POLICIES_ITEM, ERASURES)]
    check_log(world, log, made)
    documents.check_meanings(world, made)
    documents.check_transactions(world, made)
    check_nothing_is_lost(world, made)


def check_log(world, log, made):
    assert [entry.seq for entry in log] == list(range(1, len(log) + 1)), "the log's seqs have gaps"
    ids = Counter(entry.event.id for entry in log)
    assert max(ids.values(), default=1) == 1, "an id is in the log twice"
    names = [(world.writing.name_of(entry.event), entry.event.id) for entry in made]
    count = Counter(name for name, _ in names)
    stored = [(name, id) for name, id in names if count[name] > 1 and name not in world.twofold]
    assert not stored, f"stored twice: {stored}"


def check_agreement(world, phone, log):
    horizon = phone.store.state().horizon
    held = list(phone.store.load())
    log = [entry for entry in log if entry.seq > horizon or entry.event.item[0] == "."]
    assert [entry.event.digest for entry in held] == [entry.event.digest for entry in log], f"{phone.name} differs"
    if not world.restores:  # a restored log that grows the same way again may give the same seqs at another time
        assert [entry.encoded for entry in held] == [entry.encoded for entry in log], f"{phone.name} has other bytes"
    waiting = [each for each in phone.store.outbox() if each.status != "refused" and not world.may_keep(each)]
    assert waiting == [], f"{phone.name} still waits: {waiting}"


def check_nothing_is_lost(world, log):
    stored = {world.writing.name_of(entry.event): entry for entry in log}
    inbox = world.inboxes
    unexpected = inbox - world.refused - documents.excused(world)
    assert world.refused <= inbox, f"not refused: {sorted(world.refused - inbox)}"
    assert not unexpected, f"refused: {world.why(unexpected)}"
    lost = world.recorded.keys() - stored.keys() - inbox
    assert not lost, f"lost: {sorted(lost)}"
    assert all(entry.event.user in (world.recorded[payload], UNSET) for payload, entry in stored.items())
    for payload, (id, seq) in world.acked.items():
        is_gone = world.restores and payload in inbox - stored.keys()
        if payload not in world.twofold and not is_gone:
            assert stored[payload].event.id == id, f"{payload} was acknowledged under another id"
            assert world.restores or stored[payload].seq == seq, f"{payload} was acknowledged with another seq"


def check_resets(world):
    for phone in world.phones:
        if not world.restores:
            assert phone.resets == 0, f"{phone.name} was reset, but nothing was restored"
        before, cursor = world.reset_due.get(phone.name, (-1, None))
        is_known = cursor is None or world.server.store.tail(cursor.seq) == cursor.tail
        assert is_known or phone.resets > before, f"{phone.name} was not told that the log was restored"
