"""What every transport must do: ``TransportContract``, to be inherited by the tests of an adapter.

The tests talk to a real server, which the subclass starts; each test is one ``asyncio.run``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec import Raw

from syncline.core.canonical import digest
from syncline.core.events import Entry, Event
from syncline.core.merkle import Leaf, Walk, held_in
from syncline.core.merkle import Tree as MerkleTree
from syncline.core.messages import (
    PROTOCOL,
    Ack,
    AskSnapshot,
    Auth,
    Fetch,
    Found,
    Give,
    Hello,
    Live,
    Merkle,
    Page,
    Pull,
    Push,
    Snapshot,
    Summary,
    Tree,
)
from syncline.core.summaries import nodes_of, summaries_of
from syncline.errors import (
    BadCursor,
    BadRequest,
    CursorReset,
    EpochChanged,
    HelloRequired,
    InvalidEvent,
    Recovering,
    ReservedAction,
    SnapshotGone,
    Unauthorized,
    Unavailable,
    UnsupportedProtocol,
    Unvouched,
)
from syncline.testing.seeded import START_MS, Author
from syncline.transports import Transport

SECONDS = 60.0
"""A test that takes longer hangs, however busy the machine is."""


NOTHING = Summary("", "", 0, "")
"""What whoever holds nothing says of it."""


class Served(NamedTuple):
    """A running server: how to begin a conversation with it, the API key of its user ``ann``, and an empty space."""

    connect: Callable[[], Transport]
    token: str
    space: str = "default"


def _run(test: Callable[[Any, Path], Awaitable[None]]) -> Callable[[Any, Path], None]:
    """A test that awaits, for a pytest that does not."""

    def run(self: TransportContract, tmp_path: Path) -> None:
        asyncio.run(asyncio.wait_for(test(self, tmp_path), SECONDS))

    run.__doc__ = test.__doc__
    return run


class TransportContract:
    """Subclass it as ``Test…``, give ``serve``, and inherit every test. See ``syncline.transports.Transport``."""

    def serve(self, data: Path) -> AbstractAsyncContextManager[Served]:
        """A server whose data is in a directory; it stops when the block ends. Later it may be started there again."""
        raise NotImplementedError

    def share(self, data: Path) -> AbstractAsyncContextManager[Served]:
        """The same, for tests that let the server live: it may be one for all of them, with a new space for each."""
        return self.serve(data)

    # Requests

    @_run
    async def test_hello_push_and_pull(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport = served.connect()
            welcome = await transport.hello(_hello(served))
            assert (welcome.user, welcome.head, welcome.own) == ("ann", 0, None)
            assert len(welcome.epoch) == 32
            assert welcome.time > START_MS
            events = Author().events(3)
            ack = await transport.push(Push.of(events))
            assert [(result.id, result.seq) for result in ack.results] == [(e.id, n) for n, e in enumerate(events, 1)]
            assert ack.head == 3
            page = await transport.pull(Pull(limit=2))
            rest = await transport.pull(Pull(cursor=page.cursor))
            assert (page.more, rest.more) == (True, False)
            assert _bodies(page, rest) == [event.body for event in events]
            await transport.close()

    @_run
    async def test_the_server_knows_a_node_again(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            events = Author().events(2)
            first = await _greeted(served)
            await first.push(Push.of(events))
            await first.close()
            second = served.connect()
            welcome = await second.hello(_hello(served))
            assert (welcome.head, welcome.own) == (2, events[1].id)
            await second.close()

    @_run
    async def test_each_event_has_its_own_answer(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport = await _greeted(served)
            author = Author()
            good, bad = author.event(), author.event(action=".secret")
            array = Push.of([good, bad]).events
            ack = await transport.push(Push(events=type(array)(bytes(array)[:-1] + b',{"id":"x"}]')))
            assert [result.id for result in ack.results] == [good.id, bad.id, "x"]
            assert ack.results[0].seq == 1
            codes = [result.error["code"] for result in ack.results if result.error]
            assert codes == [ReservedAction.code, InvalidEvent.code]
            await transport.close()

    @_run
    async def test_a_request_that_fails_as_a_whole_raises_its_error(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport = await _greeted(served)
            page = await transport.pull(Pull())
            with pytest.raises(BadCursor):
                await transport.pull(Pull(cursor="nonsense"))
            with pytest.raises(BadRequest):
                await transport.pull(Pull(items=("a*b",)))
            assert not (await transport.pull(Pull(cursor=page.cursor))).more  # the conversation goes on
            await transport.close()

    @_run
    async def test_items_are_asked_for(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport = await _greeted(served)
            author = Author()
            events = [author.event(item) for item in ("task.a", "note.b", "task.c", "memo")]
            await transport.push(Push.of(events))
            page = await transport.pull(Pull(items=("memo", "task.*")))
            assert _bodies(page) == [events[place].body for place in (0, 2, 3)]
            await transport.close()

    @_run
    async def test_spaces_are_apart(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            one, other = served.connect(), served.connect()
            await one.hello(_hello(served))
            await one.push(Push.of(Author().events(1)))
            assert (await other.hello(_hello(served, space="elsewhere"))).head == 0
            assert (await other.pull(Pull())).entries == []
            await one.close()
            await other.close()

    @_run
    async def test_without_valid_credentials_there_is_no_conversation(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            for token in ("wrong", None):
                transport = served.connect()
                with pytest.raises(Unauthorized):
                    await transport.hello(_hello(served, token=token))
                await transport.close()

    @_run
    async def test_other_credentials_are_shown_on_the_way(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport = await _greeted(served)
            with pytest.raises(Unauthorized):
                await transport.authenticate(Auth(token="wrong"))
            await transport.push(Push.of(Author().events(1)))  # it goes on as before
            answer = await transport.authenticate(Auth(token=served.token))
            assert (answer.user, answer.expires) == ("ann", None)
            assert answer.time > START_MS
            assert len((await transport.pull(Pull())).entries) == 1
            await transport.close()
            with pytest.raises(HelloRequired):
                await transport.authenticate(Auth(token=served.token))

    @_run
    async def test_another_protocol_is_refused(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport = served.connect()
            with pytest.raises(UnsupportedProtocol):
                await transport.hello(_hello(served, protocol=PROTOCOL + 1))
            await transport.close()

    @_run
    async def test_hello_comes_first_and_close_twice(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport = served.connect()
            for _ in range(2):
                with pytest.raises(HelloRequired):
                    await transport.pull(Pull())
                await transport.hello(_hello(served))
                await transport.pull(Pull())
                await transport.close()
                await transport.close()

    @_run
    async def test_hello_may_be_said_again(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport = await _greeted(served)
            await transport.push(Push.of(Author().events(1)))
            assert (await transport.hello(_hello(served))).head == 1
            assert len((await transport.pull(Pull())).entries) == 1
            await transport.close()

    # What heals

    @_run
    async def test_events_are_fetched_by_their_ids(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport, author = await _greeted(served), Author()
            events, unknown = author.events(3), author.event()
            await transport.push(Push.of(events))
            ids = [events[2].id, unknown.id, events[0].id, events[2].id]
            found = await transport.ask(Fetch(ids=ids), Found)
            assert [entry.seq for entry in found.entries] == [3, 1]
            assert [bytes(entry.raw) for entry in found.entries] == [events[2].body, events[0].body]
            assert not found.more
            await transport.close()

    @_run
    async def test_what_is_too_much_for_one_answer_is_asked_for_again(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport, author = await _greeted(served), Author()
            events = [author.event(payload="x" * 60_000) for _ in range(75)]
            for start in range(0, len(events), 15):
                await transport.push(Push.of(events[start : start + 15]))
            ids, came = [event.id for event in events], list[bytes]()
            while len(came) < len(events):
                found = await transport.ask(Fetch(ids=ids[len(came) :]), Found)
                came += [bytes(entry.raw) for entry in found.entries]
                assert found.more is (len(came) < len(events))
            assert came == [event.body for event in events]
            await transport.close()

    @_run
    async def test_a_walk_finds_what_differs(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport, author = await _greeted(served), Author()
            events, mine = author.events(300), author.events(2)
            await transport.push(Push.of(events))
            leaves = sorted(Leaf(event.key, event.digest) for event in [*events[5:], *mine])
            read = held_in(leaves)
            walk = Walk(MerkleTree.of(leaves), read)
            while questions := walk.questions():
                tree = await transport.ask(Merkle(summaries=summaries_of(questions)), Tree)
                assert (tree.seq, tree.count) == (300, 300)
                walk.take(nodes_of(tree.summaries))
            assert walk.theirs_only == {event.id for event in events[:5]}
            assert walk.mine_only == {event.id for event in mine}
            await transport.close()

    @_run
    async def test_trees_are_of_the_items_that_are_asked_for_and_of_what_came_since(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport, author = await _greeted(served), Author()
            events = [author.event(item) for item in ("task.a", "note.b", "task.c", "task.d")]
            await transport.push(Push.of(events))
            asked = Merkle(items=("task.*",), since=1, summaries=[NOTHING])
            tree = await transport.ask(asked, Tree)
            (leaf,) = tree.summaries
            assert (tree.seq, tree.count, leaf.ids) == (4, 2, (events[2].id, events[3].id))
            assert tree.root == digest(b"\0" + events[2].digest + events[3].digest).hex()
            same = await transport.ask(Merkle(items=("task.*",), since=1, summaries=[leaf]), Tree)
            assert (same.root, same.summaries) == (tree.root, [])
            await transport.close()

    @_run
    async def test_of_what_has_no_snapshot_there_is_an_empty_one(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport = await _greeted(served)
            await transport.push(Push.of(Author().events(2)))
            empty = await transport.ask(AskSnapshot(), Snapshot)
            assert (empty.seq, empty.bases, empty.after) == (0, [], None)
            assert len((await transport.pull(Pull(cursor=empty.cursor))).entries) == 2
            with pytest.raises(SnapshotGone):
                await transport.ask(AskSnapshot(seq=2), Snapshot)
            await transport.close()

    @_run
    async def test_what_is_given_is_answered_event_by_event(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport, author, other = served.connect(), Author(), Author("other", "bob")
            epoch = (await transport.hello(_hello(served))).epoch
            known, own, another = author.event(), author.event(), other.event()
            await transport.push(Push.of([known]))
            ack = await transport.ask(_gift(epoch, known, own, another), Ack)
            assert [(result.id, result.seq) for result in ack.results] == [
                (known.id, 1),
                (own.id, 2),
                (another.id, None),
            ]
            assert [result.error and result.error["code"] for result in ack.results] == [None, None, Unvouched.code]
            assert ack.head == 2
            with pytest.raises(EpochChanged):
                await transport.ask(_gift("0" * 32, own), Ack)
            await transport.close()

    @_run
    async def test_what_heals_fails_as_a_whole_with_its_error(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport = served.connect()
            with pytest.raises(HelloRequired):
                await transport.ask(AskSnapshot(), Snapshot)
            await transport.hello(_hello(served))
            with pytest.raises(BadRequest):
                await transport.ask(Fetch(ids=["x"]), Found)
            with pytest.raises(BadRequest):
                await transport.ask(Merkle(summaries=[Summary("", "", 1, "", ())]), Tree)
            with pytest.raises(BadRequest):
                await transport.ask(Merkle(items=("a*b",), summaries=[NOTHING]), Tree)
            with pytest.raises(BadRequest):
                await transport.ask(AskSnapshot(items=("a*b",)), Snapshot)
            assert (await transport.pull(Pull())).entries == []  # the conversation goes on
            await transport.close()

    # Subscriptions

    @_run
    async def test_a_subscription_begins_at_its_cursor_and_goes_on(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport, writer, author = await _greeted(served), await _greeted(served), Author()
            events = author.events(4)
            await writer.push(Push.of(events[:2]))
            cursor = (await transport.pull(Pull(limit=1))).cursor
            pages = transport.subscribe(Live(cursor=cursor))
            assert _bodies(await anext(pages)) == [events[1].body]
            await writer.push(Push.of(events[2:]))
            assert await _collected(pages, 2) == [event.body for event in events[2:]]
            await transport.close()
            await writer.close()

    @_run
    async def test_the_first_page_comes_at_once_even_if_it_is_empty(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport = await _greeted(served)
            page = await anext(transport.subscribe(Live()))
            assert page.entries == []
            assert page.cursor
            await transport.close()

    @_run
    async def test_two_subscribers_see_the_same_and_one_resumes(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            one, other, writer = [await _greeted(served) for _ in range(3)]
            first, second = one.subscribe(Live()), other.subscribe(Live(items=("task.*",)))
            await anext(first)
            await anext(second)
            author = Author()
            events = [author.event(item) for item in ("task.a", "note.b", "task.c")]
            await writer.push(Push.of(events[:2]))
            page = await anext(first)
            assert _bodies(page)[:1] == [events[0].body]
            await one.close()
            await writer.push(Push.of(events[2:]))
            assert await _collected(second, 2) == [events[0].body, events[2].body]
            again = await _greeted(served)
            rest = await _collected(again.subscribe(Live(cursor=page.cursor)), 3 - len(page.entries))
            assert _bodies(page) + rest == [event.body for event in events]
            for transport in (other, writer, again):
                await transport.close()

    @_run
    async def test_requests_go_on_beside_a_subscription(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport = await _greeted(served)
            pages = transport.subscribe(Live())
            await anext(pages)
            events = Author().events(2)
            await transport.push(Push.of(events))
            assert _bodies(await transport.pull(Pull())) == [event.body for event in events]
            assert await _collected(pages, 2) == [event.body for event in events]
            await transport.close()

    @_run
    async def test_a_subscription_with_a_bad_cursor_raises(self, tmp_path: Path) -> None:
        async with self.share(tmp_path) as served:
            transport = await _greeted(served)
            with pytest.raises(BadCursor):
                await anext(transport.subscribe(Live(cursor="nonsense")))
            await transport.close()

    # A server that stops, and one that was restored

    @_run
    async def test_a_server_that_is_gone_is_noticed(self, tmp_path: Path) -> None:
        async with self.serve(tmp_path) as served:
            transport, follower = await _greeted(served), await _greeted(served)
            pages = follower.subscribe(Live())
            await anext(pages)
            waiting = asyncio.create_task(_collected(pages, 1))
        with pytest.raises(Unavailable):
            await waiting
        with pytest.raises(Unavailable):
            await transport.push(Push.of(Author().events(1)))
        with pytest.raises(Unavailable):
            await transport.hello(_hello(served))
        await transport.close()
        await follower.close()

    @_run
    async def test_what_was_acknowledged_is_there_after_a_restart(self, tmp_path: Path) -> None:
        async with self.serve(tmp_path) as served:
            transport = await _greeted(served)
            await transport.push(Push.of(Author().events(2)))
            cursor = (await transport.pull(Pull(limit=1))).cursor
            await transport.close()
        async with self.serve(tmp_path) as served:
            transport = await _greeted(served)
            page = await transport.pull(Pull(cursor=cursor))
            assert [entry.seq for entry in page.entries] == [2]
            await transport.close()

    @_run
    async def test_a_log_from_an_older_copy_resets_cursors(self, tmp_path: Path) -> None:
        author = Author()
        async with self.serve(tmp_path) as served:
            await _push(served, author.events(1))
        copy = _read_files(tmp_path / "spaces")
        async with self.serve(tmp_path) as served:
            cursor = await _push(served, author.events(2))
        _write_files(tmp_path / "spaces", copy)
        async with self.serve(tmp_path) as served:
            transport = await _greeted(served)
            with pytest.raises(CursorReset):
                await transport.pull(Pull(cursor=cursor))
            with pytest.raises(CursorReset):
                await anext(transport.subscribe(Live(cursor=cursor)))
            ack = await transport.push(Push.of(author.events(1)))  # what was lost comes back before what is new
            assert [result.error and result.error["code"] for result in ack.results] == [Recovering.code]
            await transport.close()
        async with self.serve(tmp_path) as served:
            await _push(served, author.events(2))  # grown past the cursor, with other events
            transport = await _greeted(served)
            with pytest.raises(CursorReset):
                await transport.pull(Pull(cursor=cursor))
            await transport.close()


def _hello(served: Served, **changes: Any) -> Hello:
    return Hello(**{"node": "node", "token": served.token, "space": served.space, **changes})


def _gift(epoch: str, *events: Event) -> Give:
    """Events that are no entries of any log the giver knows."""
    loose = [Entry.of(0, 0, "", event).encoded for event in events]
    return Give(epoch=epoch, entries=Raw(b"[" + b",".join(loose) + b"]"))


async def _greeted(served: Served) -> Transport:
    transport = served.connect()
    await transport.hello(_hello(served))
    return transport


async def _push(served: Served, events: list[Event]) -> str:
    """Pushes events in a conversation of their own; a cursor after them."""
    transport = await _greeted(served)
    ack = await transport.push(Push.of(events))
    assert [result.error for result in ack.results] == [None] * len(events)
    page = await transport.pull(Pull())
    await transport.close()
    return page.cursor


def _bodies(*pages: Page) -> list[bytes]:
    return [bytes(entry.raw) for page in pages for entry in page.entries]


async def _collected(pages: AsyncGenerator[Page, None], count: int) -> list[bytes]:
    """The bodies of the next ``count`` entries, in however many pages they come."""
    found: list[bytes] = []
    while len(found) < count:
        found += _bodies(await anext(pages))
    return found


def _read_files(directory: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in directory.iterdir()}


def _write_files(directory: Path, files: dict[Path, bytes]) -> None:
    for file in directory.iterdir():
        file.unlink()
    for file, content in files.items():
        file.write_bytes(content)
