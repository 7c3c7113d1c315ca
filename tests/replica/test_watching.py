"""Watching documents: who is told what, when, and in whose thread."""

import asyncio
import gc
from contextlib import suppress
from threading import Thread, get_ident

import pytest

from syncline.core.effects import Apply, Greet, Settle
from syncline.core.events import Entry
from syncline.core.messages import Page, Welcome
from syncline.errors import BadRequest, Forbidden
from syncline.replica.documents import DocumentReplica
from syncline.stores.memory import MemoryReplicaStore


def made(user):
    replica = DocumentReplica(MemoryReplicaStore(user))
    replica.perform(Greet(Welcome(epoch="e", head=0, time=0, user=user)))
    return replica


@pytest.fixture
def notes():
    replica = made("ann")
    yield replica
    replica.close()


@pytest.fixture
def told():
    return []


def arrives(replica, *events, since=0, **page):
    entries = [Entry.of(seq, 0, "", event) for seq, event in enumerate(events, since + 1)]
    replica.perform(Apply(Page(entries=entries, cursor=str(since + len(entries)), **page), ()))


def items_into(told):
    return lambda documents: told.append([document.item for document in documents])


def test_a_callback_hears_of_documents_of_its_pattern(notes, told):
    stop = notes.watch("task.*", items_into(told))
    milk = notes.create("task.milk", {"n": 1})
    notes.create("note.1")
    notes.record("task.event", "said", {"n": 1})
    milk["n"] = 2
    milk.delete()
    assert told == [["task.milk"]] * 3
    stop()
    stop()
    notes.create("task.bread")
    assert len(told) == 3


def test_a_callback_sees_the_document_as_it_is_now(notes, told):
    notes.watch("task.*", lambda documents: told.extend(document.plain for document in documents))
    milk = notes.create("task.milk", {"n": 1})
    milk.update(n=2, done=True)
    assert told == [{"n": 1}, {"n": 2, "done": True}]


def test_a_transaction_is_told_of_once_and_when_it_is_done(notes, told):
    notes.watch("*", items_into(told))
    with notes.transaction():
        notes.create("b")
        notes.create("a")
        notes.record("event", "said")
        assert told == []
    assert told == [["a", "b"]]


def test_what_comes_to_nothing_is_not_told(notes, told):
    milk = notes.create("task.milk")
    notes.watch("*", items_into(told))
    with suppress(ZeroDivisionError), notes.transaction():
        milk["n"] = 1
        raise ZeroDivisionError
    assert not milk.redo()
    assert told == []


def test_no_lock_is_held_while_somebody_is_told(notes, told):
    def look_elsewhere(documents):
        thread = Thread(target=lambda: told.append(documents[0].plain))
        thread.start()
        thread.join(10)

    notes.watch("*", look_elsewhere)
    milk = notes.create("milk", {"n": 1})
    with milk.edit() as edit:
        edit["n"] = 2
    with notes.transaction():
        milk["n"] = 3
    milk.undo()
    assert [each["n"] for each in told] == [1, 2, 3, 2]


def test_a_callback_runs_in_the_thread_of_the_change(notes, told):
    notes.watch("*", lambda _: told.append(get_ident()))
    thread = Thread(target=lambda: notes.create("milk"))
    thread.start()
    thread.join()
    notes.create("bread")
    assert told == [thread.ident, get_ident()]


def test_a_callback_may_edit(notes, told):
    def count(documents):
        for document in documents:
            told.append(document["n"])
            if document["n"] < 3:
                document["n"] += 1

    notes.watch("task.*", count)
    notes.create("task.milk", {"n": 0})
    assert told == [0, 1, 2, 3]


def test_what_others_write_is_told_and_what_is_only_confirmed_is_not(notes, told):
    other = made("bob")
    other.create("task.bread", {"n": 1})
    notes.create("task.milk", {"n": 1})
    notes.watch("*", items_into(told))
    arrives(notes, notes.pending()[0], other.pending()[0])
    assert told == [["task.bread"]]
    arrives(notes, *other.events(), since=1)  # the same again
    assert told == [["task.bread"]]


