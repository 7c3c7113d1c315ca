"""A SyncManager against a real server, with a network in between that can be cut or fall silent."""

import asyncio
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from threading import Thread
from typing import Any

import pytest

import syncline
from syncline import Draft, LastWriteWins, SyncManager, SyncOptions
from syncline.replica import Replica, new_node
from syncline.stores.memory import MemoryReplicaStore
from syncline.transports.http import HttpTransport
from syncline.transports.websocket import WebSocketTransport
from tests.server.proxy import Proxy
from tests.server.running import DEADLINE, Author, eventually

TRANSPORTS = pytest.mark.parametrize("transport", [WebSocketTransport, HttpTransport], ids=["websocket", "http"])
QUICK: dict[str, Any] = {"backoff_seconds": 0.05, "max_backoff_seconds": 0.1}


@asynccontextmanager
async def managed(url: str, space: str, transport: Any = WebSocketTransport, *, token: Any = None, **options: Any):
    """A manager of a new replica in memory."""
    replica = Replica(MemoryReplicaStore(new_node()))
    manager = SyncManager(replica, transport(url), SyncOptions(**{**QUICK, **options}), space=space, token=token)
    try:
        yield manager
    finally:
        await manager.close()


async def until(condition: Callable[[], Any], *, seconds: float = DEADLINE) -> Any:
    limit = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < limit, "not in time"
        await asyncio.sleep(0.005)
    return answer


def state(manager: SyncManager) -> str:
    return manager.replica.status.state


def payloads(replica: Replica) -> list[Any]:
    return [event.payload for event in replica.events()]


# Credentials


@TRANSPORTS
async def test_a_wrong_token_asks_for_another_and_does_not_loop(serve, transport):
    server = serve()
    async with Proxy(server.port) as proxy, managed(proxy.url, "default", transport, token="wrong") as manager:
        manager.replica.record("task.a", "update", 1)
        await manager.start_auto_sync()
        await until(lambda: state(manager) == "needs_auth")
        asked = proxy.connections, len(proxy.requests)
        await asyncio.sleep(20 * QUICK["max_backoff_seconds"])  # long enough for many retries
        assert (proxy.connections, len(proxy.requests)) == asked
        assert len(proxy.requests) == 1
        assert manager.replica.status.error["code"] == "unauthorized"
        assert manager.replica.status.pending == 1

        result = await manager.sync()
        assert [error.code for error in result.errors] == ["unauthorized"]
        assert len(proxy.requests) == 2  # not retried either

        await manager.sign_in(server.key)
        await until(lambda: state(manager) == "live" and not manager.replica.status.pending)
    assert server.pull("default").code == "unauthorized"
    assert server.head("default") == 1


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_to_sign_in_and_go_on(serve, tmp_path, transport):
    server = serve()
    with syncline.open(tmp_path / "r.db", server=server.url, token="wrong", transport=transport) as replica:
        replica.record("task.a", "update", 1)
        replica.start()
        eventually(lambda: replica.status.state == "needs_auth")
        replica.sign_in(server.key)
        eventually(lambda: replica.status.state == "live" and not replica.status.pending)
    assert server.head("default") == 1


@TRANSPORTS
async def test_a_key_that_is_revoked_while_live(serve, transport):
    from syncline.server.registry import open_registry

    server = serve()
    registry = open_registry(server.data, "", lambda: int(time.time() * 1000))
    key = registry.create_key("laptop", "alice")
    async with Proxy(server.port) as proxy, managed(proxy.url, "default", transport, token=key) as manager:
        await manager.start_auto_sync()
        await until(lambda: state(manager) == "live")
        (alices,) = [known.id for known in registry.keys() if known.user == "alice"]  # noqa: SIM118
        registry.revoke_key(alices)
        proxy.cut()
        await asyncio.sleep(1.1)  # a key is remembered for a second
        proxy.cut()
        await until(lambda: state(manager) == "needs_auth")
    registry.close()


