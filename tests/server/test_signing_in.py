"""A replica and its credentials: tokens that are asked for anew, that expire or are revoked, and another user's."""

import asyncio
import time
from contextlib import contextmanager

import pytest

import syncline
from syncline import SyncOptions
from syncline.errors import ConnectionLost
from syncline.server.registry import open_registry
from tests.server.proxy import Proxy
from tests.server.running import DEADLINE, Author, eventually
from tests.server.test_sync_manager import QUICK, TRANSPORTS, managed, state, until

BOTH = pytest.mark.parametrize("transport", ["websocket", "http"])


class Keys:
    """Keys of a server, by the name they were given. ``fresh`` is a source of tokens, which counts how often."""

    def __init__(self, server):
        self.server, self.asked = server, 0
        self.registry = open_registry(server.data, "", lambda: int(time.time() * 1000))

    def create(self, user, **more):
        return self.registry.create_key(user, user, **more)

    def revoke(self, user):
        for key in self.registry.keys():  # noqa: SIM118
            if key.user == user:
                self.registry.revoke_key(key.id)

    def fresh(self, user="ann"):
        def ask():
            self.asked += 1
            return self.create(user)

        return ask


@pytest.fixture
def keys(serve):
    keys = Keys(serve())
    yield keys
    keys.registry.close()


@contextmanager
def opened(path, keys, transport="websocket", **more):
    options = SyncOptions(**QUICK)
    with syncline.open(path, server=keys.server.url, transport=transport, options=options, **more) as replica:
        yield replica


# Functions that return tokens


@TRANSPORTS
async def test_a_function_is_asked_at_each_conversation(keys, transport):
    async def ask():
        await asyncio.sleep(0)
        return keys.fresh()()

    async with Proxy(keys.server.port) as proxy:
        for token in (keys.fresh(), ask, lambda: ask()):  # noqa: PLW0108 (a plain function that returns an awaitable)
            keys.asked = 0
            async with managed(proxy.url, "default", transport, token=token) as manager:
                manager.replica.record("task.a", "update", 1)
                for turn in (1, 2):
                    assert (await manager.sync()).ok
                    assert keys.asked == turn
                await manager.start_auto_sync()
                await until(lambda: state(manager) == "live")
                assert keys.asked == 3
                proxy.cut()
                await until(lambda: keys.asked == 4 and state(manager) == "live")


@TRANSPORTS
async def test_a_token_that_was_refused_is_asked_for_once_more(keys, transport):
    answers = ["expired", keys.create("ann"), "expired", "expired", "expired", keys.create("ann")]
    async with (
        Proxy(keys.server.port) as proxy,
        managed(proxy.url, "default", transport, token=lambda: answers.pop(0)) as manager,
    ):
        manager.replica.record("task.a", "update", 1)
        result = await manager.sync()
        assert (result.ok, result.pushed, len(answers)) == (True, 1, 4)
        manager.replica.record("task.a", "update", 2)
        result = await manager.sync()
        assert [error.code for error in result.errors] == ["unauthorized"]
        assert (state(manager), len(answers), manager.replica.status.pending) == ("needs_auth", 2, 1)
        await manager.start_auto_sync()
        await until(lambda: state(manager) == "live" and not manager.replica.status.pending)
        assert answers == []


@TRANSPORTS
async def test_a_function_without_an_answer_does_not_loop(keys, transport):
    def ask():
        keys.asked += 1

    async with Proxy(keys.server.port) as proxy, managed(proxy.url, "default", transport, token=ask) as manager:
        manager.replica.record("task.a", "update", 1)
        await manager.start_auto_sync()
        await until(lambda: state(manager) == "needs_auth")
        await asyncio.sleep(10 * QUICK["max_backoff_seconds"])
        assert (keys.asked, proxy.connections, manager.replica.status.pending) == (2, 2, 1)


async def test_a_function_that_fails_is_asked_again_if_that_may_help(keys):
    answers = [ConnectionLost("The one who knows cannot be reached."), OSError("?"), keys.create("ann")]

    def ask():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with managed(keys.server.url, "default", token=ask) as manager:
        manager.replica.record("task.a", "update", 1)
        result = await manager.sync()
        assert (result.ok, result.pushed, answers) == (True, 1, [])


@TRANSPORTS
async def test_a_token_that_is_revoked_while_live_is_asked_for_anew(keys, transport):
    async with (
        Proxy(keys.server.port) as proxy,
        managed(proxy.url, "default", transport, token=keys.fresh()) as manager,
    ):
        await manager.start_auto_sync()
        await until(lambda: state(manager) == "live")
        keys.revoke("ann")
        await asyncio.sleep(1.1)  # a key is remembered for a second
        manager.replica.record("task.a", "update", 1)
        proxy.cut()
        await until(lambda: state(manager) == "live" and not manager.replica.status.pending)
    assert keys.server.head("default") == 1


