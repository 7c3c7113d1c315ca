"""A VersionedStore gives events their versions, over every log, and knows them again when it is opened."""

import random
import re
from itertools import pairwise
from pathlib import Path
from threading import Thread
from uuid import UUID

import pytest

import syncline
from syncline.core.log import Receipts
from syncline.core.versions import Ordering, SequenceVersion
from syncline.errors import InvalidEvent, NodeConflict, StoreClosed
from syncline.stores.memory import MemoryEventStore
from syncline.stores.sqlite import SqliteEventStore
from syncline.stores.versioned import stamp_manager
from syncline.testing import entropy_from

DOCS = Path(__file__).parents[2] / "docs" / "stores.md"
RECEIPTS = Receipts(b"of these tests")
CREATED = syncline.Draft("user.1", "UserCreated", {"name": "Ann"})
PLACED = syncline.Draft("order.1", "OrderPlaced", {"of": 3})


class CountingManager:
    """A strategy of somebody's own: versions count in steps of ten and travel in the payload."""

    def __init__(self, current=0):
        self.current = SequenceVersion(current)

    def current_version(self):
        return self.current

    def next_version(self, node):
        return SequenceVersion(self.current.seq + 10)

    def update_from_version(self, version):
        self.current = max(self.current, version)

    def clone(self):
        return CountingManager(self.current.seq)

    def fields(self, version):
        return {"payload": {"version": str(version)}}

    def version_of(self, entry):
        return SequenceVersion.parse(entry.event.payload["version"])


MANAGERS = {
    "sequence": syncline.SequenceManager,
    "stamp": stamp_manager,
    "vector": syncline.VectorClockManager,
    "own": CountingManager,
}


@pytest.fixture(params=["memory", "sqlite"])
def make_base(request, tmp_path):
    """A new log."""
    made = []

    def make():
        path = tmp_path / f"{len(made)}.db"
        is_memory = request.param == "memory"
        made.append(MemoryEventStore(UUID(int=1).hex, RECEIPTS) if is_memory else SqliteEventStore(path, RECEIPTS))
        return made[-1]

    yield make
    for store in made:
        store.close()


def of(make, node="client-A", manager=None):
    return syncline.VersionedStore(make(), node, manager)


@pytest.mark.parametrize("make_manager", MANAGERS.values(), ids=MANAGERS)
def test_each_event_has_a_version_after_the_one_before(make_base, make_manager):
    store = of(make_base, manager=make_manager())
    assert store.latest_version().is_zero()
    stored = [store.store(draft) for draft in (CREATED, PLACED, CREATED)]
    assert [later.version.compare(earlier.version) for earlier, later in pairwise(stored)] == [Ordering.AFTER] * 2
    assert list(store.load()) == stored
    assert store.latest_version() == stored[-1].version
    assert list(store.load(stored[0].version)) == stored[1:]
    assert list(store.load_item("user.1", stored[0].version)) == stored[2:]
    assert list(store.load_item("order.*")) == stored[1:2]
    assert list(store.load(store.latest_version())) == []


@pytest.mark.parametrize("make_manager", MANAGERS.values(), ids=MANAGERS)
def test_what_was_seen_is_known_again_when_it_is_opened(tmp_path, make_manager):
    path = tmp_path / "log.db"
    store = of(lambda: SqliteEventStore(path, RECEIPTS), manager=make_manager())
    store.store(CREATED)
    before = store.latest_version()
    store.close()
    with pytest.raises(StoreClosed):
        store.latest_version()
    again = of(lambda: SqliteEventStore(path, RECEIPTS), manager=make_manager())
    assert again.latest_version() == before
    assert again.store(PLACED).version.compare(before) is Ordering.AFTER
    again.close()


def test_nodes_that_wrote_apart_are_seen_as_concurrent(make_base):
    ours, theirs = of(make_base, "A"), of(make_base, "B")
    first, second = ours.store(CREATED), theirs.store(PLACED)
    assert (first.version, second.version) == ({"A": 1}, {"B": 1})
    assert first.version.compare(second.version) is Ordering.CONCURRENT
    for _ in range(2):  # storing again changes nothing
        for event, version in [(each.event, each.version) for each in theirs.load()]:
            assert ours.store(event, version).version == {"B": 1}
    assert ours.latest_version() == {"A": 1, "B": 1}
    third = ours.store(CREATED)
    assert third.version == {"A": 2, "B": 1}
    assert third.version.compare(second.version) is Ordering.AFTER
    assert [each.version for each in ours.load(second.version)] == [{"A": 1}, {"A": 2, "B": 1}]


