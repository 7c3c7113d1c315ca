import json
from contextlib import nullcontext, suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core import canonical, messages
from syncline.core.access.rules import Rule
from syncline.core.answers import decode_answer, encode_ack, encode_page, expect
from syncline.core.bases import Base
from syncline.core.events import Entry, Event
from syncline.core.limits import (
    MAX_DEPTH,
    MAX_FETCH_IDS,
    MAX_PAGE_ENTRIES,
    MAX_PRESENCE_BYTES,
    MAX_PRESENCE_MESSAGE_BYTES,
    MAX_SAFE_INTEGER,
    MAX_SUMMARIES,
    MAX_TREE_SUMMARIES,
)
from syncline.core.messages import (
    Ack,
    AskSnapshot,
    Auth,
    ErrorMessage,
    Fetch,
    Found,
    Give,
    Hello,
    Live,
    Merkle,
    Page,
    Peer,
    Peers,
    Ping,
    Pong,
    Presence,
    Pull,
    Push,
    Result,
    Snapshot,
    Summary,
    Tree,
    Welcome,
    encode,
    type_of,
)
from syncline.core.requests import decode_request, ref_of, state_of
from syncline.errors import (
    BY_CODE,
    BadJson,
    BadRequest,
    ClockDrift,
    InternalError,
    InvalidEvent,
    NodeConflict,
    Overloaded,
    SynclineError,
    TooDeep,
    TooLarge,
    UnknownError,
)
from tests.core.samples import EPOCH, NOW, an_event, an_id, json_values, texts

refs = st.integers(0, MAX_SAFE_INTEGER)
cursors = st.none() | st.text("ab-_", max_size=76)
patterns = st.lists(st.sampled_from(["*", "task.*", "a"]), max_size=3).map(tuple)
ids = st.integers(0, 9).map(an_id)
summaries = st.builds(Summary, texts, texts, st.integers(0, 65_535), texts, st.lists(ids, max_size=2).map(tuple))
requests = st.one_of(
    st.builds(Hello, node=st.text("ab.", min_size=1, max_size=64), space=texts, token=st.none() | texts),
    st.builds(Pull, ref=refs, cursor=cursors, limit=st.integers(1, MAX_PAGE_ENTRIES), items=patterns),
    st.builds(Live, cursor=cursors, items=patterns),
    st.builds(Auth, ref=refs, token=texts),
    st.builds(Presence, ref=refs, key=st.text("ab ", max_size=64), item=st.none() | st.text("ab.", min_size=1)),
    st.builds(Merkle, ref=refs, items=patterns, since=refs, summaries=st.lists(summaries, min_size=1, max_size=2)),
    st.builds(Fetch, ref=refs, ids=st.lists(ids, min_size=1, max_size=3)),
    st.builds(AskSnapshot, ref=refs, items=patterns, seq=refs, after=st.text("ab.", max_size=3)),
    st.builds(Ping, ref=refs),
    st.builds(Pong, ref=refs),
)
entries = st.builds(
    lambda seq, payload: Entry.of(seq, NOW, "r" * 24, an_event(payload=payload)), st.integers(1, 9), json_values
)
errors = st.builds(
    lambda code, message, details: BY_CODE[code](message, **details),
    st.sampled_from(sorted(BY_CODE)),
    texts,
    st.dictionaries(st.sampled_from(["time", "id", "field", "self"]), json_values, max_size=2),
)
bases = st.builds(
    Base,
    item=texts,
    seq=refs,
    at=refs,
    count=refs,
    revision=refs,
    clock=st.dictionaries(texts, refs, max_size=2),
    group=st.none() | texts,
    state=texts,
)
answers = st.one_of(
    st.builds(
        Welcome,
        epoch=st.just(EPOCH),
        head=refs,
        time=refs,
        user=texts,
        own=st.none() | texts,
        rules=st.none() | st.lists(st.builds(Rule, texts, texts, texts, texts, refs, texts), max_size=2),
    ),
    st.builds(
        Ack,
        ref=refs,
        head=refs,
        results=st.lists(
            st.builds(Result, id=texts, seq=refs)
            | st.builds(Result, id=st.none() | texts, error=errors.map(SynclineError.to_wire)),
            max_size=3,
        ),
    ),
    st.builds(
        Page,
        ref=st.none() | refs,
        entries=st.lists(entries, max_size=2),
        late=st.lists(entries, max_size=1),
        forget=st.lists(texts, max_size=2),
        bases=st.lists(bases, max_size=1),
        cursor=texts,
        more=st.booleans(),
    ),
    st.builds(Peers, peers=st.lists(st.builds(Peer, texts, texts, texts, st.none() | texts), max_size=2)),
    st.builds(Tree, ref=refs, seq=refs, root=texts, count=refs, summaries=st.lists(summaries, max_size=2)),
    st.builds(Found, ref=refs, entries=st.lists(entries, max_size=2), more=st.booleans()),
    st.builds(
        Snapshot,
        ref=refs,
        seq=refs,
        at=refs,
        cursor=texts,
        bases=st.lists(bases, max_size=2),
        after=st.none() | texts,
    ),
    st.builds(ErrorMessage.of, errors, st.none() | refs),
    st.builds(Ping, ref=refs),
    st.builds(Pong, ref=refs),
)


