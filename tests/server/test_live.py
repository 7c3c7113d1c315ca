"""Live: the same entries over SSE and WebSocket, from any place on, and nobody pays for a reader that does not read."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import islice
from typing import Any

import pytest

from syncline.transports.http import SILENCE_SECONDS
from tests.server.running import DEADLINE, Author, eventually, recv

MIB = 1024 * 1024


class Stream:
    """A stream of server-sent events, read line by line."""

    def __init__(self, server: Any, space: str, *, since: str = "", items: str = "", last_event_id: str = "") -> None:
        self.connection = server.connect()
        path = f"/v1/spaces/{space}/live?since={since}" + (f"&items={items}" if items else "")
        self.connection.request("GET", path, headers={"Last-Event-ID": last_event_id} if last_event_id else {})
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        assert self.response.headers["content-type"] == "text/event-stream"
        assert self.response.headers["cache-control"] == "no-store"

    def __iter__(self) -> Iterator[tuple[str, str, Any]]:
        """Events as (kind, id, data)."""
        fields: dict[str, str] = {}
        for line in self.response:
            text = line.decode().rstrip("\n")
            if text.startswith(":"):
                continue
            if text:
                name, _, value = text.partition(": ")
                assert name not in fields, "two lines of one field"
                fields[name] = value
            elif fields:
                yield fields["event"], fields.get("id", ""), json.loads(fields["data"])
                fields = {}

    def pages(self) -> Iterator[Any]:
        for kind, id, page in self:
            assert kind == "page"
            assert id == page["cursor"]
            yield page

    def entries(self, count: int) -> list[Any]:
        return list(islice((entry for page in self.pages() for entry in page["entries"]), count))

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def follow(ws: Any, cursor: str | None = None, items: list[str] | None = None) -> None:
    message = {"type": "live", "cursor": cursor, "items": items or []}
    ws.send(json.dumps({name: value for name, value in message.items() if value}))


def entries_of(ws: Any, count: int) -> list[Any]:
    """So many entries of the pages to come, which end with a page."""
    found: list[Any] = []
    while len(found) < count:
        page = recv(ws)
        assert page["type"] == "page", page
        found += page["entries"]
    assert len(found) == count
    return found


def seqs(entries: list[Any]) -> list[int]:
    return [entry["seq"] for entry in entries]


def test_both_deliver_what_the_log_holds(open_server, space, author):
    open_server.push(space, author.events(5))
    with closing(Stream(open_server, space)) as stream, open_server.session(space) as ws:
        follow(ws)
        for _ in range(10):
            open_server.push(space, author.events(3))
        log = open_server.entries(space)
        assert stream.entries(35) == log
        assert entries_of(ws, 35) == log


def test_the_first_page_comes_at_once_and_may_be_empty(open_server, space):
    with closing(Stream(open_server, space)) as stream, open_server.session(space) as ws:
        follow(ws)
        assert next(stream.pages())["entries"] == []
        assert recv(ws)["entries"] == []


@pytest.mark.parametrize("seen", [0, 1, 6, 7, 8, 20])
def test_to_go_on_from_a_cursor(open_server, space, author, seen):
    open_server.push(space, author.events(20))
    cursor = open_server.pull(space, limit=seen).json["cursor"] if seen else ""
    with (
        closing(Stream(open_server, space, since=cursor)) as stream,
        closing(Stream(open_server, space, last_event_id=cursor)) as again,
        open_server.session(space) as ws,
    ):
        follow(ws, cursor)
        open_server.push(space, author.events(5))
        wanted = list(range(seen + 1, 26))
        assert seqs(stream.entries(len(wanted))) == wanted
        assert seqs(again.entries(len(wanted))) == wanted
        assert seqs(entries_of(ws, len(wanted))) == wanted


def test_last_event_id_goes_before_since(open_server, space, author):
    open_server.push(space, author.events(20))
    early, late = (open_server.pull(space, limit=limit).json["cursor"] for limit in (5, 15))
    with closing(Stream(open_server, space, since=early, last_event_id=late)) as stream:
        assert seqs(stream.entries(5)) == [16, 17, 18, 19, 20]


def test_every_cursor_on_the_way_goes_on(open_server, space, author):
    """What an SSE client does when it is cut off after any page."""
    open_server.push(space, author.events(10))
    found, cursor = [], ""
    for _ in range(8):
        with closing(Stream(open_server, space, last_event_id=cursor)) as stream:
            open_server.push(space, author.events(2))
            page = next(page for page in stream.pages() if page["entries"])
            found += page["entries"]
            cursor = page["cursor"]
    with closing(Stream(open_server, space, last_event_id=cursor)) as stream:
        found += stream.entries(26 - len(found))
    assert seqs(found) == list(range(1, 27))


def test_only_the_items_asked_for(open_server, space, author):
    with (
        closing(Stream(open_server, space, items="task.*,note.b")) as stream,
        open_server.session(space) as ws,
    ):
        follow(ws, items=["task.*", "note.b"])
        for item in ("task.a", "note.a", "note.b", "task", "taskb", "other", "task.b.c"):
            open_server.push(space, [author.event(item)])
        for found in (stream.entries(3), entries_of(ws, 3)):
            assert [entry["event"]["item"] for entry in found] == ["task.a", "note.b", "task.b.c"]


def test_a_reader_of_nothing_stays_near_the_head(open_server, space, author):
    """Whoever sees none of many entries gets a cursor all the same, so that to resume is cheap."""
    with closing(Stream(open_server, space, items="rare.*")) as stream:
        pages = stream.pages()
        next(pages)
        for _ in range(3):
            open_server.push(space, author.events(1_000))
        page = next(pages)
        assert page["entries"] == []
        with closing(Stream(open_server, space, items="rare.*", since=page["cursor"])) as again:
            open_server.push(space, [author.event("rare.one")])
            assert [entry["event"]["item"] for entry in again.entries(1)] == ["rare.one"]


def test_what_waits_comes_in_one_frame(open_server, space, author):
    with open_server.session(space) as ws:
        follow(ws)
        recv(ws)
        open_server.push(space, author.events(500))
        assert len(recv(ws)["entries"]) == 500
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: open_server.push(space, Author().events(1)), range(200)))
        pages = []
        while sum(map(len, pages)) < 200:
            pages.append(recv(ws)["entries"])
        assert seqs([entry for page in pages for entry in page]) == list(range(501, 701))


def test_push_pull_and_live_on_one_session(open_server, space, author):
    with open_server.session(space) as ws:
        follow(ws)
        assert recv(ws)["entries"] == []
        ws.send(json.dumps({"type": "push", "ref": 1, "events": author.events(2)}))
        ws.send(json.dumps({"type": "pull", "ref": 2}))
        ws.send(json.dumps({"type": "ping", "ref": 3}))
        answers = [recv(ws) for _ in range(4)]
    assert [answer["ref"] for answer in answers if "ref" in answer] == [1, 2, 3]
    (live,) = [answer for answer in answers if "ref" not in answer]
    assert seqs(live["entries"]) == [1, 2]


def test_requests_are_answered_in_order(open_server, space):
    with open_server.session(space) as ws:
        for ref in range(1, 101):
            kind = ("push", "pull", "ping")[ref % 3]
            ws.send(json.dumps({"type": kind, "ref": ref} | ({"events": Author().events(1)} if kind == "push" else {})))
        answers = [recv(ws) for _ in range(100)]
    assert [answer["ref"] for answer in answers] == list(range(1, 101))
    assert [answer["type"] for answer in answers[:3]] == ["pull".replace("pull", "page"), "pong", "ack"]


def test_a_long_poll_waits_for_news(open_server, space, author):
    open_server.push(space, author.events(3))
    cursor = open_server.pull(space).json["cursor"]
    with ThreadPoolExecutor(2) as pool:
        began = time.monotonic()
        waiting = pool.submit(open_server.pull, space, since=cursor, wait=55)
        empty = pool.submit(open_server.pull, space, since=cursor, wait=1)
        assert empty.result().json["entries"] == []
        assert 0.9 <= time.monotonic() - began <= 5
        open_server.push(space, author.events(2))
        assert seqs(waiting.result(5).json["entries"]) == [4, 5]


def test_a_long_poll_with_news_does_not_wait(open_server, space, author):
    open_server.push(space, author.events(3))
    began = time.monotonic()
    assert seqs(open_server.pull(space, wait=55).json["entries"]) == [1, 2, 3]
    assert time.monotonic() - began < 5


def test_many_followers_and_many_writers(open_server, space):
    with ThreadPoolExecutor(20) as pool:
        followers = [pool.submit(followed, open_server, space, 400, sse=bool(count % 2)) for count in range(10)]
        list(pool.map(lambda _: open_server.push(space, Author().events(10)), range(40)))
        found = [follower.result() for follower in followers]
    assert all(each == found[0] for each in found)
    assert seqs(found[0]) == list(range(1, 401))


def followed(server: Any, space: str, count: int, *, sse: bool) -> list[Any]:
    if sse:
        with closing(Stream(server, space)) as stream:
            return stream.entries(count)
    with server.session(space) as ws:
        follow(ws)
        return entries_of(ws, count)


# A reader that does not read


BIG = 30_000
PUSHES, EVENTS = 48, 30  # 43 MB


def fill(server: Any, space: str, author: Author) -> None:
    for _ in range(PUSHES):
        answer = server.push(space, author.events(EVENTS, payload="x" * BIG))
        assert all("seq" in result for result in answer.json["results"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sse", "websocket"])
def test_a_reader_that_does_not_read(serve, kind):
    server = serve(open=True)
    fill(server, "warm", Author())  # caches and threads are there
    fill(server, "s", author := Author())
    cursor = server.pull("s", limit=10_000, items="none").json["cursor"]
    assert cursor
    start = server.head("s")
    since = at_head(server, "s")
    with ExitStack() as stack, server.session("s") as ws:
        readers = [open_unread(stack, server, "s", since, kind) for _ in range(4)]
        follow(ws, since)
        recv(ws)
        server.forget_peak()
        before = server.memory()
        with ThreadPoolExecutor(1) as pool:
            lively = pool.submit(entries_of, ws, PUSHES * EVENTS)
            fill(server, "s", author)
            assert seqs(lively.result(DEADLINE)) == list(range(start + 1, start + PUSHES * EVENTS + 1))
        assert server.memory("VmHWM") - before < 40 * MIB
        for read in readers:
            assert seqs(read(PUSHES * EVENTS)) == list(range(start + 1, start + PUSHES * EVENTS + 1))


def at_head(server: Any, space: str) -> str:
    cursor, more = "", True
    while more:
        page = server.pull(space, since=cursor, limit=10_000).json
        cursor, more = page["cursor"], page.get("more", False)
    return cursor


def open_unread(stack: ExitStack, server: Any, space: str, since: str, kind: str) -> Callable[[int], list[Any]]:
    """A follower whose socket nobody reads, until so many entries are asked of it."""
    if kind == "sse":
        return stack.enter_context(closing(Stream(server, space, since=since))).entries
    ws = stack.enter_context(server.websocket(sock=server.socket(receive_buffer=65_536), max_queue=1))
    ws.send(json.dumps({"type": "hello", "node": "n", "space": space}))
    assert recv(ws)["type"] == "welcome"
    follow(ws, since)
    return lambda count: entries_of(ws, count)


def test_a_follower_that_vanishes_is_forgotten(serve):
    server = serve(open=True, max_open_spaces=1)
    stream = Stream(server, "a")
    next(stream.pages())
    assert server.push("b", Author().events(1)).code == "overloaded"
    stream.close()
    assert eventually(lambda: server.push("b", Author().events(1)).status == 200)
    with server.session("a") as ws:
        follow(ws)
        recv(ws)
        assert server.push("b", Author().events(1)).code == "overloaded"
        ws.socket.shutdown(socket.SHUT_RDWR)
    assert eventually(lambda: server.push("b", Author().events(1)).status == 200)


def test_a_quiet_stream_says_that_it_is_there_before_a_replica_gives_it_up(open_server, space):
    with closing(Stream(open_server, space)) as stream:
        list(islice(stream.pages(), 1))
        began = time.monotonic()
        assert next(line for line in stream.response if line.startswith(b":"))
        assert time.monotonic() - began < SILENCE_SECONDS
