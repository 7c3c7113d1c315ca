"""Resolvers inside the server: devices edit apart and sync, and what a host program decides reaches them all."""

import asyncio
import random
import re
import threading
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event as Flag
from typing import Any

import httpx2
import pytest

from syncline import DocumentReplica, Draft, KeepBoth, ManualReview, SyncManager
from syncline.core.limits import MAX_PUSH_EVENTS
from syncline.core.retention import Retention
from syncline.errors import BadSettings, NeedsReview
from syncline.replica import Refused, new_node
from syncline.server import App, create_app
from syncline.stores.memory import MemoryReplicaStore
from syncline.transports.memory import MemoryTransport
from tests.server.running import DEADLINE

DOCS = Path(__file__).parents[2] / "docs"
ITEM = "task.a"


@pytest.fixture
def serve(tmp_path):
    """Runs the app of a host program as long as a block lasts; once more on the same data is a restart."""

    @asynccontextmanager
    async def run(resolvers: Any = None, **settings: Any):
        app = create_app(data=str(tmp_path / "data"), open=True, resolvers=resolvers, **settings)
        app.start()
        try:
            yield app
        finally:
            await app.stop()

    return run


@asynccontextmanager
async def devices(app: App, count: int = 2, space: str = "default"):
    """Replicas of one space, which sync when they are told."""
    managers = [
        SyncManager(DocumentReplica(MemoryReplicaStore(new_node())), MemoryTransport(app.service.peer()), space=space)
        for _ in range(count)
    ]
    try:
        yield managers
    finally:
        for manager in managers:
            await manager.close()


async def sync(*managers: SyncManager) -> None:
    for manager in managers:
        assert (await manager.sync()).ok


async def until(manager: SyncManager, condition: Callable[[], Any]) -> None:
    """Waits live for what a replica is to come to."""
    changed = asyncio.Event()
    stop = manager.replica.watch_events(lambda _: changed.set())
    await manager.start_auto_sync()
    async with asyncio.timeout(DEADLINE):
        while not condition():
            changed.clear()
            await changed.wait()
    stop()
    await manager.stop_auto_sync()


async def meet(*managers: SyncManager, item: str = ITEM) -> None:
    """Each records an event of the same item without knowing of the others; the log has them in this order."""
    await sync(*managers)
    for at, manager in enumerate(managers):
        manager.replica.record(item, "update", f"e{at}")
    for manager in managers:
        await manager.push()


async def edit_apart(*managers: SyncManager, item: str = ITEM, key: str = "title") -> None:
    """The same for a field of a document that all have."""
    await sync(*managers)
    if not managers[0].replica.document(item).exists:
        managers[0].replica.create(item, {"done": False})
        await sync(*managers)
    for at, manager in enumerate(managers):
        manager.replica.document(item)[key] = f"value {at}"
    for manager in managers:
        await manager.push()


def payloads(manager: SyncManager, item: str = ITEM) -> list[Any]:
    return [entry.event.payload for entry in manager.replica.entries(items=[item])]


def plain(manager: SyncManager, item: str = ITEM) -> Any:
    return manager.replica.document(item).plain


class Answers:
    """A resolver that answers what a function says, and remembers what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, []

    def resolve(self, local, remote):
        self.asked.append(([event.payload for event in local], [event.payload for event in remote]))
        return self.answer(local, remote)


def merged(local, remote):
    return [Draft(local[0].item, "merge", "+".join(str(event.payload) for event in (*local, *remote)))]


def join(document):
    """Writes over every conflict of the root's keys with all their values, joined."""
    for conflict in document.conflicts().values:
        (key,) = conflict.path
        words = {document[key], *(value for _, value in conflict.others)}
        document[key] = " & ".join(sorted({word for each in words for word in each.split(" & ")}))


def raises(*_):
    raise RuntimeError("out of order")


# Documents


async def test_what_a_function_writes_over_a_conflict_reaches_both(serve):
    async with serve({"task.*": join}) as app, devices(app) as (one, two):
        await edit_apart(one, two, item="other.a")
        await edit_apart(one, two)
        for each in (one, two):
            await until(each, lambda each=each: plain(each) == {"done": False, "title": "value 0 & value 1"})
            document = each.replica.document(ITEM)
            assert not document.conflicts()
            (answer,) = [change for change in document.history() if change.action == "resolve"]
            assert (answer.user, answer.forward[0]["value"]) == (".resolver", "value 0 & value 1")
        assert one.replica.document("other.a").conflicts().values  # nobody decides about those


