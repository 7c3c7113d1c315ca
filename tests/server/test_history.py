"""Bounded history at a running server: snapshots are served, history goes as a space says, and nothing else changes."""

import gzip
import json

import pytest

from tests.server.rest import Client
from tests.server.running import Author, serving
from tests.server.tenants import administer, bearer, key, make

STORES = ["sqlite", "lmdb"]


@pytest.fixture(scope="module", params=STORES)
def kept(request, tmp_path_factory):
    """A server whose spaces tests may shorten."""
    with serving(tmp_path_factory.mktemp("kept"), store=request.param) as server:
        yield server


def retain(server, space, **retention):
    answer = administer(server, "PATCH", f"/v1/spaces/{space}", {"retention": retention})
    assert answer.json["retention"] == retention, answer


def history(server, space):
    """Makes a snapshot and lets go of what is not kept."""
    answer = administer(server, "POST", f"/v1/spaces/{space}/history", {})
    assert answer.status == 200, answer
    assert "failure" not in answer.json, answer.json
    return answer.json


def snapshot(server, space, headers, **ask):
    body = json.dumps({"type": "snapshot", **ask}).encode()
    return server.request("POST", f"/v1/spaces/{space}/snapshot", body, {**headers, "Content-Type": "application/json"})


def pull(server, space, headers, cursor=None):
    return server.request("GET", f"/v1/spaces/{space}/pull" + (f"?since={cursor}" if cursor else ""), None, headers)


@pytest.fixture
def ann(kept, space):
    make(kept, space)
    return Client(kept, space, key=key(kept, space), node="ann-1")


def fill(client, count=6):
    for n in range(count):
        client.put("task.a", {"n": n})
        client.put("task.b", {"n": n, "m": "x" * n})


def test_a_space_without_a_snapshot_answers_an_empty_one(kept, space, ann):
    fill(ann, 1)
    answer = snapshot(kept, space, ann.headers).json
    assert (answer["seq"], answer["bases"]) == (0, [])
    assert len(pull(kept, space, ann.headers, answer["cursor"]).json["entries"]) == 2


def test_a_snapshot_and_what_comes_after_it_are_the_whole(kept, space, ann):
    fill(ann)
    told = history(kept, space)
    assert (told["horizon"], told["snapshot"]["seq"]) == (0, ann.head())
    ann.put("task.c", {"n": 1})
    answer = snapshot(kept, space, ann.headers).json
    assert [base["item"] for base in answer["bases"]] == ["task.a", "task.b"]
    assert [base["revision"] for base in answer["bases"]] == [6, 6]
    page = pull(kept, space, ann.headers, answer["cursor"]).json
    assert [entry["event"]["item"] for entry in page["entries"]] == ["task.c"]
    assert snapshot(kept, space, ann.headers, items=["task.b"]).json["bases"] == answer["bases"][1:]


def test_a_snapshot_comes_in_parts_and_may_be_gone(kept, space, ann):
    big = "".join(chr(33 + n * 7 % 90) + str(n * 2654435761 % 2**32) for n in range(4_000))
    for n in range(150):
        ann.put(f"task.{n:03}", {"text": big[n * 200 :] + big[: n * 200]})
    history(kept, space)
    found, answer = [], snapshot(kept, space, ann.headers).json
    parts = 1
    while answer.get("after"):
        found += answer["bases"]
        answer = snapshot(kept, space, ann.headers, seq=answer["seq"], after=answer["after"]).json
        parts += 1
    found += answer["bases"]
    assert parts > 1
    assert [base["item"] for base in found] == [f"task.{n:03}" for n in range(150)]
    ann.put("task.000", {"n": 1})
    history(kept, space)
    gone = snapshot(kept, space, ann.headers, seq=answer["seq"], after="task.005")
    assert (gone.status, gone.code) == (410, "snapshot_gone")


def test_who_may_not_read_sees_nothing_of_it(kept, space, ann):
    fill(ann)
    rule = {"user": "*", "item": "task.b", "action": ".read", "type": "deny"}
    assert administer(kept, "POST", f"/v1/spaces/{space}/acl", rule).status == 201
    history(kept, space)
    answer = snapshot(kept, space, ann.headers).json
    assert [base["item"] for base in answer["bases"]] == ["task.a"]
    assert not any(entry["event"]["item"] == ".acl" for entry in answer.get("entries", []))
    root = snapshot(kept, space, kept.bearer()).json
    assert [base["item"] for base in root["bases"]] == ["task.a", "task.b"]
    assert any(entry["event"]["item"] == ".acl" for entry in root["entries"])


