"""Documents over HTTP: every route, every refusal, races, and that the log is the truth behind it all."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from syncline import DocumentReplica, SyncManager, SyncOptions, Text
from syncline.core.effects import Apply
from syncline.core.events import Entry
from syncline.core.messages import Page
from syncline.core.patches import apply
from syncline.replica import new_node
from syncline.server.registry import open_registry
from syncline.stores.memory import MemoryReplicaStore
from syncline.transports.http import HttpTransport
from tests.server.rest import MERGE, PATCH, PLAIN, Client
from tests.server.running import Author

MILK = {"title": "Milk", "done": False, "n": {"$counter": 1}, "notes": {"$text": "fresh"}, "tags": {"$set": ["shop"]}}
ITEM = "task.milk"


@pytest.fixture
def docs(open_server, space):
    """The documents of a space of its own."""
    return Client(open_server, space)


@pytest.fixture
def people(serve):
    """A function that gives a user's way to the documents of a server with keys."""
    server = serve()
    registry = open_registry(server.data, "", lambda: 0)
    yield lambda user, node=None: Client(server, "home", key=registry.create_key("laptop", user, "home"), node=node)
    registry.close()


def check_stored(docs: Client, answer: Any, status: int = 200) -> Any:
    """That a write was stored as one event; the answer's body."""
    assert answer.status == status, answer
    body = answer.json
    entry = docs.server.entries(docs.space)[body["event"]["seq"] - 1]
    assert entry["event"]["id"] == body["event"]["id"]
    assert answer.headers["etag"].startswith(f'"{body["seq"]}-')
    return body


# Reading and writing


def test_put_get_patch_delete(docs):
    created = check_stored(docs, docs.put(ITEM, MILK), 201)
    assert created == {
        "event": created["event"], "id": ITEM, "revision": 1, "seq": 1, "at": created["at"], "value": MILK,
    }  # fmt: skip
    patched = check_stored(docs, docs.patch(ITEM, ("replace", "/n", 5), ("add", "/tags/-", "urgent")))
    assert patched["value"] == {**MILK, "n": {"$counter": 5}, "tags": {"$set": ["shop", "urgent"]}}
    merged = check_stored(docs, docs.merge(ITEM, {"done": True, "notes": "very fresh", "title": None}))
    assert merged["value"] == {
        "done": True, "n": {"$counter": 5}, "notes": {"$text": "very fresh"}, "tags": {"$set": ["shop", "urgent"]},
    }  # fmt: skip
    assert docs.value(ITEM, view="plain") == {
        "done": True, "n": 5, "notes": "very fresh", "tags": ["shop", "urgent"],
    }  # fmt: skip
    deleted = check_stored(docs, docs.doc("DELETE", ITEM))
    assert (deleted["deleted"], "value" in deleted) == (True, False)
    gone = docs.get(ITEM)
    assert (gone.status, gone.code, gone.json["seq"], gone.json["revision"]) == (404, "not_found", 4, 4)


def test_what_is_not_there_is_not_found(docs):
    for answer in (
        docs.get(ITEM),
        docs.patch(ITEM, ("add", "/a", 1)),
        docs.merge(ITEM, {"a": 1}),
        docs.doc("DELETE", ITEM),
        *(docs.post(ITEM, verb) for verb in ("undo", "redo", "restore")),
        *(docs.doc("GET", ITEM, f"/{view}") for view in ("revisions", "blame", "conflicts")),
        docs.doc("GET", ITEM, "/nothing"),
    ):
        assert (answer.status, answer.code) == (404, "not_found")
    assert docs.head() == 0


def test_a_put_does_the_least(docs):
    docs.put(ITEM, MILK)
    answer = docs.put(ITEM, {**MILK, "title": "Bread", "notes": {"$text": "freshest"}})
    assert (answer.status, answer.json["revision"]) == (200, 2)
    (entry,) = docs.doc("GET", ITEM, "/ops?since=1").json["entries"]
    assert (entry["event"]["action"], sorted(op["op"] for op in entry["event"]["ops"])) == ("put", ["insert", "put"])
    again = docs.put(ITEM, answer.json["value"])
    assert (again.status, again.json["event"], again.json["seq"]) == (200, None, 2)
    assert docs.head() == 2


@pytest.mark.parametrize(
    "value", [{}, [], None, 7, "x", True, [1, [2]], {"$text": "t"}, {"$set": [1]}, {"$counter": 3}]
)
def test_a_document_is_any_value(docs, value):
    assert docs.put(ITEM, value).status == 201
    assert docs.value(ITEM) == value
    assert docs.put(ITEM, {"a": 1}).json["value"] == {"a": 1}
    assert docs.put(ITEM, value).json["value"] == value


def test_a_put_after_a_delete_brings_the_document_back_with_this_alone(docs):
    docs.put(ITEM, MILK)
    docs.doc("DELETE", ITEM)
    answer = docs.put(ITEM, {"title": "Bread"})
    assert (answer.status, answer.json["value"], answer.json["revision"]) == (201, {"title": "Bread"}, 3)


