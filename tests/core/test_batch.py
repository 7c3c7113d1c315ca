import json
import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.core import batch, canonical
from syncline.core.batch import decode_events
from syncline.core.events import Event
from syncline.core.limits import MAX_DEPTH, MAX_PUSH_EVENTS
from syncline.errors import BadJson, BadRequest, EventError, NumberOutOfRange, SynclineError, TooDeep, TooManyEvents
from tests.core.samples import MAX_SAFE_INTEGER, a_value, an_event, an_id, json_values

# The model: cut the array into its values, and ask `Event.of` about each


def cut(array: str) -> list[str]:
    """The texts of an array's values, by the standard library's scanner. Raises ValueError if it is no array."""
    scan, place, texts = json.JSONDecoder().raw_decode, 0, []
    if not isinstance(json.loads(array), list):
        raise ValueError
    place = skip(array, array.index("[") + 1)
    while array[place] != "]":
        _, end = scan(array, place)
        texts.append(array[place:end])
        place = skip(array, end)
        place = skip(array, place + 1) if array[place] == "," else place
    return texts


def skip(text: str, place: int) -> int:
    while text[place] in " \t\r\n":
        place += 1
    return place


def model(array: bytes):
    """What `decode_events` should give, as plain data, or the code it should raise."""
    try:
        texts = cut(array.decode())
    except ValueError:
        return code_of(lambda: canonical.decode(array, max_depth=MAX_DEPTH + 8)) or "bad_request"
    answers = []
    for text in texts:
        code = code_of(lambda text=text: Event.of(canonical.decode(text.encode(), max_depth=MAX_DEPTH)))
        if code in ("bad_json", "bad_request"):
            return code
        answers.append(code or Event.of(canonical.decode(text.encode(), max_depth=MAX_DEPTH)).body)
    return answers


def code_of(action) -> str | None:
    try:
        action()
    except SynclineError as error:
        return error.code
    return None


def answer(array: bytes):
    try:
        events = decode_events(array)
    except SynclineError as error:
        return error.code
    for event in events:
        if isinstance(event, Event):
            fresh = Event.read(event.body)
            assert (event, event.key, event.digest) == (fresh, fresh.key, fresh.digest)
            assert event == Event.of(canonical.decode(event.body, max_depth=MAX_DEPTH))
    return [event.body if isinstance(event, Event) else event.code for event in events]


# Valid, near-valid and broken arrays

names = st.sampled_from(["a", "task.milk", ".acl", "", "a b", "é", "x" * 64, "x" * 65, "x" * 129, "x" * 257, "a\n", 7])
clock_counters = st.sampled_from(
    [1, 2, 0, -1, 1.5, 1.0, MAX_SAFE_INTEGER, MAX_SAFE_INTEGER + 1, 2**70, "1", None, True]
)
A = an_id()
odd_ids = st.sampled_from(
    [
        *(A.upper(), A[:-1], A.replace("-", " ", 1), A[:14] + "4" + A[15:], A[:19] + "c" + A[20:]),
        *(A[:34] + " 0", A[:8] + "0" + A[9:], "é" * 36, "0" * 36, "", None, 1),
    ]
)
changes = st.one_of(
    st.fixed_dictionaries({"item": names}),
    st.fixed_dictionaries({"action": names}),
    st.fixed_dictionaries({"user": names | st.sampled_from(["\x7f", "\x00", "Ann Müller", "😀"])}),
    st.fixed_dictionaries({"node": names}),
    st.fixed_dictionaries({"id": odd_ids}),
    st.fixed_dictionaries(
        {"clock": st.dictionaries(st.sampled_from(["n1", "n2", "", "é"]), clock_counters, max_size=3)}
    ),
    st.fixed_dictionaries({"meta": st.dictionaries(st.sampled_from(["tx", "schema", "x"]), json_values, max_size=2)}),
    st.fixed_dictionaries({"ops": st.lists(json_values, max_size=2) | json_values}),
    st.fixed_dictionaries({"payload": json_values}),
    st.fixed_dictionaries({"payload": st.sampled_from([1e21, 1e-7, 123456789012345678, 0.1, -0.0, 1e300, 5e-324])}),
    st.fixed_dictionaries({"payload": st.dictionaries(st.text(max_size=3), json_values, max_size=3)}),
    st.dictionaries(st.sampled_from(["extra", "", "zone"]), json_values, max_size=1),
)
events = st.builds(lambda n, change: a_value(n) | change, st.integers(1, 9), changes | st.just({}))
values = events | events.map(lambda value: {key: value[key] for key in list(value)[1:]}) | json_values


