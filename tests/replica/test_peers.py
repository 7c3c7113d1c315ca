"""Replicas that sync with each other: in pairs, in a ring, and with a server that they meet later."""

import asyncio
import random
import shutil
from contextlib import closing

import pytest
from msgspec import Raw, structs

import syncline
from syncline import Counter, DocumentReplica, ORSet, SyncManager, SyncOptions, Text
from syncline.core.access.rules import Rule
from syncline.core.answers import decode_answer, expect
from syncline.core.documents import snapshots
from syncline.core.documents.settings import POLICIES_ITEM, SET_POLICY
from syncline.core.effects import Apply, Greet, MarkCopied, Restamp, Settle
from syncline.core.erasure import erased
from syncline.core.events import Entry
from syncline.core.log import Receipts
from syncline.core.messages import Ack, Give, Merkle, Page, Welcome, encode
from syncline.core.requests import decode_request
from syncline.errors import (
    BadRequest,
    BadSettings,
    ClockDrift,
    EpochChanged,
    Forbidden,
    HelloRequired,
    NodeConflict,
    Unauthorized,
    UnknownEvent,
)
from syncline.replica import new_node, wall_clock_ms
from syncline.replica.documents import library as libraries
from syncline.stores.memory import MemoryEventStore, MemoryReplicaStore
from syncline.sync.replica_peer import ReplicaPeer
from syncline.testing import Author, ManualClock
from syncline.testing.log_server import EPOCH, LogServer
from syncline.transports.memory import MemoryTransport

DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture(params=["memory", "file"])
def make(request, tmp_path):
    """Makes replicas, by name; ``again`` opens one that was closed."""
    opened = []

    def made(name="notes"):
        opened.append(syncline.open(tmp_path / f"{name}.db" if request.param == "file" else None))
        return opened[-1]

    yield made
    for replica in opened:
        replica.close()


def in_memory(now_ms=None):
    more = {} if now_ms is None else {"now_ms": now_ms}
    return DocumentReplica(MemoryReplicaStore(new_node()), **more)


class Counting(ReplicaPeer):
    """One that counts what it is asked, and how much was said."""

    asked = 0
    bytes = 0

    async def answer(self, request):
        answer = await super().answer(request)
        self.asked, self.bytes = self.asked + 1, self.bytes + len(request) + len(answer)
        return answer


def sync(one, other, *, token=None, peer=None, **options):
    """One replica asks, the other answers."""
    manager = SyncManager(one, MemoryTransport(peer or ReplicaPeer(other)), SyncOptions(**options), token=token)
    return asyncio.run(manager.sync())


def meet(replica, server, user):
    """A sync with a server."""
    result = asyncio.run(SyncManager(replica, server.transport(), token=user).sync())
    assert result.ok, result
    return result


def ids(replica):
    found = [event.id for event in replica.events()]
    assert len(found) == len(set(found))
    return set(found)


def states(replica):
    """What every document is, byte for byte."""
    return {item: snapshots.encode(replica.library.document(item)) for item in {each.item for each in replica.events()}}


def histories(replica):
    """Of every document the changes, in order."""
    return {item: [change.forward for change in replica.document(item).history()] for item in replica.items()}


def statuses(replica):
    counts = {}
    for each in replica._store.outbox():
        counts[each.status] = counts.get(each.status, 0) + 1
    return counts


def greet(replica, user="ann", epoch="e" * 32):
    replica.perform(Greet(Welcome(epoch=epoch, head=0, time=wall_clock_ms(), user=user)))


# Two


def test_each_gets_what_the_other_has(make):
    one, other = make("one"), make("other")
    milk = one.create("task.milk", {"title": "Milk", "tags": ORSet(["shop"]), "n": Counter(1), "note": Text("fat")})
    other.create("task.bread", {"title": "Bread"})
    result = sync(one, other)
    assert (result.pushed, result.pulled, result.ok) == (1, 1, True)
    assert one.items() == other.items() == ["task.bread", "task.milk"]
    milk["n"].increment(2)
    theirs = other.document("task.milk")
    theirs["n"].increment(3)
    theirs["tags"].add("dairy")
    theirs["title"] = "Oats"
    result = sync(one, other)
    assert (result.pushed, result.pulled) == (1, 3)
    assert milk.plain == theirs.plain == {"title": "Oats", "tags": ["dairy", "shop"], "n": 6, "note": "fat"}
    assert states(one) == states(other)
    assert ids(one) == ids(other)