def test_an_answer_may_leave_out_the_value(docs):
    answer = docs.put(ITEM, MILK, Prefer="return=minimal")
    assert sorted(answer.json) == ["at", "event", "id", "revision", "seq"]


@pytest.mark.parametrize(
    "id", ["a/undo", "a/b/live", "a.b:c~d-e_f/", "undo", "docs", "ops", "x" * 256, "a/../b", "0", "a..b", "~", "-/-"]
)
def test_ids_are_one_segment_of_the_path(docs, id):
    check_stored(docs, docs.put(id, {"id": id}), 201)
    assert docs.value(id) == {"id": id}
    assert check_stored(docs, docs.post(id, "undo"))["deleted"]
    assert check_stored(docs, docs.post(id, "redo"), 201)["value"] == {"id": id}
    assert [each["id"] for each in docs.ask("GET", "docs").json["documents"]] == [id]
    assert len(docs.revisions(id)) == 3


@pytest.mark.parametrize("id", ["a b", "ä", "a%00", "x" * 257, "%ff", "a\\b"])
def test_what_is_no_id_is_refused(docs, id):
    assert docs.put(id, {}).code == "bad_request"


def test_a_slash_that_is_not_encoded_ends_the_id(docs):
    docs.put("a", {})
    docs.put("a/undo", {"x": 1})
    assert docs.ask("POST", "docs/a/undo").json["id"] == "a"
    assert docs.ask("GET", "docs/a/b").code == "not_found"
    assert docs.ask("GET", "docs/a%2fundo").json["value"] == {"x": 1}


def test_the_space_is_in_a_header_too(docs):
    docs.put(ITEM, MILK)
    answer = docs.server.request("GET", f"/v1/docs/{ITEM}", headers={"X-Tenant-ID": docs.space})
    assert answer.json["value"] == MILK


# Conditions


def test_an_etag_is_for_a_state(docs):
    first = docs.put(ITEM, MILK)
    tag = first.headers["etag"]
    docs.put("other", {})
    assert docs.get(ITEM).headers["etag"] == tag
    same = docs.doc("GET", ITEM, If_None_Match=f'"x", W/{tag}')
    assert (same.status, same.body, same.headers["etag"]) == (304, b"", tag)
    docs.patch(ITEM, ("replace", "/title", "Bread"))
    assert docs.doc("GET", ITEM, If_None_Match=tag).status == 200
    assert docs.get(ITEM, rev=1).headers["etag"] == docs.get(ITEM, seq=1).headers["etag"] == tag


def test_if_match(docs):
    assert docs.put(ITEM, MILK, If_Match="*").code == "document_changed"
    docs.put(ITEM, MILK)
    for seq, form in enumerate(("{}", "{}", '"x", {}', "*"), 1):
        old = docs.get(ITEM).headers["etag"]
        tags = form.format(f'"{seq}"' if seq == 1 else old)
        assert docs.patch(ITEM, ("add", "/x", seq), If_Match=tags).status == 200
    head, old = docs.head(), docs.get(ITEM).headers["etag"]
    for method, body, kind in (("PATCH", [], PATCH), ("PATCH", {}, MERGE), ("PUT", {}, PLAIN), ("DELETE", ..., PLAIN)):
        answer = docs.doc(method, ITEM, "", body, kind, If_Match='"5-0011223344556677"')
        assert (answer.status, answer.code, answer.json["seq"]) == (412, "document_changed", head)
    assert docs.doc("POST", ITEM, "/undo", If_Match='"1"').code == "document_changed"
    assert docs.doc("DELETE", ITEM, If_Match=f"W/{old}").code == "document_changed"
    assert docs.doc("DELETE", ITEM, If_Match="1").code == "bad_request"
    assert docs.head() == head


def test_if_none_match_creates_only(docs):
    assert docs.put(ITEM, MILK, If_None_Match="*").status == 201
    again = docs.put(ITEM, {}, If_None_Match="*")
    assert (again.status, again.code) == (412, "document_exists")
    docs.doc("DELETE", ITEM)
    assert docs.put(ITEM, {}, If_None_Match="*").status == 201


def test_of_twenty_patches_with_one_tag_exactly_one_wins(docs):
    tag = docs.put(ITEM, {"n": 0}).headers["etag"]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: docs.patch(ITEM, ("replace", "/n", n), If_Match=tag), range(1, 21)))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 19
    assert {answer.code for answer in answers if answer.status == 412} == {"document_changed"}
    (winner,) = [answer for answer in answers if answer.status == 200]
    assert docs.value(ITEM) == winner.json["value"]
    assert docs.head() == 2


def test_of_twenty_who_create_exactly_one_wins(docs):
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: docs.put(ITEM, {"n": n}, If_None_Match="*").status, range(20)))
    assert sorted(answers) == [201] + [412] * 19


