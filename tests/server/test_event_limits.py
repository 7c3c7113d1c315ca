"""Every limit of an event, over HTTP and over WebSocket: the same bytes, the same answers, and nothing half stored.

One table: a name, the JSON array that is pushed, and what is answered: a list with a seq or a code for each event, or
the one code that refuses the request as a whole.
"""

import json
from typing import Any, NamedTuple

import pytest

from tests.server.running import Author, push_body, recv

TOO_DEEP_FOR_ANY_STACK = 100_000


class Case(NamedTuple):
    name: str
    array: bytes
    answer: list[int | str] | str

    def __str__(self) -> str:
        return self.name


def one(**fields: Any) -> bytes:
    """An array of one event with these fields."""
    return encode([Author().event(**fields)])


def encode(events: Any) -> bytes:
    return json.dumps(events).encode()


def payload(literal: str) -> bytes:
    """An array of one event whose payload is this literal."""
    return one(payload="?").replace(b'"?"', literal.encode("utf-8", "surrogatepass"))


def beside(literal: str) -> bytes:
    """A good event, and one whose payload is this literal."""
    author = Author()
    return encode([author.event(), author.event(payload="?")]).replace(b'"?"', literal.encode())


def sized(size: int, user: str | None = "anyone") -> bytes:
    """An array of one event whose canonical form has this many bytes."""
    event = Author().event(user=user, payload="")
    event["payload"] = "x" * (size - len(json.dumps(event, separators=(",", ":"))))
    return encode([event])


def nested(depth: int) -> bytes:
    """An array of one event that nests this deep; the event itself is one level."""
    return payload("[" * (depth - 1) + "]" * (depth - 1))


def clock_of(nodes: int) -> bytes:
    author = Author()
    return encode([author.event(clock={author.node: 1} | {f"n{count}": 1 for count in range(nodes - 1)})])


def without(field: str) -> bytes:
    return one(**{field: None})


def with_id(**change: Any) -> bytes:
    """An array of one event whose id is changed at one character, or as a whole."""
    event = Author().event()
    for place, character in change.get("at", {}).items():
        event["id"] = event["id"][:place] + character + event["id"][place + 1 :]
    return encode([event | ({"id": change["to"]} if "to" in change else {})])


def tx(*members: dict[str, Any]) -> bytes:
    author = Author()
    return encode([author.event(**{"meta": {"tx": "t"}, **fields}) for fields in members])


def same_id(*, same_content: bool) -> bytes:
    event = Author().event()
    return encode([event, event if same_content else {**event, "payload": "other"}])


def falling(n: int, item: str = "task.milk") -> bytes:
    """Two events of one node; the second has this counter."""
    author = Author()
    first = author.event(clock={author.node: 5})
    return encode([first, author.event(item, clock={author.node: n})])


def edits(*ops: Any, items: Any = ()) -> bytes:
    """An array of one event for each op, or list of ops; `{0}` in an op is the id of the first, and so on."""
    author, events = Author(), list[Any]()
    for place, op in enumerate(ops):
        event = author.event(*items[place : place + 1], ops=op if isinstance(op, list) else [op])
        text = json.dumps(event["ops"])
        for number, other in enumerate([*events, event]):
            text = text.replace(f"{{{number}}}", other["id"])
        events.append(event | {"ops": json.loads(text)})
    return encode(events)


BAD_TEXTS = {
    "a control character": "a\x01b",
    "a newline": "a\nb",
    "a NUL": "a\x00b",
    "DEL": "a\x7f",
    "a space": "a b",
    "SQL": "x'); DROP TABLE entries; --",
    "a backslash": "..\\x",
    "a percent sign": "%2e%2e",
    "beyond ASCII": "über",
    "the empty string": "",
    "a number": 7,
}

GOOD: dict[str, Any] = {}
ALONE = {"meta": None}
OTHER = {"meta": {"tx": "u"}}
RESERVED = {"item": ".acl"}
BAD = {"colour": "red"}
TITLE = {"op": "put", "key": "title", "value": "Milk"}
NOTE = {"op": "put", "key": "note", "value": {"$text": "ab"}}
AFTER = {"op": "insert", "text": "c", "after": "{0}:3"}
UNKNOWN = "0190a000-0000-7000-8000-0000000000af"
DEEP = {"payload": json.loads("[" * 80 + "]" * 80)}

