"""What every snapshot store must do: ``SnapshotStoreContract``, to be inherited by the tests of an adapter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from syncline.errors import StoreClosed
from syncline.stores.snapshots import Kept, SnapshotStore
from syncline.testing.seeded import START_MS, eager_threads

MAX_BYTES = 1_048_576
STEP = 10


class SnapshotStoreContract:
    """Subclass it as ``Test…``, give ``make``, and inherit every test. See ``syncline.stores.snapshots``."""

    persists = True
    """Whether ``make`` in the same directory opens the same data again."""

    def make(self, directory: Path, max_bytes: int) -> SnapshotStore:
        """A store in a directory; ``max_bytes`` is what the snapshots of one item may take."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> SnapshotStore:
        """An empty store."""
        return self.make(tmp_path, MAX_BYTES)

    @pytest.fixture
    def eager_threads(self) -> Iterator[None]:
        """Threads that take turns as often as they can, so that what is not guarded is seen."""
        yield from eager_threads()

    def test_a_new_store_is_empty(self, store: SnapshotStore) -> None:
        assert store.nearest("task.milk") is None
        store.forget("task.milk")
        store.forget()

    # Finding

    def test_what_is_read_is_what_was_kept(self, store: SnapshotStore) -> None:
        full = _kept(40, seq=2**53, at=START_MS, pending=3, group="typing", body=bytes(range(256)) * 9_000)
        bare = _kept(0, "task.none", seq=0, at=0, body=b"")
        store.keep(full)
        store.keep(bare)
        assert store.nearest("task.milk") == full
        assert store.nearest("task.none") == bare

    def test_the_one_of_the_greatest_count_is_found(self, store: SnapshotStore) -> None:
        _fill(store, [20, 40, 10, 30])
        assert _count(store) == 40

    @pytest.mark.parametrize("name", ["count", "revision", "seq", "at"])
    def test_no_bound_is_passed(self, store: SnapshotStore, name: str) -> None:
        for each in _fill(store, [10, 20, 30]):
            bound = getattr(each, name)
            assert _count(store, **{name: bound}) == each.count
            assert _count(store, **{name: bound - 1}) == (each.count - STEP or None)
            assert _count(store, **{name: bound + 1}) == each.count

    def test_bounds_hold_together(self, store: SnapshotStore) -> None:
        first, second, _ = _fill(store, [10, 20, 30])
        assert _count(store, count=30, seq=second.seq) == 20
        assert _count(store, revision=second.revision, at=first.at) == 10
        assert _count(store, count=9, seq=second.seq) is None

    def test_the_confirmed_ones_can_be_asked_for(self, store: SnapshotStore) -> None:
        _fill(store, [10, 20])
        store.keep(_kept(30, pending=2))
        assert _count(store) == 30
        assert _count(store, confirmed=True) == 20
        assert _count(store, confirmed=True, count=15) == 10

    def test_items_are_apart(self, store: SnapshotStore) -> None:
        items = ["task", "task.1", "task.10", "task.2"]
        for place, item in enumerate(items):
            store.keep(_kept(place, item))
        assert [_count(store, item) for item in items] == [0, 1, 2, 3]
        assert _count(store, "task.*") is None

    # Replacing and deleting

    def test_one_of_the_same_count_is_replaced(self, store: SnapshotStore) -> None:
        store.keep(_kept(10, pending=1))
        store.keep(_kept(10, body=b"again"))
        assert store.nearest("task.milk") == _kept(10, body=b"again")
        assert _left(store, [10]) == [10]

    def test_those_of_another_history_are_not_seen(self, store: SnapshotStore) -> None:
        store.keep(_kept(10, rewritten=4))
        assert [_count(store, rewritten=number) for number in (0, 3, 4, 5)] == [None, None, 10, None]

    @pytest.mark.parametrize("rewritten", [3, 5])
    def test_those_of_another_history_go(self, store: SnapshotStore, rewritten: int) -> None:
        for count in (10, 20):
            store.keep(_kept(count, rewritten=4))
        store.keep(_kept(10, "task.bread", rewritten=4))
        store.keep(_kept(15, rewritten=rewritten))
        assert _count(store, rewritten=rewritten) == 15
        assert _count(store, rewritten=4) is None
        assert _count(store, "task.bread", rewritten=4) == 10

    def test_an_item_is_forgotten(self, store: SnapshotStore) -> None:
        _fill(store, [10, 20])
        store.keep(_kept(10, "task.milky"))
        store.forget("task.milk")
        assert (_count(store), _count(store, "task.milky")) == (None, 10)

    def test_everything_is_forgotten(self, store: SnapshotStore) -> None:
        _fill(store, [10, 20])
        store.keep(_kept(10, "task.bread", rewritten=1))
        store.forget()
        assert (_count(store), _count(store, "task.bread", rewritten=1)) == (None, None)
        store.keep(_kept(30))
        assert _count(store) == 30

    # Room

    @pytest.mark.parametrize("size", [0, 10_000, MAX_BYTES // 8])
    def test_an_item_takes_no_more_than_its_room(self, store: SnapshotStore, size: int) -> None:
        counts = range(STEP, 400 * STEP, STEP)
        _fill(store, counts, bytes(size))
        left = _left(store, counts)
        assert left[-1] == counts[-1]
        assert len(left) < len(counts)
        assert MAX_BYTES / 4 < len(left) * max(size, 4_096) <= MAX_BYTES

    def test_old_ones_are_sparser(self, store: SnapshotStore) -> None:
        counts = range(STEP, 400 * STEP, STEP)
        _fill(store, counts, bytes(MAX_BYTES // 20))
        left = _left(store, counts)
        assert sum(count > counts[-1] // 2 for count in left) > len(left) // 2
        assert left[-1] - left[-2] == STEP

    def test_each_item_has_its_room(self, store: SnapshotStore) -> None:
        for item in ("task.1", "task.2"):
            store.keep(_kept(1, item, body=bytes(MAX_BYTES)))
        assert [_count(store, item) for item in ("task.1", "task.2")] == [1, 1]

    def test_the_newest_stays_however_large(self, store: SnapshotStore) -> None:
        _fill(store, [10, 20])
        store.keep(_kept(30, body=bytes(2 * MAX_BYTES)))
        assert _left(store, [10, 20, 30]) == [30]

    # Threads, opening and closing

    def test_threads_keep_and_read_at_the_same_time(self, store: SnapshotStore, eager_threads: None) -> None:
        def write(item: str) -> list[int | None]:
            found = []
            for count in range(1, 30):
                store.keep(_kept(count, item, body=item.encode() * 1_000))
                found.append(_count(store, item))
            return found

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(write, map(str, range(4)))) == [list(range(1, 30))] * 4

    def test_everything_is_there_after_reopening(self, store: SnapshotStore, tmp_path: Path) -> None:
        if not self.persists:
            pytest.skip("this store keeps nothing")
        _, last = _fill(store, [10, 20])
        store.close()
        again = self.make(tmp_path, MAX_BYTES)
        assert again.nearest("task.milk") == last
        assert _left(again, [10, 20]) == [10, 20]
        again.close()

    def test_a_closed_store_says_so(self, store: SnapshotStore) -> None:
        store.close()
        store.close()
        with pytest.raises(StoreClosed):
            store.keep(_kept(1))
        with pytest.raises(StoreClosed):
            store.nearest("task.milk")
        with pytest.raises(StoreClosed):
            store.forget()


def _kept(count: int, item: str = "task.milk", **more: Any) -> Kept:
    """A snapshot whose other numbers rise with its count, each in its own way."""
    usual = Kept(
        item=item,
        count=count,
        revision=count // 2,
        seq=3 * count,
        at=START_MS + count,
        pending=0,
        head=4 * count,
        rewritten=0,
        group=None,
        body=b"state",
    )
    return replace(usual, **more)


def _fill(store: SnapshotStore, counts: Iterable[int], body: bytes = b"state") -> list[Kept]:
    snapshots = [_kept(count, body=body) for count in counts]
    for each in snapshots:
        store.keep(each)
    return snapshots


def _count(store: SnapshotStore, item: str = "task.milk", **bounds: Any) -> int | None:
    found = store.nearest(item, **bounds)
    return found.count if found else None


def _left(store: SnapshotStore, counts: Iterable[int]) -> list[int]:
    return [count for count in counts if _count(store, count=count) == count]