@given(requests)
def test_a_request_is_read_back(request):
    assert decode_request(encode(request)) == request


@given(answers)
def test_an_answer_is_read_back(answer):
    read = decode_answer(encode(answer))
    assert encode(read) == encode(answer)
    if not isinstance(answer, Page | Found):  # whose entries compare by identity
        assert read == answer


@given(st.lists(json_values, max_size=3), refs)
def test_a_push_carries_canonical_bytes(payloads, ref):
    events = [an_event(n, payload=payload) for n, payload in enumerate(payloads, 1)]
    push = decode_request(encode(Push.of(events, ref=ref)))
    assert isinstance(push, Push)
    assert push.ref == ref
    assert bytes(push.events) == b"[" + b",".join(event.body for event in events) + b"]"


@given(st.lists(entries, max_size=3), refs)
def test_a_gift_carries_the_bytes_of_its_entries(given_entries, ref):
    array = b"[" + b",".join(entry.encoded for entry in given_entries) + b"]"
    gift = decode_request(encode(msgspec.structs.replace(Give.of(EPOCH, given_entries), ref=ref)))
    assert (gift.ref, gift.epoch, bytes(gift.entries)) == (ref, EPOCH, array)


@given(st.binary(max_size=40) | st.text('{}[]",:\\ptyehlo1 ', max_size=30).map(str.encode))
def test_nothing_but_an_error_of_ours_comes_from_any_bytes(data):
    for decode in (decode_request, decode_answer):
        with suppress(SynclineError):
            decode(data)
    assert ref_of(data) is None or isinstance(ref_of(data), int)


# Requests


@given(requests)
def test_a_message_tells_its_type(request):
    assert type_of(request) == json.loads(encode(request))["type"]


def test_members_with_their_defaults_are_left_out():
    assert encode(Hello(node="n1")) == b'{"type":"hello","protocol":1,"node":"n1"}'
    assert encode(Pull()) == b'{"type":"pull"}'
    assert encode(Page(entries=[], cursor="c")) == b'{"type":"page","entries":[],"cursor":"c"}'
    assert b"own" not in encode(Welcome(epoch=EPOCH, head=0, time=1, user="ann"))


