"""Presence in the Python SDK, between replicas in this process and a real server."""

import asyncio
import json
import subprocess
import sys
from contextlib import ExitStack
from threading import get_ident
from typing import Any

import pytest

import syncline
from syncline import Peer, SyncManager, SyncOptions
from syncline.errors import BadRequest, BadSettings, TooLarge, TooManyPresences
from syncline.replica import Replica, new_node
from syncline.stores.memory import MemoryReplicaStore
from syncline.transports.http import HttpTransport
from syncline.transports.memory import MemoryTransport
from syncline.transports.websocket import WebSocketTransport
from tests.processes import kill
from tests.server.proxy import Proxy
from tests.server.rooms import visitor
from tests.server.running import eventually
from tests.server.tenants import change, key, make
from tests.server.test_sync_manager import managed, until


@pytest.fixture
def live(open_server, space):
    """Starts replicas of a space."""
    with ExitStack() as stack:

        def start(**options: Any) -> Any:
            replica = stack.enter_context(syncline.open(None, server=open_server.url, space=space, **options))
            replica.start()
            return replica

        yield start


def states(replica: Any, item: str | None = None) -> list[Any]:
    return [peer.state for peer in replica.presence.peers(item)]


def test_replicas_see_each_other(live):
    ann, bob = live(), live()
    ann.presence.set({"caret": 5}, item="note.x")
    eventually(lambda: bob.presence.peers() == [Peer(ann.node, "anyone", "note.x", {"caret": 5})])
    bob.presence.set("idle")
    eventually(lambda: states(ann) == ["idle"])
    ann.presence.set({"caret": 6}, "note.y")
    eventually(lambda: bob.presence.peers()[0].item == "note.y")
    ann.presence.clear()
    eventually(lambda: bob.presence.peers() == [])
    assert states(ann) == ["idle"]


def test_peers_at_an_item(live):
    ann, bob = live(), live()
    ann.presence.set(1, item="note.x", key="a")
    ann.presence.set(2, item="note.y", key="b")
    ann.presence.set(3, key="c")
    eventually(lambda: states(bob) == [1, 2, 3])
    assert states(bob, "note.x") == [1]
    assert states(bob, "note.*") == states(bob, "*") == [1, 2]
    assert states(bob, "task.x") == []
    with pytest.raises(BadRequest):
        bob.presence.peers("a b")


def test_a_watcher_is_told_at_once_and_when_it_changes(live):
    ann, bob = live(), live()
    told: list[list[Any]] = []
    threads = set()

    def watcher(peers):
        threads.add(get_ident())
        told.append([peer.state for peer in peers])

    stop = bob.presence.watch(watcher, item="note.x")
    assert told == [[]]
    ann.presence.set(1, item="note.x")
    eventually(lambda: told == [[], [1]])
    ann.presence.set("elsewhere", item="note.y", key="b")
    eventually(lambda: len(bob.presence.peers()) == 2)
    ann.presence.set(2, item="note.x")
    eventually(lambda: told == [[], [1], [2]])
    stop()
    ann.presence.set(3, item="note.x")
    eventually(lambda: 3 in states(bob))
    assert told == [[], [1], [2]]
    assert len(threads) == 2


def test_a_watcher_that_fails_stops_nothing(live, caplog):
    ann, bob = live(), live()
    bob.presence.watch(lambda peers: 1 / len(peers))
    told = []
    bob.presence.watch(told.append)
    ann.presence.set(1)
    eventually(lambda: len(told) == 2)
    ann.record("task.a", "create", 1)
    eventually(lambda: len(list(bob.events())) == 1)
    assert "a watcher of presence failed" in caplog.text


def test_what_was_set_before_it_was_live_is_said_then(open_server, space, live):
    bob = live()
    assert bob.presence.peers() == []
    with syncline.open(None, server=open_server.url, space=space) as ann:
        ann.presence.set("early")
        ann.sync()
        assert states(bob) == []
        ann.start()
        eventually(lambda: states(bob) == ["early"])
        ann.stop()
        eventually(lambda: states(bob) == [])
        ann.start()
        eventually(lambda: states(bob) == ["early"])
    eventually(lambda: states(bob) == [])


def test_who_only_looks_is_told(open_server, space, live):
    with visitor(open_server, space, "n") as ann:
        ann.say(7, "note.x")
        ann.pong()
        bob = live()
        eventually(lambda: bob.presence.peers() == [Peer("n", "anyone", "note.x", 7)])


def test_whoever_does_not_use_it_says_nothing_about_it(open_server, space, live):
    with visitor(open_server, space, "n") as ann:
        bob = live()
        eventually(lambda: bob.status.state == "live")
        bob.record("task.a", "create", 1)
        bob.sync()
        ann.ask()
        bob.sync()
        assert ann.here == {}


def test_of_many_states_the_last_is_said(open_server, space, live):
    with visitor(open_server, space, "n") as listener:
        listener.ask()
        ann = live()
        for caret in range(2_000):
            ann.presence.set(caret, item="note.x")
        listener.until(lambda here: list(here.values()) == [("note.x", 1_999)])
        assert len(listener.messages) < 1_000


def test_what_no_server_would_take_is_refused_at_once(live):
    ann = live()
    with pytest.raises(TooLarge):
        ann.presence.set("x" * 4_095)
    with pytest.raises(BadRequest):
        ann.presence.set(1, item="a b")
    for n in range(100):
        ann.presence.set(n, key=f"k{n}")
    with pytest.raises(TooManyPresences):
        ann.presence.set(1)