async def test_what_merges_by_itself_is_not_asked_about(serve):
    async with serve({"task.*": raises}) as app, devices(app) as (one, two):
        await edit_apart(one, two, item="task.marker", key="x")  # it fails there, and goes on
        one.replica.create(ITEM, {"title": "A"})
        await sync(one, two)
        one.replica.document(ITEM)["done"] = True
        two.replica.document(ITEM)["title"] = "B"
        await sync(one, two, one)
        assert plain(one) == plain(two) == {"title": "B", "done": True}


async def test_a_document_in_conflict_is_unmarked(serve):
    async with serve({"task.*": join}) as app, devices(app) as (one, two):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://host") as client:
            assert (await client.put("/v1/policies", json={"*": "manual"})).status_code == 200
        await edit_apart(one, two, item="note.a")
        await edit_apart(one, two)
        await until(one, lambda: plain(one) == {"done": False, "title": "value 0 & value 1"})
        assert not one.replica.document(ITEM).conflicts().is_marked
        assert one.replica.document("note.a").conflicts().is_marked


async def test_a_function_that_fails_half_way_changes_nothing(serve, caplog):
    def resolve(document):
        join(document)
        if document.item == "task.bad":
            raises()

    async with serve({"*": resolve}) as app, devices(app) as (one, two):
        await edit_apart(one, two, item="task.bad")
        await edit_apart(one, two)
        await until(one, lambda: plain(one) == {"done": False, "title": "value 0 & value 1"})
        assert len(one.replica.document("task.bad").conflicts().values) == 1
        assert "out of order" in caplog.text
        assert "task.bad" in caplog.text
    caplog.clear()

    async with serve({"*": join}) as app, devices(app, 1) as (one,):  # once it is mended it decides about the old ones
        await until(one, lambda: plain(one, "task.bad") == {"done": False, "title": "value 0 & value 1"})


# Events


async def test_the_first_in_the_log_is_local_and_the_later_ones_are_remote(serve):
    resolver = Answers(merged)
    async with serve({"task.*": resolver}) as app, devices(app) as (one, two):
        await sync(one, two)
        for at in range(2):
            one.replica.record(ITEM, "update", f"one {at}")
            two.replica.record(ITEM, "update", f"two {at}")
        await two.push()
        await one.push()
        answer = "two 0+two 1+one 0+one 1"
        for each in (one, two):
            await until(each, lambda each=each: answer in payloads(each))
        assert resolver.asked == [(["two 0", "two 1"], ["one 0", "one 1"])]
        last = list(one.replica.entries())[-1].event
        assert (last.payload, last.user, last.action) == (answer, ".resolver", "merge")
        assert set(last.clock) == {one.replica.node, two.replica.node, last.node}


@pytest.mark.parametrize("pattern", ["*", "task.*", ITEM])
async def test_an_asynchronous_resolver_of_some_items(serve, pattern):
    class Slow:
        async def resolve(self, local, remote):
            await asyncio.sleep(0)
            return (each for each in merged(local, remote))

    async with serve({pattern: Slow(), "note.*": KeepBoth()}) as app, devices(app) as (one, two):
        await meet(one, two)
        await until(one, lambda: "e0+e1" in payloads(one))


async def test_several_events_of_one_answer_are_stored_together(serve):
    def answer(local, remote):
        return [Draft(ITEM, "merge", 1), *local, Draft(ITEM, "merge", 2)]

    async with serve({"task.*": Answers(answer)}) as app, devices(app) as (one, two):
        await meet(one, two)
        await until(one, lambda: payloads(one) == ["e0", "e1", 1, 2])
        first, second = list(one.replica.entries())[-2:]
        assert first.event.tx == second.event.tx is not None


NONSENSE = {
    "raises": raises,
    "raises-late": lambda local, remote: (raises() for _ in "a"),
    "nothing": lambda local, remote: None,
    "a-number": lambda local, remote: 7,
    "numbers": lambda local, remote: [7],
    "another-item": lambda local, remote: [Draft("task.other", "merge")],
    "no-json": lambda local, remote: [Draft(ITEM, "merge", float("nan"))],
    "no-action": lambda local, remote: [Draft(ITEM, "")],
    "too-many": lambda local, remote: [Draft(ITEM, "merge")] * (MAX_PUSH_EVENTS + 1),
    "of-the-system": lambda local, remote: [Draft(ITEM, ".merge")],  # shaped well, but the log refuses it
    "names-nothing": lambda local, remote: [Draft(ITEM, "merge", ops=[{"op": "del", "key": "a", "over": [STRANGE]}])],
}
STRANGE = "00000000-0000-7000-8000-000000000000.0"


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
async def test_a_resolver_that_fails_stops_nothing(serve, answer, caplog):
    def careful(local, remote):
        return answer(local, remote) if local[0].item == ITEM else merged(local, remote)

    async with serve({"task.*": Answers(careful)}) as app, devices(app) as (one, two):
        await meet(one, two)
        await meet(one, two, item="task.z")
        await until(one, lambda: "e0+e1" in payloads(one, "task.z"))
        assert payloads(one) == ["e0", "e1"]
        assert "resolver" in caplog.text


