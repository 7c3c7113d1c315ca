"""What a store of events keeps decoded: what was asked for lately, within a budget; and the rest is in the file."""

from contextlib import closing

from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.stores.recent import Recent
from syncline.stores.sqlite import SqliteEventStore
from syncline.testing import Author

RECEIPTS = Receipts(b"of these tests")
NOW_MS = 1_750_000_000_000


def test_what_was_asked_for_longest_ago_goes_first():
    events = Author().events(4)
    recent = Recent(max_bytes=sum(len(event.body) for event in events[:3]))
    recent.add(events[:3])
    assert recent.find([events[0].id]) == {events[0].id: events[0]}
    recent.add(events[3:])
    assert recent.find({event.id for event in events}).keys() == {events[place].id for place in (0, 2, 3)}


def test_an_event_that_is_taken_again_counts_once():
    (event,) = Author().events(1)
    recent = Recent(max_bytes=len(event.body))
    recent.add([event])
    recent.add([event])
    assert event.id in recent.find([event.id])


def test_what_is_named_is_found_in_memory_and_after_a_restart(tmp_path):
    author = Author()
    first = author.event(ops=[{"op": "put", "key": "title", "value": "Milk"}])
    for _ in range(2):
        with closing(SqliteEventStore(tmp_path / "log.db", RECEIPTS)) as store:
            for event in (first, author.event(ops=[{"op": "del", "key": "title", "over": [f"{first.id}:0"]}])):
                ((outcome,),) = store.append([Submission([event], "ann")], now_ms=NOW_MS).outcomes
                assert isinstance(outcome, int), outcome