def test_twenty_patches_without_a_tag_all_merge(docs):
    docs.put(ITEM, {"n": {"$counter": 0}, "list": [], "text": {"$text": ""}})

    def patch(n: int) -> int:
        more = [("add", f"/k{n}", n), ("add", "/list/-", n), ("replace", "/text", f"{n}")]
        return docs.patch(ITEM, *more).status

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(patch, range(20))) == {200}
    value = docs.value(ITEM)
    assert {value[f"k{n}"] for n in range(20)} == set(value["list"]) == set(range(20))
    assert docs.get(ITEM).json["revision"] == docs.head() == 21


def test_writes_and_pushes_of_one_item_at_once(docs, author):
    docs.put(ITEM, {"n": 0})

    def push(n: int) -> int:
        ops = [{"op": "put", "key": f"p{n}", "value": n}]
        return docs.server.push(docs.space, [Author().event(ITEM, ops=ops)]).status

    with ThreadPoolExecutor(8) as pool:
        pushes = [pool.submit(push, n) for n in range(60)]
        patches = [pool.submit(docs.patch, ITEM, ("add", f"/q{n}", n)) for n in range(60)]
        assert {each.result() for each in pushes} == {each.result().status for each in patches} == {200}
    assert docs.value(ITEM) == {"n": 0} | {f"{kind}{n}": n for n in range(60) for kind in "pq"}
    check_against_replay(docs)


def check_against_replay(docs: Client, item: str = ITEM) -> None:
    """That the document is what its entries fold to, and each revision too."""
    replica = DocumentReplica(MemoryReplicaStore(new_node()))
    fold_all(replica, docs)
    assert docs.value(item) == replica.document(item).wire
    assert docs.get(item).json["revision"] == replica.document(item).revision
    assert [each["ids"] for each in docs.revisions(item, limit=1000)] == [
        each.ids for each in replica.document(item).history()
    ]


def fold_all(replica: DocumentReplica, docs: Client) -> None:
    entries = [Entry.read(json.dumps(entry).encode()) for entry in docs.server.entries(docs.space)]
    replica.perform(Apply(Page(entries=entries, cursor="c"), ()))


# History


def test_time_travel(docs):
    docs.put("other", {})
    times = []
    for n in range(1, 6):
        docs.put(ITEM, {"n": n})
        times.append(docs.get(ITEM).json["at"])
        time.sleep(0.002)
    for n in range(1, 6):
        assert docs.value(ITEM, rev=n) == docs.value(ITEM, seq=n + 1) == {"n": n}
        assert docs.value(ITEM, time=times[n - 1]) == {"n": n}
    assert docs.value(ITEM, seq=1_000) == docs.value(ITEM, time=2**50) == {"n": 5}
    assert docs.get(ITEM, rev=2).json["revision"] == 2
    for query in ({"rev": 6}, {"rev": 0}, {"seq": 1}, {"seq": 0}, {"time": times[0] - 60_000}):
        assert docs.get(ITEM, **query).code == "not_found"
    for query in ({"rev": 1, "seq": 1}, {"rev": "x"}, {"seq": -1}, {"time": 2**53}, {"view": "odd"}):
        assert docs.get(ITEM, **query).code == "bad_request"


def test_revisions_lead_forward_and_back(docs):
    docs.put(ITEM, MILK)
    docs.patch(ITEM, ("replace", "/title", "Bread"), ("replace", "/notes", "stale"))
    docs.merge(ITEM, {"n": 9})
    docs.doc("DELETE", ITEM)
    revisions = docs.revisions(ITEM)
    assert [each["number"] for each in revisions] == [1, 2, 3, 4]
    assert [each["kind"] for each in revisions] == ["create", "update", "update", "delete"]
    assert [each["action"] for each in revisions] == ["put", "patch", "patch", "delete"]
    assert (revisions[0]["forward"], revisions[0]["reverse"]) == (MILK, None)
    value = MILK
    for revision in revisions[1:3]:
        after = apply(value, revision["forward"])
        assert after == docs.value(ITEM, rev=revision["number"])
        assert apply(after, revision["reverse"]) == value
        value = after
    assert docs.revisions(ITEM, after=1, limit=2) == revisions[1:3]
    page = docs.doc("GET", ITEM, "/revisions?limit=3").json
    assert (page["revisions"], page["more"]) == (revisions[:3], True)
    assert docs.doc("GET", ITEM, "/revisions?after=3").json == {"revisions": revisions[3:], "more": False}
    assert docs.doc("GET", ITEM, "/revisions?limit=1001").code == "bad_request"


def test_undo_and_redo_several_steps(docs):
    for n in range(4):
        docs.put(ITEM, {"n": n})
    assert [docs.post(ITEM, "undo").json["value"]["n"] for _ in range(3)] == [2, 1, 0]
    assert docs.post(ITEM, "undo").json["deleted"]
    assert docs.post(ITEM, "undo").json["event"] is None
    assert [docs.post(ITEM, "redo").json["value"]["n"] for _ in range(4)] == [0, 1, 2, 3]
    assert docs.post(ITEM, "redo").json["event"] is None
    docs.post(ITEM, "undo")
    docs.patch(ITEM, ("add", "/m", 1))
    assert docs.post(ITEM, "redo").json["event"] is None