# Retries


@TRANSPORTS
async def test_what_cannot_succeed_is_not_retried(serve, transport):
    server = serve(create_spaces=False)
    async with Proxy(server.port) as proxy, managed(proxy.url, "nobody", transport, token=server.key) as manager:
        result = await manager.sync()
        assert [error.code for error in result.errors] == ["unknown_space"]
        assert proxy.connections == 1
        await manager.start_auto_sync()
        await until(lambda: manager._automatic is not None and manager._automatic.done())
        assert proxy.connections == 2


@TRANSPORTS
async def test_what_may_succeed_is_retried(open_server, space, transport):
    async with Proxy(open_server.port) as proxy:
        proxy.stop_listening()
        async with managed(proxy.url, space, transport, attempts=4) as manager:
            manager.replica.record("task.a", "update", 1)
            result = await manager.sync()
            assert [error.code for error in result.errors] == ["connection_lost"]
            assert result.errors[0].retryable
            assert state(manager) == "offline"
            assert manager.replica.status.pending == 1


@TRANSPORTS
async def test_a_server_that_restarts(serve, transport):
    server = serve(open=True)
    async with managed(server.url, "s", transport) as manager, managed(server.url, "s", transport) as other:
        for each in (manager, other):
            await each.start_auto_sync()
        await until(lambda: state(manager) == state(other) == "live")
        for turn in range(3):
            server.settings["port"] = server.port
            await asyncio.to_thread(server.stop)
            manager.replica.record("task.a", "update", turn)
            await until(lambda: state(manager) != "live")
            await asyncio.to_thread(server.start)
            await until(lambda turn=turn: payloads(other.replica) == list(range(turn + 1)))
        await until(lambda: not manager.replica.status.pending)
    assert server.head("s") == 3


@TRANSPORTS
async def test_connections_that_break_again_and_again(open_server, space, transport):
    async with Proxy(open_server.port) as proxy, managed(proxy.url, space, transport) as manager:
        await manager.start_auto_sync()
        for turn in range(30):
            manager.replica.record(f"task.{turn % 3}", "update", turn)
            if turn % 3 == 0:
                await asyncio.sleep(0.01)  # somewhere within
                proxy.cut()
        await until(lambda: not manager.replica.status.pending and state(manager) == "live")
        assert payloads(manager.replica) == [entry["event"]["payload"] for entry in open_server.entries(space)]
        assert sorted(payloads(manager.replica)) == list(range(30))


@pytest.mark.slow
async def test_a_server_that_vanishes_in_silence(open_server, space):
    """All at once, because each takes its time: live and idle over WebSocket and SSE, and a push into the silence."""

    async def notice(transport: Any, *, record: bool) -> float:
        async with Proxy(open_server.port) as proxy, managed(proxy.url, space, transport) as manager:
            await manager.start_auto_sync()
            await until(lambda: state(manager) == "live")
            proxy.fall_silent()
            began = time.monotonic()
            if record:
                manager.replica.record("task.a", "update", transport.__name__)
            await until(lambda: state(manager) != "live")
            seconds = time.monotonic() - began
            proxy.cut()
            proxy.speak()
            await until(lambda: state(manager) == "live" and not manager.replica.status.pending)
            return seconds

    seconds = await asyncio.gather(
        *(notice(transport, record=record) for transport in (WebSocketTransport, HttpTransport) for record in (0, 1))
    )
    assert max(seconds) <= 15.0, seconds
    assert sorted(entry["event"]["payload"] for entry in open_server.entries(space)) == [
        "HttpTransport",
        "WebSocketTransport",
    ]


