"""What every replica store must do: ``ReplicaStoreContract``, to be inherited by the tests of an adapter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from syncline.core.erasure import erased_entry
from syncline.core.patterns import matcher
from syncline.errors import StoreClosed
from syncline.stores import EVERYTHING, Change, Outboxed, ReplicaState, ReplicaStore
from syncline.testing.digests import ReplicaDigestsContract
from syncline.testing.replica_changes import ReplicaChangesContract
from syncline.testing.replica_samples import (
    MANY,
    all_of,
    an_entry,
    encoded,
    entries_of,
    filled,
    in_each_status,
    moved_by,
)
from syncline.testing.seeded import Author


class ReplicaStoreContract(ReplicaChangesContract, ReplicaDigestsContract):
    """Subclass it as ``Test…``, give ``make``, and inherit every test. See ``syncline.stores.ReplicaStore``."""

    def test_a_new_store_is_empty(self, store: ReplicaStore) -> None:
        assert store.state() == ReplicaState(node="node")
        assert (list(store.load()), store.outbox()) == ([], [])
        assert store.holds([]) == store.holds([Author().event().id]) == set()

    # The outbox

    def test_the_outbox_is_in_the_order_of_ids(self, store: ReplicaStore) -> None:
        events = Author().events(5)
        store.commit(Change(outbox=[Outboxed(events[place]) for place in (3, 0, 4, 1, 2)]))
        assert store.outbox() == [Outboxed(event) for event in events]
        assert [each.event.body for each in store.outbox(limit=2)] == [event.body for event in events[:2]]
        assert store.outbox(limit=0) == []
        assert [each.event.body for each in store.outbox(after=events[1].id)] == [event.body for event in events[2:]]
        assert [each.event.body for each in store.outbox("pending", after=events[0].id, limit=1)] == [events[1].body]
        assert store.outbox(after=events[4].id) == []

    def test_the_outbox_is_read_by_status(self, store: ReplicaStore) -> None:
        pending, acked, refused, orphan = in_each_status(Author().events(4))
        store.commit(Change(outbox=[pending, acked, refused, orphan]))
        assert store.outbox("pending") == [pending]
        assert store.outbox("acked", "orphan") == [acked, orphan]
        assert store.outbox("refused", "acked", limit=1) == [acked]
        assert store.outbox() == [pending, acked, refused, orphan]

    def test_a_status_changes(self, store: ReplicaStore) -> None:
        event = Author().event()
        assert moved_by(store, Change(outbox=[Outboxed(event)])) == {"pending": 1}
        assert moved_by(store, Change(outbox=[Outboxed(event, "acked", 7)])) == {"pending": -1, "acked": 1}
        assert store.outbox() == [Outboxed(event, "acked", 7)]
        assert moved_by(store, Change(outbox=[Outboxed(event, "acked", 8)])) == {}

    def test_what_is_dropped_is_gone(self, store: ReplicaStore) -> None:
        one, other = Author().events(2)
        store.commit(Change(outbox=[Outboxed(one), Outboxed(other, "refused", None, {"code": "forbidden"})]))
        assert moved_by(store, Change(drop=[other.id, Author("x").event().id])) == {"refused": -1}
        assert store.outbox() == [Outboxed(one)]

    @pytest.mark.parametrize("statuses", [[], ["pending"], ["acked", "refused"]])
    @pytest.mark.parametrize("limit", [None, 0, 1, 7])
    @pytest.mark.parametrize(
        "items",
        [["task.1"], ["task.*"], ["task.1", "note"], ["*"], ["note", "task.1*"], ["task.1*", "task.*"], ["none", "x*"]],
    )
    def test_the_outbox_is_read_by_item(
        self, store: ReplicaStore, items: Sequence[str], statuses: Sequence[str], limit: int | None
    ) -> None:
        author, names = Author(), ("task.1", "task.10", "note", "task", "notes")
        outbox = [
            outboxed
            for _ in range(3)
            for name in names
            for outboxed in in_each_status([author.event(name) for _ in range(4)])
        ]
        store.commit(Change(outbox=outbox))
        wanted = [each for each in outbox if matcher(items)(each.event.item)]
        wanted = [each for each in wanted if not statuses or each.status in statuses]
        assert store.outbox(*statuses, items=items, limit=limit) == wanted[:limit]
        for place in (0, len(wanted) // 2, len(wanted) - 1) if wanted else ():
            rest = store.outbox(*statuses, items=items, after=wanted[place].event.id, limit=limit)
            assert rest == wanted[place + 1 :][:limit]

    def test_the_outbox_of_an_item_follows_changes(self, store: ReplicaStore) -> None:
        one, two, three = Author().events(3, "milk")
        other = Author("other").event("bread")
        store.commit(Change(outbox=[Outboxed(one), Outboxed(two), Outboxed(three), Outboxed(other)]))
        store.commit(Change(outbox=[Outboxed(two, "acked", 1)], drop=[three.id]))
        assert store.outbox(items=["milk"]) == [Outboxed(one), Outboxed(two, "acked", 1)]
        store.commit(Change(entries=entries_of([two, one])))
        assert store.outbox(items=["milk"]) == []
        store.commit(Change(rewind=1))
        assert [(each.event, each.status, each.seq) for each in store.outbox(items=["mil*"])] == [(one, "orphan", 2)]
        assert store.outbox("pending", items=["*"]) == [Outboxed(other)]

    # Entries

    def test_entries_come_in_the_order_of_seq(self, store: ReplicaStore) -> None:
        entries = entries_of(Author().events(5))
        store.commit(Change(entries=entries[3:]))
        store.commit(Change(entries=[entries[1], entries[0], entries[2]]))
        assert encoded(store.load()) == encoded(entries)
        assert encoded(store.load(2, limit=2)) == encoded(entries[2:4])
        assert list(store.load(limit=0)) == list(store.load(5)) == []

    def test_an_entry_settles_the_event_of_its_id(self, store: ReplicaStore) -> None:
        waiting = in_each_status(Author().events(4))
        store.commit(Change(outbox=waiting))
        settled = moved_by(store, Change(entries=entries_of([each.event for each in waiting[:3]])))
        assert settled == {"pending": -1, "acked": -1, "refused": -1}
        assert store.outbox() == waiting[3:]
        assert store.holds([each.event.id for each in waiting]) == {each.event.id for each in waiting}

    def test_events_are_found_by_their_ids(self, store: ReplicaStore) -> None:
        author = Author()
        held, (pending, acked, refused, orphan) = author.events(MANY), in_each_status(author.events(4))
        store.commit(Change(entries=entries_of(held), outbox=[pending, acked, refused, orphan]))
        wanted = [orphan.event, held[7], refused.event, pending.event, held[2], acked.event, Author("x").event()]
        found = store.find(iter([event.id for event in wanted]))
        assert encoded(found[:2]) == encoded([an_entry(3, held[2]), an_entry(8, held[7])])
        assert encoded(found[2:]) == encoded(each.loose for each in (pending, acked, orphan))
        assert len(store.find([event.id for event in held])) == MANY
        assert store.find([]) == []

    def test_an_entry_may_come_again(self, store: ReplicaStore) -> None:
        entries = entries_of(Author().events(2))
        store.commit(Change(entries=entries))
        store.commit(Change(entries=entries[:1]))
        assert encoded(store.load()) == encoded(entries)

    def test_an_event_has_one_seq(self, store: ReplicaStore) -> None:
        one, other = Author().events(2)
        store.commit(Change(entries=[an_entry(1, one), an_entry(2, other)]))
        store.commit(Change(entries=[an_entry(2, one)]))
        store.commit(Change(entries=[an_entry(3, other)]))
        assert [(entry.seq, entry.event.id) for entry in store.load()] == [(2, one.id), (3, other.id)]
        store.commit(Change(rewind=0))
        assert list(store.load()) == []

    def test_late_entries_take_their_place(self, store: ReplicaStore) -> None:
        entries = filled(store, MANY)
        gap = [entry for entry in entries if entry.event.item == "task.1"]
        store.commit(Change(forget=["task.1"]))
        assert encoded(store.load(items=["task.*"])) == encoded(e for e in entries if e.event.item == "task.2")
        store.commit(Change(entries=gap))
        assert encoded(store.load()) == encoded(entries)
        assert encoded(store.load(items=["task.1"])) == encoded(gap)

    @pytest.mark.parametrize("items", [["task.1"], ["task.*"], ["note.0", "task.2"], ["*"], ["none"], []])
    @pytest.mark.parametrize(("since", "limit"), [(0, None), (10, 7), (MANY - 5, None), (0, MANY // 2)])
    def test_entries_of_items(self, store: ReplicaStore, items: Sequence[str], since: int, limit: int | None) -> None:
        entries = filled(store, MANY)
        prefixes = tuple(pattern.rstrip("*") for pattern in items) or ("",)
        wanted = [entry for entry in entries if entry.seq > since and entry.event.item.startswith(prefixes)]
        assert encoded(store.load(since, items=items, limit=limit)) == encoded(wanted[:limit])

    def test_forgetting_an_item_leaves_local_events(self, store: ReplicaStore) -> None:
        author = Author()
        milk, bread, local = author.event("milk"), author.event("bread"), author.event("milk")
        store.commit(Change(entries=entries_of([milk, bread]), outbox=[Outboxed(local)]))
        store.commit(Change(forget=["milk", "unknown"]))
        assert [entry.event.item for entry in store.load()] == ["bread"]
        assert store.outbox() == [Outboxed(local)]
        assert store.holds([milk.id, bread.id, local.id]) == {bread.id, local.id}

    def test_everything_is_forgotten_but_local_events(self, store: ReplicaStore) -> None:
        entries = filled(store, MANY)
        waiting = in_each_status(Author("more").events(4, "task.1"))
        store.commit(Change(outbox=waiting, state=replace(store.state(), seq=MANY, cursor="old")))
        assert moved_by(store, Change(forget=[EVERYTHING])) == {}
        assert list(store.load()) == list(store.load(items=["task.*"])) == []
        assert store.outbox() == waiting
        assert store.holds([entries[0].event.id, waiting[0].event.id]) == {waiting[0].event.id}
        assert store.state() == ReplicaState(node="node", seq=MANY, cursor="old", rewritten=1)
        store.commit(Change(forget=[EVERYTHING]))  # there is nothing
        assert store.state().rewritten == 1

    def test_what_comes_with_or_after_forgetting_is_kept(self, store: ReplicaStore) -> None:
        entries = filled(store, MANY)
        mine = Author("node").event("task.1")
        store.commit(Change(outbox=[Outboxed(mine, "acked", 11)], state=replace(store.state(), seq=MANY)))
        again, rest = [*entries[:10], an_entry(11, mine)], entries[11:]
        state = replace(store.state(), seq=11, cursor="new", cursors=((11, "new"),))
        assert moved_by(store, Change(forget=["task.1", EVERYTHING], entries=again, state=state)) == {"acked": -1}
        assert store.state() == replace(state, rewritten=1)
        assert encoded(store.load()) == encoded(again)
        for start in range(0, len(rest), 400):
            store.commit(Change(entries=rest[start : start + 400], state=replace(state, seq=rest[start].seq)))
        assert encoded(store.load()) == encoded([*again, *rest])
        wanted = [entry for entry in (*again, *rest) if entry.event.item == "task.1"]
        assert encoded(store.load(items=["task.1"])) == encoded(wanted)
        store.commit(Change(forget=["task.1"], entries=wanted[:5]))
        assert encoded(store.load(items=["task.1"])) == encoded(wanted[:5])
        assert moved_by(store, Change(rewind=0)) == {"orphan": len(again) + len(rest) - len(wanted) + 5}

    def test_what_was_heard_is_forgotten_by_name_alone(self, store: ReplicaStore) -> None:
        author = Author("x")
        milk, bread, mine = author.event("milk"), author.event("bread"), Author().event("milk")
        heard = [Outboxed(milk, "heard"), Outboxed(bread, "heard")]
        assert moved_by(store, Change(outbox=[*heard, Outboxed(mine)])) == {"heard": 2, "pending": 1}
        assert moved_by(store, Change(forget=[EVERYTHING])) == {}
        assert moved_by(store, Change(forget=["milk"])) == {"heard": -1}
        assert {each.event.id for each in store.outbox()} == {bread.id, mine.id}
        assert moved_by(store, Change(entries=entries_of([bread]))) == {"heard": -1}

    def test_orphans_are_forgotten_by_name_alone(self, store: ReplicaStore) -> None:
        """They are others' events; but what a log has lost may be nowhere else, and nobody said that it is closed."""
        waiting = in_each_status(Author().events(4, "milk"))
        other = Outboxed(Author("x").event("bread"), "orphan")
        store.commit(Change(outbox=[*waiting, other]))
        assert moved_by(store, Change(forget=[EVERYTHING])) == {}
        assert (len(store.outbox()), store.state().rewritten) == (5, 0)
        assert moved_by(store, Change(forget=["milk", "unknown"])) == {"orphan": -1}
        assert store.outbox() == sorted([*waiting[:3], other], key=lambda each: each.event.id)
        assert store.state().rewritten == 1

    def test_what_comes_back_erased_takes_the_place_of_a_local_event(self, store: ReplicaStore) -> None:
        """What was made of its content has to be made again."""
        mine, other = entries_of(Author("node").events(2))
        store.commit(Change(outbox=[Outboxed(mine.event), Outboxed(other.event)]))
        assert moved_by(store, Change(entries=[other])) == {"pending": -1}
        assert store.state().rewritten == 0
        assert moved_by(store, Change(entries=[erased_entry(mine)])) == {"pending": -1}
        assert store.state().rewritten == 1

    def test_traces_are_gone_when_no_more_follows(self, store: ReplicaStore, tmp_path: Path) -> None:
        filled(store, MANY)
        store.commit(Change(forget=["task.1"], more=True))
        store.commit(Change(outbox=[Outboxed(Author().event())], state=ReplicaState(node="node", traces=True)))
        assert store.state() == ReplicaState(node="node", rewritten=1)
        store.commit(Change(forget=["task.2"], more=True))
        if self.persists:
            store = self.reopened(store, tmp_path)
        assert replace(store.state(), traces=False) == ReplicaState(node="node", rewritten=2)
        store.commit(Change())
        assert not store.state().traces
        assert {entry.event.item for entry in store.load()} == {"note.0"}

    # Opening and closing

    def test_everything_is_there_after_reopening(self, store: ReplicaStore, tmp_path: Path) -> None:
        filled(store, MANY)
        store.commit(Change(outbox=in_each_status(Author("more").events(4))))
        before = all_of(store)
        again = self.reopened(store, tmp_path)
        assert all_of(again) == before
        assert moved_by(again, Change(rewind=0)) == {"orphan": MANY}
        again.close()

    def test_a_closed_store_says_so(self, store: ReplicaStore) -> None:
        store.close()
        store.close()
        calls = (
            lambda: store.commit(Change()),
            store.state,
            lambda: list(store.load()),
            lambda: list(store.bases()),
            store.outbox,
            lambda: store.holds([Author().event().id]),
            lambda: store.find([Author().event().id]),
        )
        for call in calls:
            with pytest.raises(StoreClosed):
                call()
