"""What every log store does when entries are erased: a part of ``LogStoreContract``."""

from __future__ import annotations

from pathlib import Path

from syncline.core.admission import Submission
from syncline.core.erasure import erased_entry
from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.errors import BadOp
from syncline.stores import LogStore, load
from syncline.testing.seeded import START_MS, Author

SECRET = "a-secret-that-is-told-to-nobody"
COUNT = 40


class ErasingContract:
    """Erasing."""

    keeps_old_pages = False
    """Whether old bytes stay in free pages of a database until it writes there again."""

    def test_what_was_erased_is_read_in_its_erased_form(self, store: LogStore) -> None:
        entries = _filled(store)
        head, digests, size = store.head(), store.digests(0, COUNT), store.size()
        gone = [erased_entry(entry) for entry in entries[5:30:3]]
        store.rewrite(gone)
        left = {entry.seq: entry for entry in entries} | {entry.seq: entry for entry in gone}
        wanted = [left[seq].encoded for seq in sorted(left)]
        assert [entry.encoded for entry in load(store)] == wanted
        assert [entry.encoded for entry in store.find([gone[0].event.id])] == [gone[0].encoded]
        assert store.gather([gone[0].event.item], 0, COUNT, COUNT, MAX_PAGE_BYTES).entries
        assert (store.head(), store.digests(0, COUNT)) == (head, digests)
        assert store.size() == size + sum(len(each.raw) - len(entries[each.seq - 1].raw) for each in gone)

    def test_a_log_goes_on_after_an_erasure(self, store: LogStore) -> None:
        entries = _filled(store)
        store.rewrite([erased_entry(entries[0])])
        again = store.append([Submission([entries[0].event], "ann")], now_ms=START_MS)
        assert again.outcomes == [[1]]
        more = Author("more").events(3)
        assert store.append([Submission(more, "ann")], now_ms=START_MS).outcomes == [[COUNT + 1, COUNT + 2, COUNT + 3]]
        assert [entry.event.id for entry in load(store, COUNT)] == [event.id for event in more]

    def test_what_was_erased_cannot_be_put_back(self, store: LogStore) -> None:
        author = Author()
        put = author.event(ops=[{"op": "put", "key": "a", "value": SECRET}])
        (entry,) = _append(store, [put])
        back = [{"op": "put", "key": "a", "value": SECRET, "again": f"{put.id}:0", "over": []}]
        store.rewrite([erased_entry(entry)])
        ((outcome,),) = store.append([Submission([author.event(ops=back)], "ann")], now_ms=START_MS).outcomes
        assert isinstance(outcome, BadOp)

    def test_other_entries_than_those_that_are_there_are_passed_over(self, store: LogStore) -> None:
        entries = _filled(store)
        strange = Entry.of(entries[3].seq, START_MS, entries[3].receipt, Author("strange").event())
        store.rewrite([erased_entry(strange)])
        store.rewrite([])
        assert [entry.encoded for entry in load(store)] == [entry.encoded for entry in entries]

    def test_no_byte_of_it_is_left(self, store: LogStore, tmp_path: Path) -> None:
        entries = _append(store, Author().events(COUNT, meta={"salt": SECRET}))
        store.rewrite([erased_entry(entry) for entry in entries])
        if not self.keeps_old_pages:
            assert [
                path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
            ] == []


def _filled(store: LogStore) -> list[Entry]:
    author = Author()
    return _append(store, [author.event(f"task.{n % 7}", payload={"n": n, "text": SECRET}) for n in range(COUNT)])


def _append(store: LogStore, events: list[Event]) -> list[Entry]:
    store.append([Submission(events, "ann")], now_ms=START_MS)
    return list(load(store))
