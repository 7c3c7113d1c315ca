"""A replica finds every difference from its server's log, wherever it is, and mends it."""

import asyncio
import random
from contextlib import closing

import pytest

from syncline import DocumentReplica, SyncManager, SyncOptions
from syncline.core.bases import Base
from syncline.core.effects import Apply
from syncline.core.events import Entry
from syncline.core.messages import Page, Tree
from syncline.replica import new_node, wall_clock_ms
from syncline.stores import Change
from syncline.stores.memory import MemoryReplicaStore
from syncline.stores.sqlite import SqliteReplicaStore
from syncline.sync.replica_peer import ReplicaPeer
from syncline.testing import Author
from syncline.testing.log_server import LogServer
from syncline.transports.memory import MemoryTransport

RECEIPT = "r" * 24


@pytest.fixture(params=["memory", "file"])
def replica(request, tmp_path):
    is_file = request.param == "file"
    made = DocumentReplica(SqliteReplicaStore(tmp_path / "r.db", "node") if is_file else MemoryReplicaStore("node"))
    yield made
    made.close()


@pytest.fixture
def server():
    return LogServer(now_ms=wall_clock_ms)


class Counted:
    """A transport that counts inquiries by their kind, and keeps the last tree."""

    def __init__(self, inner):
        self._inner, self.asked, self.tree = inner, [], None

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def ask(self, inquiry, kind):
        self.asked.append(type(inquiry).__name__)
        answer = await self._inner.ask(inquiry, kind)
        self.tree = answer if isinstance(answer, Tree) else self.tree
        return answer


def manager(replica, server, **options):
    return SyncManager(replica, Counted(server.transport()), SyncOptions(**options), token="ann")


def heal(replica, server, **options):
    result = asyncio.run(manager(replica, server, **options).heal())
    assert result.ok, result
    return result


def lose(replica, seqs):
    """Entries that are gone from a replica, which does not know it."""
    entries = [entry for entry in replica.entries() if entry.seq not in seqs]
    state = replica._store.state()
    replica._store.commit(Change(forget=["*"]))
    replica._store.commit(Change(entries=entries, state=state))


def bodies(replica):
    return {entry.seq: entry.event.body for entry in replica.entries()}


def filled(replica, server, count=300):
    for place in range(count):
        replica.record(f"task.{place % 9}", "update", place)
    assert asyncio.run(manager(replica, server).sync()).ok
    return bodies(replica)


@pytest.mark.parametrize("gone", [[1], [300], [7, 8, 9], random.Random(1).sample(range(1, 301), 60), range(1, 301)])
def test_what_is_missing_comes_back(replica, server, gone):
    before = filled(replica, server)
    lose(replica, set(gone))
    result = asyncio.run(manager(replica, server).sync())
    assert (result.pulled, len(bodies(replica))) == (0, 300 - len(gone))  # no cursor tells of it
    result = heal(replica, server)
    assert (result.mended, result.given, result.pulled) == (len(gone), 0, 0)
    assert bodies(replica) == before


def test_equal_ones_say_so_in_one_message(replica, server):
    filled(replica, server)
    both = manager(replica, server)
    assert asyncio.run(both.heal()).mended == 0
    assert both._transport.asked == ["Merkle"]
    assert (both._transport.tree.root, both._transport.tree.count) == (replica.tree(local=False)[0].root.hex(), 300)


def test_where_both_differ_the_servers_stands(replica, server):
    before = filled(replica, server)
    old = next(replica.entries(items=["task.4"]))
    forged = old.event.with_user("bob")
    replica._store.commit(Change(entries=[Entry.of(old.seq, old.at, old.receipt, forged)]))
    assert bodies(replica) != before
    assert heal(replica, server).mended == 1
    assert bodies(replica) == before


def test_what_stood_in_the_place_of_another_is_given_back(replica, server):
    before = filled(replica, server)
    old = next(replica.entries(items=["task.4"]))
    other = Author("other").event("task.other")
    replica._store.commit(Change(entries=[Entry.of(old.seq, old.at, old.receipt, other)]))
    assert bodies(replica) != before
    result = heal(replica, server)
    assert (result.mended, result.given) == (1, 1)
    assert bodies(replica) == {**before, 301: other.body}