def test_undo_of_one_amid_the_edits_of_another(people):
    ann, bob = people("ann"), people("bob")
    ann.put(ITEM, {"title": "Milk", "text": {"$text": "one three"}, "n": {"$counter": 0}})
    ann.patch(ITEM, ("replace", "/text", "one two three"), ("replace", "/n", 5))
    bob.patch(ITEM, ("replace", "/text", "one two three four"), ("replace", "/n", 12), ("replace", "/title", "Bread"))
    assert ann.post(ITEM, "undo").json["value"] == {
        "title": "Bread", "text": {"$text": "one three four"}, "n": {"$counter": 7},
    }  # fmt: skip
    assert bob.post(ITEM, "undo").json["value"] == {
        "title": "Milk",
        "text": {"$text": "one three"},
        "n": {"$counter": 0},
    }
    assert ann.post(ITEM, "redo").json["value"]["text"] == {"$text": "one two three"}
    assert [each["user"] for each in ann.revisions(ITEM)] == ["ann", "ann", "bob", "ann", "bob", "ann"]
    assert ann.revisions(ITEM)[3]["undoes"] == ann.revisions(ITEM)[1]["ids"][0]


def test_restore(docs):
    docs.put(ITEM, MILK)
    docs.put(ITEM, {"title": "Bread", "list": [1, 2]})
    assert docs.post(ITEM, "restore", {"revision": 1}).json["value"] == MILK
    assert docs.post(ITEM, "restore", {"revision": 2}).json["value"] == {"title": "Bread", "list": [1, 2]}
    assert docs.post(ITEM, "restore").json["event"] is None
    docs.doc("DELETE", ITEM)
    back = docs.post(ITEM, "restore")
    assert (back.status, back.json["value"]) == (201, {"title": "Bread", "list": [1, 2]})
    assert docs.post(ITEM, "restore", {"revision": 99}).code == "not_found"
    for body in ({"revision": "1"}, {"revision": 1, "x": 2}, [], {"revision": True}):
        assert docs.post(ITEM, "restore", body).code == "bad_request"


def test_a_patch_against_an_older_revision_merges(docs):
    docs.put(ITEM, {"list": ["a", "b", "c"], "text": {"$text": "one three"}, "n": {"$counter": 1}, "gone": {"x": 1}})
    docs.patch(ITEM, ("remove", "/list/0"), ("replace", "/text", "zero one three"), ("replace", "/n", 5))
    stale = docs.patch(
        ITEM, ("replace", "/list/1", "B"), ("replace", "/text", "one two three"), ("replace", "/n", 2),
        ("test", "/list/0", "a"), base=1,
    )  # fmt: skip
    assert check_stored(docs, stale)["value"] == {
        "list": ["B", "c"], "text": {"$text": "zero one two three"}, "n": {"$counter": 6}, "gone": {"x": 1},
    }  # fmt: skip
    assert docs.patch(ITEM, ("test", "/list/0", "a"), base=3).code == "patch_test_failed"
    assert docs.patch(ITEM, ("remove", "/list/0"), base=4).code == "not_found"
    assert docs.patch(ITEM, ("remove", "/list/0"), base=0).code == "patch_failed"
    check_against_replay(docs)


def test_blame(docs):
    docs.put(ITEM, {"title": "Milk", "text": {"$text": "ac"}, "list": [[1], 2], "tags": {"$set": ["x"]}})
    docs.patch(ITEM, ("replace", "/text", "abc"), ("replace", "/list/1", 3))

    def blamed(path: str) -> list[int]:
        return [each["seq"] for each in docs.doc("GET", ITEM, f"/blame?path={path}").json["blame"]]

    assert blamed("/title") == [1]
    assert blamed("/text") == [1, 2, 1]
    assert blamed("/list/1") == [2]
    assert blamed("/list/0/0") == blamed("/tags/0") == [1]
    for path in ("/nothing", "/title/x", "/list/9", "/list/x"):
        assert docs.doc("GET", ITEM, f"/blame?path={path}").code == "not_found"
    assert docs.doc("GET", ITEM, "/blame?path=title").code == "bad_request"


