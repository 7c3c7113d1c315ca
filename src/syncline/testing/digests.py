"""What every store tells of digests: parts of the contracts for logs and for replicas."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from syncline.core.admission import Submission
from syncline.core.events import Entry, Event
from syncline.core.merkle import span
from syncline.stores import ON_ITS_WAY, Change, LogStore, Outboxed, ReplicaStore
from syncline.stores.digests import Digested, leaves, reading
from syncline.testing.seeded import START_MS, Author, ManualClock

COUNT = 300


class LogDigestsContract:
    """Digests of a log."""

    def test_digests_come_in_order_of_their_seqs_and_in_parts(self, store: LogStore) -> None:
        assert store.digests(0, 10) == []
        wanted = _filled(store)
        for since, limit in [(0, COUNT + 1), (0, 1), (7, 100), (COUNT - 1, 100), (COUNT, 1), (COUNT + 9, 1)]:
            assert store.digests(since, limit) == wanted[since : since + limit]

    def test_digests_come_in_order_of_their_ids_and_in_parts(self, store: LogStore) -> None:
        assert store.digests_by_id(*span(""), 10) == []
        _check_by_id(store.digests_by_id, _filled(store))

    def test_the_entries_of_a_tree_are_chosen_by_seq_and_item(self, store: LogStore) -> None:
        wanted = [each for each in _filled(store) if each.item == "task.1" and each.seq <= 200]
        read = reading(store.digests_by_id, lambda each: each.item == "task.1" and each.seq <= 200)
        assert read(*span("")) == [(each.key, each.digest) for each in sorted(wanted, key=_key)]


class ReplicaDigestsContract:
    """Digests of a replica."""

    def test_digests_of_entries_come_in_parts(self, store: ReplicaStore) -> None:
        wanted = _kept(store)
        for since, limit in [(0, COUNT + 1), (0, 1), (7, 100), (COUNT, 1)]:
            assert store.digests(since, limit) == wanted[since : since + limit]
        _check_by_id(store.digests_by_id, wanted)

    def test_digests_of_local_events_come_along_while_they_are_on_their_way(self, store: ReplicaStore) -> None:
        wanted, author = _kept(store), Author("local")
        events = {status: author.event("task.1") for status in (*ON_ITS_WAY, "refused")}
        store.commit(Change(outbox=[Outboxed(event, status, 0) for status, event in events.items()]))
        local = [_digested(events[status]) for status in ON_ITS_WAY]
        _check_by_id(lambda *part: store.digests_by_id(*part, local=True), [*wanted, *local])
        _check_by_id(store.digests_by_id, wanted)
        store.commit(Change(drop=[events[ON_ITS_WAY[0]].id], outbox=[Outboxed(events[ON_ITS_WAY[1]], "refused")]))
        _check_by_id(lambda *part: store.digests_by_id(*part, local=True), [*wanted, *local[2:]])

    def test_digests_follow_what_is_replaced_and_forgotten(self, store: ReplicaStore) -> None:
        wanted = _kept(store)
        again = Author("again").event("other")
        store.commit(Change(entries=[Entry.of(wanted[5].seq, START_MS, "r" * 24, again)], forget=["task.1"]))
        left = [each for each in wanted if each.item != "task.1" and each.seq != wanted[5].seq]
        _check_by_id(store.digests_by_id, [*left, _digested(again, wanted[5].seq)])


def _filled(store: LogStore) -> list[Digested]:
    """A log of events of several authors, whose ids do not come in order; the digests, by seq."""
    events = _events()
    for start in range(0, COUNT, 70):
        store.append([Submission(events[start : start + 70], "ann")], now_ms=START_MS)
    return [_digested(event, seq) for seq, event in enumerate(events, 1)]


def _kept(store: ReplicaStore) -> list[Digested]:
    events = _events()
    entries = [Entry.of(seq, START_MS, "r" * 24, event) for seq, event in enumerate(events, 1)]
    store.commit(Change(entries=entries))
    return [_digested(event, seq) for seq, event in enumerate(events, 1)]


def _events() -> list[Event]:
    authors = [Author(f"node-{place}", now_ms=ManualClock(START_MS - place)) for place in range(4)]
    return [authors[place % 4].event(f"task.{place % 3}") for place in range(COUNT)]


def _check_by_id(by_id: Callable[[bytes, bytes, int], Sequence[Digested]], wanted: Sequence[Digested]) -> None:
    in_order = sorted(wanted, key=_key)
    keys = [each.key for each in in_order]
    for low, high in [(0, len(keys) - 1), (3, 3), (10, 70), (70, len(keys) - 1)]:
        part = in_order[low : high + 1]
        assert by_id(keys[low], keys[high], len(keys)) == part
        assert by_id(keys[low], keys[high], 7) == part[:7]
    assert [leaf.key for leaf in leaves(by_id, lambda each: True, *span(""))] == keys
    assert by_id(*span("f"), 10) == []


def _digested(event: Event, seq: int = 0) -> Digested:
    return Digested(seq, event.key, event.digest, event.item)


def _key(digested: Digested) -> bytes:
    return digested.key
