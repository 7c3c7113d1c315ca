"""What stays open for long is valid only while its credentials are, whichever server ended them."""

import asyncio
import threading
from contextlib import contextmanager

import pytest

from syncline.errors import StoreUnavailable, Unauthorized
from syncline.server import endings as endings_module
from syncline.server.auth.authenticator import Authenticator
from syncline.server.auth.identity import Identity
from syncline.server.auth.passwords import Passwords
from syncline.server.endings import Endings
from syncline.server.registry import Registry
from tests.server.auth.conftest import MINUTE, SECOND

remote = pytest.mark.parametrize("store", ["postgresql"], indirect=True)


class Server:
    """The part of a server that knows who is valid."""

    def __init__(self, registry, clock, **more):
        self.registry, self.endings = registry, Endings()
        cheap = Passwords(memory_kib=8, passes=1, apart=False)
        self.auth = Authenticator(registry, clock, passwords=cheap, on_ended=self.endings.note, **more)
        self.news, self.looked = asyncio.Event(), asyncio.Event()
        self.endings.listeners.append(self.news.set)

    async def watch(self):
        """Returns when it has looked for the first time."""
        self.endings.watch(self.registry.database, self._look_again, self._confirm)
        await self.looked.wait()

    async def _look_again(self):
        await self.auth.look_again()
        self.endings.note()

    async def _confirm(self):
        await self.auth.confirm()
        self.looked.set()

    async def heard(self):
        """Returns when it has heard that something has ended."""
        await self.news.wait()
        self.news.clear()

    async def close(self):
        await self.endings.stop()
        await self.auth.close()


@pytest.fixture
async def servers(open_register, clock):
    made = []

    def another(**more):
        made.append(Server(open_register(), clock, **more))
        return made[-1]

    yield another
    for server in made:
        await server.close()


async def credentials_of_each_kind(server):
    """A key's, a session's and a host app's, of alice, ben and cleo."""
    registry, auth = server.registry, server.auth
    key = await auth.identify(registry.create_key("ci", "alice", "home"))
    registry.users.create("home", "ben")
    await auth.accounts.set_password("home", "ben", "three blue bicycles")
    grant = await auth.login("home", "ben", "three blue bicycles")
    session = await auth.identify(grant.access_token)
    registry.users.create("home", "cleo")
    return key, session, Identity("cleo", "home", "host:")


async def test_another_server_hears_within_its_next_look(servers):
    one, other = servers(), servers()
    key, session, host = await credentials_of_each_kind(one)
    await other.watch()
    assert all(map(other.auth.is_valid, (key, session, host)))
    for identity, ending in (
        (key, one.auth.revoke_key(key.credential.partition(":")[2])),
        (session, one.auth.end_session(session.credential.partition(":")[2])),
        (host, one.auth.suspend("home", "cleo")),
    ):
        await ending
        assert not one.auth.is_valid(identity)
        await other.heard()
        assert not other.auth.is_valid(identity)


async def test_a_hint_makes_it_look_at_once(servers, monkeypatch):
    monkeypatch.setattr(endings_module, "LOOK_SECONDS", 3_600.0)
    one, other = servers(), servers()
    key = one.registry.create_key("ci", "alice", "home")
    await other.watch()
    identity = await other.auth.identify(key)
    await one.auth.revoke_key(identity.credential.partition(":")[2])
    other.endings.look()
    await other.heard()
    assert not other.auth.is_valid(identity)
    with pytest.raises(Unauthorized):
        await other.auth.identify(key)


async def test_what_nobody_ended_stays_valid_when_something_else_ended(servers):
    one, other = servers(open=True), servers(open=True)
    identities = [*await credentials_of_each_kind(one), Identity("anyone", None)]
    assert all(map(other.auth.is_valid, identities))
    one.registry.create_key("other", "dora", "home")
    one.registry.users.suspend("home", "dora")
    await other.auth.look_again()
    assert [other.auth.is_valid(identity) for identity in identities] == [True] * 4


class Watched:
    """A register's database that says which threads ask it; it can be cut off, and lose single answers."""

    def __init__(self, database):
        self._database, self.threads, self.is_cut, self.lost = database, set(), False, 0

    def __getattr__(self, name):
        return getattr(self._database, name)

    def _pass(self):
        self.threads.add(threading.current_thread())
        if self.is_cut:
            raise StoreUnavailable("The database cannot be reached.")

    def foreign_version(self):
        self._pass()
        return self._database.foreign_version()

    @contextmanager
    def reading(self):
        self._pass()
        if self.lost:
            self.lost -= 1
            raise StoreUnavailable("The connection broke.")
        with self._database.reading() as cursor:
            yield cursor


@pytest.fixture
async def watched(open_register, clock):
    database = Watched(open_register().database)
    server = Server(Registry(database, clock), clock)
    yield server, database
    database.is_cut = False
    await server.close()


@remote
async def test_a_register_behind_a_network_holds_up_no_event_loop(watched, clock):
    server, database = watched
    key, session, _ = await credentials_of_each_kind(server)
    ticket = await server.auth.ticket(key)
    database.threads.clear()
    for _ in range(10):
        clock.pass_(5 * SECOND)
        await server.auth.confirm()
        assert server.auth.is_valid(key)
        assert server.auth.is_valid(session)
    await server.auth.identify(server.registry.create_key("another", "dora", "home"))
    with pytest.raises(Unauthorized):
        await server.auth.redeem_ticket(ticket)
    await server.auth.redeem_ticket(await server.auth.ticket(key))
    assert database.threads
    assert threading.current_thread() not in database.threads


@remote
async def test_nobody_is_believed_for_long_while_the_register_is_out_of_reach(watched, clock):
    server, database = watched
    key, _, _ = await credentials_of_each_kind(server)
    database.is_cut = True
    await server.auth.confirm()
    clock.pass_(29 * SECOND)
    assert server.auth.is_valid(key)
    clock.pass_(SECOND)
    database.threads.clear()
    with pytest.raises(StoreUnavailable):
        server.auth.is_valid(key)
    assert not database.threads  # it is not even tried: that would hold up everybody
    database.is_cut = False
    await server.auth.confirm()
    assert server.auth.is_valid(key)


@remote
async def test_it_hears_again_when_the_register_is_back(watched, servers, monkeypatch, caplog):
    monkeypatch.setattr(endings_module, "LOOK_SECONDS", 0.01)
    server, database = watched
    key, session, _ = await credentials_of_each_kind(server)
    await server.watch()
    server.news.clear()
    database.is_cut = True
    for _ in range(3):
        server.looked.clear()
        await server.looked.wait()
    await servers().auth.revoke_key(key.credential.partition(":")[2])
    database.is_cut = False
    await server.heard()
    assert [server.auth.is_valid(key), server.auth.is_valid(session)] == [False, True]
    assert caplog.text.count("the register could not be looked at") == 1


@remote
async def test_a_change_whose_look_failed_is_looked_for_again(watched, servers):
    server, database = watched
    key, _, _ = await credentials_of_each_kind(server)
    await server.watch()
    server.news.clear()
    database.lost = 1
    await servers().auth.revoke_key(key.credential.partition(":")[2])
    await server.heard()
    assert database.lost == 0
    assert not server.auth.is_valid(key)


@remote
async def test_a_confirmation_is_not_needed_for_what_has_expired(watched, clock):
    server, _ = watched
    key = server.registry.create_key("ci", "alice", "home", expires_ms=clock() + MINUTE)
    identity = await server.auth.identify(key)
    assert server.auth.is_valid(identity)
    clock.pass_(MINUTE)
    assert not server.auth.is_valid(identity)
