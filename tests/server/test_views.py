"""What readers hold while rules, filters and the log itself change, beside what a model says they may see."""

import asyncio
import json
import random

import pytest

from syncline.core.access.rules import ALLOW, DENY, READ
from syncline.core.access.state import ROOT
from syncline.core.messages import Live, Pull
from syncline.errors import Unauthorized
from syncline.server import reader as followers
from syncline.server import reading
from tests.server.reading_model import CODEC, Reader, World

USERS = ["ann", "anna", "bob", "z"]
ITEMS = ["a", "ab", "ab.a", "ab.b", "ab.ba", "b", "b.a", "bz", "z", "z.a", "a-b", "a:b", ".a", ".ab", ".b.a"]
PATTERNS = [*ITEMS, "a*", "ab*", "ab.*", "b*", "*", "*", ".*", ".a*", "z*"]


@pytest.fixture
def home(tmp_path):
    worlds = []

    def make(**settings) -> World:
        worlds.append(World(tmp_path / f"log{len(worlds)}.db", **settings))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


def some(lot: random.Random, patterns=PATTERNS) -> tuple[str, ...]:
    """A filter; none is the most common."""
    return tuple(lot.sample(patterns, lot.choice([0, 0, 0, 1, 2, 3])))


async def change(world: World, lot: random.Random) -> None:
    """Something happens to the space."""
    what = lot.random()
    given = [rule for rule in world.rules if rule.id]
    if what < 0.5:
        await world.push(*lot.choices(ITEMS, k=lot.randrange(1, 6)))
    elif what < 0.75 or (what < 0.93 and not given):
        user = lot.choice([*USERS, "*", "an*", "ann*"])
        await world.add(user, lot.choice(PATTERNS), lot.choice([READ, READ, "*", ".*", "x"]), lot.choice([ALLOW, DENY]))
    elif what < 0.93:
        await world.remove(lot.choice(given))
    else:
        await world.turn(lot.choice(USERS))


async def read(reader: Reader, lot: random.Random) -> None:
    """A client reads one page, or all there is."""
    if reader.user in reader.world.suspended:
        with pytest.raises(Unauthorized):
            await reader.pull()
    elif lot.random() < 0.6:
        await reader.pull(lot.choice([1, 1, 2, 5, 1_000]))
    else:
        await reader.catch_up(lot.choice([1, 3, 1_000]))
        reader.check()


@pytest.mark.parametrize("seed", range(40))
async def test_a_client_holds_what_its_user_may_see(home, seed, monkeypatch):
    lot = random.Random(seed)
    monkeypatch.setattr(reading, "ITEMS", lot.choice([1, 2, 5, 1_000]))
    world = home(index_run=lot.choice([3, 20, 8_192]))
    readers = [Reader(world, user, some(lot)) for user in [*USERS, *USERS, ROOT]]
    for _ in range(120):
        if lot.random() < 0.4:
            await change(world, lot)
            continue
        place = lot.randrange(len(readers))
        reader = readers[place]
        match lot.randrange(12):
            case 0:  # from now on it asks for other items
                reader.asked = some(lot)
            case 1:  # an old copy of it comes back later
                readers.append(reader.twin())
            case 2:  # somebody else takes it over, as it is
                readers[place] = taken = reader.twin()
                taken.user = lot.choice([*USERS, ROOT])
            case _:
                await read(reader, lot)
    for reader in readers:
        if reader.user not in world.suspended:
            await reader.catch_up(lot.choice([1, 4, 1_000]))
            reader.check()


@pytest.mark.parametrize("seed", range(10))
async def test_the_log_is_put_back(home, seed):
    lot = random.Random(seed)
    world = home(index_run=lot.choice([5, 8_192]))
    readers = [Reader(world, user, some(lot)) for user in [*USERS, ROOT]]
    copies = []
    for _ in range(6):
        for _ in range(10):
            await change(world, lot)
            await read(lot.choice(readers), lot)
        copies.append(world.copy())
        if lot.random() < 0.5:
            for _ in range(lot.randrange(4)):
                await change(world, lot)
                await read(lot.choice(readers), lot)
            readers += [lot.choice(readers).twin()]
            world.restore(lot.choice(copies))
    for reader in readers:
        if reader.user not in world.suspended:
            await reader.catch_up(lot.choice([1, 1_000]))
            reader.check()


@pytest.mark.parametrize("seed", range(12))
async def test_live_readers(home, seed, monkeypatch):
    """They are sent pages while all goes on, and in the end hold what they may see."""
    lot = random.Random(seed)
    monkeypatch.setattr(followers, "SKIPPED_ENTRIES", lot.choice([3, 1_000]))
    monkeypatch.setattr(followers, "PAGE_ENTRIES", lot.choice([1, 4, 1_000]))
    world = home(index_run=lot.choice([7, 8_192]))
    for _ in range(10):
        await change(world, lot)
    readers = [Reader(world, user, some(lot)) for user in [*USERS, *USERS, ROOT]]
    for reader in readers[::2]:
        if reader.user not in world.suspended:
            await reader.catch_up()
    for user in sorted(world.suspended):
        await world.turn(user)
    tasks = [asyncio.create_task(follow(reader)) for reader in readers]
    for _ in range(60):
        await (world.turn(lot.choice(USERS)) if lot.random() < 0.02 else change(world, lot))
        if lot.random() < 0.3:
            await asyncio.sleep(0)
    for reader, task in zip(readers, tasks, strict=True):
        await settled(reader, task)
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(ended, asyncio.CancelledError | Unauthorized):
            raise ended


