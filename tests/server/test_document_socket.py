"""Commands about documents over a WebSocket: what clients that keep no log ask, are answered and are told."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from syncline.server.dialects.commands.shapes import TYPES
from syncline.server.registry import open_registry
from tests.server.rest import Client
from tests.server.running import DEADLINE, ServerProcess, eventually, recv, serving

ANN = "550e8400-e29b-41d4-a716-446655440000"
DOCUMENT = "550e8400-e29b-41d4-a716-446655440001"
PAGE = (Path(__file__).parents[2] / "spec" / "PROTOCOL.md").read_text("utf-8")


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A server that asks for credentials."""
    with serving(tmp_path_factory.mktemp("hasty"), hello_seconds=1.0, idle_seconds=2.0) as server:
        yield server


@pytest.fixture(scope="module")
def key(closed):
    """A key of the user of the examples, made while the server runs."""
    registry = open_registry(closed.data, "", lambda: 0)
    try:
        return registry.create_key("tests", ANN)
    finally:
        registry.close()


@contextmanager
def opened(server: ServerProcess, space: str, **more: Any) -> Iterator[Any]:
    """A session that has authenticated."""
    with server.websocket() as ws:
        answer = ask(ws, "authenticate", space=space, **more)
        assert answer["type"] == "authenticated", answer
        yield ws


def say(ws: Any, kind: str, **members: Any) -> None:
    ws.send(json.dumps({"type": kind, **members}))


def ask(ws: Any, kind: str, **members: Any) -> dict[str, Any]:
    say(ws, kind, **members)
    return recv(ws)


def create(ws: Any, id: str, content: Any, **more: Any) -> dict[str, Any]:
    return ask(ws, "create_document", document={"id": id, "content": content}, **more)


def update(ws: Any, id: str, *operations: Any, ref: int | None = None, **more: Any) -> dict[str, Any]:
    refs = {} if ref is None else {"ref": ref}
    return ask(ws, "update_document", patch={"document_id": id, "patch": list(operations), **more}, **refs)


def replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def told(ws: Any, *kinds: str) -> list[dict[str, Any]]:
    """The next messages, which are of these kinds."""
    found = [recv(ws) for _ in kinds]
    assert [each["type"] for each in found] == list(kinds)
    return found