CASES = [
    Case("no events", b"[]", []),
    Case("an event", one(), [1]),
    Case("events", encode(Author().events(3)), [1, 2, 3]),
    Case("1,000 events", encode(Author().events(1_000)), list(range(1, 1_001))),
    Case("1,001 events", encode(Author().events(1_001)), "too_many_events"),
    Case("1,001 numbers", encode([7] * 1_001), "too_many_events"),
    Case("no list", encode(Author().event()), "bad_request"),
    Case("null for a list", b"null", "bad_request"),
    # Numbers
    Case("NaN", payload("NaN"), "bad_json"),
    Case("Infinity", payload("-Infinity"), "bad_json"),
    Case("1e400", payload("1e400"), ["number_out_of_range"]),
    Case("2^53+1", payload("9007199254740993"), ["number_out_of_range"]),
    Case("2^53+1 beside a good event", beside("9007199254740993"), [1, "number_out_of_range"]),
    Case("2^53+1 within", payload('{"a":[9007199254740993]}'), ["number_out_of_range"]),
    Case("2^53", payload("9007199254740992"), [1]),
    Case("2^53-1", payload("9007199254740991"), [1]),
    Case("2^64", payload("18446744073709551616"), [1]),
    Case("5,000 digits", payload("9" * 5_000), ["number_out_of_range"]),
    Case("5,000 digits behind the point", payload("0." + "9" * 5_000), [1]),
    Case("309 nines", payload("9" * 309), ["number_out_of_range"]),
    Case("minus zero", payload("-0.0"), [1]),
    Case("a leading zero", payload("007"), "bad_json"),
    Case("a plus sign", payload("+7"), "bad_json"),
    # JSON
    Case("100,000 nested arrays", payload("[" * TOO_DEEP_FOR_ANY_STACK + "]" * TOO_DEEP_FOR_ANY_STACK), "too_deep"),
    Case("100,000 open arrays", payload("[" * TOO_DEEP_FOR_ANY_STACK), "too_deep"),
    Case("100,000 open objects", payload('{"a":' * TOO_DEEP_FOR_ANY_STACK), "too_deep"),
    Case("64 deep", nested(64), [1]),
    Case("65 deep", nested(65), ["too_deep"]),
    Case("70 deep", nested(70), ["too_deep"]),
    Case("200 deep", nested(200), ["too_deep"]),
    Case("200 deep beside a good event", beside("[" * 200 + "]" * 200), [1, "too_deep"]),
    Case("a key twice in an event", one().replace(b'"action"', b'"node": "m", "action"'), "bad_json"),
    Case("a key twice in a payload", payload('{"a":1,"a":1}'), "bad_json"),
    Case("a key twice in a clock", one(clock="?").replace(b'"?"', b'{"n":1,"n":1}'), "bad_json"),
    Case("a key twice, once escaped", payload('{"a":1,"\\u0061":1}'), "bad_json"),
    Case("a lone surrogate, escaped", payload('"\\ud800"'), "bad_json"),
    Case("a lone surrogate in a key", payload('{"\\udfff":1}'), "bad_json"),
    Case("a pair of surrogates, escaped", payload('"\\ud83d\\ude00"'), [1]),
    Case("a control character in a string", payload('"\x01"'), "bad_json"),
    Case("truncated", one()[:-9], "bad_json"),
    Case("something after the end", one() + b"7", "bad_json"),
    Case("a comma too many", one().replace(b"}]", b"},]"), "bad_json"),
    Case("single quotes", one().replace(b'"', b"'"), "bad_json"),
    # Fields
    Case("a string for an event", b'["x"]', ["invalid_event"]),
    Case("null for an event", b"[null]", ["invalid_event"]),
    *[Case(f"no {field}", without(field), ["invalid_event"]) for field in ("id", "item", "action", "node", "clock")],
    Case("an unknown field", one(colour="red"), ["invalid_event"]),
    Case("an unknown field of meta", one(meta={"colour": "red"}), ["invalid_event"]),
    Case("an object in meta", one(meta={"tx": {}}), ["invalid_event"]),
    Case("an empty tx", one(meta={"tx": ""}), ["invalid_event"]),
    Case("a tx of 257", one(meta={"tx": "t" * 257}), ["invalid_event"]),
    Case("a schema", one(meta={"schema": 2}), [1]),
    Case("a schema below zero", one(meta={"schema": -1}), ["invalid_event"]),
    Case("ops that are no list", one(ops={}), ["invalid_event"]),
    Case("an op that is no object", one(ops=[7]), ["invalid_event"]),
    *[
        Case(f"{field} with {name}", one(**{field: text}), ["invalid_event"])
        for field in ("item", "action", "node")
        for name, text in BAD_TEXTS.items()
    ],
    Case("an item of ../", one(item="../../etc/passwd"), ["reserved_action"]),
    Case("an item with ../ within", one(item="a/../../b"), [1]),
    Case("an item of 256", one(item="i" * 256), [1]),
    Case("an item of 257", one(item="i" * 257), ["invalid_event"]),
    Case("an action of 128", one(action="a" * 128), [1]),
    Case("an action of 129", one(action="a" * 129), ["invalid_event"]),
    Case("a node of 64", encode([Author("n" * 64).event()]), [1]),
    Case("a node of 65", encode([Author("n" * 65).event()]), ["invalid_event"]),
    Case("a user of 257", one(user="u" * 257), ["invalid_event"]),
    Case("a user with a control character", one(user="any\x00one"), ["invalid_event"]),
    Case("an id of another version", with_id(at={14: "4"}), ["invalid_event"]),
    Case("an id of another variant", with_id(at={19: "c"}), ["invalid_event"]),
    Case("an id in capitals", with_id(to="0190A000-0000-7000-8000-0000000000AF"), ["invalid_event"]),
    Case("an id with braces", with_id(to="{0190a000-0000-7000-8000-0000000000af}"), ["invalid_event"]),
    Case("an id with a newline", with_id(to="0190a000-0000-7000-8000-0000000000af\n"), ["invalid_event"]),
    Case("an id of ../", with_id(to="../../../../x"), ["invalid_event"]),
    Case("an id of 5,000", with_id(to="0" * 5_000), ["invalid_event"]),
    Case("an id of 1970", with_id(to="00000000-0000-7000-8000-0000000000af"), [1]),
    Case("64 KiB", sized(64 * 1024), [1]),
    Case("64 KiB and one byte", sized(64 * 1024 + 1), ["event_too_large"]),
    Case("64 KiB without the user's name", sized(64 * 1024, user=None), ["event_too_large"]),
    Case("64 KiB with the user's name", sized(64 * 1024 - len(',"user":"anyone"'), user=None), [1]),
    Case("a clock of 1,000", clock_of(1_000), [1]),
    Case("a clock of 1,001", clock_of(1_001), ["invalid_event"]),
    Case("a clock without its author", one(clock={"other": 1}), ["invalid_event"]),
    Case("an empty clock", one(clock={}), ["invalid_event"]),
    Case("a counter of zero", encode([Author("a").event(clock={"a": 0})]), ["invalid_event"]),
    Case("a counter below zero", encode([Author("a").event(clock={"a": -1})]), ["invalid_event"]),
    Case("a counter of 1.5", encode([Author("a").event(clock={"a": 1.5})]), ["invalid_event"]),
    Case("a counter of 1.0", one(node="a", clock="?").replace(b'"?"', b'{"a":1.0}'), [1]),
    Case("a counter of true", encode([Author("a").event(clock={"a": True})]), ["invalid_event"]),
    Case("a counter of 2^53", encode([Author("a").event(clock={"a": 2**53})]), ["invalid_event"]),
    # What the log says
    Case("the end of time", with_id(to="ffffffff-ffff-7fff-bfff-ffffffffffff"), ["clock_drift"]),
    Case("the same event twice", same_id(same_content=True), [1, 1]),
    Case("the same id with other content", same_id(same_content=False), [1, "event_id_conflict"]),
    Case("one's own name", one(user="anyone"), [1]),
    Case("another's name", one(user="alice"), ["user_mismatch"]),
    Case("the administrator's name", one(user=".root"), ["user_mismatch"]),
    Case("a reserved action", one(action=".acl.addRule"), ["reserved_action"]),
    Case("a reserved item", one(item=".acl"), ["reserved_action"]),
    Case("a falling counter", falling(4), [1, "node_conflict"]),
    Case("the same counter", falling(5), [1, "node_conflict"]),
    Case("a rising counter", falling(6), [1, 2]),
    Case("a falling counter on another item", falling(4, "task.bread"), [1, 2]),
    Case(
        "good and bad",
        encode([Author().event(), Author().event(colour="red"), Author().event()]),
        [1, "invalid_event", 2],
    ),
    # Ops
    Case("no ops", one(ops=[]), [1]),
    Case("an op of no kind", one(ops=[{"op": "sing"}]), ["bad_op"]),
    Case("an op with an unknown member", one(ops=[TITLE | {"colour": "red"}]), ["bad_op"]),
    Case("a bad op beside a good event", edits({}, TITLE), ["bad_op", 1]),
    Case("a put over a put", edits(TITLE, TITLE | {"over": ["{0}:0"]}), [1, 2]),
    Case("a put over what is not held", edits(TITLE | {"over": [f"{UNKNOWN}:0"]}), ["missing_dependency"]),
    Case("a put over a later one", edits(TITLE | {"over": ["ffffffff-ffff-7fff-bfff-ffffffffffff:0"]}), ["bad_op"]),
    Case("a put over one of another key", edits(NOTE, TITLE | {"over": ["{0}:0"]}), [1, "bad_op"]),
    Case("a put over one of another item", edits(TITLE, TITLE | {"over": ["{0}:0"]}, items=["a", "b"]), [1, "bad_op"]),
    Case("a put over what was not made", edits(TITLE, TITLE | {"over": ["{0}:1"]}), [1, "bad_op"]),
    Case("its own event's name in full", edits([TITLE, TITLE | {"over": ["{0}:0"]}]), ["bad_op"]),
    Case("its own event's name", edits([TITLE, TITLE | {"over": [":0"]}]), [1]),
    Case("an insertion into a text", edits(NOTE, AFTER | {"in": "{0}:1"}), [1, 2]),
    Case("an insertion into no text", edits(NOTE, AFTER), [1, "bad_op"]),
    Case(
        "what names a refused event",
        edits(TITLE, TITLE | {"over": ["{0}:1"]}, TITLE | {"over": ["{1}:0"]}, TITLE | {"over": ["{0}:0"]}),
        [1, "bad_op", "missing_dependency", 2],
    ),
    # Transactions
    Case("a transaction", tx(GOOD, GOOD, GOOD), [1, 2, 3]),
    Case(
        "a transaction with a refused event", tx(GOOD, RESERVED, GOOD), ["tx_refused", "reserved_action", "tx_refused"]
    ),
    Case("a transaction with a malformed event", tx(GOOD, BAD, GOOD), ["tx_refused", "invalid_event", "tx_refused"]),
    Case("a transaction whose first is malformed", tx(BAD, GOOD, GOOD), ["invalid_event", "tx_refused", "tx_refused"]),
    Case("a transaction whose last is malformed", tx(GOOD, GOOD, BAD), ["tx_refused", "tx_refused", "invalid_event"]),
    Case("a transaction with a deep event", tx(GOOD, DEEP), ["tx_refused", "too_deep"]),
    Case("a transaction between others", tx(ALONE, GOOD, RESERVED, ALONE), [1, "tx_refused", "reserved_action", 2]),
    Case("a malformed event between two transactions", tx(GOOD, ALONE | BAD, OTHER), [1, "invalid_event", 2]),
]


