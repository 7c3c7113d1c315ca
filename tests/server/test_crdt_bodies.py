"""Documents of a declared type, as thin clients with replicated types of their own know them: bodies, stamps, tags."""

import itertools
import json
import zlib
from typing import Any

import pytest

from tests.server.rest import Client

FIRST, SECOND, THIRD = 1_700_000_000_000_000_001, 1_700_000_000_000_000_002, 1_700_000_000_000_000_003
"""Three stamps that are the same double."""
LARGEST = 2**63 - 1


@pytest.fixture
def client(open_server, space):
    """Makes clients with a node of their own."""
    return lambda node=None: Client(open_server, space, node=node)


def ops(client: Client, kind: str, *given: Any, since: int | None = None, id: str = "todo", status: int = 200) -> Any:
    """The answer to ops on a document."""
    body = {"type": kind, "ops": list(given)} | ({} if since is None else {"since": since})
    answer = client.post(id, "ops", body)
    assert answer.status == status, answer
    return answer.json


def put(client: Client, kind: str, value: Any, *, id: str = "todo") -> Any:
    answer = client.put(id, {"type": kind, "value": value})
    assert answer.status in (200, 201), answer
    return answer.json


def add(elem: Any, **tag: str) -> dict[str, Any]:
    return {"type": "add", "elem": elem, **tag}


def remove(elem: Any, **tag: str) -> dict[str, Any]:
    return {"type": "remove", "elem": elem, **tag}


def write(value: Any, stamp: int = 0) -> dict[str, Any]:
    return {"set": value, "ts_unix_ns": stamp}


# The examples of the interface that this is a dialect of, as they stand there


def test_the_examples_of_a_set(client, open_server, space):
    headers = {"X-Tenant-ID": space, "X-Node-ID": "n1"}
    created = open_server.request("PUT", "/v1/docs/todo", b'{ "type": "orset", "value": [] }', headers)
    assert (created.status, created.json) == (201, {"version": 1, "snapshot": []})
    body = b'{ "since": 0, "type": "orset", "ops": [{ "type": "add", "elem": "buy-milk" }] }'
    assert open_server.request("POST", "/v1/docs/todo/ops", body, headers).json == {
        "version": 2,
        "snapshot": ["buy-milk"],
    }
    body = b'{ "since": 0, "type": "orset", "ops": [{ "type": "remove", "elem": "buy-milk" }] }'
    assert open_server.request("POST", "/v1/docs/todo/ops", body, headers).json == {"version": 3, "snapshot": []}
    body = b'{ "since": 0, "type": "orset", "ops": [] }'
    assert open_server.request("POST", "/v1/docs/todo/ops", body, headers).json == {"version": 3, "snapshot": []}


def test_the_examples_of_a_register(client, open_server, space):
    headers = {"X-Tenant-ID": space, "X-Node-ID": "n1"}
    created = open_server.request("PUT", "/v1/docs/me", b'{ "type": "lww", "value": {"name": "Bob"} }', headers)
    assert (created.status, created.json) == (201, {"version": 1, "snapshot": {"name": "Bob"}})
    body = b'{ "since": 0, "type": "lww", "ops": [{ "set": { "name": "Ada" }, "ts_unix_ns": 0 }] }'
    answer = open_server.request("POST", "/v1/docs/me/ops", body, headers)
    assert (answer.status, answer.json) == (200, {"version": 2, "snapshot": {"name": "Ada"}})


# Which bodies are of this dialect


@pytest.mark.parametrize(
    "value",
    [
        {"type": "lww"},
        {"value": 1},
        {"type": "lww", "value": 1, "more": 2},
        {"type": "other", "value": 1},
        {"type": 1, "value": 1},
        {"$map": {"type": "lww", "value": 1}},
    ],
    ids=json.dumps,
)
def test_other_values_are_documents_as_they_are(client, value):
    answer = client().put("x", value)
    assert answer.status == 201
    assert answer.json["value"] == value.get("$map", value)


