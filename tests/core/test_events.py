import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from syncline.core import canonical, stamps
from syncline.core.documents.ops import Delete, Put
from syncline.core.events import Entry, Event, encode_entry
from syncline.core.limits import MAX_EVENT_BYTES, MAX_SAFE_INTEGER
from syncline.errors import BadOp, EventTooLarge, InvalidEvent, NumberOutOfRange, TooDeep
from tests.core.samples import EPOCH, NOW, RECEIPTS, a_value, an_event, an_id, json_values, same


def nested(levels: int):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@given(json_values, json_values)
def test_an_event_is_read_back_from_its_body(payload, value):
    event = an_event(payload=payload, ops=[{"op": "add", "value": value}], meta={"tx": "t1", "schema": 2})
    read = Event.read(event.body)
    assert read == event
    assert same(read.payload, event.payload)
    assert (read.body, read.digest, read.key) == (event.body, event.digest, event.key)
    assert canonical.decode(event.body, max_depth=64) == a_value(
        payload=payload, ops=[{"op": "add", "value": value}], meta={"tx": "t1", "schema": 2}
    )


def test_what_is_absent_is_not_written():
    value = a_value()
    del value["user"]
    event = Event.of(value)
    assert (event.user, event.meta, event.ops, event.payload, event.tx) == (UNSET, UNSET, UNSET, UNSET, None)
    assert list(canonical.decode(event.body, max_depth=64)) == ["action", "clock", "id", "item", "node"]


def test_an_event_knows_itself():
    event = an_event(3, meta={"tx": "t1"})
    assert (event.n, event.tx, event.key) == (3, "t1", stamps.key(event.id))
    assert event.digest == canonical.digest(event.body)
    assert an_event(meta={"group": "g"}).tx is None


def test_what_is_computed_once_is_documented():
    event = an_event()
    assert event.body is event.body
    assert "canonical form" in Event.body.__doc__


def test_a_user_is_filled_in():
    value = a_value()
    del value["user"]
    named = Event.of(value).with_user("ann")
    assert named == an_event()
    assert named.body == an_event().body
    assert Event.of(value).body != named.body


def test_a_payload_may_be_null():
    event = an_event(payload=None)
    assert event.payload is None
    assert b'"payload":null' in event.body


@pytest.mark.parametrize("payload", [2.0**53, -1.2345678901234567e20, [{"a": 2.0**60}], "1" * 20, 0.1234567890123456])
def test_a_large_double_stays_one(payload):
    read = Event.read(an_event(payload=payload).body)
    assert same(read.payload, payload)
    assert Event.of(msgspec.to_builtins(read)).body == an_event(payload=payload).body


def test_fields_that_a_newer_version_wrote_stay_in_the_body():
    body = an_event().body[:-1] + b',"zone":"Z"}'
    event = Event.read(body)
    assert event.body == body
    assert event.digest == canonical.digest(body)


@pytest.mark.parametrize("value", [None, 1, "event", [], [a_value()], True])
def test_an_event_is_an_object(value):
    with pytest.raises(InvalidEvent, match="JSON object"):
        Event.of(value)


@pytest.mark.parametrize("field", ["action", "clock", "id", "item", "node"])
def test_a_required_field_is_required(field):
    value = a_value()
    del value[field]
    with pytest.raises(InvalidEvent) as caught:
        Event.of(value)
    assert caught.value.details == {"field": field}


VALID = {
    "item": ["a", "task.milk", "A-Z_0~9:/x", "a" * 256, ".acl"],
    "action": ["a", ".acl.addRule", "a" * 128],
    "user": ["ann", "Ann Müller 😀", "u" * 256, " ", "\x80"],
    "clock": [{"n1": 1}, {"n1": MAX_SAFE_INTEGER, "n2": 1}, {f"n{each}": 1 for each in range(1_000)}],
    "ops": [[], [{"op": "delete"}], [{"op": "put", "key": "a", "value": None}] * 3],
    "meta": [
        {},
        {"schema": 0},
        {"schema": MAX_SAFE_INTEGER},
        {"schema": "2.1"},
        {"salt": "s", "tx": "t", "group": "g", "undoes": "x" * 256, "traceparent": "é"},
    ],
}
INVALID = {
    "id": [1, None, "", an_id().upper(), stamps.NIL_ID],
    "item": [1, None, "", "a" * 257, "a b", "é", "a\n", "*", "a*"],
    "action": [1, None, "", "a" * 129, "a b", "é", "a\n"],
    "node": [1, None, "", "n" * 65, "a b", "é", "a=b", "n2"],
    "user": [1, None, "", "u" * 257, "a\nb", "\x00", "a\x7f", "a\x1f"],
    "clock": [
        None,
        [],
        {},
        {"n2": 1},
        {"n1": 0},
        {"n1": -1},
        {"n1": 1.5},
        {"n1": True},
        {"n1": "1"},
        {"n1": None},
        {"n1": MAX_SAFE_INTEGER + 1},
        {"n1": 1, "": 1},
        {"n1": 1, "é": 1},
        {f"n{each}": 1 for each in range(1_001)},
    ],
    "ops": [None, {}, "[]", [1], [[]], [None], [{}, "put"]],
    "meta": [
        None,
        [],
        {"colour": "red"},
        {"tx": ""},
        {"tx": 1},
        {"tx": "a\n"},
        {"tx": "x" * 257},
        {"schema": -1},
        {"schema": 1.5},
        {"schema": True},
        {"schema": MAX_SAFE_INTEGER + 1},
        {"schema": ""},
        {"schema": None},
        {"undoes": ["x"]},
    ],
    "extra": [1],
    "": [1],
    "Item": ["a"],
    "x" * 100: [1],
}