def stored(answer: list[int | str] | str) -> int:
    """The head after an answer."""
    return max([seq for seq in answer if isinstance(seq, int)], default=0) if isinstance(answer, list) else 0


def outcome(results: list[dict[str, Any]]) -> list[int | str]:
    return [result["error"]["code"] if "error" in result else result["seq"] for result in results]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_over_http(open_server, space, case):
    answer = open_server.push(space, case.array)
    assert answer.status < 500
    if isinstance(case.answer, str):
        assert answer.code == case.answer
    else:
        assert answer.status == 200, answer
        assert outcome(answer.json["results"]) == case.answer
        assert answer.json["head"] == stored(case.answer)
    assert open_server.head(space) == stored(case.answer)
    assert [entry["seq"] for entry in open_server.entries(space)] == list(range(1, stored(case.answer) + 1))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_over_websocket(open_server, space, case):
    with open_server.session(space) as ws:
        ws.send('{"type":"push","ref":7,"events":' + case.array.decode() + "}")
        answer = recv(ws)
        if isinstance(case.answer, str):
            assert (answer["type"], answer["code"]) == ("error", case.answer)
        else:
            assert (answer["type"], answer["ref"]) == ("ack", 7), answer
            assert outcome(answer["results"]) == case.answer
        ws.send('{"type":"ping","ref":8}')
        assert recv(ws) == {"type": "pong", "ref": 8}  # the session goes on
    assert open_server.head(space) == stored(case.answer)


