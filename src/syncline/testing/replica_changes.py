"""What every replica store must do with a change: bases, rewinding, counting what was rewritten, all or nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from syncline.core.access.rules import Rule
from syncline.core.events import Entry
from syncline.core.gifts import Voucher
from syncline.stores import EVERYTHING, Change, Outboxed, Part, ReplicaState, ReplicaStore
from syncline.testing.replica_samples import (
    MANY,
    ReplicaCase,
    a_base,
    all_of,
    an_entry,
    encoded,
    entries_of,
    filled,
    in_each_status,
    moved_by,
)
from syncline.testing.seeded import START_MS, Author


class ReplicaChangesContract(ReplicaCase):
    """Part of ``ReplicaStoreContract``."""

    # Bases

    def test_bases_are_read_by_item(self, store: ReplicaStore) -> None:
        bases = [a_base(f"task.{place}") for place in range(MANY // 4)] + [a_base("note")]
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
        store.commit(Change(bases=[a_base("milk", 1), a_base("bread", 1)], state=replace(store.state(), horizon=1)))
        store.commit(Change(bases=[a_base("milk", 5)]))
        assert list(store.bases()) == [a_base("bread", 1), a_base("milk", 5)]
        assert (store.state().horizon, store.state().rewritten) == (1, 2)

    def test_bases_are_forgotten_with_their_items(self, store: ReplicaStore) -> None:
        store.commit(
            Change(bases=[a_base("milk"), a_base("bread"), a_base("salt")], entries=entries_of([Author().event("a")]))
        )
        store.commit(Change(forget=["milk", "none"], bases=[a_base("salt", 9)]))
        assert list(store.bases()) == [a_base("bread"), a_base("salt", 9)]
        assert [entry.event.item for entry in store.load()] == ["a"]
        store.commit(Change(forget=[EVERYTHING], bases=[a_base("oil")]))
        assert (list(store.load()), list(store.bases())) == ([], [a_base("oil")])
        before = store.state().rewritten
        store.commit(Change(forget=["oil"]))
        assert (list(store.bases()), store.state().rewritten) == ([], before + 1)

    def test_what_is_aside_is_seen_by_nobody_until_the_last_part(self, store: ReplicaStore, tmp_path: Path) -> None:
        entries = filled(store, 30)
        store.commit(Change(bases=[a_base("old"), a_base("b", 1)]))
        before = store.state()
        store.commit(Change(part=Part(bases=[a_base("in vain")], is_first=True, is_last=False)))
        store.commit(Change(part=Part(bases=[a_base("a", 7)], is_first=True, is_last=False)))
        store.commit(Change(part=Part(bases=[a_base("b", 8)], is_first=False, is_last=False)))
        if self.persists:  # as if the power had failed here
            store = self.reopened(store, tmp_path)
        assert (store.state(), list(store.bases())) == (before, [a_base("b", 1), a_base("old")])
        assert encoded(store.load()) == encoded(entries)
        last = Part(bases=[a_base("c", 9)], is_first=False, is_last=True)
        state = replace(before, seq=30, cursor="there", horizon=30)
        store.commit(Change(forget=[EVERYTHING], part=last, entries=entries[:1], state=state))
        if self.persists:
            store = self.reopened(store, tmp_path)
        assert list(store.bases()) == [a_base("a", 7), a_base("b", 8), a_base("c", 9)]
        assert encoded(store.load()) == encoded(entries[:1])
        assert store.state() == replace(state, rewritten=before.rewritten + 1)

    def test_a_snapshot_may_be_one_part_or_nothing(self, store: ReplicaStore) -> None:
        store.commit(Change(part=Part(bases=[a_base("a")], is_first=True, is_last=False)))
        store.commit(Change(part=Part(bases=[a_base("b")], is_first=True, is_last=True)))
        assert list(store.bases()) == [a_base("b")]
        store.commit(Change(part=Part(bases=[], is_first=True, is_last=True)))
        assert list(store.bases()) == []

    # Rewinding

    def test_rewinding_makes_entries_orphans_with_what_vouches_for_them(self, store: ReplicaStore) -> None:
        mine, theirs = Author("node", "ann").events(3), Author("far", "bob").events(2)
        store.commit(
            Change(
                entries=entries_of([mine[0], theirs[0], mine[1], theirs[1]]),
                outbox=[Outboxed(mine[2], "acked", 9)],
                state=replace(store.state(), user="ann", epoch="e1"),
            )
        )
        gone = list(store.load(2))
        assert moved_by(store, Change(rewind=2)) == {"orphan": 2}
        assert [entry.seq for entry in store.load()] == [1, 2]
        orphans = [
            Outboxed(entry.event, "orphan", entry.seq, None, Voucher("e1", entry.seq, entry.at, entry.receipt))
            for entry in sorted(gone, key=lambda entry: entry.event.id)
        ]
        assert store.outbox("orphan") == orphans
        assert store.outbox("acked") == [Outboxed(mine[2], "acked", 9)]

    def test_what_was_rewound_comes_back(self, store: ReplicaStore) -> None:
        entries = filled(store, MANY)
        store.commit(Change(rewind=MANY // 3))
        assert encoded(store.load(items=["note.0"])) == encoded(
            entry for entry in entries[: MANY // 3] if entry.event.item == "note.0"
        )
        store.commit(Change(entries=entries[MANY // 3 :]))
        assert encoded(store.load()) == encoded(entries)
        assert encoded(store.load(items=["note.0"])) == encoded(e for e in entries if e.event.item == "note.0")
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
            Change(entries=[an_entry(2, far[1]), an_entry(1, far[0])], state=ReplicaState(node="node", seq=2)),
            Change(outbox=[Outboxed(third)]),
            Change(entries=[an_entry(4, second), an_entry(3, first)]),
            Change(outbox=[Outboxed(fourth, "refused", None, {"code": "x"}), Outboxed(far[2], "orphan")]),
            Change(outbox=[Outboxed(far[2], "unvouched", 3, {"code": "x"}, Voucher("e", 3, START_MS, "r"))]),
            Change(outbox=[Outboxed(far[2], "acked", 9)]),
            Change(entries=[an_entry(9, fourth), an_entry(8, far[2]), an_entry(7, third)]),
            Change(entries=[an_entry(2, far[1]), an_entry(9, fourth), an_entry(10, far[3])]),
            Change(entries=[an_entry(1, far[0])]),
            Change(drop=[far[4].id], forget=["unknown"]),
            Change(outbox=[Outboxed(author.event()), Outboxed(author.event(), "acked", 20)]),
            Change(outbox=[Outboxed(heard[0], "heard"), Outboxed(heard[2], "heard"), Outboxed(early, "heard")]),
            Change(outbox=[Outboxed(author.event(heard[0].item)), Outboxed(heard[0], "heard")]),
            Change(entries=[an_entry(11, heard[2]), an_entry(12, heard[0])]),
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
        pending, acked, refused, _ = in_each_status(Author().events(4))
        state = replace(store.state(), seq=9)
        store.commit(Change(entries=[an_entry(3, held)], outbox=[pending, acked, refused], state=state))
        change = {
            "rewind": Change(rewind=2),
            "rewind of nothing": Change(rewind=5),
            "forget": Change(forget=[held.item]),
            "late": Change(entries=[an_entry(2, new)]),
            "between the last entry and the seq": Change(entries=[an_entry(9, new), an_entry(10, gone)]),
            "another seq": Change(entries=[an_entry(10, held)]),
            "another event": Change(entries=[an_entry(3, new)]),
            "other content": Change(entries=[Entry.of(3, START_MS, "s" * 24, held)]),
            "drop": Change(drop=[acked.event.id]),
            "drop of a refused one": Change(drop=[refused.event.id]),
            "withdrawn": Change(outbox=[Outboxed(pending.event, "refused", None, {"code": "x"})]),
            "lost": Change(outbox=[Outboxed(acked.event, "refused", None, {"code": "x"})]),
            "retried": Change(outbox=[Outboxed(refused.event)]),
            "heard before another": Change(outbox=[Outboxed(late, "heard"), Outboxed(early, "heard")]),
            "everything": Change(rewind=2, forget=[held.item], drop=[pending.event.id], entries=[an_entry(1, new)]),
        }[rewriting]
        store.commit(change)
        assert store.state() == replace(state, rewritten=1)
        if self.persists:
            assert self.reopened(store, tmp_path).state().rewritten == 1

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
                entries=entries_of([kept, forgotten, rewound, again]),
                state=replace(store.state(), user="ann", seq=4),
            )
        )
        moved = moved_by(
            store,
            Change(
                rewind=2,  # rewound and again become pending …
                forget=["b", "d"],
                entries=[an_entry(3, again)],  # … the latter settles at a new seq, after its item was forgotten …
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
        store.commit(Change(entries=[an_entry(1, one)], outbox=[Outboxed(local)]))
        before = all_of(store)
        with pytest.raises(AttributeError):
            store.commit(
                Change(
                    rewind=0,
                    entries=[an_entry(5, other)],
                    drop=[local.id],
                    outbox=[Outboxed(None)],  # type: ignore[arg-type]
                    state=ReplicaState(node="other"),
                )
            )
        assert all_of(store) == before

    def test_an_empty_change_changes_nothing(self, store: ReplicaStore) -> None:
        filled(store, 3)
        before = all_of(store)
        assert moved_by(store, Change()) == {}
        assert all_of(store) == before

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
        assert self.reopened(store, tmp_path).state() == state