def test_policies_come_with_it(kept, space, ann):
    administer(kept, "PUT", f"/v1/spaces/{space}/policies", {"task.*": "server_wins"})
    fill(ann, 1)
    history(kept, space)
    answer = snapshot(kept, space, ann.headers).json
    assert [entry["event"]["item"] for entry in answer["entries"]] == [".policies"]


# Retention


def test_history_goes_and_documents_stay(kept, space, ann):
    fill(ann)
    before = pull(kept, space, kept.bearer()).json
    value = ann.value("task.a"), ann.value("task.b")
    retain(kept, space, revisions=2)
    told = history(kept, space)
    assert told["horizon"] == ann.head()
    assert (ann.value("task.a"), ann.value("task.b")) == value
    assert [each["number"] for each in ann.revisions("task.a")] == [5, 6]
    assert ann.value("task.a", rev=5) == {"n": 4}
    assert ann.value("task.a", rev=4) == {"n": 3}
    expired = ann.get("task.a", rev=3)
    assert (expired.status, expired.code) == (410, "history_expired")
    ann.patch("task.a", ("replace", "/n", 77))
    assert ann.value("task.a") == {"n": 77}
    assert ann.post("task.a", "undo").status == 200
    assert ann.value("task.a") == {"n": 5}
    ops = ann.doc("GET", "task.a", "/ops?since=0")
    assert (ops.status, ops.code) == (410, "history_expired")
    for cursor in (None, before["cursor"]):
        answer = pull(kept, space, kept.bearer(), cursor)
        assert (answer.status, answer.code) in ((410, "cursor_expired"), (200, None)), answer
    assert pull(kept, space, kept.bearer()).code == "cursor_expired"
    start = snapshot(kept, space, ann.headers).json
    assert len(pull(kept, space, ann.headers, start["cursor"]).json["entries"]) == 2


def test_all_that_is_asked_about_a_document_is_answered(kept, space, ann):
    """What needs what went says so, or tells what is left of it."""
    fill(ann)
    retain(kept, space, revisions=1)
    history(kept, space)
    assert ann.doc("GET", "task.a", "/conflicts").json["values"] == []
    (blamed,) = ann.doc("GET", "task.b", "/blame?path=/n").json["blame"]
    assert len(blamed["event"]) == 36
    assert [each["id"] for each in ann.ask("GET", "docs").json["documents"]] == ["task.a", "task.b"]
    for rest in ("?seq=2", "?time=5", "?rev=1"):
        assert ann.doc("GET", "task.a", rest).code == "history_expired", rest
    assert ann.doc("GET", "task.a", "?seq=11").json["value"] == {"n": 5}
    assert ann.post("task.a", "restore", {"revision": 2}).code == "history_expired"
    assert ann.post("task.a", "undo").status == 200
    assert ann.post("task.a", "redo").status == 200
    assert ann.value("task.a") == {"n": 5}
    assert ann.patch("task.a", ("replace", "/n", 8), base=1).code == "history_expired"
    assert ann.doc("DELETE", "task.a").status == 200
    assert ann.doc("GET", "task.a", "/conflicts").status == 200
    assert ann.put("task.a", {"again": True}).status in (200, 201)
    assert ann.value("task.a") == {"again": True}


def test_who_followed_a_document_long_ago_is_sent_it_whole(kept, space, ann):
    fill(ann)
    retain(kept, space, revisions=2)
    history(kept, space)
    for since, first in (("2", "document"), ("7", "document"), ("8", "revision")):
        connection = kept.connect()
        connection.request("GET", f"/v1/spaces/{space}/docs/task.b/live?since={since}", headers=ann.headers)
        answer = connection.getresponse()
        ann.put("task.b", {"since": since})
        lines = iter(answer.readline, b"")
        event = next(line for line in lines if line.startswith(b"event:"))
        assert event.strip() == f"event: {first}".encode()
        connection.close()


def test_what_went_is_in_an_archive(kept, space, ann):
    fill(ann)
    entries = pull(kept, space, kept.bearer()).json["entries"]
    retain(kept, space, revisions=1)
    horizon = history(kept, space)["horizon"]
    (archive,) = (kept.data / "archives" / space).iterdir()
    *lines, seal = gzip.decompress(archive.read_bytes()).splitlines()
    assert [json.loads(line) for line in lines] == entries
    assert (json.loads(seal)["first"], json.loads(seal)["last"]) == (1, horizon)


def test_pushing_again_what_went_answers_its_seq(kept, space, ann):
    author = Author("other")
    events = author.events(3, "task.x")
    first = kept.push(space, events, ann.headers).json
    retain(kept, space, revisions=1)
    history(kept, space)
    again = kept.push(space, events, ann.headers).json
    assert again["results"] == first["results"]


