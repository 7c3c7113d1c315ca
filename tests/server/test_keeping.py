"""History is kept within bounds beside all else: in steps, by one server at a time; what hinders that is told."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event as Flag

import pytest

from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.core.retention import Retention
from syncline.server.history import keeping as module
from syncline.server.history.keeping import Keeping, Means
from syncline.server.history.snapshotting import Snapshotting
from syncline.stores import load
from syncline.stores.bases import Point
from syncline.stores.memory import MemoryEventStore
from syncline.testing import Author
from syncline.testing.seeded import START_MS
from tests.core.samples import EPOCH
from tests.postgres import new_database
from tests.server.rest import Client
from tests.server.running import JSON, ServerProcess


@pytest.fixture
def store():
    return MemoryEventStore(EPOCH, Receipts(b"of these tests"))


@pytest.fixture
def author():
    return Author()


@pytest.fixture
def keep(store, tmp_path):
    """What keeps the store's history, with one thread."""
    with ThreadPoolExecutor(1) as thread:

        def make(**means):
            return Keeping("home", store, thread, Means(**{"folder": tmp_path / "kept", **means}), lambda: START_MS)

        yield make


def push(store, author, count=1, item="task.a"):
    store.append([Submission(author.events(count, item), "ann")], now_ms=START_MS)


async def test_a_snapshot_is_made_when_it_is_worth_it(store, author, keep, monkeypatch):
    monkeypatch.setattr(module, "WORTH", 20)
    keeping = keep()
    for count, newest in ((19, None), (1, 20), (19, 20), (100, 139), (13, 139), (7, 159)):
        push(store, author, count)
        keeping.note(store.head().seq)
        while keeping._work is not None:
            await asyncio.shield(keeping._work)
        found = keeping.points().newest
        assert (found.seq if found else None) == newest
    await keeping.close()


async def test_what_comes_meanwhile_is_not_in_it(store, author):
    """A step leaves the store to whoever pushes."""
    for n in range(3):
        push(store, author, 300, f"task.{n}")
    until = Point(store.head().seq, store.head().at)
    for _ in Snapshotting(store, until, is_floor=False).steps():
        push(store, author, 1, "task.1")
        push(store, author, 1, "task.9")
    bases = store.bases(until, "", 9)
    assert [(base.item, base.seq, base.count) for base in bases] == [
        ("task.0", 300, 300),
        ("task.1", 600, 300),
        ("task.2", 900, 300),
    ]
    assert store.head().seq > 900


async def test_who_is_not_alone_does_nothing(store, author, keep):
    @contextmanager
    def holding(name):
        assert name == "history of home"
        yield False

    push(store, author)
    keeping = keep(holding=holding)
    assert (await keeping.keep_up()).newest is None
    assert keeping.failure is None


async def test_what_keeps_it_from_that_is_told_and_tried_again(store, author, keep, tmp_path):
    push(store, author, 5)
    keeping = keep()
    keeping.retention = Retention(revisions=1)
    (tmp_path / "kept").write_text("a file where a folder is to be")
    assert (await keeping.keep_up()).horizon == 0
    assert keeping.failure
    assert len(list(load(store))) == 5
    (tmp_path / "kept").unlink()
    assert (await keeping.keep_up()).horizon == 5
    assert keeping.failure is None
    assert len(list(load(store))) == 1


async def test_who_asks_while_it_works_is_served_next(store, author, keep, monkeypatch):
    """Also if they do not wait for it."""
    monkeypatch.setattr(module, "WORTH", 1)
    push(store, author, 5)
    keeping = keep()
    keeping.look()
    push(store, author, 1)
    asked = asyncio.create_task(keeping.keep_up())
    await asyncio.sleep(0)
    asked.cancel()
    while keeping.is_working:
        await asyncio.shield(keeping._work)
    assert keeping.points().newest.seq == 6


async def test_closing_breaks_it_off(store, author, keep, monkeypatch):
    """It does not wait until all is done, and what was staged does not count."""
    began = Flag()

    def steps(self):
        began.set()
        while True:
            yield

    monkeypatch.setattr(Snapshotting, "steps", steps)
    push(store, author, 5)
    keeping = keep()
    asked = asyncio.create_task(keeping.keep_up())
    await asyncio.to_thread(began.wait)
    await keeping.close()
    assert (await asked).newest is None
    keeping.look()
    assert keeping._work is None


@pytest.mark.timeout(240)
def test_servers_that_share_a_log_know_what_one_of_them_did(tmp_path):
    settings = {"store": new_database(), "open": True, "archives": str(tmp_path / "archives")}
    servers = [ServerProcess(tmp_path / f"server{n}", **settings) for n in range(2)]
    try:
        one, other = (Client(server, "home", node=f"n{n}") for n, server in enumerate(servers))
        for n in range(5):
            one.put("task.a", {"n": n})
        start = other.ask("GET", "pull?limit=1").json["cursor"]
        body = b'{"retention":{"revisions":2}}'
        assert servers[0].request("PATCH", "/v1/spaces/home", body, JSON).status == 200
        assert one.ask("POST", "history", {}).json["horizon"] == 5
        assert other.ask("GET", f"pull?since={start}").code == "cursor_expired"
        assert other.ask("POST", "snapshot", {"type": "snapshot"}).json["bases"][0]["revision"] == 5
        assert other.value("task.a") == {"n": 4}
        assert other.value("task.a", rev=4) == {"n": 3}
        assert other.get("task.a", rev=2).code == "history_expired"
        other.put("task.a", {"n": 5})
        assert one.value("task.a") == {"n": 5}
        assert other.ask("POST", "history", {}).json["horizon"] == 6
        assert len(list((tmp_path / "archives" / "home").iterdir())) == 2
        assert servers[1].request("DELETE", "/v1/spaces/home").status == 200
        assert not (tmp_path / "archives" / "home").exists()
    finally:
        for server in servers:
            server.stop()