async def follow(reader: Reader) -> None:
    async for frame in reader.world.member(reader.user).follow(Live(cursor=reader.cursor, items=reader.asked)):
        reader.apply(json.loads(frame.text), is_suspicious=False)
        reader.news.set()


async def settled(reader: Reader, task: asyncio.Task) -> None:
    """Returns when a follower holds what it should, or has ended; raises when nothing leads there any more."""
    while not task.done() and reader.held != reader.world.seen_by(reader.user, reader.asked):
        reader.news.clear()
        news = asyncio.create_task(reader.news.wait())
        done, _ = await asyncio.wait([task, news], timeout=10, return_when=asyncio.FIRST_COMPLETED)
        news.cancel()
        assert done, f"{reader.user} lacks something"


async def caught_up(world: World, user: str, asked: tuple[str, ...] = ()) -> Reader:
    reader = Reader(world, user, asked)
    await reader.catch_up()
    reader.check()
    return reader


async def test_a_grant_and_its_revocation_while_offline_move_nothing(home):
    world = home()
    await world.push(*["open"] * 50, *["secret.a"] * 50)
    hidden = await world.add("*", "secret.*")
    ann, bob = await caught_up(world, "ann"), await caught_up(world, ROOT)
    granted = await world.add("ann", "secret.*", READ, ALLOW)
    await world.push("secret.a", "open")
    await world.remove(granted)
    await ann.catch_up(1)
    ann.check()
    assert ann.moved == 0
    await world.remove(hidden)
    await world.add("*", "secret*")
    await ann.catch_up()
    ann.check()
    assert (ann.moved, bob.moved) == (0, 0)


async def test_a_difference_resumes_in_its_middle(home):
    world = home(index_run=5)
    await world.push(*[f"secret.{number % 7}" for number in range(40)], "open")
    hidden = await world.add("*", "secret.*")
    ann = await caught_up(world, "ann")
    await world.remove(hidden)
    held = set(ann.held)
    for count in range(1, 41):
        assert await ann.pull(1)
        assert len(ann.held) == len(held) + count
    while await ann.pull(1):
        pass
    ann.check()
    assert ann.moved == 40


async def test_what_came_after_a_revocation_is_not_named(home):
    """Not even as something to forget."""
    world = home(index_run=4)
    await world.push("secret.a", "open", "secret.b", "open")
    ann = await caught_up(world, "ann")
    before = ann.twin()
    await world.add("*", "secret.*")
    await world.add("ann", "secret.c")
    await world.add("ann", ".hidden")
    await world.push("secret.a", "secret.c", "secret.layoffs", "open", "open", ".hidden")
    for reader in (ann, before):
        page = json.loads(await world.member("ann").pull(Pull(cursor=reader.cursor)))
        assert page["forget"] == ["secret.a", "secret.b"]
        await reader.catch_up(1)
        reader.check()


async def test_many_items(home):
    """Thousands become visible, page by page, each as large as it may be."""
    world = home(index_run=2_000)
    hidden = await world.add("*", "secret.*")
    for start in range(0, 5_000, 1_000):
        await world.push(*[f"secret.{number}" for number in range(start, start + 1_000)])
    ann = await caught_up(world, "ann")
    await world.remove(hidden)
    pages = 1
    while await ann.pull(1_000):
        pages += 1
    ann.check()
    assert ann.moved == 5_000
    assert pages <= 12
    await world.add("*", "secret.*")
    await ann.catch_up()
    ann.check()


async def test_an_item_with_more_entries_than_a_page(home):
    """The largest page that can be asked for leaves nothing out, wherever the index ends."""
    world = home(index_run=500)
    for _ in range(21):
        await world.push(*["a", "b"] * 500)
    for asked in [("a",), ("a", "b"), ("a*",)]:
        reader = Reader(world, "ann", asked)
        await reader.catch_up(10_000)
        reader.check()


@pytest.mark.parametrize("count", [150, 250])
async def test_many_rules(home, count):
    """As many decisions as SQLite is asked about, and more."""
    world = home()
    await world.push(*[f"item.{number}" for number in range(400)])
    ann = await caught_up(world, "ann")
    await world.add("*", "*")
    for number in range(count):
        await world.add("ann", f"item.{number}", READ, ALLOW)
    await ann.catch_up(100)
    ann.check()
    (await caught_up(world, "ann")).check()
    assert len({*ann.held.values()}) == count


async def test_a_wait_ends_when_something_may_be_read(home):
    """Not when something hidden came: it would tell that somebody is at work."""
    world = home()
    await world.push("open")
    await world.add("*", "secret")
    ann = await caught_up(world, "ann")
    waiting = asyncio.create_task(world.member("ann").wait(ann.cursor, (), 5))
    for _ in range(3):
        await world.push("secret")
        await asyncio.wait([waiting], timeout=0.05)
        assert not waiting.done()
    await world.push("open")
    await asyncio.wait_for(waiting, 2)
    await ann.catch_up()
    waiting = asyncio.create_task(world.member("ann").wait(ann.cursor, (), 5))
    await asyncio.sleep(0)
    await world.add("ann", "secret", READ, ALLOW)
    await asyncio.wait_for(waiting, 2)


async def test_readers_with_equal_rights_share_their_pages(home):
    world = home()
    await world.push("open", "secret")
    await world.add("*", "secret")
    cursors = {(await caught_up(world, user)).cursor for user in ("ann", "bob")}
    assert len(cursors) == 1
    assert CODEC.decode(cursors.pop()).stand.view == world.member("z").view().digest
