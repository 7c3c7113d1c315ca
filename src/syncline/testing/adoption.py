"""What every log store does that takes over another log: ``AdoptionContract``, for the tests of an adapter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from syncline.core.admission import Submission
from syncline.core.events import Entry, Event
from syncline.core.log import NO_TAIL, Head, Receipts, extend
from syncline.errors import CursorReset, EpochChanged, NodeConflict, StoreClosed, StoreDamaged
from syncline.stores import LogStore, load
from syncline.testing.seeded import START_MS, Author

OTHER = UUID(int=99).hex
"""The epoch of the log that is taken over."""
OTHER_RECEIPTS, RECEIPTS = Receipts(b"of the other log"), Receipts(b"of this one")

Part = tuple[Sequence[Entry], Head]


class AdoptionContract:
    """Inherit these tests beside those of ``LogStoreContract``. See ``LogStore.adopt``."""

    persists = True
    """Whether ``make`` in the same directory opens the same log again."""

    def make(self, directory: Path, epoch: str, receipts: Receipts) -> LogStore:
        """A store in a directory; ``epoch`` is for stores that do not make their own."""
        raise NotImplementedError

    @pytest.fixture
    def adopting(self, tmp_path: Path) -> Iterator[LogStore]:
        """An empty store."""
        with closing(self.make(tmp_path, UUID(int=8).hex, RECEIPTS)) as store:
            yield store

    def test_entries_stay_as_they_are(self, adopting: LogStore) -> None:
        parts = _log(_events(), 3, 4, 5)
        for entries, then in parts:
            assert adopting.adopt(entries, then) == adopting.head() == then
            assert adopting.reached() == then.seq
        wanted = [entry for entries, _ in parts for entry in entries]
        assert _encoded(load(adopting)) == _encoded(wanted)
        assert [adopting.tail(then.seq) for _, then in parts] == [then.tail for _, then in parts]
        assert adopting.size() == sum(len(entry.event.body) for entry in wanted)

    def test_nothing_of_an_empty_log_is_its_epoch(self, adopting: LogStore) -> None:
        assert adopting.adopt([], Head(OTHER)) == adopting.head() == Head(OTHER)

    def test_taking_over_nothing_more_changes_nothing(self, adopting: LogStore) -> None:
        ((entries, then),) = _log(_events(), 12)
        adopting.adopt(entries, then)
        assert adopting.adopt([], then) == then
        assert _encoded(load(adopting)) == _encoded(entries)

    def test_what_was_taken_over_is_found(self, adopting: LogStore) -> None:
        events = _events()
        for part in _log(events, 7, 5):
            adopting.adopt(*part)
        assert adopting.last_id() == max(event.id for event in events)
        assert [entry.event.id for entry in adopting.find([events[4].id])] == [events[4].id]
        assert adopting.items("*", "", 10) == ["note.a", "task.b"]
        mine = [entry.encoded for entry in load(adopting) if entry.event.item == "note.a"]
        assert adopting.gather(["note.a"], 0, 100, 12, 10**6).entries == mine
        first, second = adopting.node("first"), adopting.node("second")
        assert first is not None
        assert second is not None
        assert (first.user, first.n, first.own) == ("ann", 6, events[-2].id)
        assert (second.user, second.n, second.own) == ("bob", 6, events[-1].id)

    def test_it_goes_on_where_the_other_ended(self, adopting: LogStore) -> None:
        events = _events()
        ((entries, then),) = _log(events, 12)
        adopting.adopt(entries, then)
        again = Submission(events[::2], "ann")
        lower = Submission([Author("first").event("note.a", id=Author("x").event().id)], "ann")
        new = Author("third").event()
        (known, (refused,), stored) = adopting.append(
            [again, lower, Submission([new], "ann")], now_ms=START_MS - 5
        ).outcomes
        assert known == [1, 3, 5, 7, 9, 11]
        assert isinstance(refused, NodeConflict)
        assert stored == [13]
        last = next(load(adopting, 12))
        assert last.at == then.at
        assert RECEIPTS.verify(OTHER, 13, new.digest, last.receipt)

    def test_entries_that_do_not_go_on_here_are_refused(self, adopting: LogStore) -> None:
        first, second, third = _log(_events(), 4, 4, 4)
        _refuses(adopting, second, CursorReset)
        adopting.adopt(*first)
        for part in (first, third, ([], second[1]), (second[0], third[1])):
            _refuses(adopting, part, CursorReset)

    def test_a_log_that_is_not_empty_keeps_its_epoch(self, adopting: LogStore) -> None:
        adopting.append([Submission(Author().events(1), "ann")], now_ms=START_MS)
        first, second = _log(_events(), 1, 11)
        _refuses(adopting, second, EpochChanged)
        _refuses(adopting, first, EpochChanged)

    def test_entries_that_lead_elsewhere_are_refused(self, adopting: LogStore) -> None:
        first, (entries, then) = _log(_events(), 4, 8)
        adopting.adopt(*first)
        _refuses(adopting, (entries, then._replace(tail=NO_TAIL)), StoreDamaged)
        early = Entry.of(entries[0].seq, START_MS - 1, entries[0].receipt, entries[0].event)
        _refuses(adopting, ([early, *entries[1:]], then), StoreDamaged)
        changed = entries[3].encoded.replace(b'"payload":7', b'"payload":8')
        assert changed != entries[3].encoded
        _refuses(adopting, ([*entries[:3], Entry.read(changed), *entries[4:]], then), StoreDamaged)
        adopting.adopt(entries, then)

    def test_what_was_taken_over_stays(self, adopting: LogStore, tmp_path: Path) -> None:
        if not self.persists:
            pytest.skip("this store keeps nothing")
        part = _log(_events(), 12)[0]
        empty: Part = [], Head(OTHER)
        adopting.adopt(*empty)
        adopting.close()
        with closing(self.make(tmp_path, UUID(int=9).hex, RECEIPTS)) as again:
            assert again.head() == empty[1]
            again.adopt(*part)
        with closing(self.make(tmp_path, UUID(int=9).hex, RECEIPTS)) as again:
            assert again.head() == part[1]
            assert _encoded(load(again)) == _encoded(part[0])

    def test_a_closed_log_takes_nothing_over(self, adopting: LogStore) -> None:
        adopting.close()
        with pytest.raises(StoreClosed):
            adopting.adopt(*_log(_events(), 12)[0])


def _events() -> list[Event]:
    """Twelve events of two nodes in turn."""
    authors = Author("first"), Author("second", "bob")
    items = "note.a", "task.b"
    return [authors[place % 2].event(items[place % 2], payload=place) for place in range(12)]


def _log(events: Sequence[Event], *counts: int) -> list[Part]:
    """The other log, in parts: of each its entries, and the end of the log then."""
    head, parts, done = Head(OTHER), list[Part](), 0
    for place, count in enumerate(counts):
        head, rows = extend(head, events[done : done + count], START_MS + place, OTHER_RECEIPTS)
        parts.append(([Entry.read(row.encoded) for row in rows], head))
        done += count
    return parts


def _refuses(store: LogStore, part: Part, error: type[Exception]) -> None:
    """Tries it, and looks whether all is as before."""
    before = store.head(), _encoded(load(store)), store.size(), store.node("first")
    with pytest.raises(error):
        store.adopt(*part)
    assert (store.head(), _encoded(load(store)), store.size(), store.node("first")) == before


def _encoded(entries: Iterator[Entry] | Sequence[Entry]) -> list[bytes]:
    return [entry.encoded for entry in entries]