def test_what_was_heard_is_no_pending_event(make):
    one, other = make("one"), make("other")
    other.record("task.a", "update", 1)
    sync(one, other)
    assert (statuses(one), statuses(other)) == ({"heard": 1}, {"pending": 1})
    assert (one.status.pending, one.pending(), other.status.pending) == (0, [], 1)
    assert [event.payload for event in one.events(items=["task.a"])] == [1]


def test_equal_replicas_say_so_in_one_message(make):
    one, other = make("one"), make("other")
    for place in range(40):
        one.record(f"task.{place}", "update", place)
    sync(one, other)
    peer = Counting(other)
    result = sync(one, other, peer=peer)
    assert (result.pushed, result.pulled, peer.asked) == (0, 0, 2)  # hello, and the root


def test_many_events_go_both_ways(make):
    one, other = make("one"), make("other")
    one.record_many([syncline.Draft(f"task.{place % 7}", "update", "x" * 2_000) for place in range(2_300)])
    other.record_many([syncline.Draft(f"note.{place % 7}", "update", place) for place in range(1_700)])
    result = sync(one, other)
    assert (result.pushed, result.pulled, result.ok) == (2_300, 1_700, True)
    assert ids(one) == ids(other)
    assert len(ids(one)) == 4_000
    assert one.tree()[0].root == other.tree()[0].root


def test_what_was_heard_is_there_after_a_restart(tmp_path):
    with closing(in_memory()) as other, syncline.open(tmp_path / "one.db") as one:
        other.create("task.milk", {"title": "Milk"})
        sync(one, other)
    with syncline.open(tmp_path / "one.db") as one, closing(in_memory()) as third:
        assert one.document("task.milk").plain == {"title": "Milk"}
        one.document("task.milk")["title"] = "Oats"
        assert sync(one, third).pushed == 2  # it is passed on
        assert third.document("task.milk").plain == {"title": "Oats"}


def test_whoever_watches_is_told(make):
    one, other = make("one"), make("other")
    told = []
    one.watch("task.*", lambda documents: told.append([each.item for each in documents]))
    other.create("task.milk", {"title": "Milk"})
    sync(one, other)
    assert told == [["task.milk"]]
    assert [each.item for each in one.query(where={"title": "Milk"})] == ["task.milk"]


def test_clocks_know_what_was_heard(make):
    one, other = make("one"), make("other")
    other.record("task.a", "update", 1)
    one.record("task.a", "update", 2)
    sync(one, other)
    event = one.record("task.a", "update", 3)
    assert event.clock == {other.node: 1, one.node: 2}
    assert event.id > max(ids(other))


@pytest.mark.parametrize(
    ("options", "pushed", "pulled"),
    [
        ({"push_only": True}, 2, 0),
        ({"pull_only": True}, 0, 2),
        ({"items": ["task.*"]}, 1, 1),
        ({"filter": lambda event: event.item == "note.1"}, 1, 1),
    ],
)
def test_options_say_what_goes_over(make, options, pushed, pulled):
    one, other = make("one"), make("other")
    for replica in (one, other):
        replica.record("task.1", "update")
        replica.record("note.1", "update")
    result = sync(one, other, **options)
    assert (result.pushed, result.pulled) == (pushed, pulled)
    if "items" in options or "filter" in options:
        wanted = "task.1" if "items" in options else "note.1"
        assert [each.event.item for each in one._store.outbox("heard")] == [wanted]
        assert [each.event.item for each in other._store.outbox("heard")] == [wanted]


# A ring


