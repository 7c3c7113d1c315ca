"""A SyncManager joins any store to any transport: they are level after it, and after others wrote there."""

from contextlib import ExitStack, asynccontextmanager
from itertools import count

import pytest

from syncline import Draft, Replica, SyncManager, VersionedStore
from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.core.messages import Hello, Pull, Push
from syncline.stores import load
from syncline.stores.jsonl import JsonLinesEventStore
from syncline.stores.lmdb import LmdbEventStore
from syncline.stores.memory import MemoryEventStore, MemoryReplicaStore
from syncline.stores.postgres import PostgresLogs
from syncline.stores.sqlite import SqliteEventStore, SqliteReplicaStore
from syncline.testing import Author
from syncline.testing.seeded import START_MS
from syncline.transports.grpc.client import GrpcTransport
from syncline.transports.http import HttpTransport
from syncline.transports.websocket import WebSocketTransport
from tests.nats import nats_server
from tests.postgres import new_database
from tests.transports.servers import in_a_process, in_this_process
from tests.transports.test_nats import over

EPOCH = "e" * 32
RECEIPTS = Receipts(b"of these tests")
SPACES = map("joined-{}".format, count())
TRANSPORTS = ["memory", "http", "websocket", "grpc", "nats"]
OF_NETWORKS = {"http": HttpTransport, "websocket": WebSocketTransport}
REPLICAS = {
    "memory replica": lambda directory: MemoryReplicaStore("node"),
    "sqlite replica": lambda directory: SqliteReplicaStore(directory / "replica.db", "node"),
}
LOGS = {
    "memory log": lambda directory: MemoryEventStore(EPOCH, RECEIPTS),
    "sqlite log": lambda directory: SqliteEventStore(directory / "log.db", RECEIPTS),
    "jsonl log": lambda directory: JsonLinesEventStore(directory / "log.jsonl", RECEIPTS),
    "lmdb log": lambda directory: LmdbEventStore(directory / "log.lmdb", RECEIPTS),
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """How to connect over each of the networks; HTTP and WebSocket lead to one server."""
    with ExitStack() as stack:
        data = tmp_path_factory.mktemp
        web = stack.enter_context(in_a_process(data("web"), str)).connect()
        grpc = stack.enter_context(in_a_process(data("grpc"), GrpcTransport, scheme="grpc"))
        nats = stack.enter_context(over(stack.enter_context(nats_server()), data("nats")))
        made = {name: lambda transport=transport: transport(web) for name, transport in OF_NETWORKS.items()}
        yield {**made, "grpc": grpc.connect, "nats": nats.connect}


@pytest.fixture(scope="module")
def postgres():
    logs = PostgresLogs(new_database(), RECEIPTS)
    yield logs
    logs.close()


@pytest.fixture(params=TRANSPORTS)
async def connect(request, tmp_path):
    """How to begin a conversation of each kind."""
    if request.param == "memory":
        async with in_this_process(tmp_path / "server") as served:
            yield served.connect
    else:
        yield request.getfixturevalue("servers")[request.param]


@asynccontextmanager
async def joined(store, connect, space):
    manager = SyncManager(store, connect(), space=space, token="of-ann")
    try:
        yield manager
    finally:
        await manager.close()
        store.close()


async def push(connect, space, events):
    """Another program's push; the whole log after it."""
    transport = connect()
    await transport.hello(Hello(node="other", space=space, token="of-ann"))
    await transport.push(Push.of(events))
    page = await transport.pull(Pull())
    await transport.close()
    return sorted(entry.event.id for entry in page.entries)


async def check(manager, connect, space, ids):
    """That what it has (``ids``) is what the server has, first after it pushed, and then after somebody else did."""
    first = await manager.sync()
    assert (first.errors, first.pushed) == ([], 3)
    there = await push(connect, space, Author("other").events(2))
    assert len(there) == 5
    second = await manager.sync()
    assert (second.errors, second.pulled) == ([], 2)
    assert sorted(ids()) == there
    third = await manager.sync()
    assert (third.errors, third.pushed, third.pulled) == ([], 0, 0)


@pytest.mark.parametrize("kind", REPLICAS)
async def test_a_replica(kind, connect, tmp_path):
    space, replica = next(SPACES), Replica(REPLICAS[kind](tmp_path))
    replica.record_many([Draft("task.milk", "update")] * 3)
    async with joined(replica, connect, space) as manager:
        await check(manager, connect, space, lambda: [entry.event.id for entry in replica.entries()])


@pytest.mark.parametrize("kind", [*LOGS, "postgres log"])
async def test_a_log(kind, connect, tmp_path, request):
    space = next(SPACES)
    store = LOGS[kind](tmp_path) if kind in LOGS else request.getfixturevalue("postgres").open(space)
    store.append([Submission(Author("node").events(3, user="ann"), "ann")], now_ms=START_MS)
    async with joined(store, connect, space) as manager:
        await check(manager, connect, space, lambda: [entry.event.id for entry in load(store)])


@pytest.mark.parametrize("kind", [*LOGS, "postgres log"])
async def test_a_versioned_store(kind, connect, tmp_path, request):
    space = next(SPACES)
    base = LOGS[kind](tmp_path) if kind in LOGS else request.getfixturevalue("postgres").open(space)
    store = VersionedStore(base, "node", user="ann")
    for _ in range(3):
        store.store(Draft("task.milk", "update"))
    async with joined(store, connect, space) as manager:
        await check(manager, connect, space, lambda: [each.event.id for each in store.load()])