def test_ops_without_a_type_are_those_of_the_log(client):
    assert client().post("x", "ops", {"ops": [{"op": "put", "key": "a", "value": 1}]}).json["value"] == {"a": 1}


def test_what_is_made_here_is_a_document_like_any_other(client):
    one = client("n1")
    put(one, "orset", ["b", "a"], id="set")
    put(one, "counter", 3, id="counter")
    put(one, "text", "Salut", id="text")
    put(one, "list", [1, {"$x": [2]}], id="list")
    put(one, "map", {"a": 1, "$b": {"$text": "plain"}}, id="map")
    put(one, "lww", {"$set": 1}, id="lww")
    assert one.value("set") == {"$set": ["a", "b"]}
    assert one.value("counter") == {"$counter": 3}
    assert one.value("text") == {"$text": "Salut"}
    assert one.value("list") == [1, {"$map": {"$x": [2]}}]
    assert one.value("map") == {"$map": {"a": 1, "$b": {"$map": {"$text": "plain"}}}}
    assert one.value("lww", view="plain") == {"$set": 1}


def test_what_others_made_can_be_changed_here(client):
    one = client("n1")
    version = one.put("set", {"$set": ["a"]}).json["seq"]
    one.put("list", [1, 2])
    one.put("map", {"a": 1})
    one.put("scalar", 5)
    assert ops(one, "orset", add("b"), id="set", since=version)["snapshot"] == ["a", "b"]
    assert ops(client("n2"), "orset", add("c"), id="set", since=0)["snapshot"] == ["a", "b", "c"]
    assert ops(one, "list", {"type": "insert", "index": 2, "value": 3}, id="list")["snapshot"] == [1, 2, 3]
    assert ops(one, "map", {"type": "set", "key": "b", "value": 2}, id="map")["snapshot"] == {"a": 1, "b": 2}
    assert ops(one, "lww", write(6), id="scalar")["snapshot"] == 6


# Registers


@pytest.mark.parametrize("order", list(itertools.permutations([FIRST, SECOND, THIRD])), ids=str)
def test_the_greatest_stamp_shows_in_any_order_of_arrival(client, order):
    one = client("n1")
    for stamp in order:
        state = ops(one, "lww", write(f"at {stamp}", stamp), since=0)
    assert state == {"version": 3, "snapshot": f"at {THIRD}"}
    assert ops(one, "lww", *[write(f"at {stamp}", stamp) for stamp in order], id="once")["snapshot"] == f"at {THIRD}"


@pytest.mark.parametrize("order", list(itertools.permutations(["a", "b", "c"])), ids=str)
def test_of_equal_stamps_the_greatest_node_shows(client, order):
    for node in order:
        state = ops(client(node), "lww", write(node, FIRST))
    assert state["snapshot"] == "c"


@pytest.mark.parametrize("order", list(itertools.permutations([1, "x", {"a": []}])), ids=str)
def test_of_equal_stamps_of_a_node_the_same_value_shows_in_any_order(client, order):
    for value in order:
        state = ops(client("n1"), "lww", write(value, FIRST))
    assert state["snapshot"] == {"a": []}


def test_a_write_that_lost_stays_in_the_history_once(client):
    one = client("n1")
    ops(one, "lww", write("new", SECOND))
    for _ in range(3):
        assert ops(one, "lww", write("old", FIRST)) == {"version": 2, "snapshot": "new"}
    _, lost = one.doc("GET", "todo", "/ops").json["entries"]
    assert lost["event"]["payload"] == {"lost": [{"set": "old", "ts_unix_ns": str(FIRST)}], "node": "n1"}
    assert "ops" not in lost["event"]
    assert len(one.revisions("todo")) == 1


def test_a_write_that_is_sent_again_changes_nothing(client):
    one = client("n1")
    for _ in range(3):
        assert ops(one, "lww", write("x", FIRST)) == {"version": 1, "snapshot": "x"}