async def test_what_failed_is_asked_about_again_with_what_comes_next(serve):
    resolver = Answers(lambda local, remote: merged(local, remote) if len(resolver.asked) > 1 else raises())
    async with serve({"task.*": resolver}) as app, devices(app, 3) as (one, two, three):
        await sync(three)
        await meet(one, two)
        three.replica.record(ITEM, "update", "e2")
        await until(three, lambda: any("+" in each for each in payloads(three)))
        assert resolver.asked[-1] == (["e0"], ["e1", "e2"])


async def test_what_stands_is_not_refused_and_not_asked_about_again(serve):
    told = Answers(lambda local, remote: None)
    review = Answers(lambda local, remote: [Refused(each, NeedsReview("?").to_wire()) for each in local])
    resolvers = {"task.*": ManualReview(tell=told.resolve), "note.*": review, "end": Answers(merged)}
    async with serve(resolvers) as app, devices(app) as (one, two):
        for item in (ITEM, "note.a", "end"):
            await meet(one, two, item=item)
        await until(one, lambda: "e0+e1" in payloads(one, "end"))
        assert payloads(one) == payloads(one, "note.a") == ["e0", "e1"]
    assert told.asked == review.asked == [(["e0"], ["e1"])]


# Once


async def test_a_restart_decides_nothing_twice(serve):
    resolver, calls = Answers(merged), []

    def resolve(document):
        calls.append(document.item)
        join(document)

    resolvers = {"task.*": resolver, "note.*": resolve}
    for at in range(3):
        async with serve(resolvers) as app, devices(app) as (one, two):
            await meet(one, two, item=f"task.{at}")
            await edit_apart(one, two, item=f"note.{at}")
            await until(one, lambda one=one, at=at: "e0+e1" in payloads(one, f"task.{at}"))
            await until(one, lambda one=one, at=at: plain(one, f"note.{at}")["title"] == "value 0 & value 1")
            nodes = {entry.event.node for entry in one.replica.entries() if entry.event.user == ".resolver"}
            assert len(nodes) == 1
            assert len(resolver.asked) == len(calls) == at + 1
            assert all(payloads(one, f"task.{each}") == ["e0", "e1", "e0+e1"] for each in range(at + 1))


async def test_what_came_apart_while_nobody_decided_is_decided_later(serve):
    async with serve() as app, devices(app) as (one, two):
        await meet(one, two)
        await edit_apart(one, two, item="note.a")
    resolver = Answers(merged)
    async with serve({"task.*": resolver, "note.*": join}) as app, devices(app, 1) as (one,):
        await until(one, lambda: "e0+e1" in payloads(one))
        await until(one, lambda: plain(one, "note.a")["title"] == "value 0 & value 1")


async def test_an_event_that_did_not_know_the_answer_meets_it(serve):
    resolver = Answers(merged)
    async with serve({"task.*": resolver}) as app, devices(app, 3) as (one, two, three):
        await sync(three)
        await meet(one, two)
        await until(one, lambda: "e0+e1" in payloads(one))
        three.replica.record(ITEM, "update", "e2")
        await three.push()
        await until(one, lambda: len(payloads(one)) == 5)
        assert resolver.asked[-1] == (["e0", "e1", "e0+e1"], ["e2"])


async def test_what_comes_while_a_resolver_thinks_is_decided_too(serve):
    class Thinks(Answers):
        async def resolve(self, local, remote):
            if not self.asked:
                three.replica.record(ITEM, "update", "e2")
                await three.push()
            return super().resolve(local, remote)

    resolver = Thinks(merged)
    async with serve({"task.*": resolver}) as app, devices(app, 3) as (one, two, three):
        await sync(three)
        await meet(one, two)
        await until(one, lambda: len(payloads(one)) == 5)
        assert payloads(one)[:4] == ["e0", "e1", "e2", "e0+e1"]
        assert resolver.asked == [(["e0"], ["e1"]), (["e0", "e1"], ["e2", "e0+e1"])]


# Spaces


async def test_a_log_without_its_beginning_is_decided_about_from_where_it_begins(serve):
    async with serve({"*": join}) as app:
        async with devices(app) as managers:
            await edit_apart(*managers)
            await until(managers[0], lambda: plain(managers[0])["title"] == "value 0 & value 1")
        await app.service.spaces.change("default", retention=Retention(revisions=1))
        async with app.service.spaces.use("default", create=False) as space:
            assert (await space.keeping.keep_up()).horizon == space.hub.head.seq
    async with serve({"*": join}) as app, devices(app) as managers:
        await edit_apart(*managers, key="place")
        await until(managers[0], lambda: plain(managers[0])["place"] == "value 0 & value 1")
        assert plain(managers[0])["title"] == "value 0 & value 1"


