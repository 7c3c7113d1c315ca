"""What every store must do on which a server runs: ``LogStoreContract``, to be inherited by the tests of an adapter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from syncline.core.access.scope import TRUSTED
from syncline.core.access.state import ADD_RULE
from syncline.core.admission import Submission
from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.log import Receipts
from syncline.core.patterns import matcher
from syncline.core.stamps import NIL_ID
from syncline.errors import Forbidden, NodeConflict, StoreClosed
from syncline.stores import Gathered, LogStore, load
from syncline.testing.base_store import BaseStoreContract
from syncline.testing.digests import LogDigestsContract
from syncline.testing.erasing import ErasingContract
from syncline.testing.event_store import EPOCH, RECEIPTS, EventStoreContract
from syncline.testing.seeded import START_MS, Author

ITEMS = [f"{kind}.{count:03}" for count in range(60) for kind in ("task", "note", "task.old", "tasks", ".user")]
"""Items in the order in which their first events come."""
PATTERNS = ["*", "task*", "task.*", "task.old.*", "note.007", "task.", "z*", "tas", ".*", ".user.003"]
TWICE = [*ITEMS, *ITEMS[::3], *ITEMS[::6]]


class LogStoreContract(BaseStoreContract, ErasingContract, LogDigestsContract, EventStoreContract):
    """Subclass it as ``Test…``, give ``make``, and inherit these tests and those of ``EventStoreContract`` and
    ``BaseStoreContract``.

    A store that ``is_shared`` is also opened twice: ``make`` in the same directory must open the same log.
    """

    def make(self, directory: Path, epoch: str, receipts: Receipts) -> LogStore:
        """A store in a directory; ``epoch`` is for stores that do not make their own."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[LogStore]:
        """An empty store."""
        with closing(self.make(tmp_path, EPOCH, RECEIPTS)) as store:
            yield store

    @pytest.fixture
    def other(self, store: LogStore, tmp_path: Path) -> Iterator[LogStore]:
        """The same log, opened by another server."""
        if not store.is_shared:
            pytest.skip("this store is not shared")
        with closing(self.make(tmp_path, EPOCH, RECEIPTS)) as other:
            yield other

    # Ends

    def test_an_empty_log_has_nothing_to_tell(self, store: LogStore) -> None:
        assert (store.reached(), store.last_id(), store.refresh()) == (0, NIL_ID, store.head())
        assert (store.items("*", "", 10), store.find([NIL_ID])) == ([], [])
        assert store.gather(["task.milk"], 0, 10, 0, MAX_PAGE_BYTES) == Gathered([], None)

    def test_what_was_appended_is_reached(self, store: LogStore) -> None:
        author = Author()
        for count in (1, 3):
            head = _push(store, author.events(count))
            assert (store.reached(), store.refresh()) == (head, store.head())
        assert store.head().seq == 4

    def test_the_greatest_id_is_not_always_the_last(self, store: LogStore) -> None:
        low, high = Author("other").event(), Author().events(2)[1]
        _push(store, [high])
        _push(store, [low])
        assert store.last_id() == max(low.id, high.id) == high.id

    def test_housekeeping_changes_nothing(self, store: LogStore) -> None:
        _fill(store)
        entries = _encoded(load(store))
        store.checkpoint()
        assert isinstance(store.wants_checkpoint, bool)
        assert _encoded(load(store)) == entries

    # By id

    def test_entries_are_found_by_their_ids(self, store: LogStore) -> None:
        _fill(store)
        entries = list(load(store))
        wanted = entries[::50]
        unknown = Author("nobody").event().id
        found = store.find([*(entry.event.id for entry in wanted), unknown, wanted[0].event.id])
        assert sorted(_encoded(found)) == sorted(_encoded(wanted))
        assert store.find([]) == store.find([unknown]) == []

    # By item

    @pytest.mark.parametrize("limit", [1, 9, 1_000])
    def test_items_come_in_order_and_in_parts(self, store: LogStore, limit: int) -> None:
        _fill(store)
        for pattern in PATTERNS:
            found = [""]
            while part := store.items(pattern, found[-1], limit):
                assert len(part) <= limit
                found += part
            assert found[1:] == sorted(filter(matcher([pattern]), ITEMS))

    def test_after_the_last_there_are_none(self, store: LogStore) -> None:
        _fill(store)
        for pattern, after in [
            ("task.*", "zzz"),
            ("task.*", "task.old.059"),
            ("note.007", "note.007"),
            ("note.007", "note.008"),
            ("*", "tasks.059"),
        ]:
            assert store.items(pattern, after, 9) == []

    def test_items_come_after_one_that_may_not_exist(self, store: LogStore) -> None:
        _fill(store)
        assert store.items("*", "note.0075", 2) == ["note.008", "note.009"]
        assert store.items("task.*", "note", 1) == ["task.000"]
        assert store.items("task.03*", "task.0299", 2) == ["task.030", "task.031"]

    def test_items_are_those_to_which_something_came_until_then(self, store: LogStore) -> None:
        _fill(store)
        for until in (0, 1, 7, 150, 299, 300, len(TWICE)):
            came = {entry.event.item for entry in load(store, limit=until)}
            assert store.items("*", "", 1_000, until) == sorted(came)
            assert store.items("task.*", "", 1_000, until) == sorted(filter(matcher(["task.*"]), came))

    # Gathering

    @pytest.mark.parametrize("max_bytes", [1, 1_000, MAX_PAGE_BYTES])
    def test_entries_come_item_by_item_and_in_parts(self, store: LogStore, max_bytes: int) -> None:
        _fill(store)
        items = ["note.000", "none", "task.000", "tasks.018", "task.old.059", ".user.000", "note.030"]
        entries = list(load(store))
        for until, limit in product((0, 1, 200, 350, len(TWICE)), (1, 4, 1_000)):
            assert _gathered(store, items, until, limit, max_bytes) == [
                entry.encoded for item in items for entry in entries if entry.event.item == item and entry.seq <= until
            ]

    def test_of_the_first_item_entries_come_after_a_seq_and_of_others_all(self, store: LogStore) -> None:
        author = Author()
        events = [author.event(item) for item in ("a", "b", "a", "b", "a")]
        rows = store.append([Submission(events, "ann")], now_ms=START_MS).rows
        encoded = [row.encoded for row in rows]
        gathered = store.gather(["a", "b"], 3, 10, 5, MAX_PAGE_BYTES)
        assert gathered.entries == [encoded[4], encoded[1], encoded[3]]
        assert gathered.stopped is None

    def test_where_it_stopped_is_the_place_of_the_last(self, store: LogStore) -> None:
        author = Author()
        events = [author.event(item) for item in ("a", "b", "a", "b", "a")]
        rows = store.append([Submission(events, "ann")], now_ms=START_MS).rows
        first, second = len(rows[0].encoded) + 1, len(rows[2].encoded) + 1
        for limit, max_bytes, stopped in [
            (1, MAX_PAGE_BYTES, ("a", 1)),
            (4, MAX_PAGE_BYTES, ("b", 2)),
            (10, 1, ("a", 1)),
            (10, first + second - 1, ("a", 1)),
            (10, first + second, ("a", 3)),
        ]:
            gathered = store.gather(["a", "b"], 0, limit, 5, max_bytes)
            assert gathered.stopped == stopped
            assert gathered.entries == [rows[seq].encoded for seq in (0, 2, 4, 1, 3)][: len(gathered.entries)]
        assert len(gathered.entries) == 2

    # Shared with other servers

    def test_what_another_appended_is_seen_after_a_refresh(self, store: LogStore, other: LogStore) -> None:
        events = Author().events(3)
        _push(store, events)
        assert other.refresh() == store.head()
        assert other.head() == store.head()
        assert _encoded(load(other)) == _encoded(load(store))
        assert (other.reached(), other.last_id()) == (3, events[-1].id)

    def test_two_who_append_give_each_seq_once(self, store: LogStore, other: LogStore) -> None:
        first, second = Author("first"), Author("second")
        for _ in range(3):
            _push(store, first.events(2))
            _push(other, second.events(2))
        assert store.refresh() == other.refresh()
        assert [entry.seq for entry in load(store)] == list(range(1, 13))
        assert _encoded(load(other)) == _encoded(load(store))

    def test_what_another_appended_is_known(self, store: LogStore, other: LogStore) -> None:
        author = Author()
        events = author.events(2)
        _push(store, events)
        again = Author().event(item="task.milk", id=Author("x").event().id)
        assert other.append([Submission(events, "ann")], now_ms=START_MS).outcomes == [[1, 2]]
        (outcome,) = other.append([Submission([again], "ann")], now_ms=START_MS).outcomes[0]
        assert isinstance(outcome, NodeConflict)
        assert _push(other, author.events(1)) == 3

    def test_rules_that_another_appended_hold(self, store: LogStore, other: LogStore) -> None:
        closing = {"user": "*", "item": "task.*", "action": "*", "type": "deny"}
        rule = Author("root").event(item=".acl", action=ADD_RULE, payload=closing)
        made = store.append([Submission([rule], "ann", is_system=True, rights=TRUSTED)], now_ms=START_MS)
        appended = other.append([Submission([Author().event()], "ann")], now_ms=START_MS)
        assert isinstance(appended.outcomes[0][0], Forbidden)
        assert not appended.access.may("ann", "task.milk", "update")
        assert appended.access.seq == made.access.seq

    # Closing

    def test_a_closed_log_says_so(self, store: LogStore) -> None:
        _push(store, [Author().event()])
        store.close()
        for call in (
            store.refresh,
            store.reached,
            store.last_id,
            lambda: store.find([NIL_ID]),
            lambda: store.items("*", "", 1),
            lambda: store.gather(["task.milk"], 0, 1, 1, 1),
            lambda: store.digests(0, 1),
            lambda: store.digests_by_id(b"", b"\xff", 1),
        ):
            with pytest.raises(StoreClosed):
                call()


def _push(store: LogStore, events: Sequence[Event]) -> int:
    return store.append([Submission(events, "ann")], now_ms=START_MS).head.seq


def _fill(store: LogStore) -> None:
    """All items once, some more often, in commits of seven."""
    author = Author()
    for start in range(0, len(TWICE), 7):
        events = [author.event(item) for item in TWICE[start : start + 7]]
        store.append([Submission(events, "ann", is_system=True, rights=TRUSTED)], now_ms=START_MS)


def _gathered(store: LogStore, items: list[str], until: int, limit: int, max_bytes: int) -> list[bytes]:
    """All entries, gathered part by part as a page is."""
    found: list[bytes] = []
    since = 0
    while items:
        part = store.gather(items, since, limit, until, max_bytes)
        assert len(part.entries) <= limit
        assert len(part.entries) <= 1 or sum(len(entry) + 1 for entry in part.entries) <= max_bytes
        found += part.entries
        if part.stopped is None:
            break
        item, since = part.stopped
        items = items[items.index(item) :]
    return found


def _encoded(entries: Iterator[Entry] | Sequence[Entry]) -> list[bytes]:
    return [entry.encoded for entry in entries]