@pytest.mark.parametrize("seed", range(20))
def test_three_in_a_ring_agree(seed):
    """Whatever they write, and in whatever order they meet; byte for byte, and with what is folded from the start."""
    chance = random.Random(seed)
    ring = [in_memory() for _ in range(3)]
    for _ in range(25):
        place = chance.randrange(3)
        replica = ring[place]
        document = replica.document(f"task.{chance.randrange(2)}")
        if chance.random() < 0.3:
            sync(replica, ring[(place + 1) % 3])
        elif not document.exists:
            replica.create(document.item, {"n": Counter(0), "note": Text("a"), "list": [1]})
        else:
            _edit(chance, document)
    for place in (0, 1, 2, 0, 1):
        assert sync(ring[place], ring[(place + 1) % 3]).ok
    assert states(ring[0]) == states(ring[1]) == states(ring[2])
    assert ids(ring[0]) == ids(ring[1]) == ids(ring[2])
    fresh = in_memory()
    sync(ring[0], fresh)
    assert states(fresh) == states(ring[0])
    assert [histories(each) for each in ring] == [histories(fresh)] * 3


def _edit(chance, document):
    match chance.randrange(5):
        case 0:
            document["n"].increment(chance.randrange(1, 5))
        case 1:
            document["note"].insert(chance.randrange(len(str(document["note"])) + 1), "xyz")
        case 2:
            document["list"].append(chance.randrange(9))
        case 3:
            document[f"key{chance.randrange(3)}"] = chance.random()
        case 4:
            document.undo()


# With a server, later


def test_peers_that_meet_a_server_settle_what_they_heard(make):
    one, other, server = make("one"), make("other"), LogServer(now_ms=wall_clock_ms)
    one.create("task.milk", {"title": "Milk"})
    sync(one, other)
    other.document("task.milk")["title"] = "Oats"  # neither knows its user
    sync(one, other)
    meet(one, server, "ann")
    assert [entry.event.user for entry in one.entries()] == ["ann"]  # the other's is for the other to push
    assert statuses(one) == {"heard": 1}
    meet(other, server, "bob")
    meet(one, server, "ann")
    assert statuses(one) == statuses(other) == {}
    assert [(entry.seq, entry.event.user) for entry in one.entries()] == [(1, "ann"), (2, "bob")]
    assert states(one) == states(other)
    assert ids(one) == ids(other)
    assert one.document("task.milk").plain == {"title": "Oats"}
    assert [change.user for change in one.document("task.milk").history()] == ["ann", "bob"]


def test_what_was_heard_without_a_user_gives_way_to_the_same_with_one(make):
    one, other, server = make("one"), make("other"), LogServer(now_ms=wall_clock_ms)
    one.create("task.milk", {"title": "Milk"})
    sync(one, other)
    meet(one, server, "ann")
    result = sync(one, other)
    assert [each.event.user for each in other._store.outbox("heard")] == ["ann"]
    assert (result.ok, one.tree()[0].root == other.tree()[0].root) == (True, True)
    assert other.document("task.milk").plain == {"title": "Milk"}
    assert sync(other, one).pulled == 0


def test_entries_go_on_to_peers_and_are_heard(make):
    one, other, server = make("one"), make("other"), LogServer(now_ms=wall_clock_ms)
    one.record("task.a", "update", 1)
    meet(one, server, "ann")
    assert sync(one, other).pushed == 1
    assert (statuses(other), other.epoch) == ({"heard": 1}, EPOCH)
    assert list(other.entries()) == []
    meet(other, server, "bob")
    assert (statuses(other), [entry.seq for entry in other.entries()]) == ({}, [1])


def test_shared_events_keep_their_ids(make):
    """A server that finds them ahead of its time gets them later, but they are not made anew: the peer has them."""
    clock = ManualClock()
    one = in_memory(now_ms=lambda: clock() + 7 * 60_000)
    other, server = in_memory(now_ms=lambda: clock() + 7 * 60_000), LogServer(now_ms=clock)
    shared = one.record("task.a", "update", 1)
    sync(one, other)
    alone = one.record("task.b", "update", 2)
    asyncio.run(SyncManager(one, server.transport(), SyncOptions(attempts=1), token="ann").sync())
    assert shared.id in ids(one)
    assert alone.id not in ids(one)
    clock.advance(20 * 60_000)
    meet(one, server, "ann")
    meet(other, server, "bob")
    assert ids(one) == ids(other)
    assert len(ids(one)) == 2