async def test_each_space_has_a_replica_of_its_own(serve):
    resolver = Answers(merged)
    async with serve({"*": resolver}) as app:
        for space in ("a", "b"):
            async with devices(app, space=space) as (one, two):
                await meet(one, two, item=f"{space}.1")
                await until(one, lambda one=one, space=space: "e0+e1" in payloads(one, f"{space}.1"))
                assert len(list(one.replica.entries())) == 3
    assert len(resolver.asked) == 2


async def test_a_space_that_was_closed_to_make_room_is_decided_about_again(serve):
    resolver = Answers(merged)
    async with serve({"*": resolver}, max_open_spaces=1) as app:
        for at, space in enumerate(("a", "b", "a", "b")):
            async with devices(app, space=space) as (one, two):
                await meet(one, two, item=f"x.{at}")
                await until(one, lambda one=one, at=at: "e0+e1" in payloads(one, f"x.{at}"))
    assert len(resolver.asked) == 4


async def test_a_deleted_space_is_left(serve):
    async with serve({"*": KeepBoth()}) as app:
        async with devices(app, 1, "a") as (one,):
            await sync(one)
        await app.service.spaces.delete("a")
        assert not [task for task in asyncio.all_tasks() if "_stay" in repr(task)]


async def test_a_slow_resolver_holds_up_nobody_else(serve):
    begun, goes_on = Flag(), Flag()

    def slow(local, remote):
        begun.set()
        assert goes_on.wait(DEADLINE)
        return merged(local, remote)

    async with serve({"*": Answers(slow)}) as app, devices(app) as (one, two), devices(app, 1, "b") as (other,):
        await meet(one, two)
        assert await asyncio.to_thread(begun.wait, DEADLINE)
        other.replica.record("b", "update")
        one.replica.record("c", "update")
        await sync(one, other)
        assert payloads(one) == ["e0", "e1"]
        goes_on.set()
        await until(one, lambda: "e0+e1" in payloads(one))


async def test_without_resolvers_there_is_nothing(serve):
    async with serve({}) as app, devices(app) as (one, two):
        before = asyncio.all_tasks()
        await meet(one, two)
        assert asyncio.all_tasks() <= before
        assert not [each for each in threading.enumerate() if "syncline-resolver" in each.name]


@pytest.mark.parametrize("wrong", [{"a b": KeepBoth()}, {"a": 7}, {"a": KeepBoth}, {"a": None}])
def test_what_is_no_resolver(tmp_path, wrong):
    with pytest.raises(BadSettings):
        create_app(data=str(tmp_path), resolvers=wrong)


def test_a_function_of_a_document_is_plain(tmp_path):
    async def resolve(document):
        pass

    with pytest.raises(BadSettings):
        create_app(data=str(tmp_path), resolvers={"a": resolve})


# Any order


@pytest.mark.parametrize("seed", range(8))
async def test_in_the_end_nobody_disagrees(serve, seed):
    """Devices edit and sync as chance will have it: at last all show the same, without conflicts, and that stays."""
    chance = random.Random(seed)
    async with serve({"*": join}) as app, devices(app, 3) as managers:
        managers[0].replica.create(ITEM)
        await sync(*managers)
        for step in range(30):
            manager = chance.choice(managers)
            if chance.random() < 0.6:
                manager.replica.document(ITEM)[chance.choice("ab")] = f"s{step}"
            else:
                await sync(manager)
        await sync(*managers)
        for manager in managers:
            await until(manager, lambda manager=manager: not manager.replica.document(ITEM).conflicts())
        await sync(*managers)
        assert len({str(plain(manager)) for manager in managers}) == 1
    asked: list[Any] = []
    async with serve({"last": join, "*": asked.append}) as app, devices(app) as (one, two):
        await edit_apart(one, two, item="last")
        await until(one, lambda: plain(one, "last")["title"] == "value 0 & value 1")
        assert asked == []


# The documentation


async def test_the_example_of_the_documentation_runs(tmp_path, monkeypatch):
    section = (DOCS / "conflicts.md").read_text().partition("## In the server")[2]
    example = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    host: dict[str, Any] = {"__name__": "host"}
    exec(example, host)
    app = host["app"]
    app.start()
    async with devices(app) as (one, two):
        await edit_apart(one, two)
        await until(one, lambda: plain(one)["title"] == "value 0 / value 1")
        await meet(one, two, item="shop.milk")
        await until(one, lambda: payloads(one, "shop.milk")[-1:] == [["e0", "e1"]])
    await app.stop()