def test_a_version_may_be_given(make_base):
    store = of(make_base, "A")
    assert store.store(CREATED, syncline.VectorClock({"A": 5, "B": 2})).version == {"A": 5, "B": 2}
    assert store.store(CREATED).version == {"A": 6, "B": 2}
    with pytest.raises(NodeConflict):
        store.store(CREATED, syncline.VectorClock({"A": 6}))
    with pytest.raises(InvalidEvent):
        store.store(CREATED, syncline.VectorClock({"B": 7}))
    assert store.latest_version() == {"A": 6, "B": 2}


def test_an_event_keeps_the_version_it_has(make_base):
    ours, theirs = of(make_base, "A"), of(make_base, "B")
    event = theirs.store(CREATED).event
    with pytest.raises(InvalidEvent):
        ours.store(event, syncline.VectorClock({"B": 2}))
    assert list(ours.load()) == []


def test_a_log_says_its_own_order(make_base):
    store = of(make_base, manager=syncline.SequenceManager())
    assert store.store(CREATED, SequenceVersion(1)).version == SequenceVersion(1)
    for seq in (1, 3):
        with pytest.raises(InvalidEvent):
            store.store(CREATED, SequenceVersion(seq))


def test_two_stores_of_one_log_see_what_the_other_wrote(make_base):
    base = make_base()
    ours, theirs = syncline.VersionedStore(base, "A"), syncline.VersionedStore(base, "B")
    ours.store(CREATED)
    assert theirs.latest_version() == {"A": 1}
    assert theirs.store(PLACED).version == {"A": 1, "B": 1}
    assert ours.store(PLACED).version == {"A": 2, "B": 1}


def test_time_and_randomness_may_be_given(make_base, manual_clock):
    def ids(base):
        entropy = entropy_from(random.Random(1))
        store = syncline.VersionedStore(base, "A", user="ann", now_ms=manual_clock, entropy=entropy)
        stored = [store.store(CREATED) for _ in range(3)]
        assert {each.event.user for each in stored} == {"ann"}
        assert {each.entry.at for each in stored} == {manual_clock.now_ms}
        return [each.event.id for each in stored]

    assert ids(make_base()) == ids(make_base())


def test_threads_get_versions_of_their_own(make_base):
    store = of(make_base)
    threads = [Thread(target=lambda: [store.store(CREATED) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.version["client-A"] for each in store.load()] == list(range(1, 81))


async def test_a_sync_manager_joins_them_to_a_server(make_base, syncline_server, manual_clock):
    stores = {
        "ann": syncline.VersionedStore(make_base(), "A", user="ann", now_ms=manual_clock),
        "bob": syncline.VersionedStore(make_base(), "B", user="bob", now_ms=manual_clock),
    }

    def manager(user):
        options = syncline.SyncOptions(batch_size=3)
        return syncline.SyncManager(stores[user], syncline_server.transport(), options, token=user)

    managers = {user: manager(user) for user in stores}
    for user, store in stores.items():
        for _ in range(5):
            store.store(CREATED if user == "ann" else PLACED)
        result = await managers[user].sync()
        assert (result.ok, result.pushed) == (True, 5)
    assert (await managers["ann"].sync()).pulled == 5
    assert stores["ann"].latest_version() == stores["bob"].latest_version() == {"A": 5, "B": 5}
    assert [each.version for each in stores["bob"].load_item("user.1")] == [{"A": n} for n in range(1, 6)]
    stores["bob"].store(CREATED)
    managers = {user: manager(user) for user in stores}  # offers all again
    for user in ("bob", "ann"):
        assert (await managers[user].sync()).ok
    assert syncline_server.store.head().seq == 11
    assert {each.event.id for each in stores["ann"].load()} == {each.event.id for each in stores["bob"].load()}
    assert stores["ann"].store(CREATED).version == {"A": 6, "B": 6}


async def test_what_is_stored_while_it_is_live_goes_with_the_next_sync(make_base, syncline_server, manual_clock):
    store = syncline.VersionedStore(make_base(), "A", user="ann", now_ms=manual_clock)
    manager = syncline.SyncManager(store, syncline_server.transport(), token="ann")
    await manager.start_auto_sync()
    assert (await manager.sync()).ok
    store.store(CREATED)
    assert (await manager.sync()).pushed == 1
    await manager.close()
    assert syncline_server.store.head().seq == 1


def test_the_documented_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n([^`]*?VersionedStore.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    exec(example, {})
    assert capsys.readouterr().out.splitlines() == ["A=1", "B=1", "concurrent", "A=2,B=1"]