def canonically(value) -> str:
    try:
        return canonical.encode(value).decode()
    except SynclineError:
        return json.dumps(value)


spellings = st.sampled_from(
    [
        canonically,
        canonically,
        canonically,
        json.dumps,
        lambda value: json.dumps(value, ensure_ascii=False),
        lambda value: json.dumps(value, sort_keys=True, separators=(",", ":")),
        lambda value: canonically(value).replace("a", "\\u0061", 1),
        lambda value: canonically(value).replace("{", '{"action":"b",', 1),
        lambda value: canonically(value).replace("1", "1e0", 1),
        lambda value: canonically(value).replace("1}", "1e999}", 1),
        lambda value: canonically(value).replace('"n1"', '"\\ud800"', 1),
    ]
)
texts = st.builds(lambda spell, value: spell(value), spellings, values)
arrays = st.builds(
    lambda texts, joint, ends: (ends[0] + joint.join(texts) + ends[1]).encode(),
    st.lists(texts, max_size=4),
    st.sampled_from([",", ",", ",", " , ", ",\n"]),
    st.sampled_from(["[]", "[]", "[]", ("[ ", " ]"), (" [", "]\n")]),
)
valid_arrays = st.lists(st.builds(lambda n, p: a_value(n, payload=p), st.integers(1, 9), json_values), max_size=4).map(
    lambda values: b"[" + b",".join(map(canonical.encode, values)) + b"]"
)


@settings(max_examples=3 * settings.default.max_examples)
@given(arrays)
def test_a_batch_gives_what_each_event_gives_alone(array):
    if re.search(rb"\\ud800(?!\\ud[c-f])", array):  # half a pair: wrong as a whole, whatever else is
        assert answer(array) in ("bad_json", "number_out_of_range")
    else:
        assert answer(array) == model(array)


@given(valid_arrays)
def test_canonical_events_are_all_taken(array):
    assert b"[" + b",".join(answer(array)) + b"]" == array


@given(arrays | valid_arrays, st.data())
def test_broken_arrays_are_refused_as_the_model_does(array, data):
    place = data.draw(st.integers(0, len(array)))
    put = data.draw(st.sampled_from([b"", b"\xff", b'"', b"\\", b"[", b"}", b",", b"0", b"e", b"\x00", b" ", b"nul"]))
    cut_off = data.draw(st.sampled_from([0, 0, 1, 1_000_000]))
    test_a_batch_gives_what_each_event_gives_alone.hypothesis.inner_test(array[:place] + put + array[place + cut_off :])


@given(st.binary(max_size=30))
def test_any_bytes_are_answered(data):
    assert answer(data) == model(data)


# Examples of what is easy to get wrong


def spelled(**members) -> bytes:
    return canonical.encode(a_value(**members))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (spelled(payload=1).replace(b'"payload":1', b'"payload":1e400'), "number_out_of_range"),
        (spelled(payload=1).replace(b'"payload":1', b'"payload":9007199254740993'), "number_out_of_range"),
        (spelled(payload=1).replace(b'"payload":1', b'"payload":' + b"[" * 64 + b"]" * 64), "too_deep"),
        (spelled(payload=1).replace(b'"payload":1', b'"payload":' + b"[" * 300 + b"]" * 300), "too_deep"),
        (spelled(payload="x" * 70_000), "event_too_large"),
        (spelled(item="a b"), "invalid_event"),
    ],
)
def test_a_bad_event_is_refused_alone_and_by_its_id(text, code):
    before, error, after = decode_events(b"[" + spelled(n=8) + b"," + text + b"," + spelled(n=9) + b"]")
    assert (before, after) == (an_event(8), an_event(9))
    assert (error.code, error.details["id"]) == (code, an_event().id)


@pytest.mark.parametrize(
    "text", [b"1", b"null", b"[]", b"{}", b'{"id":1}', b'{"id":null}', b'{"meta":{"tx":"t"}}', b'{"meta":7}']
)
def test_what_has_no_id_is_refused_without_one(text):
    (error,) = decode_events(b"[" + text + b"]")
    assert isinstance(error, EventError)
    assert "id" not in error.details