def test_stamps_are_kept_digit_by_digit(client):
    one = client("n1")
    ops(one, "lww", write("x", LARGEST - 1))
    assert ops(one, "lww", write("y", LARGEST))["snapshot"] == "y"
    assert ops(one, "lww", write("z", LARGEST - 1))["snapshot"] == "y"
    payloads = [entry["event"]["payload"] for entry in one.doc("GET", "todo", "/ops").json["entries"]]
    assert [payload.get("ts_unix_ns") for payload in payloads] == [str(LARGEST - 1), str(LARGEST), None]


def test_no_stamp_is_the_server_s_time(client):
    one = client("n1")
    ops(one, "lww", write("long ago", FIRST))
    assert ops(one, "lww", write("now"))["snapshot"] == "now"
    assert ops(one, "lww", write("then", SECOND))["snapshot"] == "now"
    assert ops(one, "lww", {"set": "after"})["snapshot"] == "after"
    assert put(one, "lww", "put")["snapshot"] == "put"


def test_the_server_s_time_is_after_all_that_it_has_seen(client):
    one = client("n1")
    ops(one, "lww", write("far ahead", LARGEST))
    assert ops(one, "lww", write("now"))["snapshot"] == "now"
    assert put(one, "lww", "put")["snapshot"] == "put"


def test_writes_of_other_dialects_have_the_time_of_their_events(client):
    one = client("n1")
    one.put("todo", 1)
    assert ops(one, "lww", write(2, FIRST))["snapshot"] == 1
    assert ops(one, "lww", write(3, LARGEST))["snapshot"] == 3


def test_an_undone_write_counts_as_undone_now(client):
    one = client("n1")
    ops(one, "lww", write("a", FIRST))
    ops(one, "lww", write("b", THIRD))
    assert one.post("todo", "undo").json["value"] == "a"
    assert ops(one, "lww", write("c", SECOND))["snapshot"] == "a"


# Sets


def test_a_removal_leaves_what_its_node_had_not_seen(client):
    one, two = client("n1"), client("n2")
    seen = ops(one, "orset", add("milk"), since=0)["version"]
    ops(two, "orset", add("milk", tag="t2"), since=0)
    assert ops(one, "orset", remove("milk"), since=seen)["snapshot"] == ["milk"]
    assert ops(one, "orset", remove("milk"), since=3)["snapshot"] == []


def test_what_nobody_had_seen_is_not_removed(client):
    one, two = client("n1"), client("n2")
    ops(one, "orset", add("milk"), since=0)
    assert ops(two, "orset", remove("milk"), since=0) == {"version": 1, "snapshot": ["milk"]}
    assert ops(two, "orset", remove("milk")) == {"version": 2, "snapshot": []}


def test_a_node_has_seen_what_it_wrote(client):
    for one in (client("n1"), client()):
        ops(one, "orset", add("a"), add("b", tag=f"{one.headers}"), since=0)
        assert ops(one, "orset", remove("a"), remove("b"), since=0)["snapshot"] == []


def test_ops_of_one_request_see_each_other(client):
    state = ops(client("n1"), "orset", add("a", tag="1"), add("b"), remove("a"), add("c"), remove("b"), since=0)
    assert state["snapshot"] == ["c"]


def test_a_tag_is_one_add_however_often_it_comes(client):
    one, two = client("n1"), client("n2")
    for each in (one, two, one):
        state = ops(each, "orset", add("milk", tag="t1"), since=0)
    assert state == {"version": 1, "snapshot": ["milk"]}


def test_a_replayed_add_does_not_bring_back_what_was_removed(client):
    one, two = client("n1"), client("n2")
    ops(one, "orset", add("milk", tag="t1"), since=0)
    ops(two, "orset", remove("milk"))
    for each in (one, two):
        assert ops(each, "orset", add("milk", tag="t1"), since=0) == {"version": 2, "snapshot": []}
    assert ops(one, "orset", add("milk", tag="t2"), since=0)["snapshot"] == ["milk"]