def test_new_ids_come_after_what_was_heard():
    """What is made anew may name it, and would not be accepted otherwise."""
    clock = ManualClock()
    one, other = in_memory(now_ms=clock), in_memory(now_ms=clock)
    heard = other.record("task.1", "update")
    sync(one, other)
    naming = one.record("task.1", "update", ops=[{"op": "put", "key": "a", "value": 1, "over": [f"{heard.id}:0"]}])
    one.perform(Restamp(clock() - 1_000))
    (renamed,) = one.pending()
    assert naming.id != renamed.id
    assert renamed.id > heard.id


def test_an_item_that_was_closed_is_forgotten_with_what_was_heard_of_it(make):
    one, other = make("one"), make("other")
    greet(one)
    other.create("task.milk", {"title": "Milk"})
    other.create("task.bread", {"title": "Bread"})
    sync(one, other)
    one.perform(Apply(Page(entries=[], cursor="c", forget=["task.milk"]), ()))
    assert one.items() == ["task.bread"]
    assert [each.event.item for each in one._store.outbox()] == ["task.bread"]


# What is not exchanged


def test_replicas_of_different_logs_do_not_meet(make):
    one, other, third = make("one"), make("other"), make("third")
    greet(one, epoch="1" * 32)
    greet(other, "bob", epoch="2" * 32)
    other.record("task.a", "update")
    assert isinstance(sync(one, other).failure, EpochChanged)
    assert isinstance(sync(other, one).failure, EpochChanged)
    assert sync(third, other).ok
    assert third.epoch == "2" * 32  # so that two logs do not mix in it
    assert isinstance(sync(one, third).failure, EpochChanged)
    assert ids(one) == set()


def test_a_gift_of_another_log_is_refused(make):
    one = make()
    greet(one, epoch="1" * 32)
    peer = ReplicaPeer(one, is_open=True)
    entry = Entry.of(0, 0, "", Author().event())
    answer = asyncio.run(peer.answer(encode(Give(epoch="2" * 32, entries=Raw(b"[%b]" % entry.encoded)))))
    assert isinstance(decode_answer(answer).error, EpochChanged)
    assert ids(one) == set()


def test_events_of_a_time_to_come_stay_with_their_peer():
    clock = ManualClock()
    one, other = in_memory(now_ms=lambda: clock() + DAY_MS), in_memory(now_ms=clock)
    early = one.record("task.a", "update", 1)
    result = sync(one, other)
    assert [type(error) for error in result.errors] == [ClockDrift]
    assert (result.failure, ids(other)) == (None, set())
    assert [type(error) for error in sync(other, one).errors] == [ClockDrift]
    clock.advance(DAY_MS)
    assert sync(other, one).ok
    assert ids(other) == {early.id}


def test_the_systems_events_are_a_servers_to_tell(make):
    one, other = make("one"), make("other")
    greet(one)
    rule, event = Author("server", ".root").event(".acl", ".acl.addRule", {}), Author("far").event()
    entries = [Entry.of(seq, seq, "r" * 24, each) for seq, each in enumerate((rule, event), 1)]
    one.perform(Apply(Page(entries=entries, cursor="c"), ()))
    assert sync(one, other).pushed == 1
    assert ids(other) == {event.id}
    assert [type(error) for error in other.hear([rule]).left.values()] == [Forbidden]


def test_that_an_event_was_erased_is_a_servers_to_tell(make):
    """Somebody could take the place of an event with an erased form of it, and nobody could tell."""
    replica, event = make("one"), erased(Author("far").event(payload="said"))
    assert [type(error) for error in replica.hear([event]).left.values()] == [Forbidden]
    assert ids(replica) == set()


class Receding(ReplicaPeer):
    """One whose history always begins after what was asked about."""

    def reply(self, message):
        answer = super().reply(message)
        return structs.replace(answer, seq=message.since + 1) if isinstance(message, Merkle) else answer