def test_what_was_stored_is_what_was_sent(open_server, space, author):
    event = author.event(user="anyone", payload={"é": "\ud83d\ude00", "a": [1, 2.5, -0.0, 1e21, 1e-7, None, True]})
    assert open_server.push(space, [event]).status == 200
    (entry,) = open_server.entries(space)
    assert entry["event"] == {**event, "payload": {"é": "😀", "a": [1, 2.5, 0, 1e21, 1e-7, None, True]}}


def test_the_user_is_filled_in(open_server, space, author):
    open_server.push(space, [author.event()])
    open_server.push(space, [author.event()], open_server.bearer())
    open_server.push(space, [Author().event()], open_server.bearer())
    assert [entry["event"]["user"] for entry in open_server.entries(space)] == ["anyone", ".root"]


def test_a_node_of_another_user(open_server, space, author):
    assert outcome(open_server.push(space, [author.event()]).json["results"]) == [1]
    answer = open_server.push(space, [author.event(), Author().event()], open_server.bearer())
    assert outcome(answer.json["results"]) == ["node_conflict", 2]
    assert open_server.head(space) == 2


def test_an_id_of_another_user_is_taken(open_server, space, author):
    event = author.event()
    open_server.push(space, [event])
    answer = open_server.push(space, [event], open_server.bearer())
    assert outcome(answer.json["results"]) == ["event_id_conflict"]