@pytest.mark.slow
async def test_a_follower_of_steady_traffic_stays_live(serve):
    """Whoever only reads has to be heard all the same: a busy session is not an idle one."""
    server = serve(open=True, idle_seconds=9.0)
    async with managed(server.url, "s") as one, managed(server.url, "s", HttpTransport) as two:
        states = []
        for manager in (one, two):
            await manager.start_auto_sync()
            await until(lambda manager=manager: state(manager) == "live")
            manager.replica.watch_status(lambda status: states.append(status.state))
        author, limit = Author(), time.monotonic() + 12.0
        while time.monotonic() < limit:
            await asyncio.to_thread(server.push, "s", author.events(1))
            await asyncio.sleep(0.3)  # steady traffic
        assert set(states) <= {"live"}


# Options


async def test_push_only_and_pull_only(open_server, space):
    open_server.push(space, Author().events(3, payload="theirs"))
    async with (
        managed(open_server.url, space, push_only=True) as pusher,
        managed(open_server.url, space, pull_only=True) as puller,
    ):
        for each in (pusher, puller):
            each.replica.record("task.mine", "update", "mine")
        result = await pusher.sync()
        assert (result.pushed, result.pulled, result.ok) == (1, 0, True)
        result = await puller.sync()
        assert (result.pushed, result.pulled, result.ok) == (0, 4, True)
        assert puller.replica.status.pending == 1
        assert pusher.replica.status.pending == 0
        assert open_server.head(space) == 4
        assert (await puller.push()).pushed == 1
        assert (await pusher.pull()).pulled == 5
        for each in (pusher, puller):
            await each.pull()
            assert len(list(each.replica.entries())) == 5


async def test_items(open_server, space):
    open_server.push(space, [event for item in ("task.a", "note.a", "task.b") for event in Author().events(2, item)])
    async with managed(open_server.url, space, items=["task.*"]) as manager:
        manager.replica.record("note.mine", "update", "mine")
        result = await manager.sync()
        assert (result.pushed, result.errors) == (1, [])
        assert {entry.event.item for entry in manager.replica.entries()} == {"task.a", "task.b"}
        for _ in range(3):
            result = await manager.sync()
            assert (result.pushed, result.errors) == (0, [])
    assert open_server.head(space) == 7


async def test_filter(open_server, space):
    open_server.push(space, Author().events(2, payload="keep") + Author().events(2, payload="leave"))
    async with managed(open_server.url, space, filter=lambda event: event.payload != "leave") as manager:
        manager.replica.record("task.a", "update", "keep")
        manager.replica.record("task.a", "update", "leave")
        await manager.sync()
        assert [entry.event.payload for entry in manager.replica.entries()] == ["keep", "keep", "keep"]
        assert [event.payload for event in manager.replica.pending()] == ["leave"]
        assert (await manager.sync()).pushed == 0
    assert open_server.head(space) == 5