def cases(table):
    return [
        pytest.param(field, value, id=f"{field[:8]}-{place}")
        for field, values in table.items()
        for place, value in enumerate(values)
    ]


@pytest.mark.parametrize(("field", "value"), cases(VALID))
def test_what_a_field_may_be(field, value):
    event = Event.of(a_value() | {field: value})
    assert getattr(event, field) == value
    assert Event.read(event.body) == event


@pytest.mark.parametrize(("field", "value"), cases(INVALID))
def test_what_a_field_may_not_be(field, value):
    with pytest.raises(InvalidEvent) as caught:
        Event.of(a_value() | {field: value})
    assert len(caught.value.message) < 250


@pytest.mark.parametrize("ops", [[{}], [{"op": "sing"}], [{"op": "add"}, {"op": "delete"}]])
def test_an_op_has_the_shape_of_one(ops):
    with pytest.raises(BadOp) as caught:
        Event.of(a_value(ops=ops))
    assert caught.value.details == {"index": 0}


def test_the_changes_of_an_event_are_its_ops():
    event = an_event(ops=[{"op": "delete"}, {"op": "put", "key": "a", "value": 1}])
    assert event.changes == [Delete(), Put(key="a", value=1)] == Event.read(event.body).changes
    assert event.with_user("bob").changes is event.changes
    assert an_event().changes == []


@pytest.mark.parametrize("key", [1, None, ("a",)])
def test_a_field_s_name_is_a_string(key):
    with pytest.raises(InvalidEvent):
        Event.of({**a_value(), key: 1})


# The body


def test_an_event_has_at_most_64_kib():
    room = MAX_EVENT_BYTES - len(an_event(payload="").body)
    assert len(an_event(payload="x" * room).body) == 65_536
    assert len(an_event(payload="é" * (room // 2)).body) <= 65_536
    for payload in ("x" * (room + 1), "é" * (room // 2 + 1), "\n" * (room // 2 + 1)):
        with pytest.raises(EventTooLarge):
            an_event(payload=payload)


def test_an_event_nests_at_most_64_deep():
    assert an_event(payload=nested(63))
    assert an_event(ops=[{"op": "put", "value": nested(61)}])
    for members in ({"payload": nested(64)}, {"ops": [{"op": "put", "value": nested(62)}]}):
        with pytest.raises(TooDeep):
            an_event(**members)


def test_a_payload_within_itself_is_refused():
    payload = []
    payload.append(payload)
    with pytest.raises(TooDeep):
        an_event(payload=payload)


@pytest.mark.parametrize("payload", [b"bytes", {1, 2}, {1: 2}, [object()], msgspec.Raw(b"1"), an_event()])
def test_a_payload_is_json_and_not_turned_into_it(payload):
    with pytest.raises(InvalidEvent):
        an_event(payload=payload)


@pytest.mark.parametrize("payload", [float("nan"), [float("inf")], 2**53 + 1])
def test_a_number_in_a_payload_is_a_double(payload):
    with pytest.raises(NumberOutOfRange):
        an_event(payload=payload)


# Entries


@given(st.integers(1, MAX_SAFE_INTEGER), st.integers(0, MAX_SAFE_INTEGER), json_values)
def test_an_entry_is_read_back(seq, at, payload):
    event = an_event(payload=payload)
    receipt = RECEIPTS.issue(EPOCH, seq, [event.digest])[0]
    encoded = encode_entry(seq, at, receipt.encode(), event.body)
    entry = Entry.read(encoded)
    assert (entry.seq, entry.at, entry.receipt, entry.event, entry.encoded) == (seq, at, receipt, event, encoded)
    assert entry.event.body == event.body
    assert canonical.decode(encoded, max_depth=66)["event"] == canonical.decode(event.body, max_depth=66)


def test_an_entry_of_an_event_at_hand_is_the_same():
    event = an_event()
    made = Entry.of(1, NOW, "r" * 24, event)
    assert made.event is event
    assert made.encoded == encode_entry(1, NOW, b"r" * 24, event.body)
    assert Entry.read(made.encoded).event == event
