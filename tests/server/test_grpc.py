"""A server over gRPC: what is refused and how, deadlines, streams that end, readers that do not read."""

import json
import os
import socket
import threading

import grpc
import pytest

from tests.server.calling import calling, pb, refusal
from tests.server.running import Author, ServerProcess, eventually, serving
from tests.server.tenants import bearer, change, key, make

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("grpc"), grpc_port=0, trusted_proxies=["127.0.0.1"]) as server:
        yield server


@pytest.fixture
def call(server, space):
    with calling(server, space, server.key) as stub:
        yield stub


def body(events) -> bytes:
    return json.dumps(events).encode()


def refused(call, method, **fields) -> dict:
    with pytest.raises(grpc.RpcError) as raised:
        list(call(method, **fields) if method == "Live" else [call(method, **fields)])
    return refusal(raised.value)


def put(call, count=1, **fields) -> list:
    """Events that were stored; the results."""
    return json.loads(call("Push", events=body(Author().events(count, **fields))).results)


def used(server, space) -> int:
    """Streams and sessions of a space that are open."""
    answer = server.request("GET", f"/v1/spaces/{space}", headers=server.bearer())
    return answer.json["used"]["connections"]


# What is asked for, and what is refused


def test_a_conversation_of_a_program_without_the_sdk(call):
    welcome = call("Hello", protocol=1)
    assert (welcome.user, welcome.head, welcome.HasField("own")) == (".root", 0, False)
    assert welcome.limits.push_events == 1_000
    events = Author().events(3)
    ack = call("Push", events=body(events))
    assert [result["seq"] for result in json.loads(ack.results)] == [1, 2, 3]
    assert ack.head == 3
    first = call("Pull", limit=2)
    rest = call("Pull", cursor=first.cursor)
    assert (first.more, rest.more) == (True, False)
    entries = [entry for page in (first, rest) for entry in json.loads(page.entries)]
    assert [entry["event"]["id"] for entry in entries] == [event["id"] for event in events]


BAD = [
    ("Hello", {"protocol": 2}, "unsupported_protocol", "INVALID_ARGUMENT"),
    ("Push", {"events": b"junk"}, "bad_json", "INVALID_ARGUMENT"),
    ("Push", {"events": b""}, "bad_json", "INVALID_ARGUMENT"),
    ("Push", {"events": b'{"events":[]}'}, "bad_request", "INVALID_ARGUMENT"),
    ("Push", {"events": b"[" + b"{}," * 1_000 + b"{}]"}, "too_many_events", "RESOURCE_EXHAUSTED"),
    ("Push", {"events": b"[" + b" " * MIB + b"]"}, "too_large", "RESOURCE_EXHAUSTED"),
    ("Pull", {"limit": 10_001}, "bad_request", "INVALID_ARGUMENT"),
    ("Pull", {"items": ["a*b"]}, "bad_request", "INVALID_ARGUMENT"),
    ("Pull", {"cursor": "nonsense"}, "bad_cursor", "INVALID_ARGUMENT"),
    ("Live", {"cursor": "nonsense"}, "bad_cursor", "INVALID_ARGUMENT"),
    ("Live", {"items": ["x"] * 101}, "bad_request", "INVALID_ARGUMENT"),
    ("Authenticate", {"token": "wrong"}, "unauthorized", "UNAUTHENTICATED"),
    ("Authenticate", {"token": "tk_ticket"}, "unauthorized", "UNAUTHENTICATED"),
]


@pytest.mark.parametrize(("method", "fields", "code", "status"), BAD)
def test_what_is_refused(server, space, call, method, fields, code, status):
    told = refused(call, method, **fields)
    assert (told["code"], told["status"]) == (code, status)
    assert put(call)[0]["seq"] == 1  # and nothing else was stored


@pytest.mark.parametrize("method", ["Hello", "Authenticate", "Push", "Pull", "Live"])
def test_what_is_no_message_of_the_contract(call, method):
    with pytest.raises(grpc.RpcError) as raised:
        call.raw(method, b"\xff\xff\xff")
    assert refusal(raised.value)["code"] == "bad_request"


