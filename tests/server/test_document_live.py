"""Following one document: the document, then each change as it comes, and after a break only what was missed."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Any

import pytest

from syncline.core.patches import apply
from syncline.transports.http import SILENCE_SECONDS
from tests.server.rest import Client
from tests.server.running import Author, eventually

ITEM = "task/a.b"
PATH = "docs/task%2Fa.b/live"


class Stream:
    """A document as server-sent events: (kind, id, data)."""

    def __init__(self, docs: Client, last: str = "") -> None:
        self.connection = docs.server.connect()
        headers = {"Last-Event-ID": last} if last else {}
        self.connection.request("GET", f"/v1/spaces/{docs.space}/{PATH}", headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        assert self.response.headers["content-type"] == "text/event-stream"
        self.events = self._read()

    def _read(self) -> Iterator[tuple[str, str, Any]]:
        fields: dict[str, str] = {}
        for line in self.response:
            text = line.decode().rstrip("\n")
            if text.startswith(":"):
                continue
            if text:
                name, _, value = text.partition(": ")
                fields[name] = value
            elif fields:
                yield fields["event"], fields.get("id", ""), json.loads(fields["data"])
                fields = {}

    def take(self, count: int) -> list[tuple[str, str, Any]]:
        return list(islice(self.events, count))

    def close(self) -> None:
        self.response.close()
        self.connection.close()


@pytest.fixture
def docs(open_server, space):
    return Client(open_server, space)


def test_a_document_and_then_its_changes(docs):
    docs.put(ITEM, {"n": 0, "t": {"$text": "a"}})
    with closing(Stream(docs)) as stream:
        ((kind, id, document),) = stream.take(1)
        assert (kind, document) == ("document", docs.get(ITEM).json)
        assert f'"{id}"' == docs.get(ITEM).headers["etag"]
        value = document["value"]
        for n in range(1, 5):
            docs.patch(ITEM, ("replace", "/n", n), ("replace", "/t", "ab" * n))
            docs.put("other", {"n": n})
            ((kind, id, revision),) = stream.take(1)
            value = apply(value, revision["forward"])
            assert (kind, value, revision["number"]) == ("revision", docs.value(ITEM), n + 1)
            assert f'"{id}"' == docs.get(ITEM).headers["etag"]
        docs.doc("DELETE", ITEM)
        docs.post(ITEM, "restore")
        kinds = [revision["kind"] for _, _, revision in stream.take(2)]
        assert kinds == ["delete", "create"]


def test_a_document_that_is_not_there_yet(docs):
    with closing(Stream(docs)) as stream:
        ((_, _, document),) = stream.take(1)
        assert document == {"id": ITEM, "revision": 0, "seq": 0, "at": 0, "deleted": True}
        docs.put(ITEM, {"a": 1})
        ((_, _, revision),) = stream.take(1)
        assert (revision["kind"], revision["forward"]) == ("create", {"a": 1})


def test_to_go_on_after_a_break(docs):
    docs.put(ITEM, {"n": 0})
    ids, values = [docs.get(ITEM).headers["etag"].strip('"')], [{"n": 0}]
    for n in range(1, 300):
        docs.patch(ITEM, ("replace", "/n", n))
        ids.append(docs.get(ITEM).headers["etag"].strip('"'))
        values.append({"n": n})
    for start in (0, 1, 127, 128, 150, 298):
        for last in (ids[start], ids[start].partition("-")[0]):
            with closing(Stream(docs, last)) as stream:
                events = stream.take(299 - start)
            assert [id for _, id, _ in events] == ids[start + 1 :]
            assert [event["number"] for _, _, event in events] == list(range(start + 2, 301))
            assert [apply(values[start], event["forward"]) for _, _, event in events] == values[start + 1 :]
    with closing(Stream(docs, ids[-1])) as stream:
        docs.patch(ITEM, ("replace", "/n", -1))
        assert stream.take(1)[0][2]["number"] == 301


@pytest.mark.parametrize("last", ["7", "999999", "1-0011223344556677", "odd", "-1", "x" * 100])
def test_after_a_break_that_cannot_be_bridged_all_comes_again(docs, last):
    docs.put(ITEM, {"n": 0})
    if last == "7":
        last = "7-" + "00" * 8
    with closing(Stream(docs, last)) as stream:
        ((kind, _, document),) = stream.take(1)
        assert (kind, document["value"]) == ("document", {"n": 0})


def test_many_who_follow_while_many_write(docs):
    docs.put(ITEM, {"n": {"$counter": 0}})

    def followed(_: int) -> tuple[int, Any]:
        with closing(Stream(docs)) as stream:
            ((_, _, document),) = stream.take(1)
            began.append(1)
            value, number = document["value"], document["revision"]
            while value["n"]["$counter"] < 100:
                ((_, _, revision),) = stream.take(1)
                number += 1
                assert revision["number"] == number
                value = apply(value, revision["forward"])
            return number, value

    def push(_: int) -> int:
        ops = [{"op": "inc", "in": "/n:counter", "by": 1}]
        return docs.server.push(docs.space, [Author().event(ITEM, ops=ops)]).status

    began: list[int] = []
    with ThreadPoolExecutor(30) as pool:
        followers = [pool.submit(followed, n) for n in range(10)]
        eventually(lambda: len(began) >= 3)
        assert set(pool.map(push, range(100))) == {200}
        assert {json.dumps(each.result()) for each in followers} == {json.dumps([101, {"n": {"$counter": 100}}])}


def test_groups_count_as_one_revision_and_come_as_they_are_made(docs, author):
    docs.put(ITEM, {"a": 0})
    with closing(Stream(docs)) as stream:
        stream.take(1)
        for n in range(3):
            event = author.event(ITEM, ops=[{"op": "put", "key": f"k{n}", "value": n}], meta={"group": "g"})
            docs.server.push(docs.space, [event])
        events = stream.take(3)
    assert [event["number"] for _, _, event in events] == [2, 2, 2]
    with closing(Stream(docs, events[0][1])) as stream:
        assert stream.take(2) == events[1:]
    assert docs.get(ITEM).json["revision"] == 2


def test_entries_that_change_nothing_are_not_told(docs, author):
    docs.put(ITEM, {"a": 0})
    with closing(Stream(docs)) as stream:
        stream.take(1)
        docs.server.push(docs.space, [author.event(ITEM, payload=1)])
        docs.patch(ITEM, ("add", "/b", 1))
        ((_, id, revision),) = stream.take(1)
        assert (id.partition("-")[0], revision["number"]) == ("3", 2)


def test_a_server_that_stops_says_so(serve):
    server = serve(open=True)
    docs = Client(server, "home")
    with closing(Stream(docs)) as stream:
        stream.take(1)
        assert server.stop() == 0
        ((kind, _, error),) = stream.take(1)
        assert (kind, error["code"]) == ("error", "shutting_down")


def test_a_quiet_stream_says_that_it_is_there(docs):
    assert SILENCE_SECONDS > 5
    with closing(Stream(docs)) as stream:
        assert next(line for line in stream.response if line.startswith(b":"))


def test_a_space_that_is_deleted_ends_its_streams(docs):
    with closing(Stream(docs)) as stream:
        stream.take(1)
        docs.server.request("DELETE", f"/v1/spaces/{docs.space}")
        ((kind, _, error),) = stream.take(1)
        assert (kind, error["code"]) == ("error", "space_deleted")
    assert docs.get(ITEM).code == docs.put(ITEM, {}).code == "space_deleted"
