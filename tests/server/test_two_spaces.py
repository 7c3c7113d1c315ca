"""Two spaces side by side, with users, items and nodes of the same names: nothing crosses."""

import json

import pytest

from tests.server.inquiries import TYPES, inquiry
from tests.server.running import Author, recv, serving
from tests.server.tenants import administer, bearer, key, make

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("two"), max_open_spaces=16) as server:
        yield server


@pytest.fixture
def spaces(server, space):
    """Two spaces with a user of the same name in each, and that user's headers."""
    names = f"{space}-r", f"{space}-b"
    for name in names:
        make(server, name)
    return {name: bearer(key(server, name)) for name in names}


def get(server, space, path, headers, **more):
    return server.request("GET", f"/v1/spaces/{space}/{path}", headers={**headers, **more})


def test_items_nodes_and_documents_of_one_name(server, spaces):
    (red, red_ann), (blue, blue_ann) = spaces.items()
    author = Author("same-node")
    for space, ann in spaces.items():
        author.n = 0  # the same counters, too
        assert server.push(space, author.events(2, payload=space), ann).json["head"] == 2
        put = server.request(
            "PUT", f"/v1/spaces/{space}/docs/note.a", json.dumps({"of": space}).encode(), {**ann, **JSON}
        )
        assert put.status == 201
    for space, ann in spaces.items():
        entries = get(server, space, "pull", ann).json["entries"]
        assert [entry["seq"] for entry in entries] == [1, 2, 3]
        assert {entry["event"].get("payload") for entry in entries[:2]} == {space}
        assert get(server, space, "docs/note.a", ann).json["value"] == {"of": space}
    etag = get(server, red, "docs/note.a", red_ann).headers["etag"]
    assert get(server, blue, "docs/note.a", blue_ann, **{"If-None-Match": etag}).status == 200
    body = json.dumps({"of": "me"}).encode()
    stale = server.request("PUT", f"/v1/spaces/{blue}/docs/note.a", body, {**blue_ann, **JSON, "If-Match": etag})
    assert (stale.status, stale.code) == (412, "document_changed")


def test_one_event_in_both(server, spaces):
    """The same id with other content is no conflict, since no space knows of the other."""
    event = Author().event(payload=1)
    for count, (space, ann) in enumerate(spaces.items()):
        results = server.push(space, [{**event, "payload": count}], ann).json["results"]
        assert results == [{"id": event["id"], "seq": 1}]


def test_a_cursor_of_the_other_is_no_cursor(server, spaces):
    (red, red_ann), (blue, blue_ann) = spaces.items()
    for space, ann in spaces.items():
        server.push(space, Author().events(2), ann)
    foreign = get(server, red, "pull", red_ann).json["cursor"]
    own = get(server, blue, "pull", blue_ann).json["cursor"]
    forged = own[:20] + ("A" if own[20] != "A" else "B") + own[21:]
    answers = [get(server, blue, f"pull?since={cursor}", blue_ann) for cursor in (foreign, forged)]
    assert [(answer.status, answer.code) for answer in answers] == [(400, "bad_cursor")] * 2
    assert answers[0].body == answers[1].body
    with server.session(blue, token=blue_ann["Authorization"].removeprefix("Bearer ")) as ws:
        for kind in ("pull", "live"):
            ws.send(json.dumps({"type": kind, "cursor": foreign}))
            assert recv(ws)["code"] == "bad_cursor"


def test_keys_and_users_of_one_name(server, spaces):
    (red, red_ann), (blue, blue_ann) = spaces.items()
    assert get(server, blue, "pull", red_ann).code == "unknown_space"
    keys = administer(server, "GET", f"/v1/spaces/{red}/keys").json["keys"]
    (anns,) = [each["id"] for each in keys if each["user"] == "ann"]
    strange = administer(server, "DELETE", f"/v1/spaces/{blue}/keys/{anns}")
    unknown = administer(server, "DELETE", f"/v1/spaces/{blue}/keys/{'0' * len(anns)}")
    assert strange.status == unknown.status == 404
    assert strange.body.replace(anns.encode(), b"?") == unknown.body.replace(b"0" * len(anns), b"?")
    assert get(server, red, "pull", red_ann).status == 200

    assert administer(server, "POST", f"/v1/spaces/{red}/users/ann/suspend").status == 200
    assert get(server, red, "pull", red_ann).code == "unauthorized"
    assert get(server, blue, "pull", blue_ann).status == 200
    assert administer(server, "GET", f"/v1/spaces/{blue}/users/ann").json.get("suspended") in (None, False)


def test_rules_of_one_do_not_bind_the_other(server, spaces):
    (red, red_ann), (blue, blue_ann) = spaces.items()
    rule = {"user": "ann", "item": "note.*", "action": "*", "type": "deny"}
    assert administer(server, "POST", f"/v1/spaces/{red}/acl", rule).status == 201
    for space, ann, code in ((red, red_ann, "forbidden"), (blue, blue_ann, None)):
        (result,) = server.push(space, [Author().event("note.a")], ann).json["results"]
        assert result.get("error", {}).get("code") == code


def test_frames_are_shared_within_a_space_alone(server, spaces):
    sockets = {}
    try:
        for space, ann in spaces.items():
            session = server.session(space, token=ann["Authorization"].removeprefix("Bearer "))
            ws = session.__enter__()
            sockets[space] = session, ws
            ws.send('{"type":"live"}')
            assert recv(ws)["entries"] == []
        for space, ann in spaces.items():
            server.push(space, Author().events(1, payload=space), ann)
        for space, (_, ws) in sockets.items():
            (entry,) = recv(ws)["entries"]
            assert (entry["seq"], entry["event"]["payload"]) == (1, space)
    finally:
        for session, _ in sockets.values():
            session.__exit__(None, None, None)


def test_no_words_of_one_are_in_the_answers_of_the_other(server, spaces):
    (red, red_ann), (blue, blue_ann) = spaces.items()
    marked = "secret-of-red"
    server.push(red, [Author().event(f"task.{marked}", payload=marked)], red_ann)
    administer(server, "POST", f"/v1/spaces/{red}/users", {"name": marked})
    for path in ("pull", "docs", "policies", "auth/me", "", f"docs/task.{marked}", "audit", "users", "keys", "acl"):
        for headers in (blue_ann, server.bearer()):
            answer = server.request("GET", f"/v1/spaces/{blue}/{path}".rstrip("/"), headers=headers)
            body = answer.body.replace(f"task.{marked}".encode(), b"") if marked in path else answer.body
            assert marked.encode() not in body, path
            assert red.encode() not in body, path
    ids = [entry["event"]["id"] for entry in get(server, red, "pull", red_ann).json["entries"]]
    for type in TYPES:
        asked = json.dumps(inquiry(type, **({"ids": ids} if type == "fetch" else {}))).encode()
        answer = server.request("POST", f"/v1/spaces/{blue}/{type}", asked, {**blue_ann, **JSON})
        assert not [id for id in (marked, red, *ids) if id.encode() in answer.body], type


def test_a_deleted_space_takes_nothing_of_the_other_along(server, spaces):
    (red, red_ann), (blue, blue_ann) = spaces.items()
    for space, ann in spaces.items():
        server.push(space, Author().events(2), ann)
    assert administer(server, "DELETE", f"/v1/spaces/{red}").status == 200
    assert get(server, red, "pull", red_ann).code == "space_deleted"
    assert get(server, blue, "pull", blue_ann).json["entries"][1]["seq"] == 2
    assert get(server, red, "pull", blue_ann).code == "unknown_space"