def test_members_that_a_newer_version_adds_are_ignored():
    assert decode_request(b'{"type":"ping","ref":1,"mood":"good"}') == Ping(ref=1)
    assert decode_answer(b'{"mood":"good","type":"pong"}') == Pong()


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b"1",
        b"{}",
        b'{"type":"welcome"}',
        b'{"type":"page"}',
        b'{"type":7}',
        b'{"ref":1}',
        b'{"type":"hello"}',
        b'{"type":"hello","node":1}',
        b'{"type":"hello","node":""}',
        b'{"type":"hello","node":"a b"}',
        b'{"type":"hello","node":"' + b"n" * 65 + b'"}',
        b'{"type":"hello","node":"n1","protocol":"1"}',
        b'{"type":"push"}',
        b'{"type":"push","events":[],"ref":1.5}',
        b'{"type":"pull","ref":null}',
        b'{"type":"pull","limit":0}',
        b'{"type":"pull","limit":-1}',
        b'{"type":"pull","limit":10001}',
        b'{"type":"pull","limit":"10"}',
        b'{"type":"pull","cursor":7}',
        b'{"type":"pull","items":"a"}',
        b'{"type":"live","items":[1]}',
        b'{"type":"merkle"}',
        b'{"type":"merkle","summaries":[]}',
        b'{"type":"merkle","summaries":[["","",0]]}',
        b'{"type":"merkle","summaries":[["","",0,"",[]]],"since":-1}',
        b'{"type":"merkle","summaries":[["","",0,"",[]]],"since":%d}' % (MAX_SAFE_INTEGER + 1),
        b'{"type":"merkle","summaries":[%b]}' % b",".join([b'["","",0,"",[]]'] * (MAX_SUMMARIES + 1)),
        b'{"type":"fetch","ids":[]}',
        b'{"type":"fetch","ids":["x"]}',
        b'{"type":"fetch","ids":[%b]}' % b",".join([b'"%b"' % an_id().encode()] * (MAX_FETCH_IDS + 1)),
        b'{"type":"give","entries":[]}',
        b'{"type":"give","epoch":"","entries":[]}',
        b'{"type":"give","epoch":"%b","entries":[]}' % EPOCH.upper().encode(),
        b'{"type":"give","epoch":"%b"}' % EPOCH.encode(),
        b'{"type":"snapshot","seq":-1}',
        b'{"type":"snapshot","after":"a"}',
        b'{"type":"snapshot","seq":1,"after":"a b"}',
        b'{"type":"tree"}',
    ],
)
def test_another_shape_is_a_bad_request(text):
    with pytest.raises(BadRequest):
        decode_request(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"hello",
        b'{"type":"ping"',
        b'{"type":"ping"} {}',
        b'{"type":"push","events":[nan]}',
        b'{"type":"push","events":[1}',
        b'{"type":"hello","node":"\xff"}',
        b'{"type":"hello","node":"n1","token":"\\ud800"}',
        b'\xef\xbb\xbf{"type":"ping"}',
        b'{"type":"ping","ref":1,"ref":2}',
        b'{"type":"push","ref":1,"ref":2,"events":[]}',
        b'{"type":"push","events":[],"events":[]}',
        b'{"type":"hello","node":"n1","node":"n2"}',
    ],
)
def test_what_is_no_i_json_is_refused(text):
    with pytest.raises(BadJson):
        decode_request(text)


@pytest.mark.parametrize("levels", [200, 1_000, 100_000])
def test_nesting_beyond_any_stack_is_refused(levels):
    deep = b"[" * levels + b"]" * levels
    for text in (b'{"type":"ping","x":' + deep + b"}", b'{"type":"ping","x":' + b"[" * levels):
        with pytest.raises((TooDeep, BadJson)):
            decode_request(text)