def test_events_have_answers_of_their_own(call):
    good, bad = Author().event(), Author().event(colour="red")
    results = json.loads(call("Push", events=body([good, bad])).results)
    assert results[0] == {"id": good["id"], "seq": 1}
    assert results[1]["error"]["code"] == "invalid_event"


@pytest.mark.parametrize("name", ["NO", "a/b", "x" * 65])
def test_a_name_that_no_space_has(server, name):
    with calling(server, name, server.key) as call:
        assert refused(call, "Pull")["code"] == "bad_request"


def test_metadata_that_say_nothing(server, space):
    with calling(server, space, server.key, junk_bin=bytes(range(256)), x_node_id="a b") as call:
        assert put(call)[0]["seq"] == 1
        assert refused(call, "Hello", protocol=1)["code"] == "bad_request"
    with calling(server, space, authorization="Basic x") as call:
        assert refused(call, "Pull")["code"] == "unauthorized"
    with calling(server, space, x_api_key=server.key) as call:
        assert call("Pull").cursor


def test_a_method_that_is_not_there(call):
    with pytest.raises(grpc.RpcError) as raised:
        call.raw("Nothing", b"")
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_that_is_too_large_is_not_read(server, call, compression):
    put(call)
    server.forget_peak()
    before = server.memory()
    with pytest.raises(grpc.RpcError) as raised:
        call.raw("Push", pb.PushRequest(events=b" " * (64 * MIB)).SerializeToString(), compression=compression)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert server.memory("VmHWM") - before < 16 * MIB
    assert call("Pull").cursor


def test_what_is_not_http_2(server, call):
    with socket.create_connection(("127.0.0.1", server.grpc_port)) as raw:
        raw.sendall(os.urandom(100_000))
    with socket.create_connection(("127.0.0.1", server.grpc_port)) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while raw.recv(4096):
            pass  # until it is closed
    assert put(call)[0]["seq"] == 1


def test_a_call_without_a_message(call):
    ask = call.channel.stream_unary("/syncline.v1.Syncline/Pull")
    with pytest.raises(grpc.RpcError) as raised:
        ask(iter(()), metadata=call.metadata)
    assert refusal(raised.value)["code"] == "bad_request"


def test_a_message_that_does_not_come(serve):
    server = serve(grpc_port=0, body_seconds=0.1)
    end = threading.Event()

    def never():
        end.wait()
        yield from ()

    with calling(server, token=server.key) as call:
        ask = call.channel.stream_unary("/syncline.v1.Syncline/Push")
        try:
            with pytest.raises(grpc.RpcError) as raised:
                ask(never(), metadata=call.metadata)
        finally:
            end.set()
    told = refusal(raised.value)
    assert (told["code"], told["status"]) == ("request_timeout", "DEADLINE_EXCEEDED")


def test_credentials_are_looked_at_before_the_message(server, space):
    with calling(server, space) as call, pytest.raises(grpc.RpcError) as raised:
        call.raw("Push", b"\xff\xff\xff")
    assert refusal(raised.value)["code"] == "unauthorized"


def test_rates(serve):
    server = serve(grpc_port=0, credential_requests_per_second=0.001, burst_seconds=1)
    with calling(server, token=server.key) as call:
        assert call("Hello", protocol=1).user == ".root"
        told = refused(call, "Hello", protocol=1)
    assert (told["code"], told["status"], told["policy"]) == (
        "rate_limited",
        "RESOURCE_EXHAUSTED",
        "credential-requests",
    )
    assert told["retry_after"] > 1


def test_refusals_are_in_the_audit_with_where_they_came_from(server, space):
    with calling(server, space, "wrong", x_forwarded_for="192.0.2.7, 203.0.113.9") as call:
        refused(call, "Push", events=b"[]")
    audit = server.request("GET", "/v1/audit?spaces=all&kind=unauthorized&limit=1000", headers=server.bearer()).json
    notes = [(note["what"], note["address"]) for note in audit["entries"] if note["space"] == space]
    assert notes == [("unauthorized gRPC Push", "203.0.113.9")]