def test_ops_of_a_client(docs):
    made = check_stored(
        docs,
        docs.post(ITEM, "ops", {"ops": [{"op": "put", "key": "a", "value": 1}], "action": "make", "payload": {"p": 1}}),
        201,
    )
    name = f"{made['event']['id']}:0"
    changed = docs.post(ITEM, "ops", {"ops": [{"op": "put", "key": "a", "value": 2, "over": [name]}]})
    assert check_stored(docs, changed)["value"] == {"a": 2}
    note = docs.post(ITEM, "ops", {"ops": [], "payload": "only said"})
    assert (note.json["revision"], note.json["seq"]) == (2, 3)
    entries = docs.doc("GET", ITEM, "/ops").json
    assert [entry["event"]["action"] for entry in entries["entries"]] == ["make", "update", "update"]
    assert entries["entries"] == docs.server.entries(docs.space)
    assert docs.doc("GET", ITEM, "/ops?since=1&limit=1").json == {
        "entries": entries["entries"][1:2], "seq": 2, "more": True,
    }  # fmt: skip
    missing = f"{made['event']['id'][:-1]}{'0' if made['event']['id'][-1] != '0' else '1'}:0"
    for body, code in (
        ({"ops": [{"op": "put", "key": "a", "value": 2, "over": [missing]}]}, "missing_dependency"),
        ({"ops": [{"op": "put", "key": "a"}]}, "bad_op"),
        ({"ops": [{"op": "explode"}]}, "bad_op"),
        ({"ops": [{"op": "inc", "in": ":0", "by": 1}]}, "bad_op"),
        ({"ops": [], "action": ".acl.addRule", "payload": 1}, "reserved_action"),
        ({"ops": [], "action": "a b", "payload": 1}, "invalid_event"),
        ({"ops": {}}, "bad_request"),
        ({"ops": [], "more": 1}, "bad_request"),
        ({}, "bad_request"),
    ):
        assert docs.post(ITEM, "ops", body).code == code, body
    assert docs.head() == 3
    assert docs.value(ITEM) == {"a": 2}


def test_conflicts_show_what_lost(docs, author):
    docs.put(ITEM, {"a": 0})
    (first,) = docs.server.entries(docs.space)
    name = f"{first['event']['id']}:1"
    for n in (1, 2):
        ops = [{"op": "put", "key": "a", "value": n}]
        assert "seq" in docs.server.push(docs.space, [Author().event(ITEM, ops=ops)]).json["results"][0], name
    found = docs.doc("GET", ITEM, "/conflicts").json
    (conflict,) = found["values"]
    assert (conflict["path"], {each["value"] for each in conflict["others"]} | {docs.value(ITEM)["a"]}) == (
        "/a",
        {0, 1, 2},
    )
    assert (found["overruled"], found["unseen"], found["in_conflict"]) == ([], [], False)
    docs.patch(ITEM, ("replace", "/a", 3))
    assert docs.doc("GET", ITEM, "/conflicts").json["values"] == []


# Lists


def test_a_list_of_documents_in_parts(docs, author):
    ids = sorted(f"{kind}.{n:03}" for kind in ("task", "note") for n in range(30))
    for id in ids:
        docs.put(id, {})
    docs.doc("DELETE", "note.003")
    docs.server.push(docs.space, [author.event("task.nothing", payload=1)])
    for pattern, wanted in (("*", ids), ("note.*", ids[:30]), ("task.01*", [f"task.01{n}" for n in range(10)])):
        found, after = [], ""
        while after is not None:
            page = docs.ask("GET", f"docs?items={pattern}&limit=7&after={after}").json
            found += page["documents"]
            after = page["after"]
        assert [each["id"] for each in found] == [id for id in wanted if id != "note.003"]
        assert {each["revision"] for each in found} == {1}
    assert docs.ask("GET", "docs?limit=101").code == docs.ask("GET", "docs?items=a*b").code == "bad_request"


# Policies


def test_policies(docs):
    assert docs.ask("GET", "policies").json == {}
    wanted = {"task.*": "server_wins", "note.*": "manual"}
    assert docs.ask("PUT", "policies", wanted).json == docs.ask("GET", "policies").json == wanted
    assert docs.head() == 2
    docs.ask("PUT", "policies", wanted)
    assert docs.head() == 2
    assert docs.ask("PUT", "policies", {"task.*": "merge"}).json == {"task.*": "merge"}
    events = [entry["event"] for entry in docs.server.entries(docs.space)]
    assert {(event["item"], event["action"]) for event in events} == {(".policies", ".policy.set")}
    for body in ([], {"task.*": "odd"}, {"a*b": "merge"}, {"task.*": None}, {"": "merge"}):
        assert docs.ask("PUT", "policies", body).code == "bad_request"
    assert (
        docs.server.push(docs.space, [Author().event(".policies", action=".policy.set")]).json["results"][0]["error"][
            "code"
        ]
        == "reserved_action"
    )


def test_a_policy_holds_from_its_seq_on(docs):
    docs.put(ITEM, {"a": 0})
    late = Author()
    stale = [late.event(ITEM, ops=[{"op": "put", "key": "a", "value": n}]) for n in (1, 2)]
    docs.server.push(docs.space, stale[:1])
    merged = docs.value(ITEM)
    docs.ask("PUT", "policies", {"task.*": "server_wins"})
    docs.server.push(docs.space, stale[1:])
    assert docs.value(ITEM) == merged
    found = docs.doc("GET", ITEM, "/conflicts").json
    assert [each["id"] for each in found["overruled"]] == [stale[1]["id"]]
    docs.ask("PUT", "policies", {ITEM: "manual"})
    docs.server.push(docs.space, [Author().event(ITEM, ops=[{"op": "put", "key": "a", "value": 9}])])
    assert docs.get(ITEM).json["in_conflict"] is True
    check_against_replay(docs)


