"""The trees of a space: of what a view shows at the announced head, made once and then kept up to date."""

import asyncio
from functools import partial

import pytest

from syncline.core.access.views import EMPTY_VIEW, FULL_VIEW, View
from syncline.core.admission import Submission
from syncline.core.log import Receipts
from syncline.core.merkle import Leaf, Tree, Walk, held_in
from syncline.server.healing import trees
from syncline.server.healing.trees import Trees
from syncline.stores.memory import MemoryEventStore
from syncline.testing import Author
from syncline.testing.event_store import EPOCH
from syncline.testing.seeded import START_MS

MILK = View.everything(["task.milk"])
TASKS = View.everything(["task.*"])


class Log(MemoryEventStore):
    """A log that counts the digests it has told."""

    def __init__(self):
        super().__init__(EPOCH, Receipts(b"key"))
        self.told = 0
        self.author = Author()

    def push(self, count, item="task.milk"):
        return self.append([Submission(self.author.events(count, item), "ann")], now_ms=START_MS)

    def digests(self, since, limit):
        return self._counted(super().digests(since, limit))

    def digests_by_id(self, low, high, limit):
        return self._counted(super().digests_by_id(low, high, limit))

    def _counted(self, found):
        self.told += len(found)
        return found

    def leaves(self, until, view=FULL_VIEW, since=0):
        """What a tree has to be of, looked up another way."""
        rows = [row for row in self._rows[since:until] if view.shows(row.event.item)]
        return sorted(Leaf(row.event.key, row.event.digest) for row in rows)


@pytest.fixture
def log():
    log = Log()
    for item in ("task.milk", "note", "task.bread"):
        log.push(400, item)
    return log


def trees_of(log, seq=None):
    return Trees(log, asyncio.to_thread, (lambda: log.head().seq) if seq is None else seq)


@pytest.mark.parametrize("held", [trees.HELD, 500, 0])
@pytest.mark.parametrize("view", [FULL_VIEW, MILK, TASKS, EMPTY_VIEW], ids=["all", "milk", "tasks", "none"])
@pytest.mark.parametrize("since", [0, 100])
async def test_a_tree_follows_the_log(log, view, since, held, monkeypatch):
    monkeypatch.setattr(trees, "HELD", held)
    kept = trees_of(log)
    for _ in range(3):
        grown = await kept.at(lambda: view, since)
        leaves = log.leaves(log.head().seq, view, since)
        assert (grown.seq, grown.tree) == (log.head().seq, Tree.of(leaves))
        walk = Walk(Tree.of(leaves[10:]), held_in(leaves[10:]))
        while questions := walk.questions():
            walk.take(grown.tree.describe(questions, grown.read))
        assert (len(walk.theirs_only), walk.mine_only) == (len(leaves[:10]), set())
        log.push(100)
        log.push(20, "note")


async def test_a_tree_ends_at_the_announced_head(log):
    grown = await trees_of(log, lambda: 700).at(lambda: FULL_VIEW)
    assert (grown.seq, grown.tree) == (700, Tree.of(log.leaves(700)))


async def test_only_what_is_new_is_read(log):
    kept = trees_of(log)
    await kept.at(lambda: FULL_VIEW)
    assert log.told == 1200
    await kept.at(lambda: FULL_VIEW)
    assert log.told == 1200
    log.push(10)
    await kept.at(lambda: FULL_VIEW)
    assert log.told <= 1200 + 10 + 256 + 10


async def test_a_log_that_was_put_back_is_read_anew(log):
    head = [1200]
    kept = trees_of(log, lambda: head[0])
    await kept.at(lambda: FULL_VIEW)
    head[0] = 300
    assert (await kept.at(lambda: FULL_VIEW)).tree == Tree.of(log.leaves(300))


async def test_whoever_gives_up_stops_nobody_else(log):
    kept = trees_of(log)
    asked = [asyncio.create_task(kept.at(lambda: FULL_VIEW)) for _ in range(2)]
    await asyncio.sleep(0)
    asked[0].cancel()
    assert (await asked[1]).tree.count == 1200
    with pytest.raises(asyncio.CancelledError):
        await asked[0]
    assert log.told == 1200


async def test_a_view_is_taken_with_the_head_when_its_turn_comes(log):
    begun, gate, views = asyncio.Event(), asyncio.Event(), [FULL_VIEW]

    async def run(function):
        begun.set()
        await gate.wait()
        return function()

    kept = Trees(log, run, lambda: log.head().seq)
    first = asyncio.create_task(kept.at(lambda: TASKS))
    second = asyncio.create_task(kept.at(lambda: views[-1]))
    await begun.wait()
    views.append(MILK)
    log.push(10)
    gate.set()
    assert (await first).seq == 1200
    grown = await second
    assert (grown.seq, grown.tree) == (1210, Tree.of(log.leaves(1210, MILK)))


async def test_trees_of_narrower_views_make_room(log, monkeypatch):
    monkeypatch.setattr(trees, "MAX_TREES", 3)
    kept = trees_of(log)
    views = [View.everything([f"task.{place}", "task.milk"]) for place in range(4)]
    for view in views:
        await kept.at(partial(lambda view: view, view))
    told = log.told
    for view in views[1:]:
        await kept.at(partial(lambda view: view, view))
    assert log.told == told
    await kept.at(lambda: views[0])
    assert log.told > told


async def test_few_large_trees_are_kept(log, monkeypatch):
    monkeypatch.setattr(trees, "MAX_KEPT", 1000)
    kept = trees_of(log)
    for view in (MILK, TASKS, TASKS):
        await kept.at(partial(lambda view: view, view))
    told = log.told
    await kept.at(lambda: TASKS)
    assert log.told == told
    await kept.at(lambda: MILK)
    assert log.told > told