def test_as_much_may_be_asked_as_the_limits_say():
    merkle = b'{"type":"merkle","summaries":[%b]}' % b",".join([b'["","",0,"",[]]'] * MAX_SUMMARIES)
    assert len(decode_request(merkle).summaries) == MAX_SUMMARIES
    branches = b'{"type":"merkle","summaries":[%b]}' % b",".join([b'["","",1,"",[]]'] * (MAX_TREE_SUMMARIES // 16))
    assert len(decode_request(branches).summaries) == MAX_TREE_SUMMARIES // 16
    with pytest.raises(BadRequest):
        decode_request(branches.replace(b"[[", b'[["","",0,"",[]],['))
    fetch = b'{"type":"fetch","ids":[%b]}' % b",".join([b'"%b"' % an_id().encode()] * MAX_FETCH_IDS)
    assert len(decode_request(fetch).ids) == MAX_FETCH_IDS


def test_the_entries_of_a_gift_are_not_looked_into():
    gift = decode_request(b'{ "type": "give", "epoch": "%b", "entries": [{"a":1,"a":2}, 7] }' % EPOCH.encode())
    assert bytes(gift.entries) == b'[{"a":1,"a":2}, 7]'
    with pytest.raises(BadJson):
        decode_request(b'{"type":"give","epoch":"%b","epoch":"%b","entries":[]}' % (2 * (EPOCH.encode(),)))


def test_the_events_of_a_push_are_not_looked_into():
    push = decode_request(b'{ "type": "push", "events": [{"a":1,"a":2}, 1e999], "ref": 3 }')
    assert (push.ref, bytes(push.events)) == (3, b'[{"a":1,"a":2}, 1e999]')


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        (b'{"type":"pull","ref":7,"limit":0}', 7),
        (b'{"ref":0}', 0),
        (b'{"type":"pull"}', None),
        (b'{"ref":"7"}', None),
        (b'{"ref":7', None),
        (b"\xff", None),
        (b"[" * 100_000, None),
        (b'{"x":' + b"[" * 100_000, None),
    ],
    ids=range(8),
)
def test_the_ref_of_a_wrong_request(text, ref):
    assert ref_of(text) == ref


# Presence


@given(json_values)
def test_a_state_travels_as_it_is(state):
    text = json.dumps({"state": state, "type": "presence"}).encode()
    assert decode_request(text).key == ""
    body = canonical.encode(state)
    assert state_of(text) == (None if state is None else body)
    if state is not None:
        (peer,) = decode_answer(encode(Peers(peers=[Peer("ann", "n1", state=msgspec.Raw(body))]))).peers
        assert bytes(peer.state) == body


def presence(state: str) -> bytes:
    return b'{"type":"presence","state":' + state.encode() + b"}"


