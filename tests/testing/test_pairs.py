"""A world in memory: a server, replicas that are ready to sync, and lines that fail when they are told to."""

import pytest

from syncline.core.stamps import Stamp
from syncline.errors import ConnectionLost
from syncline.testing import Fault, pair, ticking


def test_replicas_agree_in_three_lines():
    ann, bob = both = pair()
    ann.create("task.milk", {"title": "Milk"})
    both.sync()
    assert bob.get("task.milk").plain == {"title": "Milk"}
    assert [entry.event.user for entry in bob.entries()] == ["ann"]


def test_as_many_as_there_are_users():
    several = pair("ann", "bob", "carl")
    for replica in several:
        replica.record("task.milk", "create")
    several.sync()
    assert len(several) == 3
    assert [len(list(replica.entries())) for replica in several] == [3, 3, 3]
    assert [replica.user for replica in several] == ["ann", "bob", "carl"]


@pytest.mark.parametrize("fault", [*Fault])
def test_each_fault_is_got_over_and_doubles_nothing(fault):
    ann, bob = both = pair()
    for count in range(3):
        ann.record("task.milk", "update", count)
        ann.line.fail(*[Fault.NONE] * count, fault, fault)
        assert ann.sync().ok
    both.sync()
    assert [entry.event.payload for entry in bob.entries()] == [0, 1, 2]


def test_who_is_cut_off_is_told():
    ann, bob = both = pair()
    bob.line.partitioned = True
    ann.record("task.milk", "create")
    with pytest.raises(ConnectionLost):
        both.sync()
    bob.line.partitioned = False
    both.sync()
    assert len(list(bob.entries())) == 1


def test_time_is_moved_by_hand():
    ann, bob = both = pair()
    before = Stamp.parse(ann.record("task.milk", "create").id).ms
    both.clock.advance(5_000)
    assert Stamp.parse(bob.record("task.milk", "create").id).ms == before + 5_000
    both.sync()
    assert {entry.at for entry in ann.entries()} == {both.clock.now_ms}


async def test_a_delay_moves_the_clock():
    (ann,) = pair("ann")
    clock = ann._now_ms
    delay = ticking(clock, 500)
    before = clock.now_ms
    await delay()
    assert clock.now_ms == before + 500


async def test_a_test_with_an_event_loop_awaits():
    ann, bob = pair()
    ann.record("task.milk", "create")
    assert (await ann.manager.sync()).pushed == 1
    assert (await bob.manager.sync()).pulled == 1


def test_the_same_seed_makes_the_same_world():
    def ids(seed):
        ann, bob = both = pair(seed=seed)
        ann.record("task.milk", "create")
        bob.record("task.milk", "create")
        both.sync()
        return [entry.event.id for entry in ann.entries()]

    assert ids(1) == ids(1) != ids(2)


def test_closing_closes_all():
    with pair() as both:
        both.sync()
    assert not both[0].sync().ok