def test_an_add_that_comes_after_its_removal_stays_away(client):
    one, two = client("n1"), client("n2")
    assert ops(two, "orset", remove("milk", tag="t1"), since=0) == {"version": 1, "snapshot": []}
    for _ in range(2):
        assert ops(one, "orset", add("milk", tag="t1"), since=0) == {"version": 1, "snapshot": []}


def test_a_removal_with_a_tag_takes_that_add_alone(client):
    one = client("n1")
    ops(one, "orset", add("milk", tag="t1"), add("milk", tag="t2"))
    assert ops(one, "orset", remove("milk", tag="t1"))["snapshot"] == ["milk"]
    assert ops(one, "orset", remove("milk", tag="t1")) == ops(one, "orset")
    assert ops(one, "orset", remove("milk", tag="t2"))["snapshot"] == []


def test_tags_of_two_documents_are_two(client):
    one = client("n1")
    ops(one, "orset", add("a", tag="t"), id="x")
    assert ops(one, "orset", add("b", tag="t"), id="y")["snapshot"] == ["b"]


def test_a_tag_of_another_element_is_refused_and_nothing_stored(client):
    one = client("n1")
    ops(one, "orset", add("a", tag="t"))
    for given in ([add("c"), add("b", tag="t")], [add("b", tag="u"), add("c", tag="u")], [remove("b", tag="t")]):
        assert ops(one, "orset", *given, status=409)["code"] == "event_id_conflict"
    assert ops(one, "orset") == {"version": 1, "snapshot": ["a"]}


@pytest.mark.parametrize("first", ["one", "two"])
def test_two_nodes_offline_agree_whoever_comes_first(client, first):
    """Each removes the milk that it saw; one buys milk again."""
    one, two = client("n1"), client("n2")
    seen = ops(one, "orset", add("milk", tag="t0"))["version"]
    ones = (one, [remove("milk"), add("milk", tag="t1"), add("tea", tag="t2")])
    twos = (two, [remove("milk"), add("rum", tag="t3")])
    for client_, given in (ones, twos) if first == "one" else (twos, ones):
        ops(client_, "orset", *given, since=seen)
        state = ops(client_, "orset", *given, since=seen)  # once more, as after a lost answer
    assert state["snapshot"] == ["milk", "rum", "tea"]


def test_members_are_any_json(client):
    one = client("n1")
    members = [{"$set": [1]}, None, 1, "1", [True], 1.5]
    assert ops(one, "orset", *map(add, members))["snapshot"] == sorted(members, key=json.dumps)
    assert ops(one, "orset", remove({"$set": [1.0]}))["snapshot"] == sorted(members[1:], key=json.dumps)


# Counters, lists, texts, maps


def test_counters(client):
    one, two = client("n1"), client("n2")
    ops(one, "counter", {"inc": 5}, since=0)
    assert ops(two, "counter", {"dec": 2}, {"inc": 1, "tag": "x"}, since=0)["snapshot"] == 4
    for _ in range(2):
        assert ops(one, "counter", {"inc": 1, "tag": "x"}) == {"version": 2, "snapshot": 4}
    assert put(one, "counter", -7)["snapshot"] == -7


def test_positions_of_a_list_are_those_that_were_seen(client):
    one, two = client("n1"), client("n2")
    seen = put(one, "list", ["a", "b", "c"])["version"]
    insert, delete = {"type": "insert", "index": 0, "value": "first"}, {"type": "delete", "index": 1}
    ops(one, "list", insert, since=seen)
    assert ops(two, "list", delete, since=seen)["snapshot"] == ["first", "a", "c"]
    move, change = {"type": "move", "from": 2, "to": 0}, {"type": "set", "index": 2, "value": "A"}
    assert ops(two, "list", move, since=seen)["snapshot"] == ["c", "first", "a"]
    assert ops(one, "list", change)["snapshot"] == ["c", "first", "A"]
    assert ops(one, "list", {"type": "delete", "index": 0, "count": 2})["snapshot"] == ["A"]