def test_a_peer_that_never_compares_is_not_asked_for_ever(make):
    one, other = make("one"), make("other")
    assert isinstance(sync(one, other, peer=Receding(other)).failure, BadRequest)


def test_a_token_is_asked_for(make):
    one, other = make("one"), make("other")
    assert isinstance(sync(one, other, peer=ReplicaPeer(other, token="secret")).failure, Unauthorized)
    assert isinstance(sync(one, other, peer=ReplicaPeer(other, token="secret"), token="Secret").failure, Unauthorized)
    assert sync(one, other, peer=ReplicaPeer(other, token="secret"), token="secret").ok


def test_hello_comes_first(make):
    answer = asyncio.run(ReplicaPeer(make()).answer(b'{"type":"fetch","ref":4,"ids":[]}'))
    assert isinstance(decode_answer(answer).error, HelloRequired | syncline.errors.BadRequest)


def test_wrong_events_are_refused_one_by_one(make):
    one = make()
    good, bad = Author().event(), Author("x").event()
    broken = Entry.of(0, 0, "", bad).encoded.replace(b'"item":"task.milk"', b'"item":"task milk"')
    entries = b"[%b,%b]" % (broken, Entry.of(0, 0, "", good).encoded)
    answer = asyncio.run(ReplicaPeer(one, is_open=True).answer(encode(Give(epoch="0" * 32, entries=Raw(entries)))))
    refused, kept = expect(answer, Ack).results
    assert (refused.error["code"], kept.error, ids(one)) == ("invalid_event", None, {good.id})


# Copies of one file


def test_copies_part_before_they_agree(tmp_path):
    with syncline.open(tmp_path / "a.db") as one:
        one.create("task.milk", {"title": "Milk"})
    shutil.copy(tmp_path / "a.db", tmp_path / "b.db")
    with syncline.open(tmp_path / "a.db") as one, syncline.open(tmp_path / "b.db") as other:
        one.document("task.milk")["one"] = 1
        other.document("task.milk")["other"] = 2
        assert one.node == other.node
        assert sync(one, other).ok
        assert one.node != other.node
        assert one.document("task.milk").plain["one"] == other.document("task.milk").plain["one"] == 1
        assert one.document("task.milk").plain["other"] == other.document("task.milk").plain["other"] == 2


def test_copies_that_know_a_server_go_there_first(tmp_path):
    server = LogServer(now_ms=wall_clock_ms)
    with syncline.open(tmp_path / "a.db") as one:
        meet(one, server, "ann")
    shutil.copy(tmp_path / "a.db", tmp_path / "b.db")
    with syncline.open(tmp_path / "a.db") as one, syncline.open(tmp_path / "b.db") as other:
        assert isinstance(sync(one, other).failure, NodeConflict)


def test_an_older_copy_gets_back_what_it_had_and_goes_on(tmp_path):
    with closing(in_memory()) as peer:
        with syncline.open(tmp_path / "a.db") as one:
            one.create("task.milk", {"n": Counter(1)})
        shutil.copy(tmp_path / "a.db", tmp_path / "old.db")
        with syncline.open(tmp_path / "a.db") as one:
            one.document("task.milk")["n"].increment(10)
            sync(one, peer)
        with syncline.open(tmp_path / "old.db") as one:
            one.document("task.milk")["n"].increment(100)  # with a counter that the lost event had, too
            assert sync(one, peer).ok
            assert sync(one, peer).ok
            assert one.document("task.milk").plain == peer.document("task.milk").plain == {"n": 111}


# Live


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (whatever it is that others do in their time)
            await asyncio.sleep(0.005)


async def test_live_peers_stay_in_agreement():
    one, other = in_memory(), in_memory()
    manager = SyncManager(one, MemoryTransport(ReplicaPeer(other)))
    milk = one.create("task.milk", {"title": "Milk"})
    await manager.start_auto_sync()
    await until(lambda: one.status.state == "live" and other.items() == ["task.milk"])
    milk["title"] = "Oats"
    await until(lambda: other.document("task.milk").plain == {"title": "Oats"})
    other.document("task.milk")["title"] = "Soy"
    await until(lambda: milk.plain == {"title": "Soy"})
    result = await manager.sync()  # somebody asks: nothing is left to do
    assert (result.ok, result.pushed, result.pulled) == (True, 0, 0)
    await manager.close()
    assert one.status.state == "offline"