# Signing in


@BOTH
def test_to_sign_in_while_it_runs(keys, tmp_path, transport):
    key = keys.create("ann")
    with opened(tmp_path / "r.db", keys, transport, token="wrong") as replica:
        replica.record("task.a", "update", 1)
        replica.start()
        eventually(lambda: replica.status.state == "needs_auth")
        assert (replica.status.pending, replica.status.error["code"]) == (1, "unauthorized")
        replica.sign_in("wrong, too")
        eventually(lambda: replica.status.state == "needs_auth")
        replica.sign_in(key)
        eventually(lambda: replica.status.state == "live" and not replica.status.pending)
        replica.sign_in(keys.fresh())  # while live: goes on under the new one
        replica.record("task.a", "update", 2)
        eventually(lambda: keys.asked == 1 and replica.status.state == "live" and not replica.status.pending)
        replica.stop()
        replica.sign_in(key)
        assert replica.status.state == "offline"  # what was not started does not begin
    assert keys.server.head("default") == 2


def test_to_sign_in_before_the_next_sync(keys, tmp_path):
    with opened(tmp_path / "r.db", keys) as replica:
        replica.sign_in("wrong")  # before anything was asked
        replica.record("task.a", "update", 1)
        assert not replica.sync().ok
        assert replica.status.state == "needs_auth"
        replica.sign_in(keys.create("ann"))
        assert (replica.status.state, replica.status.error) == ("offline", None)
        assert replica.sync().pushed == 1


@BOTH
def test_a_token_that_was_revoked_while_offline_loses_nothing(keys, tmp_path, transport):
    with opened(tmp_path / "r.db", keys, transport, token=keys.create("ann")) as replica:
        keys.server.push("default", Author().events(3), keys.server.bearer())
        replica.create("task.milk", {"title": "Milk"})
        assert replica.sync().ok
    keys.revoke("ann")
    time.sleep(1.1)  # a key is remembered for a second
    with opened(tmp_path / "r.db", keys, transport, token="sk_old") as replica:
        replica.document("task.milk")["title"] = "Oat milk"
        replica.start()
        eventually(lambda: replica.status.state == "needs_auth")
        assert (len(list(replica.entries())), replica.status.pending, replica.status.refused) == (4, 1, 0)
        replica.record("task.a", "update", "recording goes on")
        replica.sign_in(keys.create("ann"))
        eventually(lambda: replica.status.state == "live" and not replica.status.pending)
        assert replica.document("task.milk")["title"] == "Oat milk"
    assert keys.server.head("default") == 6


# Somebody else


@BOTH
def test_another_user_gets_nothing_and_gives_nothing(keys, tmp_path, transport):
    ann, bob = keys.create("ann"), keys.create("bob")
    with opened(tmp_path / "r.db", keys, transport, token=ann) as replica:
        replica.record("task.a", "update", "ann's, pushed")
        assert replica.sync().ok
        replica.record("task.a", "update", "ann's, pending")
    keys.server.push("default", Author().events(2), keys.server.bearer())
    with opened(tmp_path / "r.db", keys, transport, token=bob) as replica:
        result = replica.sync()
        assert (result.pushed, result.pulled, [error.code for error in result.errors]) == (0, 0, ["user_mismatch"])
        assert "Sign in as ann" in result.errors[0].message
        replica.record("task.a", "update", "in ann's name, too")
        replica.start()
        eventually(lambda: replica.status.state == "needs_auth")
        assert (replica.status.error["code"], replica.status.pending) == ("user_mismatch", 2)
        assert [event.user for event in replica.pending()] == ["ann", "ann"]
        assert (replica.user, len(list(replica.entries()))) == ("ann", 1)
        assert keys.server.head("default") == 3
        replica.sign_in(ann)
        eventually(lambda: replica.status.state == "live" and not replica.status.pending)
    entries = keys.server.request("GET", "/v1/pull", headers=keys.server.bearer()).json["entries"]
    assert [entry["event"]["user"] for entry in entries] == ["ann", ".root", ".root", "ann", "ann"]


async def test_two_of_one_user_are_two_replicas(keys):
    async with (
        managed(keys.server.url, "default", token=keys.fresh()) as one,
        managed(keys.server.url, "default", token=keys.fresh()) as two,
    ):
        one.replica.record("task.a", "update", 1)
        async with asyncio.timeout(DEADLINE):
            assert (await one.sync()).pushed == 1
            assert (await two.sync()).pulled == 1