def test_a_long_id_is_cut():
    (error,) = decode_events(b'[{"id":"%b"}]' % (b"x" * 1_000))
    assert error.details["id"] == "x" * 64


@pytest.mark.parametrize("character", list("gA -\x00é٠"))
def test_one_odd_character_in_an_id_is_seen(character):
    for place in range(36):
        id = A[:place] + character + A[place + 1 :]
        codes = answer(b"[" + spelled() + b"," + spelled(n=2, id=id) + b"]")
        assert codes[1] == ("invalid_event" if id != A else an_event(2, id=A).body)


@pytest.mark.parametrize("id", [A[:2] + "  " + A[4:], "  " + A[2:], A[:34] + "  ", A[:24] + " " * 12])
def test_white_space_is_no_part_of_an_id(id):
    assert answer(b"[" + spelled(id=id) + b"]") == ["invalid_event"]


@pytest.mark.parametrize(
    "literal", ["1.0", "1e21", "1E21", "1e+021", "0.1e1", "1e-07", "0.00000010", "-0.0", "-0", "1.50", "1e0", "10e-1"]
)
def test_a_number_has_one_canonical_spelling(literal):
    text = spelled(payload=7).replace(b'"payload":7', b'"payload":%b' % literal.encode())
    (body,) = answer(b"[" + text + b"]")
    assert body == an_event(payload=canonical.decode(literal.encode(), max_depth=1)).body != text


def test_keys_in_the_order_of_code_points_are_not_canonical():
    text = spelled(payload={"\U0001f600": 1, "\ufb33": 2})
    by_code_points = text.replace('"😀":1,"\ufb33":2'.encode(), '"\ufb33":2,"😀":1'.encode())
    assert by_code_points != text
    assert answer(b"[" + by_code_points + b"]") == answer(b"[" + text + b"]") == [text]


@pytest.mark.parametrize("levels", [500, 1_000, 5_000, 100_000])
def test_nesting_beyond_any_stack_is_an_error_of_ours(levels):
    for inner in (b"[" * levels + b"]" * levels, b'{"a":' * levels + b"1" + b"}" * levels, b"[" * levels):
        array = b"[" + spelled(payload=1).replace(b'"payload":1', b'"payload":' + inner) + b"]"
        with suppress(TooDeep, BadJson):
            assert [error.code for error in decode_events(array)] == ["too_deep"]


@pytest.mark.parametrize("array", [b"{}", b"1", b"null", b'"[]"', b" {} "])
def test_events_are_a_list(array):
    with pytest.raises(BadRequest):
        decode_events(array)


@pytest.mark.parametrize(
    "array",
    [b"", b"[", b"[1,]", b"[] []", b"[NaN]", b'["\xff"]', b'["\\ud800"]', b'[{"a":1,"a":1}]', b"\xef\xbb\xbf[]"],
)
def test_a_broken_array_is_refused_as_a_whole(array):
    with pytest.raises(BadJson):
        decode_events(array)


def test_no_events_are_no_answers():
    assert decode_events(b"[]") == decode_events(b" [ ] ") == []


def test_a_batch_has_at_most_1000_events():
    full = [spelled(n=n) for n in range(1, MAX_PUSH_EVENTS + 1)]
    for joint in (b",", b", "):  # canonical, and not
        assert len(decode_events(b"[" + joint.join(full) + b"]")) == 1_000
        with pytest.raises(TooManyEvents):
            decode_events(b"[" + joint.join([*full, full[0]]) + b"]")


def test_the_fast_way_is_taken(monkeypatch):
    """Not only right but fast: canonical events with short numbers are not read one by one."""
    monkeypatch.delattr(batch, "_decode_each")
    payloads = [None, 1, -7, "é\n", 1.5, [0.25], {"a": {"b": [True]}}, 123456789012345]
    array = b"[" + b",".join(spelled(payload=payload) for payload in payloads) + b"]"
    assert [event.payload for event in decode_events(array)] == payloads


def test_a_digest_is_that_of_the_canonical_form():
    (event,) = decode_events(b"[" + json.dumps(a_value(payload={"b": 1.0, "a": 1e2}), indent=2).encode() + b"]")
    assert event.body == canonical.encode(a_value(payload={"a": 100, "b": 1}))
    assert event.digest == canonical.digest(event.body)


def test_errors_of_numbers_are_one_event_s():
    (error,) = decode_events(b"[1e999]")
    assert isinstance(error, NumberOutOfRange)
