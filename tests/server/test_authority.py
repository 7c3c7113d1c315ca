"""The one writer of a log: a commit that fails may have been carried out, and then everybody hears of it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

from syncline.core.access.scope import TRUSTED
from syncline.core.access.state import ADD_RULE, Access
from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.errors import Forbidden, StorageFull
from syncline.server.authority import Authority
from syncline.stores.memory import MemoryEventStore
from syncline.testing.seeded import START_MS, Author

CLOSING = {"user": "*", "item": "task.*", "action": "*", "type": "deny"}


class Unlucky(MemoryEventStore):
    """Its disk is full just after a commit, as often as it is told."""

    failures = 0

    def append(self, *arguments, **more):
        appended = super().append(*arguments, **more)
        if self.failures:
            self.failures -= 1
            raise StorageFull("no room to say so")
        return appended


@pytest.fixture
async def writer():
    """An authority, its store, and the seqs that were announced."""
    store, heard = Unlucky("0" * 32, Receipts(b"of these tests")), []
    with ThreadPoolExecutor(1) as writers, ThreadPoolExecutor(1) as lookers:
        yield opened(store, writers, lookers, heard), store, heard


def opened(store, writers, lookers, heard):
    def announce(rows, head):
        heard.extend(row.seq for row in rows)

    return Authority(store, writers, lookers, announce, lambda: START_MS, Access())


@contextmanager
def held_up(executor):
    """Its one thread has something else to do."""
    end = Event()
    executor.submit(end.wait)
    try:
        yield
    finally:
        end.set()


async def test_what_was_stored_in_spite_of_an_error_is_announced_once_and_in_order(writer):
    authority, store, heard = writer
    author = Author()
    first, second = author.event(), author.event()
    store.failures = 1
    with pytest.raises(StorageFull):
        await authority.submit(Submission([first], author.user))
    assert heard == []
    outcomes, head = await authority.submit(Submission([first, second], author.user))
    assert (outcomes, head.seq, heard) == ([1, 2], 2, [1, 2])


async def test_a_rule_that_was_stored_in_spite_of_an_error_holds(writer):
    authority, store, heard = writer
    rule = Author("root").event(item=".acl", action=ADD_RULE, payload=CLOSING)
    store.failures = 1
    with pytest.raises(StorageFull):
        await authority.submit(Submission([rule], "ann", is_system=True, rights=TRUSTED))
    author = Author()
    (outcome,), _ = await authority.submit(Submission([author.event(item="task.1")], author.user))
    assert isinstance(outcome, Forbidden)
    assert heard == [1]


async def test_who_looks_and_who_pushes_wait_for_threads_of_their_own():
    store, heard, author = Unlucky("0" * 32, Receipts(b"of these tests")), [], Author()
    with ThreadPoolExecutor(1) as writers, ThreadPoolExecutor(1) as lookers:
        authority = opened(store, writers, lookers, heard)
        with held_up(lookers):
            looking = asyncio.ensure_future(authority.refresh())
            await asyncio.sleep(0)
            await authority.submit(Submission([author.event()], author.user))
            await looking  # it was served along
        with held_up(writers):
            await authority.refresh()
        await authority.refresh()
        await authority.submit(Submission([author.event()], author.user))
        await asyncio.to_thread(authority.close)
    assert heard == [1, 2]