def test_what_the_server_cannot_take_yet_is_said_again(serve, monkeypatch):
    """A full space answers with an error; when there is room, what was set is said again without being set again."""
    from syncline.sync import presence

    monkeypatch.setattr(presence, "retry_seconds", lambda error: 0.05)  # the server asks for ten
    server = serve(open=True, away_seconds=300.0, idle_seconds=300.0)
    with ExitStack() as stack:
        crowd = [stack.enter_context(visitor(server, "s", f"n{n}")) for n in range(10)]
        for each in crowd:
            for n in range(100):
                each.say(n, key=f"k{n}")
            each.pong()
        bob = stack.enter_context(syncline.open(None, server=server.url, space="s"))
        bob.start()
        eventually(lambda: len(bob.presence.peers()) == 1_000)
        bob.presence.set("at last")
        eventually(lambda: bob.presence.error is not None)
        assert bob.status.state == "live"
        crowd[0].say(None, key="k0")
        crowd[1].until(lambda here: (None, "at last") in here.values())
        eventually(lambda: bob.presence.error is None)


# Connections that end


async def test_after_a_break_it_is_said_again_and_offline_nobody_is_here(open_server, space):
    async with (
        Proxy(open_server.port) as proxy,
        managed(proxy.url, space) as ann,
        managed(open_server.url, space) as bob,
    ):
        await ann.start_auto_sync()
        await bob.start_auto_sync()
        told: list[Any] = []
        ann.presence.watch(lambda peers: told.append([peer.state for peer in peers]))
        ann.presence.set("here", item="note.x")
        bob.presence.set("there")
        await until(lambda: told == [[], ["there"]])
        await until(lambda: len(bob.presence.peers()) == 1)
        proxy.fall_silent()  # for new connections
        proxy.cut()
        await until(lambda: told == [[], ["there"], []])
        assert ann.presence.peers() == []
        await until(lambda: bob.presence.peers() == [])
        proxy.speak()
        await until(lambda: [peer.state for peer in bob.presence.peers()] == ["here"])
        await until(lambda: told[-1] == ["there"])


async def test_an_earlier_session_of_one_s_own_is_nobody(open_server, space):
    """The server has not noticed yet that the line is dead: what was said on it is not shown to who said it."""
    async with (
        Proxy(open_server.port) as proxy,
        managed(proxy.url, space) as ann,
        managed(open_server.url, space) as bob,
    ):
        for each in (ann, bob):
            await each.start_auto_sync()
        ann.presence.set("old", key="gone")
        await until(lambda: [peer.state for peer in bob.presence.peers()] == ["old"])
        await ann.stop_auto_sync()
        async with managed(open_server.url, space) as eve:
            with visitor(open_server, space, ann.replica.node) as ghost:
                ghost.say("still here")
                await asyncio.to_thread(ghost.pong)
                await ann.start_auto_sync()
                await eve.start_auto_sync()
                await until(lambda: len(eve.presence.peers()) == 2)
                bob.presence.set("b")
                await until(lambda: [peer.state for peer in ann.presence.peers()] == ["b"])


PROGRAM = """
import json, sys, time
import syncline

url, space = sys.argv[1:]
with syncline.open(None, server=url, space=space) as replica:
    replica.presence.set("doomed", item="note.x")
    replica.start()
    print(json.dumps(replica.node), flush=True)
    sys.stdin.read()
"""


def test_whose_program_is_killed_has_gone(open_server, space, live):
    bob = live()
    command = [sys.executable, "-c", PROGRAM, open_server.url, space]
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        node = json.loads(program.stdout.readline())
        eventually(lambda: bob.presence.peers() == [Peer(node, "anyone", "note.x", "doomed")])
    finally:
        kill(program)
    eventually(lambda: bob.presence.peers() == [])


def test_a_suspended_space_and_back(serve):
    server = serve()
    make(server, "s")
    tokens = {user: key(server, "s", user) for user in ("ann", "bob")}
    with ExitStack() as stack:
        ann, bob = (
            stack.enter_context(syncline.open(None, server=server.url, space="s", token=token))
            for token in tokens.values()
        )
        for replica in (ann, bob):
            replica.start()
        ann.presence.set(1)
        eventually(lambda: bob.presence.peers() == [Peer(ann.node, "ann", None, 1)])
        change(server, "s", suspended=True)
        eventually(lambda: bob.presence.peers() == [])
        change(server, "s", suspended=False)
        eventually(lambda: bob.presence.peers() == [Peer(ann.node, "ann", None, 1)])


# Where there is none


def test_without_a_socket_it_says_so(open_server, space):
    for options in ({"server": open_server.url, "transport": "http"}, {}):
        with syncline.open(None, space=space, **options) as replica:
            with pytest.raises(BadSettings, match="WebSocket"):
                replica.presence.set(1)
            replica.presence.clear()
            assert replica.presence.peers() == []
            told = []
            replica.presence.watch(told.append)()
            assert told == [[]]


@pytest.mark.parametrize(
    ("transport", "options", "words"),
    [
        (HttpTransport, {}, "WebSocket"),
        (lambda url: MemoryTransport(lambda: None), {}, "WebSocket"),
        (WebSocketTransport, {"sync_interval": 1.0}, "sync_interval"),
    ],
    ids=["http", "memory", "interval"],
)
def test_a_manager_says_so(open_server, transport, options, words):
    manager = SyncManager(Replica(MemoryReplicaStore(new_node())), transport(open_server.url), SyncOptions(**options))
    with pytest.raises(BadSettings, match=words):
        manager.presence.set(1)


async def test_a_replica_over_http_syncs_beside_it(open_server, space):
    async with managed(open_server.url, space, HttpTransport) as manager:
        assert manager.presence.peers() == []
        await manager.start_auto_sync()
        manager.replica.record("task.a", "create", 1)
        await until(lambda: not manager.replica.status.pending)
        assert manager.presence.peers() == []
