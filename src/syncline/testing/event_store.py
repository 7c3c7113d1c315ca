"""What every event store must do: ``EventStoreContract``, to be inherited by the tests of an adapter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from syncline.core.access.scope import TRUSTED
from syncline.core.access.state import ADD_RULE
from syncline.core.access.views import EMPTY_VIEW, FULL_VIEW, View
from syncline.core.admission import NodeState, Submission
from syncline.core.events import Event
from syncline.core.limits import MAX_DRIFT_MS
from syncline.core.log import NO_TAIL, Receipts
from syncline.core.log import chain as tails_after
from syncline.core.quotas import UNLIMITED, Quotas
from syncline.errors import (
    BadOp,
    ClockDrift,
    DocumentChanged,
    EventIdConflict,
    Forbidden,
    MissingDependency,
    NodeConflict,
    QuotaExceeded,
    Recovering,
    ReservedAction,
    StoreClosed,
    SynclineError,
    TxRefused,
    Unvouched,
    UserMismatch,
)
from syncline.stores import EventStore, Slice, load
from syncline.testing.seeded import START_MS, Author, ManualClock, eager_threads

EPOCH = UUID(int=7).hex
RECEIPTS = Receipts(b"of the contract")
MANY = 500


class EventStoreContract:
    """Subclass it as ``Test…``, give ``make``, and inherit every test. See ``syncline.stores.EventStore``."""

    persists = True
    """Whether ``make`` in the same directory opens the same log again."""

    def make(self, directory: Path, epoch: str, receipts: Receipts) -> EventStore:
        """A store in a directory; ``epoch`` is for stores that do not make their own."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> EventStore:
        """An empty store."""
        return self.make(tmp_path, EPOCH, RECEIPTS)

    @pytest.fixture
    def eager_threads(self) -> Iterator[None]:
        """Threads that take turns as often as they can, so that what is not guarded is seen."""
        yield from eager_threads()

    # Seqs and the chain

    def test_a_new_log_is_empty(self, store: EventStore) -> None:
        head = store.head()
        assert head[1:] == (0, NO_TAIL, 0)
        assert len(bytes.fromhex(head.epoch)) == 16
        assert store.slice() == Slice(b"", 0, 0, NO_TAIL, more=False)

    def test_seqs_have_no_gaps_and_rise_with_each_submission(self, store: EventStore) -> None:
        author = Author()
        first = store.append([_of(author.events(2)), _of(author.events(3))], now_ms=START_MS)
        second = store.append([_of(author.events(1))], now_ms=START_MS)
        assert first.outcomes == [[1, 2], [3, 4, 5]]
        assert second.outcomes == [[6]]
        assert [row.seq for row in (*first.rows, *second.rows)] == [1, 2, 3, 4, 5, 6]
        assert first.head.seq == 5
        assert second.head == store.head()

    def test_what_is_read_is_what_was_written(self, store: EventStore) -> None:
        events = Author().events(3)
        rows = store.append([_of(events)], now_ms=START_MS).rows
        entries = list(load(store))
        assert [bytes(entry.raw) for entry in entries] == [event.body for event in events]
        assert [entry.encoded for entry in entries] == [row.encoded for row in rows]
        assert all(RECEIPTS.verify(store.head().epoch, e.seq, e.event.digest, e.receipt) for e in entries)

    def test_each_tail_names_all_before_it(self, store: EventStore) -> None:
        author = Author()
        events = author.events(3)
        store.append([_of(events[:1])], now_ms=START_MS)
        store.append([_of(events[1:])], now_ms=START_MS)
        tails = [NO_TAIL, *tails_after(NO_TAIL, [event.digest for event in events])]
        assert [store.tail(seq) for seq in range(4)] == tails
        assert store.head().tail == tails[-1]
        assert store.tail(4) is None

    def test_at_never_falls(self, store: EventStore) -> None:
        author = Author()
        for now_ms in (START_MS, START_MS - 60_000, START_MS + 1):
            store.append([_of(author.events(1))], now_ms=now_ms)
        assert [entry.at for entry in load(store)] == [START_MS, START_MS, START_MS + 1]
        assert store.head().at == START_MS + 1

    # Judging

    def test_pushing_again_changes_nothing(self, store: EventStore) -> None:
        events = Author().events(3)
        store.append([_of(events)], now_ms=START_MS)
        head = store.head()
        again = store.append([_of(events), _of(events[1:])], now_ms=START_MS + 5)
        assert again[:3] == ([[1, 2, 3], [2, 3]], [], head)
        assert store.head() == head

    def test_an_event_twice_in_one_append_is_stored_once(self, store: EventStore) -> None:
        event = Author().event()
        assert store.append([_of([event, event]), _of([event])], now_ms=START_MS).outcomes == [[1, 1], [1]]
        assert store.head().seq == 1

    def test_an_id_belongs_to_one_event(self, store: EventStore) -> None:
        author = Author()
        event = author.event(payload="first")
        store.append([_of([event])], now_ms=START_MS)
        other = author.event(payload="second", id=event.id)
        assert _codes(store, [other]) == [EventIdConflict.code]

    def test_a_log_holds_no_more_than_its_quotas(self, store: EventStore) -> None:
        author = Author()

        def told(quotas: Quotas, *items: str) -> list[int | str]:
            events = [author.event(item=item) for item in items]
            (outcomes,) = store.append([_of(events)], now_ms=START_MS, quotas=quotas).outcomes
            return [outcome if isinstance(outcome, int) else outcome.code for outcome in outcomes]

        full = QuotaExceeded.code
        system = [author.event(item=".policies", action=".policies.set")]
        store.append([Submission(system, "ann", is_system=True, rights=TRUSTED)], now_ms=START_MS)
        assert told(UNLIMITED, "a", "b", "c") == [2, 3, 4]
        assert told(Quotas(events=6), "a", "d", "b") == [5, 6, full]
        assert told(Quotas(items=4), "a", "e", "b") == [7, full, 8]
        size = sum(len(entry.event.body) for entry in load(store))
        assert store.size() == size
        room = size + len(author.event(item="a").body)
        assert told(Quotas(bytes=room), "a", "b") == [9, full]
        assert told(Quotas(items=5), "e", "f") == [10, full]

    def test_a_refused_event_does_not_touch_its_neighbours(self, store: EventStore) -> None:
        author = Author()
        events = [author.event(), author.event(action=".secret"), author.event()]
        assert _codes(store, events) == [1, ReservedAction.code, 2]

    def test_ids_too_far_ahead_are_refused_with_the_time(self, store: EventStore) -> None:
        clock = ManualClock()
        author = Author(now_ms=clock)
        clock.advance(MAX_DRIFT_MS)
        near = author.event()
        clock.advance(1)
        outcomes = store.append([_of([near, author.event()])], now_ms=START_MS).outcomes[0]
        assert outcomes[0] == 1
        assert isinstance(outcomes[1], ClockDrift)
        assert outcomes[1].details == {"time": START_MS}

    def test_checks_come_in_the_order_of_the_protocol(self, store: EventStore) -> None:
        """Known id, drift, user, reserved names, node, dependencies: what fails all of them is refused by the first."""
        clock = ManualClock()
        store.append([_of(Author("mine").events(1))], now_ms=START_MS)
        clock.advance(MAX_DRIFT_MS + 1)
        author = Author("mine", "bob", now_ms=clock)
        lost = {"op": "put", "key": "a", "value": 1, "over": [f"{Author('lost').event().id}:0"]}
        ahead = author.event(item=".x", ops=[lost])
        near = Author("other").event().id
        again = next(load(store)).event
        assert _codes(store, [again], user="bob") == [1]
        assert _codes(store, [ahead]) == [ClockDrift.code]
        assert _codes(store, [author.event(item=".x", id=near, ops=[lost])]) == [UserMismatch.code]
        assert _codes(store, [author.event(item=".x", id=near, ops=[lost])], user="bob") == [ReservedAction.code]
        assert _codes(store, [author.event(id=near, ops=[lost])], user="bob") == [NodeConflict.code]
        assert _codes(store, [Author("third", "bob").event(id=near, ops=[lost])], user="bob") == [
            MissingDependency.code
        ]

    def test_on_each_item_a_nodes_counter_rises(self, store: EventStore) -> None:
        author = Author()
        first, second, third = author.events(3)
        store.append([_of([second])], now_ms=START_MS)
        elsewhere = author.event("task.bread", clock={"node": 1})
        assert _codes(store, [first]) == [NodeConflict.code]
        assert _codes(store, [author.event(clock={"node": 2})]) == [NodeConflict.code]
        assert _codes(store, [elsewhere, third]) == [2, 3]

    def test_counters_are_judged_within_one_append_too(self, store: EventStore) -> None:
        author = Author()
        first, second = author.events(2)
        assert _codes(store, [second, first]) == [1, NodeConflict.code]

    def test_a_node_belongs_to_one_user(self, store: EventStore) -> None:
        store.append([_of(Author().events(1))], now_ms=START_MS)
        thief = Author(user="bob")
        thief.events(1)
        assert _codes(store, [thief.event(id=Author("x").event().id)], user="bob") == [NodeConflict.code]

    def test_what_is_known_of_a_node(self, store: EventStore) -> None:
        author = Author()
        low, high, other = author.event("task.b"), author.event(), Author("second").event()
        store.append([_of([high, low, other])], now_ms=START_MS)
        assert store.node("node") == NodeState("ann", 2, high.id)
        assert store.node("second") == NodeState("ann", 1, other.id)
        assert store.node("third") is None

    # Dependencies

    def test_what_an_event_names_is_held(self, store: EventStore) -> None:
        author = Author()
        first = author.event(ops=[_put()])
        second = author.event(ops=[_put(first)])
        assert _codes(store, [first]) == [1]
        assert _codes(store, [second]) == [2]
        assert _codes(store, [author.event(ops=[_put(first, second)])]) == [3]

    def test_what_is_named_may_come_in_the_same_append(self, store: EventStore) -> None:
        author, other = Author(), Author("other")
        first = author.event(ops=[_put()])
        second = author.event(ops=[_put(first)])
        other.receive(second.id)
        third = other.event(ops=[_put(second)])
        appended = store.append([_of([first, second]), _of([third])], now_ms=START_MS)
        assert appended.outcomes == [[1, 2], [3]]

    def test_what_is_not_held_is_missing(self, store: EventStore) -> None:
        author = Author()
        lost = author.event(ops=[_put()])
        first, second = author.event(ops=[_put(lost)]), author.event(ops=[_put()])
        third = author.event(ops=[_put(first), _put(second)])
        outcomes = store.append([_of([first, second, third])], now_ms=START_MS).outcomes[0]
        assert outcomes[1] == 1
        assert isinstance(outcomes[0], MissingDependency)
        assert outcomes[0].details == {"index": 0, "name": f"{lost.id}:0"}
        assert isinstance(outcomes[2], MissingDependency)
        assert _codes(store, [lost]) == [NodeConflict.code]

    def test_what_comes_after_is_missing(self, store: EventStore) -> None:
        first, other = Author().event(ops=[_put()]), Author("other")
        other.receive(first.id)
        second = other.event(ops=[_put(first)])
        assert _codes(store, [second, first]) == [MissingDependency.code, 1]
        assert _codes(store, [second]) == [2]

    def test_what_is_named_is_of_the_same_item_and_fits(self, store: EventStore) -> None:
        author = Author()
        first = author.event(ops=[_put()])
        elsewhere, within = (
            author.event("task.bread", ops=[_put(first)]),
            author.event(ops=[{**_put(), "in": _name(first)}]),
        )
        assert _codes(store, [first]) == [1]
        assert _codes(store, [elsewhere, within]) == [BadOp.code, BadOp.code]

    def test_a_transaction_with_a_missing_dependency_is_refused_whole(self, store: EventStore) -> None:
        author = Author()
        lost = author.event(ops=[_put()])
        first = author.event(ops=[_put()], meta={"tx": "one"})
        second = author.event(ops=[_put(lost)], meta={"tx": "one"})
        third = author.event(ops=[_put(first)])
        assert _codes(store, [first, second, third]) == [TxRefused.code, *[MissingDependency.code] * 2]

    def test_an_event_that_is_held_needs_nothing(self, store: EventStore) -> None:
        author = Author()
        events = [author.event(ops=[_put()])]
        events.append(author.event(ops=[_put(events[0])]))
        assert _codes(store, events) == _codes(store, events) == _codes(store, events) == [1, 2]

    # Transactions

    def test_a_transaction_is_stored_whole(self, store: EventStore) -> None:
        assert _codes(store, Author().events(3, meta={"tx": "one"})) == [1, 2, 3]

    def test_a_transaction_is_refused_whole(self, store: EventStore) -> None:
        author = Author()
        before, after = author.event(), author.event()
        bad = [author.event(meta={"tx": "one"}), author.event(".x", meta={"tx": "one"})]
        assert _codes(store, [before, *bad, after]) == [1, TxRefused.code, ReservedAction.code, 2]

    def test_a_refused_transaction_leaves_no_trace(self, store: EventStore) -> None:
        author = Author()
        bad = [author.event(meta={"tx": "one"}), author.event(".x", meta={"tx": "one"})]
        assert _codes(store, bad) == [TxRefused.code, ReservedAction.code]
        assert store.head().seq == 0
        assert store.node("node") is None
        assert _codes(store, bad[:1]) == [1]

    def test_what_a_transaction_had_stored_before_keeps_its_seq(self, store: EventStore) -> None:
        author = Author()
        known = author.event(meta={"tx": "one"})
        store.append([_of([known])], now_ms=START_MS)
        assert _codes(store, [known, author.event(".x", meta={"tx": "one"})]) == [1, ReservedAction.code]

    # Expectations

    def test_nothing_may_have_come_to_an_item_since(self, store: EventStore) -> None:
        author = Author()
        milk, bread = author.events(100), author.events(100, item="task.bread")
        store.append([_of([each for pair in zip(milk, bread, strict=True) for each in pair])], now_ms=START_MS)
        for since in (0, 1, 100, 198):
            expecting = Submission(author.events(2), "ann", {"task.milk": since})
            assert _codes_of(store, expecting) == [DocumentChanged.code] * 2
        assert _codes_of(store, Submission(author.events(2), "ann", {"task.milk": 199})) == [201, 202]
        assert _codes_of(store, Submission(author.events(1), "ann", {"task.milk": 202, "task.new": 0})) == [203]
        assert _codes_of(store, Submission(author.events(1), "ann", {"task.bread": 200, "task.milk": 202})) == [
            DocumentChanged.code
        ]

    def test_of_several_that_expect_the_same_the_first_is_taken(self, store: EventStore) -> None:
        authors = [Author(f"node{count}") for count in range(3)]
        submissions = [Submission(author.events(1), "ann", {"task.milk": 0}) for author in authors]
        first, *others = store.append(submissions, now_ms=START_MS).outcomes
        assert first == [1]
        assert [type(outcome) for (outcome,) in others] == [DocumentChanged] * 2

    def test_a_gift_is_judged_by_what_vouches_for_it(self, store: EventStore) -> None:
        """What a log gets back enters whatever its counters are, also between what is pushed."""
        author, held = Author("far", "eve"), Author().events(2)
        lost = author.events(6)
        store.append([Submission(lost[4:5], "eve")], now_ms=START_MS)
        digests = frozenset(event.digest for event in lost)
        back = Submission([*reversed(lost[:4]), lost[4]], "ann", is_gift=True, vouched=digests)
        assert _codes_of(store, back) == [2, 3, 4, 5, 1]
        assert _codes_of(store, Submission(lost[5:], "ann", is_gift=True)) == [Unvouched.code]
        hold = Recovering("later", retry_after=1)
        both = Submission([held[0], lost[5]], "ann", is_gift=True, vouched=digests, hold=hold)
        assert _codes_of(store, both) == [Recovering.code, 6]
        assert _codes_of(store, Submission(held, "ann")) == [7, 8]
        assert store.head().seq == 8
        node = store.node("far")
        assert node is not None
        assert (node.user, node.n) == ("eve", 6)

    def test_the_system_writes_what_is_reserved(self, store: EventStore) -> None:
        author = Author()
        events = [author.event(item=".policies", action=".policy.set")]
        assert _codes(store, events) == [ReservedAction.code]
        assert _codes_of(store, Submission(events, "ann", is_system=True)) == [Forbidden.code]
        assert _codes_of(store, Submission(events, "ann", is_system=True, rights=TRUSTED)) == [1]

    # Errors and threads

    def test_an_error_in_one_submission_stores_nothing_of_all(self, store: EventStore) -> None:
        author = Author()
        good, poisoned = author.events(2), Submission([author.event(), None], "ann")  # type: ignore[list-item]
        with pytest.raises(AttributeError):
            store.append([_of(good), poisoned], now_ms=START_MS)
        assert store.head().seq == 0
        assert store.node("node") is None
        assert store.append([_of(good)], now_ms=START_MS).outcomes == [[1, 2]]

    def test_an_append_of_nothing_changes_nothing(self, store: EventStore) -> None:
        head = store.head()
        assert store.append([], now_ms=START_MS)[:3] == ([], [], head)
        assert store.append([_of([])], now_ms=START_MS)[:3] == ([[]], [], head)

    def test_threads_append_at_the_same_time(self, store: EventStore, eager_threads: None) -> None:
        def push(node: str) -> list[int | str]:
            author = Author(node)
            return [_codes(store, [author.event()])[0] for _ in range(25)]

        with ThreadPoolExecutor(8) as pool:
            seqs = list(pool.map(push, map(str, range(8))))
        assert sorted(chain.from_iterable(seqs)) == list(range(1, 201))
        assert all(each == sorted(each) for each in seqs)
        assert [entry.seq for entry in load(store)] == list(range(1, 201))

    def test_a_reader_beside_a_writer_skips_nothing(self, store: EventStore, eager_threads: None) -> None:
        def read() -> list[int]:
            seen: list[int] = []
            while len(seen) < MANY:
                seen += [entry.seq for entry in load(store, seen[-1] if seen else 0)]
            return seen

        author = Author()
        with ThreadPoolExecutor(2) as pool:
            readers = [pool.submit(read), pool.submit(read)]
            for _ in range(MANY // 10):
                store.append([_of(author.events(10))], now_ms=START_MS)
            assert all(reader.result() == list(range(1, MANY + 1)) for reader in readers)

    # Reading

    def test_a_slice_ends_at_its_limit(self, store: EventStore) -> None:
        store.append([_of(Author().events(5))], now_ms=START_MS)
        part = store.slice(1, limit=3)
        assert (_seqs(part), part.length, part.seq, part.tail, part.more) == ([2, 3, 4], 3, 4, store.tail(4), True)
        rest = store.slice(part.seq, limit=3)
        assert (_seqs(rest), rest.seq, rest.more) == ([5], 5, False)

    def test_a_slice_ends_at_its_bytes_but_holds_an_entry(self, store: EventStore) -> None:
        rows = store.append([_of(Author().events(4))], now_ms=START_MS).rows
        size = sum(len(row.encoded) + 1 for row in rows[:2])
        assert _seqs(store.slice(max_bytes=size)) == [1, 2]
        assert _seqs(store.slice(max_bytes=size - 1)) == [1]
        for most in (1, 0):
            part = store.slice(max_bytes=most)
            assert (_seqs(part), part.seq, part.tail, part.more) == ([1], 1, rows[0].tail, True)

    @pytest.mark.parametrize(
        ("items", "seqs"),
        [
            (["task.1"], range(2, MANY, 5)),
            (["task.*"], [seq for seq in range(1, MANY + 1) if seq % 5 != 4]),
            (["task.1", "note.0"], [seq for seq in range(1, MANY + 1) if seq % 5 in (2, 4)]),
            (["note.*", "task.4"], [seq for seq in range(1, MANY + 1) if seq % 5 in (4, 0)]),
            (["*"], range(1, MANY + 1)),
            (["task.1", "task.*"], [seq for seq in range(1, MANY + 1) if seq % 5 != 4]),
            (["none.*", "task.12"], []),
        ],
    )
    def test_items_are_literals_or_prefixes(self, store: EventStore, items: Sequence[str], seqs: Sequence[int]) -> None:
        _fill(store)
        for limit in (1, 7, 1_000):
            since, found, more = 0, list[int](), True
            while more:
                part = store.slice(since, view=View.everything(items), limit=limit)
                assert part.length <= limit
                assert part.tail == store.tail(part.seq)
                assert part.seq > since
                found += _seqs(part)
                since, more = part.seq, part.more
            assert found == list(seqs)
            assert since == MANY

    def test_slices_of_items_end_at_their_bytes_too(self, store: EventStore) -> None:
        _fill(store)
        notes = View.everything(["note.*"])
        first = store.slice(view=notes, max_bytes=1)
        assert (_seqs(first), first.more) == ([4], True)
        assert _seqs(store.slice(first.seq, view=notes, max_bytes=1)) == [9]

    @pytest.mark.parametrize(
        "decisions",
        [
            {"*": True},
            {"*": True, "task.*": False},
            {"*": True, "task.*": False, "task.1*": True, "task.11": False},
            {"note.*": True},
            {".*": True},
            {".acl": True, "memo": True},
            {},
            {"*": True} | {f"task.{n}": False for n in range(0, 600, 2)},
        ],
    )
    def test_a_view_shows_what_it_says(self, store: EventStore, decisions: dict[str, bool]) -> None:
        _fill(store)
        rule = Author("root").event(item=".acl", action=".acl.addRule", payload={})
        store.append([Submission([rule], "ann", is_system=True, rights=TRUSTED)], now_ms=START_MS)
        view = View.of(decisions)
        shown = [entry.seq for entry in load(store) if view.shows(entry.event.item)]
        since, found, more = 0, list[int](), True
        while more:
            part = store.slice(since, view=view, limit=7)
            found += _seqs(part)
            since, more = part.seq, part.more
        assert found == shown
        assert since == MANY + 1

    def test_a_slice_ends_where_it_is_told(self, store: EventStore) -> None:
        _fill(store)
        for view in (FULL_VIEW, View.of({"*": True}), View.everything(["task.*"]), EMPTY_VIEW):
            part = store.slice(3, view=view, until=9)
            assert (part.seq, part.more, part.tail) == (9, False, store.tail(9))
            assert max(_seqs(part), default=0) <= 9
        assert store.slice(3, until=10**9).seq == MANY

    def test_a_slice_does_not_go_back(self, store: EventStore) -> None:
        store.append([_of(Author().events(5))], now_ms=START_MS)
        for view in (FULL_VIEW, View.of({"*": True}), View.everything(["task.*"]), EMPTY_VIEW):
            assert store.slice(3, view=view, until=1) == Slice(b"", 0, 3, store.tail(3) or NO_TAIL, more=False)
            assert store.slice(7, view=view) == Slice(b"", 0, 7, NO_TAIL, more=False)

    def test_rules_hold_within_the_append_that_makes_them(self, store: EventStore) -> None:
        author, root = Author(), Author("root")
        closing = root.event(
            item=".acl", action=ADD_RULE, payload={"user": "*", "item": "task.*", "action": "*", "type": "deny"}
        )
        before, after, elsewhere = author.event(item="task.1"), author.event(item="task.1"), author.event(item="memo")
        appended = store.append(
            [
                _of([before]),
                Submission([closing], "ann", is_system=True, rights=TRUSTED),
                _of([before, after, elsewhere]),
            ],
            now_ms=START_MS,
        )
        *_, (known, refused, stored) = appended.outcomes
        assert (known, stored) == (1, 3)
        assert isinstance(refused, Forbidden)
        assert not appended.access.may("ann", "task.2", "update")
        (outcome,) = store.append([_of([after])], now_ms=START_MS, access=appended.access).outcomes
        assert isinstance(outcome[0], Forbidden)

    def test_load_reads_on(self, store: EventStore) -> None:
        _fill(store)
        assert [entry.seq for entry in load(store, 3, limit=450)] == list(range(4, 454))
        assert [entry.seq for entry in load(store, items=["note.0"], limit=3)] == [4, 9, 14]

    # Opening and closing

    def test_a_log_opens_where_it_was_closed(self, store: EventStore, tmp_path: Path) -> None:
        if not self.persists:
            pytest.skip("this store keeps nothing")
        events = Author().events(3)
        store.append([_of(events[:2])], now_ms=START_MS)
        head, entries, size = store.head(), [entry.encoded for entry in load(store)], store.size()
        store.close()
        again = self.make(tmp_path, UUID(int=8).hex, RECEIPTS)
        assert (again.head(), again.size()) == (head, size)
        assert [entry.encoded for entry in load(again)] == entries
        assert again.node("node") == NodeState("ann", 2, events[1].id)
        assert again.append([_of(events)], now_ms=START_MS).outcomes == [[1, 2, 3]]
        again.close()

    def test_a_closed_store_says_so(self, store: EventStore) -> None:
        store.close()
        store.close()
        with pytest.raises(StoreClosed):
            store.append([_of(Author().events(1))], now_ms=START_MS)
        for call in (store.head, store.size, store.slice, lambda: store.tail(1), lambda: store.node("node")):
            with pytest.raises(StoreClosed):
                call()


def _of(events: Sequence[Event]) -> Submission:
    return Submission(events, "ann")


def _name(event: Event) -> str:
    """The name of an event's first op."""
    return f"{event.id}:0"


def _put(*over: Event) -> dict[str, Any]:
    """An op that overwrites the first op of each of these events."""
    return {"op": "put", "key": "title", "value": "Milk", "over": list(map(_name, over))}


def _codes(store: EventStore, events: Sequence[Event], *, user: str = "ann") -> list[int | str]:
    """The outcomes of one submission, errors as their codes."""
    return _codes_of(store, Submission(events, user))


def _codes_of(store: EventStore, submission: Submission) -> list[int | str]:
    outcomes = store.append([submission], now_ms=START_MS).outcomes[0]
    return [outcome.code if isinstance(outcome, SynclineError) else outcome for outcome in outcomes]


def _seqs(part: Slice) -> list[int]:
    return [entry.seq for entry in part.entries]


def _fill(store: EventStore) -> None:
    """Five items in turn, in ten commits."""
    author = Author()
    items = ["task.3", "task.1", "task.2", "note.0", "task.4"]
    events = [author.event(items[place % 5]) for place in range(MANY)]
    for start in range(0, MANY, MANY // 10):
        store.append([_of(events[start : start + MANY // 10])], now_ms=START_MS)
