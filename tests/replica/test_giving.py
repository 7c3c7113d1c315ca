"""What a replica does about entries that its server's log has lost: when it gives them, and how they show meanwhile."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from syncline.core.log import Receipts
from syncline.replica.documents import DocumentReplica
from syncline.replica.effects import is_blank
from syncline.stores import load
from syncline.stores.memory import MemoryEventStore, MemoryReplicaStore
from syncline.sync import SyncManager, SyncOptions
from syncline.testing import LogServer
from syncline.testing.log_server import EPOCH, KEY

SECONDS = 20.0


@pytest.fixture
def server():
    return LogServer()


def put_back(server, entries, *, epoch=EPOCH):
    """The log with its first entries, and no more."""
    kept = list(load(server.store))[:entries]
    tail, at = server.store.tail(entries), kept[-1].at if kept else 0
    head = server.store.head()._replace(epoch=epoch, seq=entries, tail=tail, at=at)
    server.store = MemoryEventStore(epoch, Receipts(KEY))
    server.store.adopt(kept, head)


def a_manager(server, user, *, chance=1.0, **options):
    replica = DocumentReplica(MemoryReplicaStore(f"node-{user}"))
    return SyncManager(replica, server.transport(), SyncOptions(**options), token=user, chance=lambda: chance)


async def synced(*managers):
    for manager in managers:
        result = await manager.sync()
        assert result.errors == []


@asynccontextmanager
async def live(manager):
    await manager.start_auto_sync()
    await until(lambda: manager.replica.status.state == "live")
    yield
    await manager.stop_auto_sync()


async def until(condition):
    limit = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < limit, "not in time"
        await asyncio.sleep(0.002)


def payloads(store):
    return sorted(str(entry.event.payload) for entry in load(store))


async def two_and_a_log_that_lost(server, **options):
    """Ann's and bob's replicas, when what both wrote was lost."""
    ann, bob = a_manager(server, "ann"), a_manager(server, "bob", **options)
    ann.replica.record("x", "put", 0)
    await synced(ann)
    ann.replica.record("x", "put", "a")
    bob.replica.record("y", "put", "b")
    await synced(ann, bob)
    put_back(server, 1)
    return ann, bob


async def test_a_sync_that_is_asked_for_gives_all_at_once(server):
    _, bob = await two_and_a_log_that_lost(server)
    result = await bob.sync()
    assert (result.given, result.errors) == (2, [])
    assert payloads(server.store) == ["0", "a", "b"]
    assert bob.replica.status.orphan == 0


async def test_live_it_gives_its_own_at_once_and_others_after_a_while(server):
    _, bob = await two_and_a_log_that_lost(server, give_seconds=3_600.0)
    async with live(bob):
        await until(lambda: payloads(server.store) == ["0", "b"])
        await until(lambda: bob.replica.status.orphan == 1)
        assert [event.payload for event in bob.replica.events()] == [0, "b", "a"], "it shows all the while"
        assert (await bob.sync()).errors == []
        assert payloads(server.store) == ["0", "a", "b"]


async def test_which_comes_by_itself(server):
    _, bob = await two_and_a_log_that_lost(server, give_seconds=0.001)
    async with live(bob):
        await until(lambda: payloads(server.store) == ["0", "a", "b"])
        await until(lambda: bob.replica.status.orphan == 0)


async def test_what_another_gives_meanwhile_is_not_given(server):
    ann, bob = await two_and_a_log_that_lost(server, give_seconds=3_600.0)
    async with live(bob):
        await until(lambda: bob.replica.status.orphan == 1)
        await synced(ann)
        await until(lambda: bob.replica.status.orphan == 0)
        assert len(list(bob.replica.entries())) == 3


async def test_a_document_shows_what_its_log_has_lost(server):
    ann, bob = a_manager(server, "ann"), a_manager(server, "bob", give_seconds=3_600.0)
    milk = ann.replica.create("task.milk", {"title": "Milk"})
    await synced(ann, bob)
    milk["title"] = "Oat milk"
    await synced(ann, bob)
    put_back(server, 1)
    async with live(bob):
        await until(lambda: bob.replica.status.orphan == 1)
        shown = bob.replica.document("task.milk")
        assert shown["title"] == "Oat milk"
        assert len(shown.history()) == 2
        assert bob.replica.items("task.*") == ["task.milk"]
        await bob.sync()
        assert shown["title"] == "Oat milk"


async def test_what_no_receipt_vouches_for_is_kept_and_offered_when_somebody_asks(server):
    _, bob = await two_and_a_log_that_lost(server)
    server.receipts = Receipts(b"another key")
    result = await bob.sync()
    assert [error.code for error in result.errors] == ["unvouched"]
    assert payloads(server.store) == ["0", "b"]
    assert bob.replica.status.unvouched == 1
    (kept,) = bob.replica.unvouched()
    assert (kept.event.payload, kept.error["code"]) == ("a", "unvouched")
    await synced(bob)
    assert [event.payload for event in bob.replica.events()] == [0, "b", "a"]
    server.receipts = Receipts(KEY)
    assert bob.replica.offer_again() == 1
    assert bob.replica.offer_again() == 0
    await synced(bob)
    assert bob.replica.status.unvouched == 0
    assert payloads(server.store) == ["0", "a", "b"]


async def test_one_s_own_that_is_refused_can_be_mended(server):
    """Without a receipt it is a push: another file of this node has raised its counter."""
    _, bob = await two_and_a_log_that_lost(server)
    server.receipts = Receipts(b"another key")
    other = a_manager(server, "bob")
    other.replica.record("y", "put", "other")
    other.replica.record("y", "put", "another")
    await synced(other)
    result = await bob.sync()
    assert [error.code for error in result.errors] == ["unvouched", "node_conflict"]
    (refused,) = bob.replica.refused()
    bob.replica.retry(refused.event.id)
    await bob.sync()
    assert payloads(server.store) == ["0", "another", "b", "other"]


async def test_what_is_in_the_log_and_does_not_show_is_let_go_of(server):
    ann, bob = await two_and_a_log_that_lost(server)
    await synced(ann)
    chosen = SyncManager(
        bob.replica, server.transport(), SyncOptions(filter=lambda event: event.user == "bob"), token="bob"
    )
    result = await chosen.sync()
    assert result.failure is None
    assert bob.replica.status.orphan == 0
    assert payloads(server.store) == ["0", "a", "b"]


async def test_a_replica_without_entries_goes_on_with_any_log(server):
    bob = a_manager(server, "bob")
    await synced(bob)
    assert is_blank(bob.replica._store)
    put_back(server, 0, epoch="e" * 32)
    bob.replica.record("x", "put", 1)
    await synced(bob)
    assert bob.replica.epoch == "e" * 32
    put_back(server, 0, epoch="d" * 32)
    result = await bob.sync()
    assert [error.code for error in result.errors] == ["epoch_changed"]
    assert [event.payload for event in bob.replica.events()] == [1]