def test_a_request_that_no_replica_answers(make):
    answer = asyncio.run(ReplicaPeer(make(), is_open=True).answer(b'{"type":"pull","ref":3}'))
    assert (decode_answer(answer).ref, decode_answer(answer).code) == (3, "bad_request")
    assert decode_request(b'{"type":"pull","ref":3}').ref == 3


# Passed on to a server


def give_rules(replica, *rules, user="ann", **more):
    """What a server says at the beginning of a conversation."""
    welcome = Welcome(epoch="e" * 32, head=0, time=wall_clock_ms(), user=user, rules=list(rules), **more)
    replica.perform(Greet(welcome))


def test_only_who_may_give_pushes_what_was_heard(make):
    one = make()
    bob, ann = Author("bobs", "bob"), Author("tablet", "ann")
    bobs = [bob.event(item) for item in ("task.1", "note.1")]
    mine, nobodys = ann.event("task.1"), in_memory().record("task.1", "update")
    mine_now = one.record("task.1", "update")
    one.hear([*bobs, mine, nobodys])
    assert [event.id for event in one.local().pending] == [mine_now.id]
    give_rules(one, Rule("*", "*", "*", "allow"), Rule("ann", "*", ".give", "deny"))
    assert {event.id for event in one.local().pending} == {mine.id, mine_now.id}
    give_rules(one, Rule("ann", "task.*", ".give", "allow"))
    assert [event.id for event in one.local().pending] == sorted([bobs[0].id, mine.id, mine_now.id])
    assert [event.id for event in one.local(1).pending] == sorted([bobs[0].id, mine.id, mine_now.id])[:1]
    assert one.local(0).pending == []
    assert one.pending() == [each.event for each in one._store.outbox("pending")]


def test_administrators_give_by_credentials_for_that(make):
    one = make()
    one.hear([Author("bobs", "bob").event("task.1")])
    give_rules(one, user=".root")
    assert one.local().pending == []
    give_rules(one, user=".root", actions=(".give",), items=("note.*",))
    assert one.local().pending == []
    give_rules(one, user=".root", actions=(".give",), items=("task.*",))
    assert len(one.local().pending) == 1


def test_what_a_server_says_of_what_was_heard(make):
    """Taken: on its way until its entry comes. Refused: shown as before, but not pushed again until somebody asks."""
    one = make()
    taken, refused = Author("bobs", "bob").events(2, "task.1")
    one.hear([taken, refused])
    give_rules(one, Rule("ann", "task.*", ".give", "allow"))
    one.perform(Settle([(taken, 4), (refused, Forbidden("No."))]))
    assert (one.local().pending, statuses(one)) == ([], {"heard": 1, "unvouched": 1})
    one.keep_acks()
    assert statuses(one) == {"acked": 1, "unvouched": 1}
    assert [each.event.id for each in one.unvouched()] == [refused.id]
    assert {event.id for event in one.events()} == {taken.id, refused.id}
    one.perform(Apply(Page(entries=[Entry.of(4, 4, "r" * 24, taken)], cursor="c"), ()))
    assert one.offer_again() == 1
    assert (statuses(one), [event.id for event in one.local().pending]) == ({"heard": 1}, [refused.id])
    one.perform(Apply(Page(entries=[Entry.of(5, 5, "r" * 24, refused)], cursor="d"), ()))
    assert (statuses(one), one.local().pending) == ({}, [])


def test_what_was_heard_and_comes_too_late_for_its_node_is_refused(make):
    """Nothing here was copied: only its author could give it another id."""
    one = make()
    bobs, mine = Author("bobs", "bob").event("task.1"), Author("tablet", "ann").event("task.1")
    one.hear([bobs, mine])
    give_rules(one, Rule("*", "*", "*", "allow"))
    node = one.node
    for event in (bobs, mine):
        one.perform(MarkCopied(event))
    assert (statuses(one), one.node, one.local().copied) == ({"unvouched": 1, "refused": 1}, node, False)
    assert {each.error["code"] for each in (*one.unvouched(), *one.refused())} == {"node_conflict"}


