import pytest

from syncline.core.clocks import VectorClock
from syncline.core.events import Entry
from syncline.core.stamps import NIL_ID, Stamp, node_hash
from syncline.core.versioning import SequenceManager, StampManager, VectorClockManager
from syncline.core.versions import Ordering, SequenceVersion, StampVersion, Version
from syncline.errors import InvalidEvent
from tests.core.samples import NOW, an_event, an_id

MANAGERS = [SequenceManager, lambda: StampManager(lambda: NOW, lambda: 7), VectorClockManager]


@pytest.mark.parametrize("make", MANAGERS)
def test_versions_rise_when_they_are_used(make):
    manager = make()
    assert manager.current_version().is_zero()
    first = manager.next_version("a")
    assert isinstance(first, Version)
    assert manager.next_version("a") == first, "nothing is used up by asking"
    manager.update_from_version(first)
    assert manager.current_version() == first
    second = manager.next_version("b")
    assert second.compare(first) is Ordering.AFTER
    manager.update_from_version(second)
    manager.update_from_version(first)
    assert manager.current_version() == second, "an older version changes nothing"


@pytest.mark.parametrize("make", MANAGERS)
def test_a_clone_goes_its_own_way(make):
    manager = make()
    manager.update_from_version(manager.next_version("a"))
    clone = manager.clone()
    assert clone.current_version() == manager.current_version()
    clone.update_from_version(clone.next_version("b"))
    assert clone.current_version().compare(manager.current_version()) is Ordering.AFTER


@pytest.mark.parametrize(
    ("manager", "version"),
    [
        (SequenceManager(SequenceVersion(4)), SequenceVersion(5)),
        (StampManager(lambda: NOW, lambda: 7), StampVersion(an_id(NOW, 3))),
        (VectorClockManager(), VectorClock({"n1": 2, "n2": 5})),
    ],
)
def test_an_event_carries_its_version(manager, version):
    event = an_event(**manager.fields(version))
    assert manager.version_of(Entry.of(5, NOW, "", event)) == version


def test_a_log_gives_its_own_seqs():
    manager = SequenceManager(SequenceVersion(4))
    for seq in (4, 6):
        with pytest.raises(InvalidEvent):
            manager.fields(SequenceVersion(seq))


def test_nodes_that_write_apart_are_concurrent():
    apart = [VectorClockManager().next_version(node) for node in "AB"]
    assert apart == [{"A": 1}, {"B": 1}]
    assert apart[0].compare(apart[1]) is Ordering.CONCURRENT
    manager = VectorClockManager()
    for version in apart:
        manager.update_from_version(version)
    assert manager.next_version("A") == {"A": 2, "B": 1}


def test_a_stamp_is_above_what_was_seen_and_of_its_node():
    manager = StampManager(lambda: NOW, lambda: 7, NIL_ID)
    manager.update_from_version(StampVersion(an_id(NOW + 50)))
    stamp = Stamp.parse(manager.next_version("n2").id)
    assert (stamp.ms, stamp.counter, stamp.node_hash, stamp.random) == (NOW + 50, 1, node_hash("n2"), 7)