def test_positions_of_a_text_are_those_that_were_seen(client):
    one, two = client("n1"), client("n2")
    seen = put(one, "text", "Hello world")["version"]
    ops(one, "text", {"type": "insert", "index": 0, "text": "😀 "}, {"type": "delete", "index": 7}, since=seen)
    answer = ops(
        two,
        "text",
        {"type": "delete", "index": 6, "count": 5},
        {"type": "insert", "index": 6, "text": "you"},
        since=seen,
    )
    assert answer["snapshot"] == "😀 Helloyou"


def test_maps(client):
    one, two = client("n1"), client("n2")
    seen = put(one, "map", {"a": 1, "b": 2})["version"]
    ops(one, "map", {"type": "set", "key": "a", "value": {"x": [1]}}, since=seen)
    assert ops(two, "map", {"type": "delete", "key": "a"}, {"type": "delete", "key": "b"}, since=seen)["snapshot"] == {
        "a": {"x": [1]}
    }
    assert put(one, "map", {})["snapshot"] == {}


@pytest.mark.parametrize("first", ["n1", "n2"])
def test_two_nodes_that_make_a_document_apart_make_the_same(client, first):
    for node in sorted(["n1", "n2"], key=lambda node: node != first):
        given = [{"type": "insert", "index": 0, "value": node}, {"type": "insert", "index": 1, "value": node}]
        state = ops(client(node), "list", *given, since=0)
    other = "n1" if first == "n2" else "n2"
    assert state["snapshot"] == [other, other, first, first]


# Types, deletion, versions


TYPES = {"lww": 1, "orset": [1], "counter": 1, "list": [1], "text": "x", "map": {"a": 1}}


@pytest.mark.parametrize("kind", TYPES)
def test_a_document_of_another_type_is_left_alone(client, kind):
    one = client("n1")
    state = put(one, kind, TYPES[kind])
    for other in TYPES.keys() - {kind}:
        for answer in (
            one.put("todo", {"type": other, "value": TYPES[other]}),
            one.post("todo", "ops", {"type": other, "ops": []}),
        ):
            assert (answer.status, answer.code) == (409, "kind_mismatch")
    assert ops(one, kind) == state


def test_a_register_that_holds_a_list_is_no_list(client):
    one = client("n1")
    put(one, "lww", [1])
    assert ops(one, "list", status=409)["code"] == "kind_mismatch"
    assert ops(one, "lww", write([2]))["snapshot"] == [2]


def test_ops_on_nothing(client):
    one = client("n1")
    for kind in TYPES:
        assert ops(one, kind, since=0) == {"version": 0, "snapshot": None}


def test_a_deleted_document_stays_deleted_for_whoever_had_not_seen_that(client):
    one, two = client("n1"), client("n2")
    for kind, op in {"orset": add("b", tag="t"), "list": {"type": "insert", "index": 0, "value": 0}}.items():
        seen = put(one, kind, ["a"], id=kind)["version"]
        assert two.doc("DELETE", kind).status == 200
        late = ops(one, kind, op, id=kind, since=seen)
        assert (late["snapshot"], late["deleted"]) == (None, True)
        again = op | ({"tag": "u"} if "tag" in op else {})
        assert "a" in ops(one, kind, again, id=kind)["snapshot"]


def test_a_deleted_register(client):
    one, two = client("n1"), client("n2")
    seen = ops(one, "lww", write("a", SECOND))["version"]
    two.doc("DELETE", "todo")
    assert ops(one, "lww", write("b", THIRD), since=seen)["deleted"]
    assert ops(one, "lww", write("c", FIRST), since=0)["deleted"]
    assert ops(one, "lww", write("d", FIRST))["snapshot"] == "d"


def test_a_deleted_document_may_be_put_as_another_type(client):
    one = client("n1")
    for kind, value in TYPES.items():
        assert put(one, kind, value)["snapshot"] == value
        assert one.doc("DELETE", "todo").status == 200