def test_a_state_has_a_size():
    most = presence('"' + "é" * (MAX_PRESENCE_BYTES // 2 - 1) + '"')
    decode_request(most)
    assert len(state_of(most)) == MAX_PRESENCE_BYTES
    with pytest.raises(TooLarge):
        decode_request(most.replace(b'"}', b'e"}'))
    with pytest.raises(TooLarge):
        decode_request(presence("[" + " " * MAX_PRESENCE_BYTES + "]"))


def test_a_presence_has_a_size():
    text = presence("1").ljust(MAX_PRESENCE_MESSAGE_BYTES)
    assert state_of(text) == b"1"
    decode_request(text)
    with pytest.raises(TooLarge):
        decode_request(text + b" ")


def test_a_state_has_a_size_when_it_is_written_out():
    short = presence("[" + ",".join(["1e20"] * 500) + "]")
    decode_request(short)
    with pytest.raises(TooLarge):
        state_of(short)


@pytest.mark.parametrize("levels", [MAX_DEPTH, MAX_DEPTH + 1])
def test_a_state_has_a_depth(levels):
    text = presence("[" * levels + "]" * levels)
    decode_request(text)
    with pytest.raises(TooDeep) if levels > MAX_DEPTH else nullcontext():
        state_of(text)


def test_a_presence_of_nobody_is_short():
    assert encode(Presence()) == b'{"type":"presence"}'


# Answers


@pytest.mark.parametrize(
    "text", [b"", b"{}", b'{"type":"hello","node":"n"}', b'{"type":"ack"}', b'{"type":"\xff"}', b"[" * 100_000]
)
def test_an_answer_that_cannot_be_read(text):
    with pytest.raises(InternalError):
        decode_answer(text)


def test_what_was_asked_for_is_expected():
    welcome = Welcome(epoch=EPOCH, head=0, time=NOW, user="ann")
    assert expect(encode(welcome), Welcome) == welcome
    with pytest.raises(InternalError, match="Welcome where Page"):
        expect(encode(welcome), Page)
    with pytest.raises(Overloaded, match="busy"):
        expect(encode(ErrorMessage.of(Overloaded("busy"))), Page)


@given(errors)
def test_an_error_is_the_same_exception_at_the_other_end(error):
    read = decode_answer(encode(ErrorMessage.of(error))).error
    assert type(read) is type(error)
    assert (read.message, read.details, read.to_wire()) == (error.message, error.details, error.to_wire())


@pytest.mark.parametrize("retryable", [True, False])
def test_an_error_of_a_newer_server_keeps_its_code(retryable):
    text = json.dumps({"type": "error", "code": "too_cold", "message": "Brr.", "retryable": retryable})
    error = decode_answer(text.encode()).error
    assert isinstance(error, UnknownError)
    assert (error.code, error.message, error.retryable) == ("too_cold", "Brr.", retryable)


# What is encoded by hand, because it is made of bytes that are there


@given(st.lists(entries, max_size=3), st.booleans(), st.none() | refs, st.text("ab-_", max_size=76))
def test_a_page_by_hand_is_the_page(found, more, ref, cursor):
    by_hand = encode_page(b",".join(entry.encoded for entry in found), cursor, more=more, ref=ref)
    assert by_hand == encode(Page(ref=ref, entries=found, cursor=cursor, more=more))


@pytest.mark.parametrize("late", [(), (1,), (1, 2)])
@pytest.mark.parametrize("forget", [[], ["a"], ['a"b', "task.ä"]])
def test_a_page_by_hand_tells_what_is_late_and_what_to_forget(late, forget):
    found, *old = (Entry.of(seq, NOW, "r" * 24, an_event(seq)) for seq in (9, *late))
    by_hand = encode_page(found.encoded, "c", more=True, late=b",".join(entry.encoded for entry in old), forget=forget)
    assert by_hand == encode(Page(entries=[found], late=old, forget=forget, cursor="c", more=True))


@given(st.lists(bases, max_size=2))
def test_a_page_by_hand_has_bases(found):
    by_hand = encode_page(b"", "c", more=False, forget=["a"], bases=found)
    assert by_hand == encode(Page(entries=[], forget=["a"], bases=found, cursor="c"))


@given(refs, refs)
def test_an_ack_by_hand_is_the_ack(ref, head):
    nameless, named = InvalidEvent("a"), InvalidEvent("b", id="x")
    events = [an_event(1), an_event(2), nameless, named]
    outcomes = [7, ClockDrift("late", time=NOW), nameless, named]
    results = [
        Result(id=an_event(1).id, seq=7),
        Result(id=an_event(2).id, error=outcomes[1].to_wire()),
        Result(error=nameless.to_wire()),
        Result(id="x", error=named.to_wire()),
    ]
    by_hand = b'{"type":"ack","ref":%d,%b}' % (ref, encode_ack(events, outcomes, head))
    assert decode_answer(by_hand) == Ack(ref=ref, results=results, head=head)
    assert [error.code for error in decode_answer(by_hand).errors] == ["clock_drift", "invalid_event", "invalid_event"]
    assert b"".join(encode(Ack(ref=1, results=results, head=head)).split(b'"ref":1,')) == b"{%b}" % b",".join(
        [b'"type":"ack"', encode_ack(events, outcomes, head)]
    )


def test_every_message_has_a_type_of_its_own():
    kinds = {kind.__struct_config__.tag for kind in (*messages.Request.__args__, *messages.Answer.__args__)}
    questions = {"hello", "push", "pull", "live", "auth", "presence", "merkle", "fetch", "give", "snapshot"}
    answers = {"welcome", "authenticated", "ack", "page", "peers", "error", "tree", "found"}
    assert kinds == {*questions, *answers, "ping", "pong"}


def test_errors_travel_with_their_details():
    wire = msgspec.json.decode(encode(ErrorMessage.of(NodeConflict("copied", node="n1"), 4)))
    assert wire == {
        "type": "error",
        "ref": 4,
        "code": "node_conflict",
        "message": "copied",
        "details": {"node": "n1"},
    }


def test_events_are_decoded_when_they_are_looked_at():
    page = decode_answer(encode_page(Entry.of(1, NOW, "r", an_event()).encoded, "c", more=False))
    assert [entry.event for entry in page.entries] == [an_event()]
    assert isinstance(page.entries[0].event, Event)