def test_a_document_whose_event_is_refused_or_forgotten_has_changed(notes, told):
    milk = notes.create("task.milk", {"n": 1})
    arrives(notes, *notes.pending())
    milk["n"] = 2
    notes.watch("*", lambda documents: told.append([(document.item, document.plain) for document in documents]))
    notes.perform(Settle([(notes.pending()[0], Forbidden("No."))]))
    arrives(notes, since=1, forget=["task.milk"])
    assert told == [[("task.milk", {"n": 1})], [("task.milk", None)]]


def test_a_pattern_is_checked(notes):
    with pytest.raises(BadRequest):
        notes.watch("a*b")
    with pytest.raises(BadRequest):
        notes.watch_query("a*b", print)


# Asynchronous iterators


async def test_an_iterator_tells_what_changed_since_the_last_time(notes):
    watch = notes.watch("task.*")
    notes.create("task.milk")
    notes.create("note.1")
    notes.create("task.bread")["n"] = 1
    assert [document.item for document in await anext(watch)] == ["task.bread", "task.milk"]
    waiting = asyncio.create_task(anext(watch))
    await asyncio.sleep(0)
    assert not waiting.done()
    await asyncio.to_thread(lambda: notes.create("task.tea"))
    assert [document.item for document in await waiting] == ["task.tea"]


async def test_an_iterator_ends_when_it_is_stopped_or_the_replica_closes():
    replica = made("ann")
    seen, both = [], asyncio.Event()

    async def follow(watch):
        async for documents in watch:
            seen.extend(document.item for document in documents)
            if len(seen) == 2:
                both.set()

    async with replica.watch() as watch:
        first = asyncio.create_task(follow(watch))
        second = asyncio.create_task(follow(replica.watch("a*")))
        await asyncio.sleep(0)
        replica.create("ab")
        await both.wait()
    await first
    replica.close()
    await second
    assert seen == ["ab", "ab"]


def test_an_iterator_can_be_used_by_one_event_loop_after_another(notes):
    watch = notes.watch()

    async def interrupted():
        waiting = asyncio.create_task(anext(watch))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(interrupted())
    notes.create("milk")

    async def first():
        return [document.item for document in await anext(watch)]

    assert asyncio.run(first()) == ["milk"]


def test_an_iterator_nobody_holds_is_forgotten(notes):
    watch = notes.watch()
    assert notes._watched
    del watch
    gc.collect()
    assert not notes._watched


# Queries


def test_a_query_is_answered_at_once_and_whenever_the_answer_changes(notes, told):
    notes.create("task.milk", {"done": False, "n": 1})
    stop = notes.watch_query(
        "task.*",
        lambda documents: told.append([(document.item, document["n"]) for document in documents]),
        where={"done": False},
        order_by="n",
    )
    assert told == [[("task.milk", 1)]]
    bread = notes.create("task.bread", {"done": False, "n": 0})
    bread["n"] = 2
    notes.create("task.tea", {"done": True, "n": 0})["n"] = 9  # not in the answer
    notes.create("note.1", {"done": False})
    bread["done"] = True
    assert told[1:] == [
        [("task.bread", 0), ("task.milk", 1)],
        [("task.milk", 1), ("task.bread", 2)],
        [("task.milk", 1)],
    ]
    stop()
    bread["done"] = False
    assert len(told) == 4


async def test_a_query_can_be_iterated_over(notes):
    milk = notes.create("task.milk", {"done": False})
    async with notes.watch_query("task.*", where={"done": False}) as watch:
        assert [document.item for document in await anext(watch)] == ["task.milk"]
        waiting = asyncio.create_task(anext(watch))
        notes.create("task.tea", {"done": True})
        await asyncio.sleep(0)
        assert not waiting.done()
        milk["done"] = True
        assert await waiting == []