def test_policies_are_an_administrators(people):
    ann = people("ann")
    assert ann.ask("PUT", "policies", {"*": "manual"}).code == "forbidden"
    assert (
        people(".root").ask("PUT", "policies", {"*": "manual"}).json
        == ann.ask("GET", "policies").json
        == {"*": "manual"}
    )


# Who writes


def test_nodes_of_thin_clients(people):
    ann, phone, bob = people("ann"), people("ann", "phone"), people("bob", "phone")
    long = people("ann", "x" * 64)
    for n, client in enumerate((ann, phone, bob, long, ann)):
        assert client.put(f"task.{n % 2}", {"n": n}).status in (200, 201)
    events = [entry["event"] for entry in pull_all(ann)]
    nodes = [event["node"] for event in events]
    assert len(set(nodes)) == 4
    assert nodes[0] == nodes[4]
    assert all(node.startswith("via:") and len(node) <= 64 for node in nodes)
    assert [event["user"] for event in events] == ["ann", "ann", "bob", "ann", "ann"]
    assert [event["id"] for event in events] == sorted(event["id"] for event in events)
    assert events[4]["clock"][nodes[4]] > events[0]["clock"][nodes[0]]
    assert people("ann", "a b").put(ITEM, {}).code == "bad_request"


def test_somebody_elses_node_is_not_taken(people):
    ann, bob = people("ann", "phone"), people("bob")
    ann.put(ITEM, {})
    (node,) = {entry["event"]["node"] for entry in pull_all(ann)}
    other = people("cleo", "phone")
    other.put("task.x", {})
    taken = [entry["event"]["node"] for entry in pull_all(ann)][-1]
    fresh = people("ann", "tablet")
    guess = node.replace("phone", "tablet")
    squatted = Author(guess).event("task.y")
    answer = bob.ask("POST", "push", {"events": [squatted]})
    assert answer.json["results"][0]["seq"] == 3
    assert fresh.put(ITEM, {"a": 1}).status == 200
    last = pull_all(ann)[-1]["event"]
    assert last["node"] not in (node, guess, taken)
    assert last["user"] == "ann"


def test_ids_are_above_all_that_the_log_holds(docs):
    ahead = Author().event(ITEM, ahead_ms=240_000, ops=[{"op": "put", "key": "a", "value": 1}])
    docs.server.push(docs.space, [ahead])
    answer = docs.patch(ITEM, ("replace", "/a", 2))
    assert answer.json["event"]["id"] > ahead["id"]
    assert docs.value(ITEM) == {"a": 2}
    assert docs.doc("GET", ITEM, "/conflicts").json["values"] == []


def pull_all(client: Client) -> list[Any]:
    return client.ask("GET", "pull?limit=1000").json["entries"]


def test_no_credentials_no_documents(people):
    client = people("ann")
    client.headers = {}
    for answer in (client.get(ITEM), client.put(ITEM, {}), client.ask("GET", "docs"), client.ask("GET", "policies")):
        assert answer.code == "unauthorized"


# Bodies that are refused

DEEP = "[" * 65 + "]" * 65


def doubling(value: Any) -> list[Any]:
    """A patch that copies everything thirty times over."""
    return [("add", "/a", value), *({"op": "copy", "from": "", "path": f"/k{n}"} for n in range(30))]


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ([("add", "a", 1)], "bad_patch"),
        ([("add", "/a~2", 1)], "bad_patch"),
        ([("add", "/" + "a" * 2_000, 1)], "bad_patch"),
        ([("explode", "/a", 1)], "bad_patch"),
        ([("add", "/a")], "bad_patch"),
        ([("add", "/x", 1)] * 1_001, "bad_patch"),
        ([("add", "/x", {"$text": 5})], "bad_patch"),
        ([("add", "/x", {"$counter": 2**53 - 1, "more": 1})], "bad_patch"),
        ([("add", "/x", {"$counter": 1.5})], "bad_patch"),
        ([("remove", "/nothing")], "patch_failed"),
        ([("add", "/x", 1), ("remove", "/nothing")], "patch_failed"),
        ([("add", "/a/b/c", 1)], "patch_failed"),
        ([("add", "/title/x", 1)], "patch_failed"),
        ([("replace", "/notes/0", "x")], "patch_failed"),
        ([("add", "/n/x", 1)], "patch_failed"),
        ([("add", "/tags/7", 1)], "patch_failed"),
        ([("test", "/title", "Bread")], "patch_test_failed"),
        ([("test", "/done", 0)], "patch_test_failed"),
        ([("add", "/x", 1), ("test", "/x", 2)], "patch_test_failed"),
        (doubling([1] * 10), "event_too_large"),
        (doubling("x" * 100), "too_large"),
        ([("replace", "/notes", "x" * 60_000)] * 2 + [("add", "/y", "x" * 10_000)], "event_too_large"),
    ],
)
def test_patches_that_are_refused_leave_everything_as_it_was(docs, patch, code):
    docs.put(ITEM, MILK)
    tag = docs.get(ITEM).headers["etag"]
    assert docs.patch(ITEM, *patch).code == code
    assert (docs.value(ITEM), docs.get(ITEM).headers["etag"], docs.head()) == (MILK, tag, 1)
    assert docs.patch(ITEM, ("replace", "/title", "Bread")).json["value"] == {**MILK, "title": "Bread"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b'{"a":1,"a":2}', "bad_json"),
        (b"[NaN]", "bad_json"),
        (b'"\\ud800"', "bad_json"),
        (DEEP.encode(), "too_deep"),
        (b'{"a":' + DEEP.encode() + b"}", "too_deep"),
        (("[" * 64 + "]" * 64).encode(), "too_deep"),
        (b'{"n":{"$counter":9007199254740993}}', "number_out_of_range"),
        (b'{"n":{"$counter":9007199254740992}}', "bad_request"),
        (b'{"$text":1}', "bad_request"),
        (b'{"$text":"a","b":1}', "bad_request"),
        (b'{"$odd":1}', "bad_request"),
        (b'{"a":1e400}', "number_out_of_range"),
        (json.dumps({"$text": "x" * 1_000_000}).encode(), "event_too_large"),
        (json.dumps({"$text": "x" * 1_048_576}).encode(), "too_large"),
        (json.dumps(["x" * 30_000] * 3).encode(), "event_too_large"),
    ],
)
def test_values_that_are_refused(docs, body, code):
    assert docs.doc("PUT", ITEM, "", body).code == code
    assert (docs.get(ITEM).code, docs.head()) == ("not_found", 0)


