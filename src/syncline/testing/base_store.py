"""What every log must do with its bases: ``BaseStoreContract``, which ``LogStoreContract`` inherits."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from syncline.core.access.scope import TRUSTED
from syncline.core.access.views import View
from syncline.core.admission import Submission
from syncline.core.bases import Base
from syncline.core.events import Event
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.log import NO_TAIL, Row
from syncline.core.log import chain as tails_after
from syncline.core.merkle import span
from syncline.errors import BadOp, BadRequest, NodeConflict, SnapshotGone, StoreClosed
from syncline.stores import LogStore, load
from syncline.stores.bases import Point, Points
from syncline.testing.seeded import START_MS, Author

A, B, C = (f"task.{name}" for name in "abc")
MANY = 2_500
"""More than are dropped in one step."""


class BaseStoreContract:
    """See ``syncline.stores.bases.BaseStore``."""

    @pytest.fixture
    def floored(self, store: LogStore) -> LogStore:
        """The store, if it drops."""
        if not store.drops:
            pytest.skip("this store keeps all of its history")
        return store

    # Kept

    def test_a_new_log_has_no_bases(self, store: LogStore) -> None:
        assert store.points() == Points()
        assert store.points().horizon == 0
        assert store.base(A) is None
        assert store.drop() is False
        with pytest.raises(SnapshotGone):
            store.bases(Point(1, 1), "", 10)

    def test_what_is_staged_counts_when_it_is_kept(self, store: LogStore) -> None:
        point = Point(9, START_MS)
        store.stage([_base(A, 3), _base(B, 9)], is_first=True)
        store.stage([_base(C, 7)], is_first=False)
        assert store.points() == Points()
        store.keep_staged(point)
        assert store.points() == Points(point, None)
        assert store.bases(point, "", 10) == [_base(A, 3), _base(B, 9), _base(C, 7)]
        assert store.bases(point, A, 1) == [_base(B, 9)]
        assert store.bases(point, "task.bb", 10) == [_base(C, 7)]
        assert store.bases(point, C, 10) == []
        assert store.base(A) is None  # it is no floor

    def test_the_next_takes_the_place_of_the_one_before(self, store: LogStore) -> None:
        first, second = Point(9, START_MS), Point(20, START_MS + 5)
        _keep(store, first, _base(A, 3), _base(B, 9))
        store.stage([_base(A, 15)], is_first=True)
        assert store.bases(first, "", 10) == [_base(A, 3), _base(B, 9)]
        store.keep_staged(second)
        assert store.bases(second, "", 10) == [_base(A, 15)]
        assert store.points() == Points(second, None)
        with pytest.raises(SnapshotGone):
            store.bases(first, "", 10)

    def test_what_was_staged_in_vain_is_gone(self, store: LogStore) -> None:
        store.stage([_base(A, 3)], is_first=True)
        _keep(store, Point(9, START_MS), _base(B, 9))
        assert store.bases(Point(9, START_MS), "", 10) == [_base(B, 9)]

    def test_floor_and_snapshot_are_apart(self, floored: LogStore) -> None:
        store = floored
        floor, newest = Point(5, START_MS), Point(9, START_MS + 5)
        _keep(store, newest, _base(A, 9))
        _keep(store, floor, _base(A, 3), is_floor=True)
        assert store.points() == Points(newest, floor)
        assert store.points().horizon == 5
        assert store.base(A) == _base(A, 3)
        assert store.base(B) is None
        assert store.bases(newest, "", 9) == [_base(A, 9)]
        assert store.bases(floor, "", 9, is_floor=True) == [_base(A, 3)]
        with pytest.raises(SnapshotGone):
            store.bases(newest, "", 9, is_floor=True)
        _keep(store, Point(9, START_MS + 5), _base(B, 9), is_floor=True)
        assert (store.base(A), store.base(B)) == (None, _base(B, 9))
        assert store.bases(newest, "", 9) == [_base(A, 9)]

    def test_bases_are_many_and_large(self, store: LogStore) -> None:
        bases = [_base(f"task.{count:05}", count + 1, state="x" * 300) for count in range(MANY)]
        for _ in range(3):
            for start in range(0, MANY, 500):
                store.stage(bases[start : start + 500], is_first=not start)
            store.keep_staged(Point(MANY, START_MS))
        found, after = list[Base](), ""
        while part := store.bases(Point(MANY, START_MS), after, 300):
            found, after = found + part, part[-1].item
        assert found == bases

    def test_another_server_sees_them(self, store: LogStore, other: LogStore) -> None:
        point = Point(9, START_MS)
        _keep(store, point, _base(A, 9))
        if store.drops:
            _keep(store, point, _base(A, 7), is_floor=True)
            assert other.base(A) == _base(A, 7)
        assert other.points() == Points(point, point if store.drops else None)
        assert other.bases(point, "", 9) == [_base(A, 9)]

    def test_who_keeps_all_takes_no_floor(self, store: LogStore) -> None:
        if store.drops:
            pytest.skip("this store drops")
        store.stage([_base(A, 3)], is_first=True)
        with pytest.raises(BadRequest):
            store.keep_staged(Point(3, START_MS), is_floor=True)
        assert store.points() == Points()

    def test_of_two_who_stage_the_first_is_told(self, store: LogStore, other: LogStore) -> None:
        """What is kept is whole."""
        store.stage([_base(A, 3)], is_first=True)
        other.stage([_base(A, 5)], is_first=True)
        with pytest.raises(SnapshotGone):
            store.stage([_base(B, 3)], is_first=False)
        with pytest.raises(SnapshotGone):
            store.keep_staged(Point(3, START_MS))
        other.keep_staged(Point(5, START_MS))
        assert store.points() == Points(Point(5, START_MS))
        assert store.bases(Point(5, START_MS), "", 9) == [_base(A, 5)]

    # Dropped

    def test_content_goes_for_which_the_floor_stands(self, floored: LogStore) -> None:
        store = floored
        rows = _append(store, _of(A, B, A, C, A, B))
        size = store.size()
        _keep(store, Point(4, START_MS), _base(A, 3), is_floor=True)  # of B and C more is kept
        while store.drop():
            pass
        gone, left = [rows[0], rows[2]], [rows[1], *rows[3:]]
        assert [entry.seq for entry in load(store)] == [row.seq for row in left]
        assert store.size() == size - sum(len(row.event.body) for row in gone)
        assert store.find([row.event.id for row in gone]) == []
        assert [entry.seq for entry in store.find([rows[4].event.id])] == [5]
        assert store.gather([A, B], 0, 10, 6, MAX_PAGE_BYTES).entries == [
            rows[4].encoded,
            rows[1].encoded,
            rows[5].encoded,
        ]
        assert [entry.seq for entry in load(store, items=[A])] == [5]
        assert store.slice(4, view=View.everything([A])).encoded == rows[4].encoded

    def test_nothing_else_changes(self, floored: LogStore) -> None:
        store = floored
        rows = _append(store, _of(A, B, A))
        head, node, digests = store.head(), store.node("node"), store.digests(0, 9)
        _drop_all(store, rows)
        tails = [NO_TAIL, *tails_after(NO_TAIL, [row.event.digest for row in rows])]
        assert [store.tail(seq) for seq in range(4)] == tails
        assert (store.head(), store.node("node"), store.refresh()) == (head, node, head)
        assert store.digests(0, 9) == digests
        assert len(store.digests_by_id(bytes(16), b"\xff" * 16, 9)) == 3
        assert store.last_id() == rows[2].event.id
        assert store.items("*", "", 9) == [A, B]
        assert store.slice(0)[1:] == (0, 3, head.tail, False)

    def test_what_was_dropped_is_still_known(self, floored: LogStore) -> None:
        store = floored
        author = Author()
        first, second = author.event(A), author.event(A)
        rows = _append(store, [first, second])
        _drop_all(store, rows)
        again = store.append([Submission([first, second], "ann")], now_ms=START_MS)
        assert (again.outcomes, again.rows) == ([[1, 2]], [])
        old = Author().event(A, id=Author("other").event().id)
        (outcome,) = store.append([Submission([old], "ann")], now_ms=START_MS).outcomes[0]
        assert isinstance(outcome, NodeConflict)

    def test_what_was_dropped_keeps_its_digest(self, floored: LogStore) -> None:
        store = floored
        rows = _append(store, [Author().event(A), Author("other").event(A), Author("third").event(B)])
        before = store.digests(0, 9), store.digests_by_id(*span(""), 9)
        _drop_all(store, rows[:2])
        assert (store.digests(0, 9), store.digests_by_id(*span(""), 9)) == before
        assert (store.digests(1, 1), len(before[0])) == (before[0][1:2], 3)

    def test_what_was_dropped_can_be_named(self, floored: LogStore) -> None:
        store = floored
        author = Author()
        put = author.event(A, ops=[{"op": "put", "key": "n", "value": 1}])
        rows = _append(store, [put])
        _drop_all(store, rows)
        over = author.event(A, ops=[{"op": "put", "key": "n", "value": 2, "over": [f"{put.id}:0"]}])
        elsewhere = author.event(B, ops=[{"op": "put", "key": "n", "value": 2, "over": [f"{put.id}:0"]}])
        first, second = store.append([Submission([over, elsewhere], "ann")], now_ms=START_MS).outcomes[0]
        assert first == 2
        assert isinstance(second, BadOp)

    def test_the_systems_items_keep_their_content(self, floored: LogStore) -> None:
        store = floored
        author = Author()
        events = [
            author.event(".policies", action=".policy.set"),
            author.event(A),
            author.event(".user.ann", action=".x"),
        ]
        rows = store.append([Submission(events, "ann", is_system=True, rights=TRUSTED)], now_ms=START_MS).rows
        _drop_all(store, rows)
        assert [entry.seq for entry in load(store)] == [1, 3]

    def test_it_goes_on_after_that(self, floored: LogStore) -> None:
        store = floored
        author = Author()
        rows = _append(store, [author.event(A), author.event(A)])
        _drop_all(store, rows)
        third = _append(store, [author.event(A)])
        assert [bytes(entry.raw) for entry in load(store)] == [third[0].event.body]
        assert store.size() == len(third[0].event.body)
        _drop_all(store, third, seq=3)
        assert list(load(store)) == []
        assert store.size() == 0

    def test_much_is_dropped_in_steps(self, floored: LogStore) -> None:
        store = floored
        author = Author()
        rows = [row for _ in range(5) for row in _append(store, [author.event(A) for _ in range(MANY // 5)])]
        _keep(store, Point(MANY, START_MS), _base(A, MANY - 1), is_floor=True)
        steps = 0
        while store.drop():
            steps += 1
        assert steps >= 1
        assert [entry.seq for entry in load(store)] == [MANY]
        assert store.size() == len(rows[-1].event.body)

    def test_a_closed_log_says_so_of_its_bases(self, store: LogStore) -> None:
        store.close()
        for call in (
            store.points,
            lambda: store.base(A),
            lambda: store.bases(Point(1, 1), "", 1),
            lambda: store.stage([_base(A, 1)], is_first=True),
            lambda: store.keep_staged(Point(1, 1)),
            store.drop,
        ):
            with pytest.raises(StoreClosed):
                call()


def _base(item: str, seq: int, *, state: str = "") -> Base:
    return Base(item=item, seq=seq, at=START_MS, count=1, clock={"node": seq}, state=state)


def _keep(store: LogStore, point: Point, *bases: Base, is_floor: bool = False) -> None:
    store.stage(bases, is_first=True)
    store.keep_staged(point, is_floor=is_floor)


def _drop_all(store: LogStore, rows: Sequence[Row], *, seq: int = 0) -> None:
    """Puts the floor at the last row, and drops."""
    last = {row.event.item: row.seq for row in rows}
    _keep(
        store, Point(seq or rows[-1].seq, START_MS), *(_base(item, last[item]) for item in sorted(last)), is_floor=True
    )
    while store.drop():
        pass


def _of(*items: str) -> list[Event]:
    author = Author()
    return [author.event(item) for item in items]


def _append(store: LogStore, events: Sequence[Event]) -> list[Row]:
    return store.append([Submission(events, "ann")], now_ms=START_MS).rows