def test_the_last_of_a_log_can_be_asked_for_however_short_it_is(kept, space, ann):
    """Who holds none of it gets a cursor that leads on: no further back than the history, whatever was erased there."""
    fill(ann, 2)
    retain(kept, space, revisions=1)
    history(kept, space)
    ann.put("task.a", {"n": 9})
    ann.put("task.a", {"n": 10})

    def last(count):
        place = administer(kept, "GET", f"/v1/spaces/{space}?back={count}").json["cursor"]
        answer = pull(kept, space, kept.bearer(), place)
        assert answer.status == 200, answer
        return [each["event"]["action"] for each in answer.json["entries"]]

    assert last(1_000) == last(2) == ["put", "put"]
    assert administer(kept, "POST", f"/v1/spaces/{space}/erase", {"items": ["task.b"]}).json["events"]
    ann.put("task.c", {})
    assert last(1_000) == last(1) == ["put"]
    assert last(2)[-1] == "put"


def test_labels_hold_the_horizon(kept, space, ann):
    fill(ann, 2)
    assert administer(kept, "PUT", f"/v1/spaces/{space}/labels/first", {"seq": 2}).json == {"name": "first", "seq": 2}
    retain(kept, space, labels=True)
    fill(ann, 2)
    assert history(kept, space)["horizon"] == 2
    labels = administer(kept, "GET", f"/v1/spaces/{space}/labels")
    assert labels.json == {"labels": {"first": 2}}
    assert administer(kept, "DELETE", f"/v1/spaces/{space}/labels/first").status == 200
    assert administer(kept, "GET", f"/v1/spaces/{space}/labels").json == {"labels": {}}
    ann.put("task.a", {"n": 9})
    assert history(kept, space)["horizon"] == 2


def test_what_came_lately_stays(kept, space, ann):
    fill(ann)
    retain(kept, space, days=1)
    assert history(kept, space)["horizon"] == 0
    assert len(pull(kept, space, ann.headers).json["entries"]) == 12


def test_items_that_become_visible_come_with_their_bases(kept, space, ann):
    rule = {"user": "*", "item": "task.b", "action": ".read", "type": "deny"}
    (made,) = administer(kept, "POST", f"/v1/spaces/{space}/acl", {"rules": [rule]}).json["rules"]
    root = Client(kept, space, key=kept.key, node="root-1")
    fill(root)
    retain(kept, space, revisions=2)
    history(kept, space)
    cursor = snapshot(kept, space, ann.headers).json["cursor"]
    cursor = pull(kept, space, ann.headers, cursor).json["cursor"]
    administer(kept, "DELETE", f"/v1/spaces/{space}/acl/{made['id']}")
    page = pull(kept, space, ann.headers, cursor).json
    (base,) = page["bases"]
    assert (base["item"], base["revision"]) == ("task.b", 4)
    assert len(page["late"]) == 2
    assert all(entry["seq"] > base["seq"] for entry in page["late"])


def test_it_stands_after_a_restart(tmp_path, space):
    with serving(tmp_path, store="sqlite") as server:
        make(server, space)
        ann = Client(server, space, key=key(server, space), node="ann-1")
        fill(ann)
        retain(server, space, revisions=1)
        told = history(server, space)
        value, root = ann.value("task.a"), server.bearer()
    with serving(tmp_path, store="sqlite") as server:
        ann.server = server
        shown = server.request("GET", f"/v1/spaces/{space}", None, root).json
        assert shown["history"] == told
        assert shown["retention"] == {"revisions": 1}
        assert ann.value("task.a") == value
        assert pull(server, space, ann.headers).code == "cursor_expired"


def test_only_an_administrator_says_what_is_kept(kept, space, ann):
    assert ann.ask("POST", "history", {}).code == "forbidden"
    assert ann.ask("PUT", "labels/x", {}).code == "forbidden"
    bad = administer(kept, "PATCH", f"/v1/spaces/{space}", {"retention": {"days": -1}})
    assert bad.code == "bad_request"
    assert administer(kept, "PATCH", f"/v1/spaces/{space}", {"retention": {"weeks": 1}}).code == "bad_request"


def test_a_log_in_json_lines_keeps_all(tmp_path, space):
    with serving(tmp_path, store="jsonl") as server:
        make(server, space)
        ann = Client(server, space, key=key(server, space), node="ann-1")
        fill(ann)
        refused = administer(server, "PATCH", f"/v1/spaces/{space}", {"retention": {"days": 1}})
        assert refused.code == "bad_request"
        assert history(server, space)["snapshot"]["seq"] == ann.head()
        assert len(snapshot(server, space, bearer(server.key)).json["bases"]) == 2
