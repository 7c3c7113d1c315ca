"""The test tools do what they say: replicas agree in the end over a transport that fails on purpose."""

import asyncio
import random

import pytest

from syncline.core.merkle import Leaf, held_in
from syncline.core.merkle import Tree as MerkleTree
from syncline.core.messages import AskSnapshot, Fetch, Found, Hello, Live, Merkle, Pull, Push, Snapshot, Tree
from syncline.core.summaries import summaries_of
from syncline.errors import ConnectionLost, NotFound, Unauthorized
from syncline.replica import Replica
from syncline.stores import load
from syncline.stores.memory import MemoryReplicaStore
from syncline.sync import SyncManager, SyncOptions
from syncline.testing import (
    Author,
    Fault,
    FaultyTransport,
    LogServer,
    ManualClock,
    entropy_from,
    nodes_from,
    random_faults,
)
from tests.core.samples import an_id

HELLO = Hello(node="node", token="ann")
IMPATIENT = SyncOptions(attempts=200, backoff_seconds=0, batch_size=3)


async def greeted(server, *faults):
    transport = FaultyTransport(server.transport(), [Fault.NONE, *faults])
    await transport.hello(HELLO)
    return transport


async def test_a_dropped_request_never_arrives():
    server = LogServer()
    transport = await greeted(server, Fault.DROP_REQUEST)
    with pytest.raises(ConnectionLost):
        await transport.push(Push.of(Author().events(1)))
    assert server.store.head().seq == 0


async def test_a_dropped_answer_was_carried_out():
    server = LogServer()
    transport = await greeted(server, Fault.DROP_ANSWER)
    with pytest.raises(ConnectionLost):
        await transport.push(Push.of(Author().events(2)))
    assert server.store.head().seq == 2


@pytest.mark.parametrize("fault", [Fault.REPEAT, Fault.DELAY])
async def test_what_is_repeated_or_late_is_answered(fault):
    server = LogServer()
    transport = await greeted(server, fault)
    ack = await transport.push(Push.of(Author().events(2)))
    assert [result.seq for result in ack.results] == [1, 2]
    assert server.store.head().seq == 2


async def test_what_heals_is_carried_as_the_rest():
    server = LogServer()
    transport = await greeted(server, Fault.NONE, Fault.DROP_ANSWER, Fault.REPEAT, Fault.NONE)
    events = Author().events(3)
    await transport.push(Push.of(events))
    asked = Fetch(ids=[events[1].id, an_id(), events[0].id])
    with pytest.raises(ConnectionLost):
        await transport.ask(asked, Found)
    found = await transport.ask(asked, Found)
    assert [entry.event for entry in found.entries] == [events[1], events[0]]
    leaves = sorted(Leaf(event.key, event.digest) for event in events)
    top = summaries_of([MerkleTree.of(leaves).at("", held_in(leaves))])
    same, other = [await transport.ask(Merkle(since=since, summaries=top), Tree) for since in (0, 1)]
    assert (same.count, same.root, same.summaries) == (3, MerkleTree.of(leaves).root.hex(), [])
    assert (other.seq, other.count, other.summaries[0].ids) == (3, 2, tuple(event.id for event in events[1:]))
    with pytest.raises(NotFound):
        await transport.ask(AskSnapshot(), Snapshot)


async def test_what_is_overtaken_arrives_after_the_next():
    server, author = LogServer(), Author()
    transport = await greeted(server, Fault.REORDER)
    late, first = author.event(), Author("other").event()
    with pytest.raises(ConnectionLost):
        await transport.push(Push.of([late]))
    assert server.store.head().seq == 0
    await transport.push(Push.of([first]))
    assert [entry.event.id for entry in load(server.store)] == [first.id, late.id]


async def test_a_cut_line_carries_nothing_until_it_heals():
    transport = await greeted(LogServer())
    transport.partitioned = True
    with pytest.raises(ConnectionLost):
        await transport.pull(Pull())
    with pytest.raises(ConnectionLost):
        await anext(transport.subscribe(Live()))
    transport.partitioned = False
    assert (await transport.pull(Pull())).entries == []


async def test_a_subscription_loses_its_connection_with_a_page():
    server = LogServer()
    transport = await greeted(server, Fault.REPEAT, Fault.DROP_ANSWER)
    pages = transport.subscribe(Live())
    assert await anext(pages) == await anext(pages)
    waiting = asyncio.create_task(anext(pages))
    await (await greeted(server)).push(Push.of(Author().events(1)))
    with pytest.raises(ConnectionLost):
        await waiting


async def test_a_server_in_memory_asks_who_is_there():
    with pytest.raises(Unauthorized):
        await LogServer().transport().hello(Hello(node="node"))


@pytest.mark.parametrize("seed", range(20))
async def test_replicas_agree_over_a_network_that_fails(seed):
    chance = random.Random(seed)
    clock = ManualClock()
    server = LogServer(now_ms=clock)
    replicas = [
        Replica(MemoryReplicaStore(node), now_ms=clock, entropy=entropy_from(chance), make_node=nodes_from(chance))
        for node in ("phone", "laptop")
    ]
    for round in range(3):
        for replica in replicas:
            replica.record("task.milk", "update", round)
            transport = FaultyTransport(server.transport(), random_faults(chance, 0.3))
            result = await SyncManager(replica, transport, IMPATIENT, token="ann").sync()
            assert result.ok, result.errors
    assert (await SyncManager(replicas[0], server.transport(), token="ann").sync()).ok
    log = [entry.encoded for entry in load(server.store)]
    assert len(log) == 6
    assert [[entry.encoded for entry in replica.entries()] for replica in replicas] == [log, log]


def test_the_same_seed_makes_the_same_faults():
    one, other = (random_faults(random.Random(3), 0.5) for _ in range(2))
    faults = [next(one) for _ in range(100)]
    assert faults == [next(other) for _ in range(100)]
    assert set(faults) == set(Fault)
