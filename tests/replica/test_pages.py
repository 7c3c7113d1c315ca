"""What a replica makes of pages that come in an odd order."""

from syncline.core.effects import Apply
from syncline.core.events import Entry
from syncline.core.messages import Page
from syncline.replica import Replica
from syncline.stores.memory import MemoryReplicaStore
from syncline.testing import Author


def page(cursor: str, *seqs: int) -> Apply:
    events = dict(zip(range(1, 10), AUTHOR_EVENTS, strict=True))
    return Apply(Page(entries=[Entry.of(seq, seq, "r", events[seq]) for seq in seqs], cursor=cursor), ())


AUTHOR_EVENTS = Author().events(9)


def test_a_page_that_a_live_one_overtook_does_not_lead_back() -> None:
    replica = Replica(MemoryReplicaStore("me"))
    replica.perform(page("at 3", 1, 2, 3))
    replica.perform(page("at 6", 4, 5, 6))
    replica.perform(page("at 5", 4, 5))
    assert replica.local().cursor == "at 6"
    assert replica._store.state().cursors[-1] == (6, "at 6")
    assert [entry.seq for entry in replica.entries()] == [1, 2, 3, 4, 5, 6]


def test_an_empty_page_moves_the_cursor() -> None:
    replica = Replica(MemoryReplicaStore("me"))
    replica.perform(page("at 3", 1, 2, 3))
    replica.perform(page("at 7 of a view"))
    assert replica.local().cursor == "at 7 of a view"
