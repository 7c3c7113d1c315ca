"""Several servers on one register in PostgreSQL: made ready by one, administered at any, told in the logs once."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from syncline.errors import StoreUnavailable
from syncline.server.register.acts import ActTable
from syncline.server.registry import open_registry
from syncline.stores.postgres import database
from tests.postgres import new_database
from tests.server.accounts import GOOD, Somebody, ending
from tests.server.fellows import Fellows
from tests.server.running import eventually, recv

pytestmark = pytest.mark.timeout(180)


SILENT = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle in transaction' AND query LIKE '%pg_advisory_xact_lock%'
"""
"""How many hold the register's lock and say nothing."""


@pytest.fixture
def address():
    return new_database()


@pytest.fixture
def register(address, tmp_path):
    """What another program has open."""
    registry = open_registry(tmp_path, address, lambda: 1)
    yield registry
    registry.close()


@pytest.fixture
def several(serve, address):
    """Starts so many servers at the same moment."""

    def start(count=2, **settings):
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(lambda at: serve(f"data{at}", store=address, **settings), range(count)))

    return start


def ended_in_silence(database):
    """Whether nobody writes any more: who said nothing for too long was given up."""
    with database.reading() as cursor:
        return not cursor.execute(SILENT).get


def told(server, key, space):
    return [action for _, _, action, _ in Somebody(server, key, space).log()]


def hello(server, ticket):
    """What a browser is answered that comes with a ticket."""
    with server.websocket(f"/ws?ticket={ticket}") as ws:
        ws.send(json.dumps({"type": "hello", "node": "n", "space": "default"}))
        return recv(ws)


def test_servers_that_start_together_make_one_first_key(several):
    servers = several(3)
    (key,) = (server.key for server in servers if server.key)
    assert all(Somebody(server, key).is_in() for server in servers)


def test_what_is_administered_while_they_run_is_told_once_and_in_order(several, register):
    servers = several()
    (key,) = (server.key for server in servers if server.key)
    acts = ActTable(register.database)
    wanted = [f".user.{what}" for what in ("create", "suspend", "resume", "setup") for _ in range(6)]
    spaces = ("default", "garden")
    for action in wanted:
        for space in spaces:
            acts.add(space, ".user.ann", action)
    eventually(lambda: not acts.waiting())
    for server in servers:
        assert [told(server, key, space) for space in spaces] == [wanted, wanted]


async def test_nobody_tells_while_another_server_does(address, register, tmp_path):
    acts = ActTable(register.database)
    async with Fellows(tmp_path, store=address) as fellows:
        one, other = await fellows.several()
        with acts.claimed() as is_ours:
            assert is_ours
            acts.add("default", ".user.ann", ".user.create")
            for fellow in (one, other):
                fellow.service._recording.look()
                await fellow.service._recording._task
            assert len(acts.waiting()) == 1
        await asyncio.to_thread(eventually, lambda: not acts.waiting())  # they look again by themselves


def test_a_name_is_held_for_longer_than_a_transaction_may_be_silent(address, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "SESSION", database.SESSION.replace("'30s'", "'100ms'"))
    one, other = (open_registry(tmp_path, address, lambda: 1).database for _ in range(2))
    with one.holding("acts") as is_held:
        with pytest.raises(StoreUnavailable), one.writing():
            eventually(lambda: ended_in_silence(other))
        with other.holding("acts") as is_held_twice:
            assert (is_held, is_held_twice) == (True, False)
    one.close()
    other.close()


def test_who_logs_in_at_one_is_somebody_at_all_until_any_of_them_ends_it(several):
    one, other = several()
    root = Somebody(one, one.key or other.key)
    root.post("users", {"name": "ann", "password": GOOD}, 201)
    tokens = Somebody(other).post("auth/login", {"user": "ann", "password": GOOD})
    at_one, at_other = (Somebody(server, tokens["access_token"]) for server in (one, other))
    ticket = at_one.post("auth/ticket")["ticket"]
    assert [hello(server, ticket)["type"] for server in (other, one)] == ["welcome", "error"]
    with other.session("default", token=tokens["access_token"]) as ws:
        assert Somebody(one).post("auth/logout", {"refresh_token": tokens["refresh_token"]}) == {"ended": True}
        assert ending(ws) == ("unauthorized", 4401)
    assert not at_one.is_in()
    eventually(lambda: not at_other.is_in())


def test_guesses_at_one_count_at_all(several):
    servers = several()
    Somebody(servers[0], servers[0].key or servers[1].key).post("users", {"name": "ann", "password": GOOD}, 201)
    guess = {"user": "ann", "password": "wrong password"}
    codes = [Somebody(servers[at % 2]).code("POST", "auth/login", guess)[1] for at in range(6)]
    assert codes == ["invalid_credentials"] * 5 + ["too_many_attempts"]


def test_terms_of_a_space_hold_at_all(several):
    one, other = several()
    root = Somebody(one, one.key or other.key, "garden")
    root.post("users", {"name": "ann"}, 201)
    ann = Somebody(other, root.post("keys", {"name": "laptop", "user": "ann"}, 201)["key"], "garden")
    ann.get("pull")
    for change in ({"suspended": True}, {"suspended": False}):
        assert (
            one.request("PATCH", "/v1/spaces/garden", json.dumps(change), one.bearer() or other.bearer()).status == 200
        )
        is_closed = change["suspended"]
        eventually(lambda is_closed=is_closed: (ann.code("GET", "pull")[1] == "space_suspended") == is_closed)
    assert one.request("DELETE", "/v1/spaces/garden", None, one.bearer() or other.bearer()).status == 200
    eventually(lambda: ann.code("GET", "pull")[1] == "space_deleted")