def test_documents_show_what_came_back(replica, server):
    milk = replica.create("task.milk", {"title": "Milk", "n": 1})
    milk["n"] = 2
    milk["n"] = 3
    milk["title"] = "Oats"
    assert asyncio.run(manager(replica, server).sync()).ok
    lose(replica, {1, 3})
    fresh = DocumentReplica(replica._store)
    told = []
    fresh.watch("*", lambda documents: told.append([each.item for each in documents]))
    assert fresh.document("task.milk").plain != {"title": "Oats", "n": 3}
    heal(fresh, server)
    assert fresh.document("task.milk").plain == {"title": "Oats", "n": 3}
    assert fresh.document("task.milk").revision == 4
    assert told == [["task.milk"]]


def test_what_the_log_lacks_is_offered(replica, server):
    before = filled(replica, server)
    lost = server.store._rows[41]
    del server.store._known[lost.event.key]
    hidden = server._tree
    server._tree = lambda asked: (
        hidden(asked) if lost.event.key in server.store._known else _without(server, asked, lost)
    )
    result = heal(replica, server)
    assert (result.given, result.pulled, result.mended) == (1, 1, 0)
    assert sorted(bodies(replica).values()) == sorted(before.values())
    assert bodies(replica)[301] == lost.event.body


def _without(server, asked, lost):
    """The tree of a log without one entry."""
    full, server.store._rows = server.store._rows, [row for row in server.store._rows if row is not lost]
    try:
        return LogServer._tree(server, asked)
    finally:
        server.store._rows = full


def test_only_what_was_asked_for_is_compared(replica, server):
    filled(replica, server)
    lose(replica, set(range(1, 301)))
    result = heal(replica, server, filter=lambda event: event.payload % 2 == 0)
    assert (result.mended, len(bodies(replica))) == (150, 150)


async def test_a_live_replica_heals_too(server):
    replica = DocumentReplica(MemoryReplicaStore("node"))
    replica.record("task.1", "update", 1)
    live = manager(replica, server)
    await live.start_auto_sync()
    assert (await live.sync()).ok
    lose(replica, {1})
    result = await live.heal()
    assert (result.mended, len(bodies(replica))) == (1, 1)
    assert (await live.heal()).mended == 0
    await live.close()


def test_new_events_get_greater_numbers_than_those_that_came_back(replica, server):
    filled(replica, server, 5)
    state = replica._store.state()
    replica._store.commit(Change(forget=["*"]))
    replica._store.commit(
        Change(state=type(state)(node="node", user="ann", epoch=state.epoch, seq=5, cursor=state.cursor))
    )
    assert heal(replica, server).mended == 5
    event = replica.record("task.1", "update", 9)
    assert event.n == 6
    assert event.id > max(entry.event.id for entry in replica.entries())


# Peers, one of which has no history


def test_what_is_in_a_base_is_neither_fetched_nor_heard(replica, server):
    """One holds all entries; the other a base for those up to seq 4, and what came after."""
    full = DocumentReplica(MemoryReplicaStore(new_node()))
    with closing(full):
        for place in range(6):
            full.record("task.1", "update", place)
        assert asyncio.run(manager(full, server).sync()).ok
        entries = list(full.entries())
        base = Base(item="task.1", seq=4, at=4, count=4, clock={full.node: 4}, last=entries[3].event.id)
        replica.perform(Apply(Page(entries=entries[4:], bases=[base], cursor="c"), ()))
        assert replica.horizon == 4
        full.record("task.2", "update", 7)
        replica.record("task.3", "update", 8)
        for one, other in ((replica, full), (full, replica), (replica, full)):
            transport = Counted(MemoryTransport(ReplicaPeer(other)))
            result = asyncio.run(SyncManager(one, transport).sync())
            assert result.ok
        assert (result.pushed, result.pulled, transport.asked) == (0, 0, ["Merkle"])
        assert [entry.seq for entry in replica.entries()] == [5, 6]
        assert [event.item for event in replica.heard()] == ["task.2"]
        assert [event.item for event in full.heard()] == ["task.3"]
        early = replica.hear([entries[1].event])
        assert (early.news, early.left) == ([], {})