def test_a_deadline_that_passes_leaves_no_half_push(call):
    batches = [Author().events(20) for _ in range(40)]
    ends = [call.end("Push", timeout=n / 2_000, events=body(batch)) for n, batch in enumerate(batches)]
    assert set(ends) <= {grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert grpc.StatusCode.DEADLINE_EXCEEDED in ends
    again = [json.loads(call("Push", events=body(batch)).results) for batch in batches]
    assert sorted(result["seq"] for results in again for result in results) == list(range(1, 801))
    entries = json.loads(call("Pull", limit=10_000).entries)
    assert sorted(entry["event"]["id"] for entry in entries) == sorted(
        event["id"] for each in batches for event in each
    )


def test_metadata_may_be_long_but_not_too_long(server, space):
    with calling(server, space, server.key, x_more="x" * 50_000) as call:
        assert call("Pull").cursor
    with calling(server, space, server.key, x_more="x" * 80_000) as call, pytest.raises(grpc.RpcError) as raised:
        call("Pull")
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


# Streams


def test_pages_come_as_entries_come(call):
    pages = call("Live")
    assert next(pages).entries == b"[]"
    put(call, 3)
    seqs = []
    while len(seqs) < 3:
        seqs += [entry["seq"] for entry in json.loads(next(pages).entries)]
    assert seqs == [1, 2, 3]


def test_a_stream_that_is_cancelled_is_over(server, space, call):
    pages = call("Live")
    next(pages)
    assert used(server, space) == 1
    pages.cancel()
    eventually(lambda: used(server, space) == 0)


def test_a_stream_ends_at_its_deadline(server, space, call):
    pages = call("Live", timeout=0.5)
    with pytest.raises(grpc.RpcError) as raised:
        list(pages)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    eventually(lambda: used(server, space) == 0)


def test_streams_count_as_connections(server, space):
    make(server, space)
    change(server, space, connections=1)
    with calling(server, space, key(server, space)) as call:
        pages = call("Live")
        next(pages)
        told = refused(call, "Live")
        assert (told["code"], told["status"], told["retryable"]) == ("too_many_connections", "RESOURCE_EXHAUSTED", True)


def test_a_stream_ends_with_its_credentials(server, space):
    make(server, space)
    own = bearer(key(server, space))
    made = server.request("POST", f"/v1/spaces/{space}/keys", body({"name": "k"}), own).json
    with calling(server, space, made["key"]) as call:
        pages = call("Live")
        next(pages)
        assert server.request("DELETE", f"/v1/spaces/{space}/keys/{made['id']}", headers=own).status == 200
        with pytest.raises(grpc.RpcError) as raised:
            next(pages)
        assert refusal(raised.value)["code"] == "unauthorized"
        assert refused(call, "Pull")["code"] == "unauthorized"


def test_streams_end_when_the_server_stops(serve):
    server = serve(grpc_port=0)
    with calling(server, token=server.key) as call:
        pages = call("Live")
        next(pages)
        assert server.stop() == 0
        with pytest.raises(grpc.RpcError) as raised:
            next(pages)
    told = refusal(raised.value)
    assert (told["code"], told["status"], told["retryable"]) == ("shutting_down", "UNAVAILABLE", True)


def test_a_reader_that_does_not_read_holds_up_no_stop(serve):
    server = serve(grpc_port=0, shutdown_seconds=0.5)
    with calling(server, token=server.key) as call:
        pages = call("Live")
        next(pages)
        for _ in range(40):
            put(call, 200, payload="x" * 4_000)
        assert server.stop() == 0
        assert "Traceback" not in server.log()
        pages.cancel()


@pytest.mark.slow
def test_a_reader_that_does_not_read(serve):
    server: ServerProcess = serve(grpc_port=0)
    with calling(server, "s", server.key) as call:
        for _ in range(60):  # caches and threads are there, and a snapshot was made
            put(call, 200, payload="x" * 4_000)
        cursor = server.request("GET", "/v1/spaces/s", headers=server.bearer()).json["cursor"]
        readers = [call("Live", cursor=cursor) for _ in range(4)]
        server.forget_peak()
        before = server.memory()
        for _ in range(100):
            put(call, 200, payload="x" * 4_000)
        assert server.memory("VmHWM") - before < 40 * MIB  # of 320 MiB that wait for them
        for pages in readers:
            seqs = []
            while not seqs or seqs[-1] < 160 * 200:
                seqs += [entry["seq"] for entry in json.loads(next(pages).entries)]
            assert seqs == list(range(60 * 200 + 1, 160 * 200 + 1))