def test_what_was_heard_can_be_dropped(make):
    one, other = make("one"), make("other")
    other.create("task.milk", {"title": "Milk"})
    sync(one, other)
    (event,) = one.heard()
    one.drop(event.id)
    assert (one.heard(), one.items()) == ([], [])
    with pytest.raises(UnknownEvent):
        one.drop(event.id)
    assert sync(one, other).pulled == 1


def test_a_log_is_no_peer(make):
    log = MemoryEventStore("1" * 32, Receipts(b"key"))
    result = asyncio.run(SyncManager(log, MemoryTransport(ReplicaPeer(make()))).sync())
    assert isinstance(result.failure, BadSettings)


def test_who_heard_what_was_refused_is_told_by_its_author(make):
    one, other = make("one"), make("other")
    event = other.record("task.1", "update")
    sync(one, other)
    other.perform(Settle([(event, Forbidden("No."))]))
    result = sync(one, other)
    assert (result.pushed, [error.code for error in result.errors], result.failure) == (0, ["forbidden"], None)
    assert [each.id for each in one.heard()] == [event.id]
    one.drop(event.id)
    assert sync(one, other).ok
    assert (one.heard(), len(other.refused())) == ([], 1)


@pytest.mark.parametrize("confirmed", [[1], [1, 2], [0], [2, 0], [1, 0, 2], [0, 1, 2, 3], [3, 2, 1, 0]])
def test_snapshots_of_several_authors_hold_as_long_as_entries_come_in_their_order(make, monkeypatch, confirmed):
    """A snapshot may hold local events of two authors; a log may take them in another order, one by one."""
    monkeypatch.setattr(libraries, "STRETCH", 2)
    one, other = make("one"), make("other")
    greet(one)
    for place in range(4):
        replica = (one, other)[place % 2]
        document = replica.document("task.1")
        if place:
            document[f"key{place}"] = place
        else:
            replica.create("task.1", {"n": 1})
        sync(one, other)
    assert one.document("task.1").revision == 4
    local = [each.event for each in one._store.outbox()]
    for seq, place in enumerate(confirmed, 1):
        entry = Entry.of(seq, seq, "r" * 24, local[place])
        one.perform(Apply(Page(entries=[entry], cursor=f"c{seq}"), ()))
        fresh = DocumentReplica(one._store)
        assert histories(one) == histories(fresh)
        assert one.document("task.1").revision == fresh.document("task.1").revision
    again = DocumentReplica(one._store, snapshots=one._snapshots)
    assert histories(again) == histories(fresh)


def test_who_came_first_in_the_log_wins_in_whatever_order_it_was_heard(make, monkeypatch):
    """Under ``server_wins`` the order decides what shows, and the log's may be another than that of local events."""
    monkeypatch.setattr(libraries, "STRETCH", 2)
    one, other = make("one"), make("other")
    greet(one)
    policy = Author("server").event(POLICIES_ITEM, SET_POLICY, {"item": "*", "policy": "server_wins"})
    one.perform(Apply(Page(entries=[Entry.of(1, 1, "r" * 24, policy)], cursor="c1"), ()))
    one.create("task.1", {"title": "Milk"})
    sync(one, other)
    other.document("task.1")["title"] = "Bread"
    one.document("task.1")["title"] = "Butter"
    sync(one, other)
    made, *edits = (each.event for each in one._store.outbox())
    assert one.document("task.1").value is not None
    for seq, event in enumerate([made, *reversed(edits)], 2):
        one.perform(Apply(Page(entries=[Entry.of(seq, seq, "r" * 24, event)], cursor=f"c{seq}"), ()))
    assert states(one) == states(DocumentReplica(one._store))
    assert one.library.document("task.1").overruled == {edits[0].id}
    assert [found.item for found in one.query("task.*", where={"title": "Butter"})] == ["task.1"]