def test_content_types(docs):
    docs.put(ITEM, MILK)
    for kind in ("application/json", "text/plain", "application/json-patch"):
        assert docs.doc("PATCH", ITEM, "", b"[]", kind).code == "unsupported_media_type"
    assert docs.doc("PUT", ITEM, "", b"{}", PATCH).code == "unsupported_media_type"
    assert docs.doc("PATCH", ITEM, "", b"[]", PATCH + "; charset=utf-8").status == 200
    assert docs.doc("TRACE", ITEM).code == "method_not_allowed"


def test_keys_and_members_that_languages_trip_over(docs):
    value = {
        "__proto__": {"x": 1}, "constructor": 1, "": 2, "a/b~c": 3, "\u2028": 4, "😀": 5,
        "toString": {"$set": [1, True, "1", None]}, "m": {"$map": {"$text": "no text", "$": 1}},
    }  # fmt: skip
    assert docs.put(ITEM, value).status == 201
    assert docs.value(ITEM)["__proto__"] == {"x": 1}
    patched = docs.patch(
        ITEM, ("replace", "/__proto__/x", 2), ("replace", "/a~1b~0c", 4), ("add", "/m/$text", "still none"),
        ("add", "/toString/-", 1.0), ("add", "/toString/-", False),
    ).json["value"]  # fmt: skip
    assert patched["__proto__"] == {"x": 2}
    assert patched["a/b~c"] == 4
    assert patched["m"] == {"$map": {"$text": "still none", "$": 1}}
    members = patched["toString"]["$set"]
    assert [json.dumps(each) for each in members] == ['"1"', "1", "false", "null", "true"]
    check_against_replay(docs)


def test_a_counter_reaches_its_bounds(docs):
    most = 2**53 - 1
    docs.put(ITEM, {"n": {"$counter": most}})
    docs.patch(ITEM, ("replace", "/n", -most))
    assert docs.value(ITEM) == {"n": {"$counter": -most}}
    assert docs.patch(ITEM, ("replace", "/n", 2**53)).json["value"] == {"n": 2**53}


def test_reserved_items_are_not_written(docs):
    for answer in (docs.put(".policies", {}), docs.put(".acl", {}), docs.post(".x", "ops", {"ops": [], "payload": 1})):
        assert (answer.status, answer.code) == (403, "reserved_action")
    assert docs.get(".acl").code == "not_found"
    assert docs.head() == 0


# The log is the truth


async def test_documents_of_replicas_are_seen_and_changed(docs):
    replica = DocumentReplica(MemoryReplicaStore(new_node()))
    manager = SyncManager(replica, HttpTransport(docs.server.url), SyncOptions(), space=docs.space)
    try:
        milk = replica.create(ITEM, {"title": "Milk", "notes": Text("one"), "list": [1, 2]})
        await manager.sync()
        assert docs.value(ITEM) == {"title": "Milk", "notes": {"$text": "one"}, "list": [1, 2]}
        docs.patch(ITEM, ("replace", "/notes", "zero one"), ("remove", "/list/0"))
        milk["notes"].append(" two")
        milk["list"].append(3)
        await manager.sync()
        both = {"title": "Milk", "notes": {"$text": "zero one two"}, "list": [2, 3]}
        assert milk.wire == docs.value(ITEM) == both
        assert docs.post(ITEM, "undo").json["event"] is not None
        await manager.sync()
        assert milk.wire == docs.value(ITEM)
        assert [each.number for each in milk.history()] == [each["number"] for each in docs.revisions(ITEM)]
        assert [each.forward for each in milk.history()] == [each["forward"] for each in docs.revisions(ITEM)]
    finally:
        await manager.close()


