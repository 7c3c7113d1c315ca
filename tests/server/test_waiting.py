"""Entries that wait until somebody looks: whatever becomes of them, a document shows all that its log holds."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from syncline.core.cursors import CursorCodec
from syncline.core.documents.revisions import Placed
from syncline.core.log import Receipts
from syncline.replica.documents.library import Library
from syncline.server import documents
from syncline.server.auth.identity import Identity
from syncline.server.member import Member
from syncline.server.space import Crew, Space
from syncline.server.waiting import Waiting
from syncline.stores.sqlite import SqliteEventStore
from syncline.testing import Author, ManualClock
from tests.server.rest import Client

ITEMS = ["task.bread", "task.milk", "task.rice"]
PUSHED = 2


@pytest.fixture
async def home(tmp_path):
    """A space in this process."""
    crew = Crew(*map(ThreadPoolExecutor, (1, 2, 1, 1)))
    store = SqliteEventStore(tmp_path / "log.db", Receipts(b"of these tests"))
    space = Space("home", store, CursorCodec(b"of these tests"), crew, ManualClock())
    yield space
    space.close()
    for executor in crew:
        executor.shutdown()


def put(author: Author, item: str, key: str, value: object):
    return author.event(item, ops=[{"op": "put", "key": key, "value": value}])


async def push(space: Space, *events):
    ann = Member(space, Identity("ann", "home"))
    assert b"error" not in await ann.push(b"[%b]" % b",".join(event.body for event in events))


async def look(space: Space, item: str):
    def read(library):
        shelf = library.shelf(item)
        return shelf.document.value(), shelf.revision

    return await space.documents.look(item, read)


@pytest.mark.parametrize("budget", [documents.WAITING_BYTES, 3_000, 1_000, 0])
async def test_a_document_shows_all_that_came(home, monkeypatch, budget):
    """With room for all, for what came between a few looks, for less than one push, and for nothing."""
    monkeypatch.setattr(documents, "WAITING_BYTES", budget)
    author = Author()
    expected = {item: {} for item in ITEMS}
    for turn in range(20):
        places = range(PUSHED * turn, PUSHED * (turn + 1))
        await push(home, *[put(author, item, f"k{place}", place) for item in ITEMS for place in places])
        for item in ITEMS:
            expected[item].update({f"k{place}": place for place in places})
        looked_at = ITEMS[0 if turn % 7 else turn % 3]  # the others wait long, and not equally
        assert await look(home, looked_at) == (expected[looked_at], PUSHED * (turn + 1))
    for item in ITEMS:
        assert await look(home, item) == (expected[item], PUSHED * 20)


async def test_a_look_folds_what_came_to_its_item_alone(home):
    author = Author()
    await push(home, *[put(author, item, "title", "new") for item in ITEMS])
    shelves = {item: await home.documents.look(item, partial(Library.shelf, item=item)) for item in ITEMS}
    await push(home, *[put(author, item, "done", value=True) for item in ITEMS])
    await look(home, ITEMS[1])
    assert {item: shelf.revision for item, shelf in shelves.items()} == {ITEMS[0]: 1, ITEMS[1]: 2, ITEMS[2]: 1}


def test_what_waits_is_judged_by_the_policy_of_its_time(open_server, space, author):
    docs = Client(open_server, space)
    docs.put(ITEMS[0], {"title": "New"})
    for ahead_ms, (title, policy) in enumerate([("Rye", "server_wins"), ("Wheat", "merge")], 1):
        ops = [{"op": "put", "key": "title", "value": title}]
        assert docs.server.push(space, [author.event(ITEMS[0], ops=ops, ahead_ms=1_000 * ahead_ms)]).status == 200
        assert docs.ask("PUT", "policies", {"task.*": policy}).status == 200
    assert docs.value(ITEMS[0]) == {"title": "Rye"}


def test_items_that_have_waited_longest_are_given_up():
    author = Author()
    events = [put(author, item, "done", value=True) for item in [*ITEMS, ITEMS[0]]]
    waiting = Waiting(max_bytes=sum(len(event.body) for event in events[1:3]))
    for seq, event in enumerate(events, 1):
        waiting.add(Placed(event, seq, 0))
    assert waiting.give_up() == [ITEMS[0]]
    assert waiting.give_up() == []
    assert [list(waiting.take(item)) for item in ITEMS] == [[], [Placed(events[1], 2, 0)], [Placed(events[2], 3, 0)]]