@TRANSPORTS
@pytest.mark.parametrize("batch_size", [1, 7, 1_000])
async def test_batch_size(open_server, space, transport, batch_size):
    async with Proxy(open_server.port) as proxy, managed(proxy.url, space, transport, batch_size=batch_size) as manager:
        manager.replica.record_many([Draft("task.a", "update", n) for n in range(50)])
        result = await manager.sync()
        assert (result.pushed, result.ok) == (50, True)
        if transport is HttpTransport:
            assert sum(path.endswith("/push") for path in proxy.requests) == -(-50 // batch_size)
    assert [entry["event"]["payload"] for entry in open_server.entries(space)] == list(range(50))


@TRANSPORTS
async def test_more_than_one_body_holds(open_server, space, transport):
    async with managed(open_server.url, space, transport) as manager:
        manager.replica.record_many([Draft("task.a", "update", "x" * 60_000) for _ in range(50)])
        assert (await manager.sync()).pushed == 50
    assert open_server.head(space) == 50


async def test_sync_interval(open_server, space):
    async with (
        managed(open_server.url, space, sync_interval=0.1) as one,
        managed(open_server.url, space, sync_interval=0.1) as two,
    ):
        results = []
        one.subscribe(results.append)
        for each in (one, two):
            await each.start_auto_sync()
        for turn in range(3):
            one.replica.record("task.a", "update", turn)
            await until(lambda turn=turn: payloads(two.replica) == list(range(turn + 1)))
        await one.stop_auto_sync()
        assert sum(result.pushed for result in results) == 3
        assert state(one) == "offline"


@pytest.mark.parametrize("local_first", [True, False])
async def test_resolver(open_server, space, local_first):
    async with managed(open_server.url, space, resolver=LastWriteWins()) as manager:
        if local_first:
            manager.replica.record("task.a", "update", "mine")
            await asyncio.sleep(0.005)  # so that the clock moves on
        open_server.push(space, Author().events(1, "task.a", payload="theirs"))
        await asyncio.sleep(0.005)
        if not local_first:
            manager.replica.record("task.a", "update", "mine")
        result = await manager.sync()
        assert result.conflicts == 1
        await manager.sync()
        refused = manager.replica.refused()
        if local_first:  # theirs is the last write
            assert [each.error["code"] for each in refused] == ["withdrawn"]
            assert open_server.head(space) == 1
        else:
            assert refused == []
            assert open_server.head(space) == 2


async def test_a_resolver_that_merges(open_server, space):
    class Merge:
        def resolve(self, local, remote):
            both = [event.payload for event in (*remote, *local)]
            return [Draft(local[0].item, "merge", both)]

    async with managed(open_server.url, space, resolver=Merge()) as manager:
        open_server.push(space, Author().events(1, "task.a", payload="theirs"))
        manager.replica.record("task.a", "update", "mine")
        await manager.sync()
        await manager.sync()
        assert [entry["event"]["payload"] for entry in open_server.entries(space)] == ["theirs", ["theirs", "mine"]]
        assert [each.error["code"] for each in manager.replica.refused()] == ["withdrawn"]
        assert manager.replica.status.pending == 0


# The refused inbox


@TRANSPORTS
async def test_refused_events_are_seen_mended_and_dropped(open_server, space, transport):
    async with managed(open_server.url, space, transport) as manager:
        replica = manager.replica
        replica.record("task.good", "update", "good")
        bad = replica.record(".system", "update", "bad")
        worse = replica.record("task.x", ".reserved", "worse")
        replica.record("task.good", "update", "good, too")
        result = await manager.sync()
        assert result.pushed == 2
        assert [error.code for error in result.errors] == ["reserved_action", "reserved_action"]
        assert [(each.event.id, each.error["code"]) for each in replica.refused()] == [
            (bad.id, "reserved_action"),
            (worse.id, "reserved_action"),
        ]
        assert (replica.status.refused, replica.status.pending) == (2, 0)
        assert (await manager.sync()).errors == []  # what is refused blocks nothing, and is not tried again

        mended = replica.retry(bad.id, item="task.mended")
        assert mended.id != bad.id
        replica.drop(worse.id)
        assert (replica.status.refused, replica.status.pending) == (0, 1)
        assert (await manager.sync()).pushed == 1
        assert [(entry["event"]["item"], entry["event"]["payload"]) for entry in open_server.entries(space)] == [
            ("task.good", "good"),
            ("task.good", "good, too"),
            ("task.mended", "bad"),
        ]
        with pytest.raises(syncline.SynclineError):
            replica.retry(bad.id)


async def test_a_transaction_is_refused_as_a_whole(open_server, space):
    async with managed(open_server.url, space) as manager:
        manager.replica.record_many([Draft("task.a", "update", 1), Draft(".x", "update", 2)], together=True)
        manager.replica.record("task.b", "update", 3)
        assert (await manager.sync()).pushed == 1
        assert [each.error["code"] for each in manager.replica.refused()] == ["tx_refused", "reserved_action"]
    assert [entry["event"]["payload"] for entry in open_server.entries(space)] == [3]


# Without an event loop, and from many threads


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_a_program_without_an_event_loop(open_server, space, tmp_path, transport):
    def opened(name):
        return syncline.open(tmp_path / name, server=open_server.url, space=space, transport=transport)

    with opened("one.db") as one, opened("two.db") as two:
        one.record("task.a", "update", 0)
        assert one.sync().pushed == 1
        assert two.sync().pulled == 1
        for turn in range(1, 4):
            one.start()
            one.start()  # twice is once
            two.start()
            one.record("task.a", "update", turn)
            eventually(lambda turn=turn: payloads(two) == list(range(turn + 1)))
            one.stop()
            one.stop()
            two.stop()
            assert one.status.state == "offline"
        one.record("task.a", "update", 4)
        assert one.sync().pushed == 1
        assert two.sync().pulled == 1
    with opened("one.db") as one:
        assert payloads(one) == list(range(5))


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_to_record_from_many_threads_while_live(open_server, space, tmp_path, transport):
    def opened(name):
        return syncline.open(tmp_path / name, server=open_server.url, space=space, transport=transport)

    with opened("one.db") as one, opened("two.db") as two:
        one.start()
        two.start()
        threads = [Thread(target=write, args=(each, number)) for number, each in enumerate((one, two) * 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        eventually(lambda: all(each.status.pending == 0 and count(each) == 400 for each in (one, two)))
        log = open_server.entries(space)
        for each in (one, two):
            assert [entry.event.id for entry in each.entries()] == [entry["event"]["id"] for entry in log]
            assert each.status.refused == 0
        assert {tuple(entry["event"]["payload"]) for entry in log} == {(by, n) for by in range(8) for n in range(50)}
        one.stop()
        two.stop()


def write(replica: Replica, by: int) -> None:
    for n in range(50):
        replica.record(f"task.{n % 5}", "update", [by, n])


def count(replica: Replica) -> int:
    return sum(1 for _ in replica.entries())


@TRANSPORTS
async def test_two_live_replicas(open_server, space, transport):
    async with (
        managed(open_server.url, space, transport) as one,
        managed(open_server.url, space, transport) as two,
    ):
        heard = []
        two.replica.watch_events(lambda events: heard.extend(event.payload for event in events), items=["task.*"])
        for each in (one, two):
            await each.start_auto_sync()
        await until(lambda: state(one) == state(two) == "live")
        for turn in range(20):
            one.replica.record("task.a", "update", turn)
            await until(lambda turn=turn: heard == list(range(turn + 1)))
        result = await one.sync()  # while live: the next exchange
        assert result.ok
        assert one.replica.status.last_synced
    assert open_server.head(space) == 20


@TRANSPORTS
async def test_to_sync_while_the_live_session_begins(open_server, space, transport):
    async with managed(open_server.url, space, transport) as manager:
        for turn in range(5):
            manager.replica.record("task.a", "update", turn)
            await manager.start_auto_sync()
            async with asyncio.timeout(DEADLINE):
                results = await asyncio.gather(manager.sync(), manager.sync(), manager.push())
            assert all(result.ok for result in results)
            assert manager.replica.status.pending == 0
            waiting = asyncio.create_task(manager.sync())
            await asyncio.sleep(0)
            await manager.stop_auto_sync()
            async with asyncio.timeout(DEADLINE):
                assert {error.code for error in (await waiting).errors} <= {"connection_lost"}
                assert (await manager.sync()).ok


async def test_to_stop_in_the_middle(open_server, space):
    """Whatever moment a sync is stopped at, the next one ends it."""
    async with managed(open_server.url, space, batch_size=5) as manager:
        manager.replica.record_many([Draft("task.a", "update", n) for n in range(200)])
        for turn in range(20):
            await manager.start_auto_sync()
            await asyncio.sleep(0.002 * turn)  # somewhere within
            await manager.stop_auto_sync()
        assert (await manager.sync()).errors == []
        assert manager.replica.status.pending == 0
        assert payloads(manager.replica) == list(range(200))
    assert [entry["event"]["payload"] for entry in open_server.entries(space)] == list(range(200))