def everything(docs: Client) -> list[Any]:
    """All that can be asked about some documents."""
    ids = [each["id"] for each in docs.ask("GET", "docs").json["documents"]]
    rests = ["", "?view=plain", "?rev=3", "?seq=150", "/revisions?limit=1000", "/ops", "/blame?path=/t", "/conflicts"]
    answers = [docs.doc("GET", id, rest) for id in ids for rest in rests]
    return [(answer.status, answer.headers.get("etag"), answer.body) for answer in answers] + ids


def test_a_restart_changes_nothing_nor_does_the_loss_of_the_snapshots(serve):
    server = serve(open=True)
    docs = Client(server, "home")
    for n in range(300):
        docs.put(f"task.{n % 2}", {"n": n, "t": {"$text": f"text {n}" * (1 + n % 7)}, "z": [n], f"k{n % 5}": n})
    docs.post("task.0", "undo")
    before = everything(docs)
    (snapshots,) = (server.data / "spaces").glob("home.snapshots")
    for way in ("restart", "delete", "damage"):
        assert server.stop() == 0
        if way == "delete":
            for file in (server.data / "spaces").glob("home.snapshots*"):
                file.unlink()
        if way == "damage":
            snapshots.write_bytes(snapshots.read_bytes()[:2_000] + b"nonsense" * 1_000)
        server.start()
        assert everything(docs) == before, way
    assert [docs.post("task.0", "redo").json["value"]["n"], docs.post("task.0", "undo").json["value"]["n"]] == [
        298,
        296,
    ]


def test_a_log_restored_from_a_copy_does_not_show_what_was_lost(serve):
    server = serve(open=True)
    docs = Client(server, "home")
    docs.put(ITEM, {"n": 0})
    assert server.stop() == 0
    log = server.data / "spaces" / "home.db"
    copy = log.read_bytes()
    server.start()
    for n in range(1, 200):
        docs.patch(ITEM, ("replace", "/n", n), ("add", f"/lost{n}", n))
    lost = docs.get(ITEM)
    assert server.stop() == 0
    for file in log.parent.glob("home.db-*"):
        file.unlink()
    log.write_bytes(copy)
    server.start()
    assert docs.value(ITEM) == {"n": 0}
    for n in range(200):
        docs.patch(ITEM, ("replace", "/n", -n))
    assert docs.value(ITEM) == {"n": -199}
    assert docs.value(ITEM, rev=150) == {"n": -149}
    assert docs.patch(ITEM, If_Match=lost.headers["etag"]).code == "document_changed"


def test_more_documents_than_fit_in_memory(serve):
    server = serve(open=True, documents_megabytes=1)
    docs = Client(server, "home")
    text = "".join(chr(97 + n * n % 26) for n in range(50_000))
    for round in range(3):
        for n in range(30):
            answer = docs.patch(f"d{n}", ("replace", "/n", round)) if round else docs.put(f"d{n}", {"n": 0, "t": text})
            assert answer.status in (200, 201)
    for n in range(30):
        assert docs.value(f"d{n}") == {"n": 2, "t": text}


def test_more_news_than_wait(docs, author):
    docs.put(ITEM, {"n": {"$counter": 0}, "a": 0})
    for _ in range(10):
        events = author.events(14, "elsewhere", payload="x" * 50_000)
        assert docs.server.push(docs.space, events).status == 200
    late = Author()
    docs.server.push(docs.space, [late.event(ITEM, ops=[{"op": "put", "key": f"k{n}", "value": n}]) for n in range(20)])
    assert docs.value(ITEM) == {"n": {"$counter": 0}, "a": 0} | {f"k{n}": n for n in range(20)}
    assert docs.patch(ITEM, ("replace", "/n", 3)).json["value"]["n"] == {"$counter": 3}


def test_reads_and_writes_while_more_news_come_than_wait(docs):
    docs.put(ITEM, {})
    author, done = Author(), []

    def push(_: int) -> int:
        return docs.server.push(docs.space, author.events(14, "elsewhere", payload="x" * 50_000)).status

    def patch(client: int) -> int:
        count = 0
        while not done:
            assert docs.patch(ITEM, ("add", f"/k{client}-{count}", 1)).status == 200
            assert f"k{client}-{count}" in docs.value(ITEM)
            count += 1
        return count

    with ThreadPoolExecutor(6) as pool:
        patching = [pool.submit(patch, n) for n in range(3)]
        try:
            assert set(pool.map(push, range(40))) == {200}
        finally:
            done.append(True)
        assert len(docs.value(ITEM)) == sum(each.result() for each in patching)
    assert docs.get(ITEM).json["revision"] == 1 + len(docs.value(ITEM))