def test_a_put_with_a_condition(client):
    one = client("n1")
    body = {"type": "orset", "value": ["a"]}
    assert one.put("todo", body, If_None_Match="*").status == 201
    assert one.put("todo", body, If_None_Match="*").code == "document_exists"
    assert (
        one.doc("POST", "todo", "/ops", {"type": "orset", "ops": [add("b")]}, If_Match='"7"').code == "document_changed"
    )
    answer = one.doc("POST", "todo", "/ops", {"type": "orset", "ops": [add("b"), add("c", tag="t")]}, If_Match='"1"')
    assert answer.json == {"version": 3, "snapshot": ["a", "b", "c"]}
    assert answer.headers["etag"].startswith('"3-')


def test_who_has_seen_more_than_there_is(client):
    assert ops(client("n1"), "orset", add("a"), since=7, status=409)["code"] == "cursor_reset"


# Bad bodies

BIG = b'{"type":"lww","ops":[{"set":{"ts_unix_ns":1700000000000000001},"ts_unix_ns":0}]}'

BAD_PUTS = [
    ({"type": "orset", "value": "a"}, 400, "bad_request"),
    ({"type": "counter", "value": 1.5}, 400, "bad_request"),
    ({"type": "counter", "value": True}, 400, "bad_request"),
    ({"type": "list", "value": {}}, 400, "bad_request"),
    ({"type": "text", "value": 1}, 400, "bad_request"),
    ({"type": "map", "value": []}, 400, "bad_request"),
    ({"type": "map", "value": {"k" * 1_025: 1}}, 422, "bad_op"),
    ({"type": "lww", "value": "x" * 70_000}, 422, "event_too_large"),
    (b'{"type":"lww","value":1700000000000000001}', 422, "number_out_of_range"),
    (b'{"type":"lww","value":' + b"[" * 80 + b"]" * 80 + b"}", 422, "too_deep"),
    (b'{"type":"lww","value":' + b"[" * 63 + b"]" * 63 + b"}", 422, "too_deep"),
    (b'{"type":"lww","type":"map","value":1}', 400, "bad_json"),
    (b'{"type":"lww","value":"\\ud800"}', 400, "bad_json"),
    (b'{"type":"lww","value":NaN}', 400, "bad_json"),
]