def test_a_transaction_of_which_a_member_is_known(open_server, space, author):
    known, new, bad = author.events(3, meta={"tx": "t"})
    assert outcome(open_server.push(space, [known]).json["results"]) == [1]
    answer = open_server.push(space, [known, new, {**bad, "item": ".acl"}])
    assert outcome(answer.json["results"]) == [1, "tx_refused", "reserved_action"]
    assert open_server.head(space) == 1
    assert outcome(open_server.push(space, [known, new]).json["results"]) == [1, 2]


def test_a_transaction_pushed_again(open_server, space, author):
    events = author.events(3, meta={"tx": "t"})
    for _ in range(2):
        assert outcome(open_server.push(space, events).json["results"]) == [1, 2, 3]
    assert open_server.head(space) == 3


@pytest.mark.parametrize(("ahead_ms", "answer"), [(290_000, [1]), (301_000, ["clock_drift"])])
def test_five_minutes_ahead(open_server, space, author, ahead_ms, answer):
    assert outcome(open_server.push(space, [author.event(ahead_ms=ahead_ms)]).json["results"]) == answer
    assert open_server.head(space) == stored(answer)


def test_clock_drift_tells_the_time(open_server, space, author):
    before = open_server.request("POST", "/v1/hello", json.dumps({"type": "hello", "node": "n"})).json["time"]
    result = open_server.push(space, [author.event(ahead_ms=3_600_000)]).json["results"][0]
    assert before <= result["error"]["time"] <= before + 60_000


def test_ids_of_refused_events_are_told(open_server, space, author):
    event = author.event(colour="red")
    answer = open_server.push(space, [event, {"id": 7}, {"id": "x" * 5_000}, 7])
    assert [result.get("id") for result in answer.json["results"]] == [event["id"], None, "x" * 64, None]


def test_a_whole_body_of_bad_events_is_answered_event_by_event(open_server, space):
    answer = open_server.push(space, push_body([7] * 1_000)[10:-1])
    assert outcome(answer.json["results"]) == ["invalid_event"] * 1_000
