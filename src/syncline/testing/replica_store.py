"""What every replica store must do: ``ReplicaStoreContract``, to be inherited by the tests of an adapter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from syncline.core.access.rules import Rule
from syncline.core.bases import Base
from syncline.core.erasure import erased_entry
from syncline.core.events import Entry, Event
from syncline.core.gifts import Voucher
from syncline.core.patterns import matcher
from syncline.errors import StoreClosed
from syncline.stores import EVERYTHING, Change, Outboxed, Part, ReplicaState, ReplicaStore
from syncline.testing.digests import ReplicaDigestsContract
from syncline.testing.seeded import START_MS, Author, eager_threads

RECEIPT = "r" * 24
MANY = 3_000


class ReplicaStoreContract(ReplicaDigestsContract):
    """Subclass it as ``Test…``, give ``make``, and inherit every test. See ``syncline.stores.ReplicaStore``."""

    persists = True
    """Whether ``make`` in the same directory opens the same data again."""

    def make(self, directory: Path, node: str) -> ReplicaStore:
        """A store in a directory; ``node`` is for one that is made anew."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> ReplicaStore:
        """An empty store of the node ``node``."""
        return self.make(tmp_path, "node")

    @pytest.fixture
    def eager_threads(self) -> Iterator[None]:
        """Threads that take turns as often as they can, so that what is not guarded is seen."""
        yield from eager_threads()

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
        pending, acked, refused, orphan = _in_each_status(Author().events(4))
        store.commit(Change(outbox=[pending, acked, refused, orphan]))
        assert store.outbox("pending") == [pending]
        assert store.outbox("acked", "orphan") == [acked, orphan]
        assert store.outbox("refused", "acked", limit=1) == [acked]
        assert store.outbox() == [pending, acked, refused, orphan]

    def test_a_status_changes(self, store: ReplicaStore) -> None:
        event = Author().event()
        assert _moved(store, Change(outbox=[Outboxed(event)])) == {"pending": 1}
        assert _moved(store, Change(outbox=[Outboxed(event, "acked", 7)])) == {"pending": -1, "acked": 1}
        assert store.outbox() == [Outboxed(event, "acked", 7)]
        assert _moved(store, Change(outbox=[Outboxed(event, "acked", 8)])) == {}

    def test_what_is_dropped_is_gone(self, store: ReplicaStore) -> None:
        one, other = Author().events(2)
        store.commit(Change(outbox=[Outboxed(one), Outboxed(other, "refused", None, {"code": "forbidden"})]))
        assert _moved(store, Change(drop=[other.id, Author("x").event().id])) == {"refused": -1}
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
            for outboxed in _in_each_status([author.event(name) for _ in range(4)])
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
        store.commit(Change(entries=_entries([two, one])))
        assert store.outbox(items=["milk"]) == []
        store.commit(Change(rewind=1))
        assert [(each.event, each.status, each.seq) for each in store.outbox(items=["mil*"])] == [(one, "orphan", 2)]
        assert store.outbox("pending", items=["*"]) == [Outboxed(other)]

    # Entries

    def test_entries_come_in_the_order_of_seq(self, store: ReplicaStore) -> None:
        entries = _entries(Author().events(5))
        store.commit(Change(entries=entries[3:]))
        store.commit(Change(entries=[entries[1], entries[0], entries[2]]))
        assert _encoded(store.load()) == _encoded(entries)
        assert _encoded(store.load(2, limit=2)) == _encoded(entries[2:4])
        assert list(store.load(limit=0)) == list(store.load(5)) == []

    def test_an_entry_settles_the_event_of_its_id(self, store: ReplicaStore) -> None:
        waiting = _in_each_status(Author().events(4))
        store.commit(Change(outbox=waiting))
        settled = _moved(store, Change(entries=_entries([each.event for each in waiting[:3]])))
        assert settled == {"pending": -1, "acked": -1, "refused": -1}
        assert store.outbox() == waiting[3:]
        assert store.holds([each.event.id for each in waiting]) == {each.event.id for each in waiting}

    def test_events_are_found_by_their_ids(self, store: ReplicaStore) -> None:
        author = Author()
        held, (pending, acked, refused, orphan) = author.events(MANY), _in_each_status(author.events(4))
        store.commit(Change(entries=_entries(held), outbox=[pending, acked, refused, orphan]))
        wanted = [orphan.event, held[7], refused.event, pending.event, held[2], acked.event, Author("x").event()]
        found = store.find(iter([event.id for event in wanted]))
        assert _encoded(found[:2]) == _encoded([_entry(3, held[2]), _entry(8, held[7])])
        assert _encoded(found[2:]) == _encoded(each.loose for each in (pending, acked, orphan))
        assert len(store.find([event.id for event in held])) == MANY
        assert store.find([]) == []

    def test_an_entry_may_come_again(self, store: ReplicaStore) -> None:
        entries = _entries(Author().events(2))
        store.commit(Change(entries=entries))
        store.commit(Change(entries=entries[:1]))
        assert _encoded(store.load()) == _encoded(entries)

    def test_an_event_has_one_seq(self, store: ReplicaStore) -> None:
        one, other = Author().events(2)
        store.commit(Change(entries=[_entry(1, one), _entry(2, other)]))
        store.commit(Change(entries=[_entry(2, one)]))
        store.commit(Change(entries=[_entry(3, other)]))
        assert [(entry.seq, entry.event.id) for entry in store.load()] == [(2, one.id), (3, other.id)]
        store.commit(Change(rewind=0))
        assert list(store.load()) == []

    def test_late_entries_take_their_place(self, store: ReplicaStore) -> None:
        entries = _filled(store, MANY)
        gap = [entry for entry in entries if entry.event.item == "task.1"]
        store.commit(Change(forget=["task.1"]))
        assert _encoded(store.load(items=["task.*"])) == _encoded(e for e in entries if e.event.item == "task.2")
        store.commit(Change(entries=gap))
        assert _encoded(store.load()) == _encoded(entries)
        assert _encoded(store.load(items=["task.1"])) == _encoded(gap)

    @pytest.mark.parametrize("items", [["task.1"], ["task.*"], ["note.0", "task.2"], ["*"], ["none"], []])
    @pytest.mark.parametrize(("since", "limit"), [(0, None), (10, 7), (MANY - 5, None), (0, MANY // 2)])
    def test_entries_of_items(self, store: ReplicaStore, items: Sequence[str], since: int, limit: int | None) -> None:
        entries = _filled(store, MANY)
        prefixes = tuple(pattern.rstrip("*") for pattern in items) or ("",)
        wanted = [entry for entry in entries if entry.seq > since and entry.event.item.startswith(prefixes)]
        assert _encoded(store.load(since, items=items, limit=limit)) == _encoded(wanted[:limit])

    def test_forgetting_an_item_leaves_local_events(self, store: ReplicaStore) -> None:
        author = Author()
        milk, bread, local = author.event("milk"), author.event("bread"), author.event("milk")
        store.commit(Change(entries=_entries([milk, bread]), outbox=[Outboxed(local)]))
        store.commit(Change(forget=["milk", "unknown"]))
        assert [entry.event.item for entry in store.load()] == ["bread"]
        assert store.outbox() == [Outboxed(local)]
        assert store.holds([milk.id, bread.id, local.id]) == {bread.id, local.id}

    def test_everything_is_forgotten_but_local_events(self, store: ReplicaStore) -> None:
        entries = _filled(store, MANY)
        waiting = _in_each_status(Author("more").events(4, "task.1"))
        store.commit(Change(outbox=waiting, state=replace(store.state(), seq=MANY, cursor="old")))
        assert _moved(store, Change(forget=[EVERYTHING])) == {}
        assert list(store.load()) == list(store.load(items=["task.*"])) == []
        assert store.outbox() == waiting
        assert store.holds([entries[0].event.id, waiting[0].event.id]) == {waiting[0].event.id}
        assert store.state() == ReplicaState(node="node", seq=MANY, cursor="old", rewritten=1)
        store.commit(Change(forget=[EVERYTHING]))  # there is nothing
        assert store.state().rewritten == 1

    def test_what_comes_with_or_after_forgetting_is_kept(self, store: ReplicaStore) -> None:
        entries = _filled(store, MANY)
        mine = Author("node").event("task.1")
        store.commit(Change(outbox=[Outboxed(mine, "acked", 11)], state=replace(store.state(), seq=MANY)))
        again, rest = [*entries[:10], _entry(11, mine)], entries[11:]
        state = replace(store.state(), seq=11, cursor="new", cursors=((11, "new"),))
        assert _moved(store, Change(forget=["task.1", EVERYTHING], entries=again, state=state)) == {"acked": -1}
        assert store.state() == replace(state, rewritten=1)
        assert _encoded(store.load()) == _encoded(again)
        for start in range(0, len(rest), 400):
            store.commit(Change(entries=rest[start : start + 400], state=replace(state, seq=rest[start].seq)))
        assert _encoded(store.load()) == _encoded([*again, *rest])
        wanted = [entry for entry in (*again, *rest) if entry.event.item == "task.1"]
        assert _encoded(store.load(items=["task.1"])) == _encoded(wanted)
        store.commit(Change(forget=["task.1"], entries=wanted[:5]))
        assert _encoded(store.load(items=["task.1"])) == _encoded(wanted[:5])
        assert _moved(store, Change(rewind=0)) == {"orphan": len(again) + len(rest) - len(wanted) + 5}

    def test_what_was_heard_is_forgotten_by_name_alone(self, store: ReplicaStore) -> None:
        author = Author("x")
        milk, bread, mine = author.event("milk"), author.event("bread"), Author().event("milk")
        heard = [Outboxed(milk, "heard"), Outboxed(bread, "heard")]
        assert _moved(store, Change(outbox=[*heard, Outboxed(mine)])) == {"heard": 2, "pending": 1}
        assert _moved(store, Change(forget=[EVERYTHING])) == {}
        assert _moved(store, Change(forget=["milk"])) == {"heard": -1}
        assert {each.event.id for each in store.outbox()} == {bread.id, mine.id}
        assert _moved(store, Change(entries=_entries([bread]))) == {"heard": -1}

    def test_orphans_are_forgotten_by_name_alone(self, store: ReplicaStore) -> None:
        """They are others' events; but what a log has lost may be nowhere else, and nobody said that it is closed."""
        waiting = _in_each_status(Author().events(4, "milk"))
        other = Outboxed(Author("x").event("bread"), "orphan")
        store.commit(Change(outbox=[*waiting, other]))
        assert _moved(store, Change(forget=[EVERYTHING])) == {}
        assert (len(store.outbox()), store.state().rewritten) == (5, 0)
        assert _moved(store, Change(forget=["milk", "unknown"])) == {"orphan": -1}
        assert store.outbox() == sorted([*waiting[:3], other], key=lambda each: each.event.id)
        assert store.state().rewritten == 1

    def test_what_comes_back_erased_takes_the_place_of_a_local_event(self, store: ReplicaStore) -> None:
        """What was made of its content has to be made again."""
        mine, other = _entries(Author("node").events(2))
        store.commit(Change(outbox=[Outboxed(mine.event), Outboxed(other.event)]))
        assert _moved(store, Change(entries=[other])) == {"pending": -1}
        assert store.state().rewritten == 0
        assert _moved(store, Change(entries=[erased_entry(mine)])) == {"pending": -1}
        assert store.state().rewritten == 1

    def test_traces_are_gone_when_no_more_follows(self, store: ReplicaStore, tmp_path: Path) -> None:
        _filled(store, MANY)
        store.commit(Change(forget=["task.1"], more=True))
        store.commit(Change(outbox=[Outboxed(Author().event())], state=ReplicaState(node="node", traces=True)))
        assert store.state() == ReplicaState(node="node", rewritten=1)
        store.commit(Change(forget=["task.2"], more=True))
        if self.persists:
            store = self._reopened(store, tmp_path)
        assert replace(store.state(), traces=False) == ReplicaState(node="node", rewritten=2)
        store.commit(Change())
        assert not store.state().traces
        assert {entry.event.item for entry in store.load()} == {"note.0"}

    # Bases

    def test_bases_are_read_by_item(self, store: ReplicaStore) -> None:
        bases = [_base(f"task.{place}") for place in range(MANY // 4)] + [_base("note")]
        store.commit(Change(bases=bases))
        in_order = sorted(bases, key=lambda base: base.item)
        assert list(store.bases()) == list(store.bases(["*"])) == in_order
        assert list(store.bases(["task.7"])) == [bases[7]]
        assert list(store.bases(["none"])) == []
        assert list(store.bases(["task.70", "note", "task.7", "none", "note"])) == [bases[-1], bases[7], bases[70]]
        assert list(store.bases(["task.7*", "note"])) == [
            each for each in in_order if each.item.startswith(("task.7", "note"))
        ]
        assert list(store.bases([base.item for base in bases])) == in_order

    def test_a_base_takes_the_place_of_another(self, store: ReplicaStore) -> None:
        store.commit(Change(bases=[_base("milk", 1), _base("bread", 1)], state=replace(store.state(), horizon=1)))
        store.commit(Change(bases=[_base("milk", 5)]))
        assert list(store.bases()) == [_base("bread", 1), _base("milk", 5)]
        assert (store.state().horizon, store.state().rewritten) == (1, 2)

    def test_bases_are_forgotten_with_their_items(self, store: ReplicaStore) -> None:
        store.commit(
            Change(bases=[_base("milk"), _base("bread"), _base("salt")], entries=_entries([Author().event("a")]))
        )
        store.commit(Change(forget=["milk", "none"], bases=[_base("salt", 9)]))
        assert list(store.bases()) == [_base("bread"), _base("salt", 9)]
        assert [entry.event.item for entry in store.load()] == ["a"]
        store.commit(Change(forget=[EVERYTHING], bases=[_base("oil")]))
        assert (list(store.load()), list(store.bases())) == ([], [_base("oil")])
        before = store.state().rewritten
        store.commit(Change(forget=["oil"]))
        assert (list(store.bases()), store.state().rewritten) == ([], before + 1)

    def test_what_is_aside_is_seen_by_nobody_until_the_last_part(self, store: ReplicaStore, tmp_path: Path) -> None:
        entries = _filled(store, 30)
        store.commit(Change(bases=[_base("old"), _base("b", 1)]))
        before = store.state()
        store.commit(Change(part=Part(bases=[_base("in vain")], is_first=True, is_last=False)))
        store.commit(Change(part=Part(bases=[_base("a", 7)], is_first=True, is_last=False)))
        store.commit(Change(part=Part(bases=[_base("b", 8)], is_first=False, is_last=False)))
        if self.persists:  # as if the power had failed here
            store = self._reopened(store, tmp_path)
        assert (store.state(), list(store.bases())) == (before, [_base("b", 1), _base("old")])
        assert _encoded(store.load()) == _encoded(entries)
        last = Part(bases=[_base("c", 9)], is_first=False, is_last=True)
        state = replace(before, seq=30, cursor="there", horizon=30)
        store.commit(Change(forget=[EVERYTHING], part=last, entries=entries[:1], state=state))
        if self.persists:
            store = self._reopened(store, tmp_path)
        assert list(store.bases()) == [_base("a", 7), _base("b", 8), _base("c", 9)]
        assert _encoded(store.load()) == _encoded(entries[:1])
        assert store.state() == replace(state, rewritten=before.rewritten + 1)

    def test_a_snapshot_may_be_one_part_or_nothing(self, store: ReplicaStore) -> None:
        store.commit(Change(part=Part(bases=[_base("a")], is_first=True, is_last=False)))
        store.commit(Change(part=Part(bases=[_base("b")], is_first=True, is_last=True)))
        assert list(store.bases()) == [_base("b")]
        store.commit(Change(part=Part(bases=[], is_first=True, is_last=True)))
        assert list(store.bases()) == []

    # Rewinding

    def test_rewinding_makes_entries_orphans_with_what_vouches_for_them(self, store: ReplicaStore) -> None:
        mine, theirs = Author("node", "ann").events(3), Author("far", "bob").events(2)
        store.commit(
            Change(
                entries=_entries([mine[0], theirs[0], mine[1], theirs[1]]),
                outbox=[Outboxed(mine[2], "acked", 9)],
                state=replace(store.state(), user="ann", epoch="e1"),
            )
        )
        gone = list(store.load(2))
        assert _moved(store, Change(rewind=2)) == {"orphan": 2}
        assert [entry.seq for entry in store.load()] == [1, 2]
        orphans = [
            Outboxed(entry.event, "orphan", entry.seq, None, Voucher("e1", entry.seq, entry.at, entry.receipt))
            for entry in sorted(gone, key=lambda entry: entry.event.id)
        ]
        assert store.outbox("orphan") == orphans
        assert store.outbox("acked") == [Outboxed(mine[2], "acked", 9)]

    def test_what_was_rewound_comes_back(self, store: ReplicaStore) -> None:
        entries = _filled(store, MANY)
        store.commit(Change(rewind=MANY // 3))
        assert _encoded(store.load(items=["note.0"])) == _encoded(
            entry for entry in entries[: MANY // 3] if entry.event.item == "note.0"
        )
        store.commit(Change(entries=entries[MANY // 3 :]))
        assert _encoded(store.load()) == _encoded(entries)
        assert _encoded(store.load(items=["note.0"])) == _encoded(e for e in entries if e.event.item == "note.0")
        assert store.outbox() == []

    # How often what was there changed

    def test_appending_rewrites_nothing(self, store: ReplicaStore) -> None:
        """Recording, pushing, acknowledgements, refusals of what is new, and pages of new entries."""
        author = Author("node", "ann")
        first, second, third, fourth = author.events(4)
        far = Author("far", "bob").events(6)
        heard, early = Author("y", "cy").events(3, "heard"), Author("x", "cy").event("elsewhere")
        for change in (
            Change(outbox=[Outboxed(first), Outboxed(second), Outboxed(third)]),
            Change(outbox=[Outboxed(first, "acked", 3), Outboxed(third, "acked", 4)]),
            Change(entries=[_entry(2, far[1]), _entry(1, far[0])], state=ReplicaState(node="node", seq=2)),
            Change(outbox=[Outboxed(third)]),
            Change(entries=[_entry(4, second), _entry(3, first)]),
            Change(outbox=[Outboxed(fourth, "refused", None, {"code": "x"}), Outboxed(far[2], "orphan")]),
            Change(outbox=[Outboxed(far[2], "unvouched", 3, {"code": "x"}, Voucher("e", 3, START_MS, "r"))]),
            Change(outbox=[Outboxed(far[2], "acked", 9)]),
            Change(entries=[_entry(9, fourth), _entry(8, far[2]), _entry(7, third)]),
            Change(entries=[_entry(2, far[1]), _entry(9, fourth), _entry(10, far[3])]),
            Change(entries=[_entry(1, far[0])]),
            Change(drop=[far[4].id], forget=["unknown"]),
            Change(outbox=[Outboxed(author.event()), Outboxed(author.event(), "acked", 20)]),
            Change(outbox=[Outboxed(heard[0], "heard"), Outboxed(heard[2], "heard"), Outboxed(early, "heard")]),
            Change(outbox=[Outboxed(author.event(heard[0].item)), Outboxed(heard[0], "heard")]),
            Change(entries=[_entry(11, heard[2]), _entry(12, heard[0])]),
            Change(),
        ):
            store.commit(change)
            assert store.state().rewritten == 0, change

    @pytest.mark.parametrize(
        "rewriting",
        [
            "rewind",
            "rewind of nothing",
            "forget",
            "late",
            "between the last entry and the seq",
            "another seq",
            "another event",
            "other content",
            "drop",
            "drop of a refused one",
            "withdrawn",
            "lost",
            "retried",
            "heard before another",
            "everything",
        ],
    )
    def test_other_changes_rewrite(self, store: ReplicaStore, tmp_path: Path, rewriting: str) -> None:
        held, gone, new = Author("far").events(3)
        y = Author("y", "cy")
        early, late = y.event(), y.event("other")
        pending, acked, refused, _ = _in_each_status(Author().events(4))
        state = replace(store.state(), seq=9)
        store.commit(Change(entries=[_entry(3, held)], outbox=[pending, acked, refused], state=state))
        change = {
            "rewind": Change(rewind=2),
            "rewind of nothing": Change(rewind=5),
            "forget": Change(forget=[held.item]),
            "late": Change(entries=[_entry(2, new)]),
            "between the last entry and the seq": Change(entries=[_entry(9, new), _entry(10, gone)]),
            "another seq": Change(entries=[_entry(10, held)]),
            "another event": Change(entries=[_entry(3, new)]),
            "other content": Change(entries=[Entry.of(3, START_MS, "s" * 24, held)]),
            "drop": Change(drop=[acked.event.id]),
            "drop of a refused one": Change(drop=[refused.event.id]),
            "withdrawn": Change(outbox=[Outboxed(pending.event, "refused", None, {"code": "x"})]),
            "lost": Change(outbox=[Outboxed(acked.event, "refused", None, {"code": "x"})]),
            "retried": Change(outbox=[Outboxed(refused.event)]),
            "heard before another": Change(outbox=[Outboxed(late, "heard"), Outboxed(early, "heard")]),
            "everything": Change(rewind=2, forget=[held.item], drop=[pending.event.id], entries=[_entry(1, new)]),
        }[rewriting]
        store.commit(change)
        assert store.state() == replace(state, rewritten=1)
        if self.persists:
            assert self._reopened(store, tmp_path).state().rewritten == 1

    def test_only_the_store_counts_what_was_rewritten(self, store: ReplicaStore) -> None:
        for count in range(1, 4):
            store.commit(Change(rewind=0, state=replace(store.state(), rewritten=0)))
            assert store.state().rewritten == count
        store.commit(Change(state=ReplicaState(node="node", rewritten=70)))
        assert store.state() == ReplicaState(node="node", rewritten=3)

    # A change as a whole

    def test_the_parts_of_a_change_have_an_order(self, store: ReplicaStore) -> None:
        """Rewind, forget, entries, drop, outbox, state: each part undoes a bit of the one before it."""
        author = Author("node", "ann")
        kept, forgotten, rewound, again = (author.event(item) for item in ("a", "b", "c", "d"))
        store.commit(
            Change(
                entries=_entries([kept, forgotten, rewound, again]),
                state=replace(store.state(), user="ann", seq=4),
            )
        )
        moved = _moved(
            store,
            Change(
                rewind=2,  # rewound and again become pending …
                forget=["b", "d"],
                entries=[_entry(3, again)],  # … the latter settles at a new seq, after its item was forgotten …
                drop=[rewound.id],  # … the former leaves …
                outbox=[Outboxed(rewound, "refused", None, {"code": "x"})],  # … and is put back.
                state=replace(store.state(), user="bob", seq=3),
            ),
        )
        assert moved == {"refused": 1}
        assert [(entry.seq, entry.event.item) for entry in store.load()] == [(1, "a"), (3, "d")]
        assert [(each.event.item, each.status) for each in store.outbox()] == [("c", "refused")]
        assert (store.state().user, store.state().seq) == ("bob", 3)

    def test_a_change_that_fails_does_nothing(self, store: ReplicaStore) -> None:
        one, other, local = Author().events(3)
        store.commit(Change(entries=[_entry(1, one)], outbox=[Outboxed(local)]))
        before = _all_of(store)
        with pytest.raises(AttributeError):
            store.commit(
                Change(
                    rewind=0,
                    entries=[_entry(5, other)],
                    drop=[local.id],
                    outbox=[Outboxed(None)],  # type: ignore[arg-type]
                    state=ReplicaState(node="other"),
                )
            )
        assert _all_of(store) == before

    def test_an_empty_change_changes_nothing(self, store: ReplicaStore) -> None:
        _filled(store, 3)
        before = _all_of(store)
        assert _moved(store, Change()) == {}
        assert _all_of(store) == before

    def test_threads_commit_at_the_same_time(self, store: ReplicaStore, eager_threads: None) -> None:
        def write(node: str) -> None:
            for event in Author(node).events(20):
                store.commit(Change(outbox=[Outboxed(event)]))
                store.commit(Change(outbox=[Outboxed(event, "acked", 1)]))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, map(str, range(4))))
        assert len(store.outbox("acked")) == len(store.outbox()) == 80

    def test_every_field_of_the_state_is_kept(self, store: ReplicaStore, tmp_path: Path) -> None:
        state = ReplicaState(
            node="other",
            n=5,
            stamp=Author().event().id,
            user="ann",
            epoch="e",
            seq=9,
            cursor="c",
            skew_ms=-3,
            cursors=((3, "a"), (9, "c")),
            copied=True,
            synced_at=START_MS,
            forgotten=Author().event().id,
            horizon=8,
            rules=(Rule("ann", "*", ".read", "allow", 7, "id"), Rule("*", "x*", "*", "deny")),
        )
        store.commit(Change(state=state))
        assert store.state() == state
        assert self._reopened(store, tmp_path).state() == state

    # Opening and closing

    def test_everything_is_there_after_reopening(self, store: ReplicaStore, tmp_path: Path) -> None:
        _filled(store, MANY)
        store.commit(Change(outbox=_in_each_status(Author("more").events(4))))
        before = _all_of(store)
        again = self._reopened(store, tmp_path)
        assert _all_of(again) == before
        assert _moved(again, Change(rewind=0)) == {"orphan": MANY}
        again.close()

    def _reopened(self, store: ReplicaStore, directory: Path) -> ReplicaStore:
        if not self.persists:
            pytest.skip("this store keeps nothing")
        store.close()
        return self.make(directory, "another name, which is ignored")

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


def _base(item: str, seq: int = 3) -> Base:
    return Base(
        item=item,
        seq=seq,
        at=START_MS,
        count=2,
        revision=1,
        clock={"far": seq, "ann": 1},
        last=Author("far").event().id,
        schema=2,
        group="far/g",
        state="eJw=",
    )


def _entry(seq: int, event: Event) -> Entry:
    return Entry.of(seq, START_MS + seq, RECEIPT, event)


def _entries(events: Sequence[Event]) -> list[Entry]:
    return [_entry(seq, event) for seq, event in enumerate(events, 1)]


def _encoded(entries: Iterable[Entry]) -> list[bytes]:
    return [entry.encoded for entry in entries]


def _moved(store: ReplicaStore, change: Change) -> Mapping[str, int]:
    """What a commit answers, without the statuses that did not change."""
    return {status: count for status, count in store.commit(change).items() if count}


def _in_each_status(events: Sequence[Event]) -> list[Outboxed]:
    pending, acked, refused, orphan = events
    return [
        Outboxed(pending),
        Outboxed(acked, "acked", 7),
        Outboxed(refused, "refused", None, {"code": "forbidden", "message": "No."}),
        Outboxed(orphan, "orphan"),
    ]


def _filled(store: ReplicaStore, count: int) -> list[Entry]:
    """Entries of three items in turn, stored in three commits."""
    author = Author("far", "bob")
    entries = _entries([author.event(("task.1", "task.2", "note.0")[place % 3]) for place in range(count)])
    for start in range(0, count, count // 3):
        store.commit(Change(entries=entries[start : start + count // 3]))
    return entries


def _all_of(store: ReplicaStore) -> tuple[object, ...]:
    return store.state(), _encoded(store.load()), store.outbox()