BAD_OPS = [
    ({"type": "other", "ops": []}, 400, "bad_request"),
    ({"type": None, "ops": []}, 400, "bad_request"),
    ({"type": "lww"}, 400, "bad_request"),
    ({"type": "lww", "ops": {}}, 400, "bad_request"),
    ({"type": "lww", "ops": [1]}, 400, "bad_request"),
    ({"type": "lww", "ops": [], "more": 1}, 400, "bad_request"),
    ({"type": "lww", "ops": [], "since": -1}, 400, "bad_request"),
    ({"type": "lww", "ops": [], "since": "0"}, 400, "bad_request"),
    ({"type": "lww", "ops": [], "since": 1.5}, 400, "bad_request"),
    ({"type": "orset", "ops": [{"type": "add", "elem": n} for n in range(1_001)]}, 400, "bad_request"),
    ({"type": "lww", "ops": [{"ts_unix_ns": 1}]}, 422, "bad_op"),
    ({"type": "lww", "ops": [{"set": 1, "ts_unix_ns": -1}]}, 422, "bad_op"),
    ({"type": "lww", "ops": [{"set": 1, "ts_unix_ns": 2**63}]}, 422, "bad_op"),
    ({"type": "lww", "ops": [{"set": 1, "ts_unix_ns": "1"}]}, 422, "bad_op"),
    ({"type": "lww", "ops": [{"set": 1, "ts_unix_ns": 1.5}]}, 422, "bad_op"),
    (BIG, 422, "number_out_of_range"),
    ({"type": "orset", "ops": [add("a"), {"type": "flip", "elem": "a"}]}, 422, "bad_op"),
    ({"type": "orset", "ops": [add("a"), {"type": "add"}]}, 422, "bad_op"),
    ({"type": "orset", "ops": [add("a"), add("b", tag="")]}, 422, "bad_op"),
    ({"type": "orset", "ops": [add("a"), add("b", tag="t" * 257)]}, 422, "bad_op"),
    ({"type": "orset", "ops": [add("a"), add("b", tag=1)]}, 422, "bad_op"),
    ({"type": "counter", "ops": [{"inc": 1}, {}]}, 422, "bad_op"),
    ({"type": "counter", "ops": [{"inc": 1}, {"inc": 1, "dec": 1}]}, 422, "bad_op"),
    ({"type": "counter", "ops": [{"inc": 1}, {"inc": 2**53}]}, 422, "bad_op"),
    ({"type": "counter", "ops": [{"inc": 1}, {"inc": True}]}, 422, "bad_op"),
    ({"type": "list", "ops": [{"type": "insert", "index": -1, "value": 1}]}, 422, "bad_op"),
    ({"type": "list", "ops": [{"type": "insert", "index": 1, "value": 1}]}, 409, "patch_failed"),
    ({"type": "list", "ops": [{"type": "delete", "index": 0}]}, 409, "patch_failed"),
    ({"type": "list", "ops": [{"type": "delete", "index": 0, "count": 0}]}, 422, "bad_op"),
    ({"type": "list", "ops": [{"type": "set", "index": 0, "value": 1}]}, 409, "patch_failed"),
    ({"type": "list", "ops": [{"type": "move", "from": 0, "to": 1}]}, 409, "patch_failed"),
    ({"type": "text", "ops": [{"type": "insert", "index": 0, "text": 1}]}, 422, "bad_op"),
    ({"type": "text", "ops": [{"type": "insert", "index": 2**53 - 1, "text": "a"}]}, 409, "patch_failed"),
    ({"type": "text", "ops": [{"type": "delete", "index": 0, "count": 1}]}, 409, "patch_failed"),
    ({"type": "map", "ops": [{"type": "set", "key": 1, "value": 1}]}, 422, "bad_op"),
    ({"type": "map", "ops": [{"type": "set", "key": "k" * 1_025, "value": 1}]}, 422, "bad_op"),
]


def encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def name_of(each: Any) -> str:
    return f"{zlib.crc32(encoded(each)):08x}" if isinstance(each, dict | bytes) else str(each)


@pytest.mark.parametrize(("body", "status", "code"), BAD_PUTS, ids=name_of)
def test_a_bad_value_is_refused(client, body, status, code):
    answer = client("n1").doc("PUT", "todo", "", encoded(body))
    assert (answer.status, answer.code) == (status, code)
    assert client().head() == 0


@pytest.mark.parametrize(("body", "status", "code"), BAD_OPS, ids=name_of)
def test_bad_ops_are_refused(client, body, status, code):
    answer = client("n1").doc("POST", "todo", "/ops", encoded(body))
    assert (answer.status, answer.code) == (status, code)
    if code in ("bad_op", "patch_failed") and "k" * 1_025 not in encoded(body).decode():
        assert answer.json["index"] == len(body["ops"]) - 1
    assert client().head() == 0


def test_a_bad_node_and_no_credentials(client, serve):
    assert client("a b").put("todo", {"type": "lww", "value": 1}).code == "bad_request"
    closed = serve(open=False)
    for method, path, body in (("PUT", "", {"type": "lww", "value": 1}), ("POST", "/ops", {"type": "lww", "ops": []})):
        assert Client(closed, "default").doc(method, "todo", path, body).code == "unauthorized"


def test_a_second_server_run_knows_tags_and_stamps(serve):
    server = serve(open=True)
    one = Client(server, "home", node="n1")
    ops(one, "orset", add("a", tag="t"), remove("a"))
    ops(one, "lww", write("new", SECOND), id="me")
    server.stop()
    for name in server.data.glob("spaces/*.snapshots*"):
        name.unlink()
    server.start()
    assert ops(one, "orset", add("a", tag="t"), since=0)["snapshot"] == []
    assert ops(one, "lww", write("old", FIRST), id="me")["snapshot"] == "new"
