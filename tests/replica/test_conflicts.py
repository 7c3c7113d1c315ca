"""What counts as a conflict, and what a withdrawn event takes along."""

from syncline.core.effects import Apply, Greet, Rewind, Settle
from syncline.core.events import Entry, Event
from syncline.core.limits import Limits
from syncline.core.messages import Page, Welcome
from syncline.core.stamps import NIL_ID
from syncline.replica import Replica
from syncline.replica.conflicts import conflicts_of, withdrawals
from syncline.stores.memory import MemoryReplicaStore

WELCOME = Welcome(epoch="e", head=0, time=0, user="ann", limits=Limits())


def an_event(node: str, n: int, *, item: str = "task.a", seen: dict | None = None, **fields) -> Event:
    id = f"0197690a-0000-7000-8000-{n:04x}{sum(node.encode()):08x}"
    value = {"action": "update", "clock": {**(seen or {}), node: n}, "id": id, "item": item, "node": node, **fields}
    return Event.of(value)


THEIRS = an_event("bob", 1)
MINE = an_event("ann", 1)


def test_only_what_did_not_know_of_each_other_is_in_a_conflict():
    knows_theirs = an_event("ann", 2, seen={"bob": 1})
    knows_mine = an_event("bob", 2, seen={"ann": 1})
    elsewhere = an_event("ann", 3, item="task.b")
    (conflict,) = conflicts_of([THEIRS, knows_mine], [MINE, knows_theirs, elsewhere], "ann")
    assert conflict == ((MINE, knows_theirs), (THEIRS, knows_mine))  # the later ones did not know of each other
    assert conflicts_of([THEIRS], [MINE, knows_theirs], "ann") == [((MINE,), (THEIRS,))]
    assert conflicts_of([THEIRS, knows_mine], [MINE], "ann") == [((MINE,), (THEIRS,))]
    assert conflicts_of([THEIRS], [knows_theirs, elsewhere], "ann") == []
    assert conflicts_of([knows_mine], [MINE], "ann") == []


def test_what_arrives_itself_and_what_is_judged_is_in_none():
    another = an_event("ann", 2)
    assert conflicts_of([THEIRS, MINE], [MINE], "ann") == []
    assert conflicts_of([THEIRS], [MINE], "ann", {MINE.id}) == []
    assert conflicts_of([THEIRS], [MINE, another], "ann", {MINE.id}) == [((MINE, another), (THEIRS,))]


def test_what_a_log_has_held_is_in_none():
    replica = Replica(MemoryReplicaStore("ann"))
    replica.perform(Greet(WELCOME))
    first, second = replica.record("task.a", "update"), replica.record("task.a", "update")
    assert [conflict.local for conflict in replica.conflicts([THEIRS])] == [(first, second)]
    assert [conflict.local for conflict in replica.conflicts([THEIRS], under_way={first.id})] == [(second,)]
    replica.perform(Apply(Page(entries=[Entry.of(1, 1, "r", first)], cursor="at 1"), ()))
    replica.perform(Rewind())
    replica.perform(Settle([(second, 2)]))
    assert [offer.event for offer in replica.local().offers] == [first]  # it goes back to a log that has lost it
    assert replica.conflicts([THEIRS]) == []


def test_what_has_to_follow_a_withdrawn_event():
    events = [
        an_event("ann", 1, meta={"tx": "t"}, item="task.b"),
        an_event("ann", 2, meta={"tx": "t"}),
        an_event("ann", 3, meta={"undoes": an_event("ann", 1).id}),
        an_event("ann", 4, item="task.c"),
    ]
    moved = withdrawals({events[1].id: {"code": "withdrawn"}, NIL_ID: {"code": "of none"}}, events)
    assert [(each.event, each.status, each.error["code"]) for each in moved] == [
        (events[0], "refused", "tx_refused"),
        (events[1], "refused", "withdrawn"),
        (events[2], "refused", "tx_refused"),
    ]
    assert withdrawals({}, events) == []