def synced(ws: Any, **members: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What a sync brings, and its end."""
    say(ws, "request_sync", **members)
    found = []
    while (message := recv(ws))["type"] != "sync_complete":
        assert message["type"] != "error", message
        found.append(message)
    return found, message


# The examples of the interface that this is a dialect of


def test_the_examples(closed, key):
    with closed.websocket() as ws:
        ws.send(json.dumps({"type": "authenticate", "user_id": ANN, "auth_token": key}))
        answer = recv(ws)
        assert (answer["type"], answer["user_id"], answer["seq"]) == ("authenticated", ANN, 0)
        ws.send(
            """{
              "type": "create_document",
              "document": {
                "id": "550e8400-e29b-41d4-a716-446655440001",
                "title": "My Document",
                "content": {"text": "Hello, World!"}
              }
            }"""
        )
        created = recv(ws)
        ws.send(
            """{
              "type": "update_document",
              "patch": {
                "document_id": "550e8400-e29b-41d4-a716-446655440001",
                "patch": [
                  {"op": "replace", "path": "/text", "value": "Updated text"}
                ]
              }
            }"""
        )
        updated = recv(ws)
        deleted = ask(ws, "delete_document", document_id=DOCUMENT, ref=7)
    whole = {"text": "Hello, World!", "title": "My Document"}
    assert created["type"] == "document_created"
    assert (created["document_id"], created["revision"], created["seq"]) == (DOCUMENT, 1, 1)
    assert (created["user_id"], created["action"]) == (ANN, "create")
    assert (created["forward_patch"], created["reverse_patch"]) == (whole, None)
    assert updated["type"] == "document_updated"
    assert (updated["revision"], updated["seq"], updated["action"]) == (2, 2, "update")
    assert updated["forward_patch"] == [replace("/text", "Updated text")]
    assert updated["reverse_patch"] == [replace("/text", "Hello, World!")]
    assert (deleted["type"], deleted["ref"], deleted["revision"]) == ("document_deleted", 7, 3)
    assert (deleted["forward_patch"], deleted["reverse_patch"]) == (None, whole | {"text": "Updated text"})


# Authenticating


def closes_with(ws: Any) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        ws.recv(DEADLINE)
    return closed.value.rcvd.code


@pytest.mark.parametrize(
    ("message", "code", "close"),
    [
        ({"type": "authenticate"}, "unauthorized", 4401),
        ({"type": "authenticate", "auth_token": "demo-token"}, "unauthorized", 4401),
        ({"type": "authenticate", "auth_token": 7}, "bad_request", 4400),
        ({"type": "authenticate", "auth_token": "KEY", "user_id": "bob"}, "user_mismatch", 4400),
        ({"type": "authenticate", "auth_token": "KEY", "space": "../x"}, "bad_request", 4400),
        ({"type": "authenticate", "auth_token": "KEY", "node": "a b"}, "bad_request", 4400),
        ({"type": "authenticate", "auth_token": "KEY", "ref": "a"}, "bad_request", 4400),
        ('{"type":"authenticate","space":"a","space":"b"}', "bad_json", 4400),
        ({"type": "create_document", "document": {"id": "a"}}, "hello_required", 4400),
        ({"type": "subscribe", "items": ["*"]}, "hello_required", 4400),
        ({"type": "request_sync"}, "hello_required", 4400),
    ],
    ids=str,
)
def test_a_bad_beginning(closed, key, message, code, close):
    text = message if isinstance(message, str) else json.dumps(message).replace("KEY", key)
    with closed.websocket() as ws:
        ws.send(text)
        assert recv(ws)["code"] == code
        assert closes_with(ws) == close


def test_nobody_who_says_nothing_stays(closed):
    with closed.websocket() as ws:
        assert recv(ws)["code"] == "unauthorized"
        assert closes_with(ws) == 4401


def test_an_idle_session_ends_and_one_that_pings_does_not(closed, key):
    with opened(closed, "default", auth_token=key) as ws, opened(closed, "default", auth_token=key) as other:
        assert ask(other, "ping", ref=3) == {"type": "pong", "ref": 3}
        assert recv(ws)["code"] == "request_timeout"
        assert closes_with(ws) == 4408


def test_a_session_begins_once(open_server, space):
    with opened(open_server, space) as ws:
        assert ask(ws, "authenticate")["code"] == "hello_required"
        assert ask(ws, "hello", node="n")["code"] == "hello_required"
        assert create(ws, "a", {})["type"] == "document_created"
    with open_server.session(space) as ws:
        assert ask(ws, "authenticate", ref=4)["ref"] == 4
        assert create(ws, "b", {}, ref=5)["ref"] == 5


def test_the_space_of_the_path(open_server, space):
    with open_server.websocket(f"/v1/spaces/{space}/ws") as ws:
        assert ask(ws, "authenticate")["type"] == "authenticated"
        create(ws, "a", {})
    assert open_server.head(space) == 1
    with open_server.websocket("/v1/spaces/a/ws") as ws:
        assert ask(ws, "authenticate", space="b")["code"] == "space_mismatch"


def test_who_authenticated_may_pull_and_who_said_hello_may_command(open_server, space):
    with opened(open_server, space) as ws, open_server.session(space, node="phone") as other:
        assert create(other, "a", {})["node"].endswith(":phone")
        assert len(ask(ws, "pull")["entries"]) == 1
        assert ask(ws, "push", events=[])["type"] == "ack"


# Writing


def test_titles(open_server, space):
    with opened(open_server, space) as ws:
        first = ask(ws, "create_document", document={"id": "a", "title": "beside", "content": {"title": "inside"}})
        assert first["forward_patch"] == {"title": "inside"}
        only = ask(ws, "create_document", document={"id": "b", "title": "alone"})
        assert only["forward_patch"] == {"title": "alone"}
        refused = ask(ws, "create_document", document={"id": "c", "title": "x", "content": [1]}, ref=2)
        assert (refused["code"], refused["ref"]) == ("bad_request", 2)
        (state, *_), _ = synced(ws, document_ids=["a"])
        assert (state["document"]["title"], state["document"]["content"]) == ("inside", {"title": "inside"})


def test_contents_of_any_kind(open_server, space):
    contents = [None, 1.5, "x", [1, [2]], {"$text": "abc"}, {"$set": [1]}, {"$counter": 2}, {"$map": {"$a": 1}}]
    with opened(open_server, space) as ws:
        for number, content in enumerate(contents):
            assert create(ws, f"d{number}", content)["forward_patch"] == content
        states, _ = synced(ws)
        assert [state["document"]["content"] for state in states] == contents


def test_a_document_that_is_there_and_one_that_is_not(open_server, space):
    with opened(open_server, space) as ws:
        assert update(ws, "a", replace("/x", 1), ref=1)["code"] == "not_found"
        assert ask(ws, "delete_document", document_id="a")["code"] == "not_found"
        create(ws, "a", {"x": 1})
        assert create(ws, "a", {"x": 2})["code"] == "document_exists"
        ask(ws, "delete_document", document_id="a")
        assert create(ws, "a", {"y": 2})["forward_patch"] == {"y": 2}
    assert open_server.head(space) == 3


def test_a_patch_against_an_older_revision(open_server, space):
    with opened(open_server, space, node="n1") as one, opened(open_server, space, node="n2") as two:
        create(one, "a", {"list": ["a", "b"], "text": {"$text": "Hello"}})
        update(one, "a", {"op": "add", "path": "/list/0", "value": "first"})
        late = update(two, "a", {"op": "remove", "path": "/list/1"}, replace("/text", "Hello!"), base=1, action="late")
        assert (late["revision"], late["action"]) == (3, "late")
        assert {"op": "remove", "path": "/list/2"} in late["forward_patch"]
        assert update(two, "a", base=9)["code"] == "not_found"
        (state,), _ = synced(one, document_ids=["a"])
        assert state["document"]["content"] == {"list": ["first", "a"], "text": {"$text": "Hello!"}}


def test_a_patch_that_changes_nothing(open_server, space):
    with opened(open_server, space) as ws:
        create(ws, "a", {"x": 1})
        same = update(ws, "a", replace("/x", 1), ref=9)
        assert same == {
            "type": "document_updated",
            "ref": 9,
            "document_id": "a",
            "revision": 1,
            "seq": 1,
            "forward_patch": [],
            "reverse_patch": [],
        }
    assert open_server.head(space) == 1


BAD = [
    ({"type": "create_document"}, "bad_request"),
    ({"type": "create_document", "document": {"content": 1}}, "bad_request"),
    ({"type": "create_document", "document": {"id": ""}}, "bad_request"),
    ({"type": "create_document", "document": {"id": "a b"}}, "bad_request"),
    ({"type": "create_document", "document": {"id": ".acl"}}, "reserved_action"),
    ({"type": "create_document", "document": {"id": "b"}, "action": ".x"}, "reserved_action"),
    ({"type": "create_document", "document": {"id": "b"}, "action": ""}, "invalid_event"),
    ({"type": "create_document", "document": {"id": "b", "content": {"$x": 1}}}, "bad_request"),
    ({"type": "create_document", "document": {"id": "b", "title": 1}}, "bad_request"),
    ({"type": "create_document", "document": {"id": "b", "content": "x" * 70_000}}, "event_too_large"),
    ({"type": "update_document"}, "bad_request"),
    ({"type": "update_document", "patch": {"document_id": "a"}}, "bad_request"),
    ({"type": "update_document", "patch": {"document_id": "a", "patch": {}}}, "bad_patch"),
    ({"type": "update_document", "patch": {"document_id": "a", "patch": [{"op": "jump"}]}}, "bad_patch"),
    ({"type": "update_document", "patch": {"document_id": "a", "patch": [replace("/y", 1)]}}, "patch_failed"),
    (
        {"type": "update_document", "patch": {"document_id": "a", "patch": [{"op": "test", "path": "/x", "value": 2}]}},
        "patch_test_failed",
    ),
    ({"type": "update_document", "patch": {"document_id": "a", "patch": [], "base": -1}}, "bad_request"),
    ({"type": "delete_document"}, "bad_request"),
    ({"type": "request_sync", "document_ids": "a"}, "bad_request"),
    ({"type": "request_sync", "document_ids": ["a b"]}, "bad_request"),
    ({"type": "request_sync", "document_ids": ["a"] * 101}, "bad_request"),
    ({"type": "request_sync", "items": ["a*b"]}, "bad_request"),
    ({"type": "request_sync", "revisions": {"a": -1}}, "bad_request"),
    ({"type": "request_sync", "limit": 0}, "bad_request"),
    ({"type": "request_sync", "limit": 101}, "bad_request"),
    ({"type": "get_changes_since", "since": -1}, "bad_request"),
    ({"type": "get_changes_since", "since": 99}, "cursor_reset"),
    ({"type": "get_changes_since", "revision": 1}, "bad_request"),
    ({"type": "get_changes_since", "document_id": "a", "revision": 1, "since": 1}, "bad_request"),
    ({"type": "get_changes_since", "limit": 1_001}, "bad_request"),
    ({"type": "subscribe"}, "bad_request"),
    ({"type": "subscribe", "documents": ["a*"]}, "bad_request"),
    ({"type": "subscribe", "items": ["a*b"]}, "bad_request"),
    ({"type": "unsubscribe"}, "bad_request"),
    ({"type": "create_documents"}, "bad_request"),
]


def test_what_is_refused_stores_nothing_and_ends_nothing(open_server, space):
    with opened(open_server, space) as ws:
        create(ws, "a", {"x": 1})
        for number, (message, code) in enumerate(BAD):
            answer = ask(ws, **{"kind" if name == "type" else name: each for name, each in message.items()}, ref=number)
            assert (answer["type"], answer["code"], answer["ref"]) == ("error", code, number), message
        ws.send('{"type":"create_document","document":{"id":"b","content":1700000000000000001},"ref":1}')
        assert recv(ws)["code"] == "number_out_of_range"
        ws.send('{"type":"create_document","document":{"id":"b","content":' + "[" * 80 + "]" * 80 + '},"ref":1}')
        assert recv(ws)["code"] == "too_deep"
        ws.send('{"type":"create_document","document":{"id":"b","id":"c"},"ref":1}')
        assert recv(ws)["code"] == "bad_json"
        assert ask(ws, "ping") == {"type": "pong"}
    assert open_server.head(space) == 1


def test_a_long_command_is_read_and_a_longer_frame_is_not(open_server, space):
    with opened(open_server, space) as ws:
        assert create(ws, "a", "x" * 60_000)["seq"] == 1
        with suppress(ConnectionClosed):
            ws.send("x" * (1024 * 1024 + 1))
        assert closes_with(ws) == 1009


# Reading


def test_to_sync_all_or_some(open_server, space):
    with opened(open_server, space) as ws:
        for id in ("note.a", "note.b", "task.a", "task.b"):
            create(ws, id, {"id": id})
        ask(ws, "delete_document", document_id="note.b")
        states, end = synced(ws, ref=3)
        assert [state["document"]["id"] for state in states] == ["note.a", "task.a", "task.b"]
        assert {state["ref"] for state in states} == {3}
        assert end == {"type": "sync_complete", "ref": 3, "count": 3, "seq": 5, "after": None}
        states, _ = synced(ws, items=["task.*", "note.a"])
        assert [state["document"]["id"] for state in states] == ["note.a", "task.a", "task.b"]
        states, _ = synced(ws, document_ids=["note.b", "nothing", "task.a"])
        assert [state["document"].get("deleted", False) for state in states] == [True, True, False]
        assert [state["document"]["revision"] for state in states] == [2, 0, 1]


def test_to_sync_page_by_page(open_server, space):
    with opened(open_server, space) as ws:
        for number in range(7):
            create(ws, f"d{number}", number)
        found, after = [], ""
        while after is not None:
            states, end = synced(ws, limit=3, after=after)
            found += [state["document"]["content"] for state in states]
            after = end["after"]
        assert found == list(range(7))


def test_to_sync_what_changed(open_server, space):
    with opened(open_server, space) as ws:
        for id in ("a", "b", "c"):
            create(ws, id, {"n": 0})
        first, second = (update(ws, "b", replace("/n", n)) for n in (1, 2))
        ask(ws, "delete_document", document_id="c")
        found, end = synced(ws, revisions={"a": 1, "b": 1, "c": 1})
        assert found[:2] == [first, second]
        assert [each["type"] for each in found] == ["document_updated", "document_updated", "document_deleted"]
        assert end["count"] == 2
        found, _ = synced(ws, document_ids=["a"], revisions={"a": 9})
        assert found[0]["document"]["content"] == {"n": 0}


def test_changes_since_a_seq_or_a_revision(open_server, space):
    with opened(open_server, space, node="n1") as ws:
        made = [create(ws, "a", {"n": 0}), create(ws, "b", [])]
        made += [update(ws, "a", replace("/n", n)) for n in range(1, 4)]
        made += [ask(ws, "delete_document", document_id="b")]
        everything = ask(ws, "get_changes_since", ref=1)
        assert everything == {"type": "changes", "ref": 1, "changes": made, "seq": 6, "more": False}
        assert ask(ws, "get_changes_since", since=2)["changes"] == made[2:]
        assert ask(ws, "get_changes_since", document_id="b", since=2)["changes"] == made[5:]
        assert ask(ws, "get_changes_since", document_id="a", revision=2)["changes"] == made[3:5]
        page = ask(ws, "get_changes_since", document_id="a", revision=1, limit=2)
        assert (page["changes"], page["seq"], page["more"]) == (made[2:4], 4, True)
        found, seq, more = [], 0, True
        while more:
            page = ask(ws, "get_changes_since", since=seq, limit=2)
            found, seq, more = found + page["changes"], page["seq"], page["more"]
        assert (found, seq) == (made, 6)


def test_the_patches_of_all_changes_lead_there_and_back(open_server, space):
    """Forward from nothing and backward to it, by the patches alone."""
    with opened(open_server, space) as ws:
        create(ws, "a", {"x": {"y": 1}, "z": [1, 2]})
        update(ws, "a", replace("/x/y", 2), {"op": "add", "path": "/z/-", "value": 3}, {"op": "remove", "path": "/z/0"})
        update(ws, "a", {"op": "move", "from": "/x", "path": "/w"}, {"op": "copy", "from": "/z", "path": "/v"})
        changes = ask(ws, "get_changes_since", document_id="a")["changes"]
        (state,), _ = synced(ws, document_ids=["a"])
        for number, change in enumerate(changes):
            say(ws, "create_document", document={"id": f"copy{number}", "content": changes[0]["forward_patch"]})
            recv(ws)
            for each in changes[1 : number + 1]:
                update(ws, f"copy{number}", *each["forward_patch"])
            for each in reversed(changes[1 : number + 1]):
                last = update(ws, f"copy{number}", *each["reverse_patch"])
            (copy,), _ = synced(ws, document_ids=[f"copy{number}"])
            assert copy["document"]["content"] == changes[0]["forward_patch"], (change, last)
        assert state["document"]["revision"] == 3


# Being told


def test_subscribers_are_told_every_change(open_server, space):
    with opened(open_server, space) as one, opened(open_server, space, node="n2") as two:
        answer = ask(two, "subscribe", documents=["a"], items=["task.*"], ref=2)
        assert answer == {"type": "subscribed", "ref": 2, "items": ["a", "task.*"], "seq": 0}
        made = [create(one, "a", {"n": 0}), create(one, "b", {}), create(one, "task.b", {})]
        made += [update(one, "a", replace("/n", 1)), ask(one, "delete_document", document_id="a")]
        assert told(two, "document_created", "document_created", "document_updated", "document_deleted") == [
            made[0],
            *made[2:],
        ]


def test_subscribers_are_told_of_writes_of_every_kind(open_server, space, author):
    with opened(open_server, space) as ws:
        ask(ws, "subscribe", items=["*"])
        rest = Client(open_server, space, node="n1")
        rest.put("a", {"n": 1})
        rest.post("a", "undo")
        open_server.push(space, [author.event("b", ops=[{"op": "put", "key": "x", "value": 1}]), author.event("b")])
        rest.post("s", "ops", {"type": "orset", "ops": [{"type": "add", "elem": "x", "tag": "1"}]})
        found = told(ws, "document_created", "document_deleted", "document_created", "document_created")
        assert [each["document_id"] for each in found] == ["a", "a", "b", "s"]
        assert found[1]["undoes"] == found[0]["event_ids"][0]


def test_a_writer_that_subscribed_is_told_its_own_changes(open_server, space):
    with opened(open_server, space) as ws:
        ask(ws, "subscribe", documents=["a"])
        say(ws, "create_document", document={"id": "a"}, ref=1)
        first, second = told(ws, "document_created", "document_created")
        assert sorted([first.get("ref", 0), second.get("ref", 0)]) == [0, 1]


def test_subscriptions_add_up_and_end(open_server, space):
    with opened(open_server, space) as one, opened(open_server, space) as two:
        assert ask(two, "subscribe", documents=["a"])["items"] == ["a"]
        assert ask(two, "subscribe", documents=["b"])["items"] == ["a", "b"]
        create(one, "a", {})
        create(one, "b", {})
        told(two, "document_created", "document_created")
        assert ask(two, "unsubscribe", documents=["a"])["items"] == ["b"]
        update(one, "a", {"op": "add", "path": "/x", "value": 1})
        update(one, "b", {"op": "add", "path": "/x", "value": 1})
        assert told(two, "document_updated")[0]["document_id"] == "b"
        assert ask(two, "unsubscribe", documents=["b"])["items"] == []
        update(one, "b", {"op": "add", "path": "/y", "value": 1})
        assert ask(two, "subscribe", items=["*"])["seq"] == 5
        create(one, "c", {})
        assert told(two, "document_created")[0]["document_id"] == "c"
        assert ask(two, "subscribe", documents=[f"i{n}" for n in range(100)])["code"] == "bad_request"


def test_two_writers_and_readers_agree(open_server, space):
    """Whatever interleaving: every reader is told the same changes, in order of seq, without a gap."""
    with (
        opened(open_server, space, node="n1") as one,
        opened(open_server, space, node="n2") as two,
        opened(open_server, space) as early,
    ):
        ask(early, "subscribe", documents=["a"])
        create(one, "a", {"n": {"$counter": 0}, "list": []})
        for number in range(20):
            for ws, name in ((one, "one"), (two, "two")):
                patch = [{"op": "add", "path": "/list/-", "value": f"{name}{number}"}]
                say(ws, "update_document", patch={"document_id": "a", "patch": patch})
        for ws in (one, two):
            assert {recv(ws)["type"] for _ in range(20)} == {"document_updated"}
        found = told(early, "document_created", *["document_updated"] * 40)
        assert [each["seq"] for each in found] == list(range(1, 42))
        assert [each["revision"] for each in found] == list(range(1, 42))
        assert found == ask(early, "get_changes_since", document_id="a")["changes"]


def test_a_subscriber_that_does_not_read_holds_up_nobody(open_server, space):
    with opened(open_server, space) as ws:
        raw: socket.socket = ws.socket
        ask(ws, "subscribe", items=["*"])
        rest = Client(open_server, space)
        for number in range(200):
            assert rest.put("a", {"n": number, "x": "x" * 30_000}).status in (200, 201)
        assert raw.fileno() >= 0
        assert [recv(ws)["revision"] for _ in range(200)] == list(range(1, 201))


def test_sessions_end_with_the_server_and_with_the_space(serve):
    server = serve(open=True)
    with opened(server, "gone") as ws, opened(server, "stays") as other:
        ask(ws, "subscribe", items=["*"])
        ask(other, "subscribe", items=["*"])
        assert server.request("DELETE", "/v1/spaces/gone").status == 200
        assert recv(ws)["code"] == "space_deleted"
        assert create(ws, "a", {})["code"] == "space_deleted"
        server.send()
        assert recv(other)["code"] == "shutting_down"
        assert recv(other)["code"] == "shutting_down"  # of the subscription, and of the session
        assert closes_with(other) == 1012
    eventually(lambda: not server.is_running)


# The page that says so


def test_every_command_is_on_the_page_and_is_taken(open_server, space):
    examples = [json.loads(each) for each in re.findall(r"^\| `(\{\"type\": .+?\})` \|", PAGE, re.MULTILINE)]
    assert sorted(example["type"] for example in examples) == sorted(TYPES)
    with open_server.websocket() as ws:
        for example in examples:
            ws.send(json.dumps(example).replace('"home"', f'"{space}"'))
            message = recv(ws)
            assert message["type"] != "error", (example, message)
            while example["type"] == "request_sync" and message["type"] != "sync_complete":
                message = recv(ws)
