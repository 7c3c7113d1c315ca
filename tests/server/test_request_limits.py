"""Every limit of a request over HTTP, as one table: method, path, headers and body, and what is answered.

``{space}`` stands for a space of the test's own. After each of them the log is as it was.
"""

import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.server.running import Author, ask, push_body

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor
else:
    from backports.zstd import ZstdCompressor

MIB = 1024 * 1024
PUSH = "/v1/spaces/{space}/push"
PULL = "/v1/spaces/{space}/pull"
LIVE = "/v1/spaces/{space}/live"
HELLO = "/v1/spaces/{space}/hello"


class Case(NamedTuple):
    name: str
    method: str
    path: str
    status: int
    code: str | None
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012

    def __str__(self) -> str:
        return self.name


def push(name: str, status: int, code: str | None, body: Any, **headers: str) -> Case:
    return Case(
        name, "POST", PUSH, status, code, body, {key.replace("_", "-"): value for key, value in headers.items()}
    )


def pull(name: str, status: int, code: str | None, query: str) -> Case:
    return Case(name, "GET", f"{PULL}?{query}", status, code)


def hello(name: str, status: int, code: str | None, message: Any, space: str = "") -> Case:
    path = HELLO.replace("{space}", space) if space else HELLO
    return Case(name, "POST", path, status, code, message if isinstance(message, bytes) else json.dumps(message))


def gzip_bomb() -> bytes:
    """A gibibyte of zeros, gzipped: the same block again and again."""
    deflate = zlib.compressobj(wbits=31)
    head = deflate.compress(b"") + deflate.flush(zlib.Z_FULL_FLUSH)
    block = deflate.compress(bytes(16 * MIB)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return head + block * 63 + deflate.compress(bytes(16 * MIB)) + deflate.flush()


def zstd_bomb() -> bytes:
    """A gibibyte of zeros, as zstd."""
    zstd = ZstdCompressor()
    return b"".join(zstd.compress(bytes(MIB)) for _ in range(1024)) + zstd.flush()


def with_payload(payload: bytes) -> bytes:
    """A push of one event with these bytes within its payload."""
    return push_body([Author().event(payload="?")]).replace(b"?", payload)


GOOD = push_body([Author().event()])
TWO = push_body(Author().events(2))
ZSTD_GOOD = ZstdCompressor().compress(GOOD, ZstdCompressor.FLUSH_FRAME)
FULL_BODY = push_body([Author().event(payload="x" * 60_000) for _ in range(17)])

BODIES = [
    push("an event", 200, None, GOOD),
    push("an event, gzipped", 200, None, gzip.compress(GOOD), Content_Encoding="gzip"),
    push("an event, as zstd", 200, None, ZSTD_GOOD, Content_Encoding="zstd"),
    push("an event, as itself", 200, None, GOOD, Content_Encoding="identity"),
    push("an event, with a charset", 200, None, GOOD, Content_Type="application/json; charset=utf-8"),
    push("blanks around", 200, None, b" \r\n" + GOOD + b"\n"),
    push("an empty body", 400, "bad_json", b""),
    push("truncated", 400, "bad_json", GOOD[:-3]),
    push("two bodies", 400, "bad_json", GOOD + GOOD),
    push("a BOM", 400, "bad_json", b"\xef\xbb\xbf" + GOOD),
    push("UTF-16", 400, "bad_json", GOOD.decode().encode("utf-16")),
    push("invalid UTF-8", 400, "bad_json", GOOD.replace(b"update", b"upd\xffte")),
    push("invalid UTF-8 in a payload", 400, "bad_json", with_payload(b"\xc3")),
    push("a surrogate as UTF-8", 400, "bad_json", with_payload(b"\xed\xa0\x80")),
    push("an overlong slash", 400, "bad_json", with_payload(b"\xc0\xaf")),
    push("NaN", 400, "bad_json", b"NaN"),
    push("a list", 400, "bad_request", b"[]"),
    push("a number", 400, "bad_request", b"7"),
    push("null", 400, "bad_request", b"null"),
    push("no events", 400, "bad_request", b"{}"),
    push("an unknown member", 400, "bad_request", GOOD[:-1] + b',"colour":"red"}'),
    push("a member twice", 400, "bad_json", GOOD[:-1] + b"," + GOOD[1:]),
    push("a member twice, empty", 400, "bad_json", GOOD[:-1] + b',"events":[]}'),
    push("100,000 nested arrays around", 422, "too_deep", b"[" * 100_000),
    push("100,000 nested objects around", 422, "too_deep", b'{"events":' * 100_000),
    push("form data", 415, "unsupported_media_type", GOOD, Content_Type="application/x-www-form-urlencoded"),
    push("text", 415, "unsupported_media_type", GOOD, Content_Type="text/plain"),
    push("an unknown encoding", 415, "unsupported_media_type", GOOD, Content_Encoding="br"),
    push("two encodings", 415, "unsupported_media_type", GOOD, Content_Encoding="gzip, gzip"),
    push("not gzip", 400, "bad_request", GOOD, Content_Encoding="gzip"),
    push("not zstd", 400, "bad_request", GOOD, Content_Encoding="zstd"),
    push("truncated gzip", 400, "bad_request", gzip.compress(GOOD)[:-9], Content_Encoding="gzip"),
    push("a wrong checksum", 400, "bad_request", gzip.compress(GOOD)[:-8] + bytes(8), Content_Encoding="gzip"),
    push("truncated zstd", 400, "bad_request", ZSTD_GOOD[:-4], Content_Encoding="zstd"),
    push("an empty gzip body", 400, "bad_request", b"", Content_Encoding="gzip"),
    push("nothing, gzipped", 400, "bad_json", gzip.compress(b""), Content_Encoding="gzip"),
    push("two gzip members", 400, "bad_request", gzip.compress(GOOD) + gzip.compress(b"  "), Content_Encoding="gzip"),
    push("something behind gzip", 400, "bad_request", gzip.compress(GOOD) + b"more", Content_Encoding="gzip"),
    push("more behind zstd", 400, "bad_request", ZSTD_GOOD + b"more", Content_Encoding="zstd"),
    push("1 MiB and one byte", 413, "too_large", GOOD + b" " * (MIB + 1 - len(GOOD))),
    push("1 MiB", 200, None, GOOD + b" " * (MIB - len(GOOD))),
    push("17 events of 60,000 bytes", 200, None, FULL_BODY),
    push("9 MiB, gzipped", 413, "too_large", gzip.compress(GOOD + b" " * 9 * MIB), Content_Encoding="gzip"),
    push("7 MiB, gzipped", 200, None, gzip.compress(GOOD + b" " * 7 * MIB), Content_Encoding="gzip"),
    push("a length that is no number", 400, None, GOOD, Content_Length="many"),
    push("a negative length", 400, None, GOOD, Content_Length="-1"),
]  # fmt: skip

QUERIES = [
    pull("nothing", 200, None, ""),
    pull("limit=1", 200, None, "limit=1"),
    pull("limit=10000", 200, None, "limit=10000"),
    pull("limit=0", 400, "bad_request", "limit=0"),
    pull("limit=-1", 400, "bad_request", "limit=-1"),
    pull("limit=10001", 400, "bad_request", "limit=10001"),
    pull("limit=1e3", 400, "bad_request", "limit=1e3"),
    pull("limit=²", 400, "bad_request", "limit=%C2%B2"),
    pull("a limit of 5,000 digits", 400, "bad_request", "limit=" + "9" * 5_000),
    pull("a limit twice", 400, "bad_request", "limit=1&limit=1"),
    pull("wait=-1", 400, "bad_request", "wait=-1"),
    pull("wait=56", 400, "bad_request", "wait=56"),
    pull("wait=soon", 400, "bad_request", "wait=soon"),
    pull("an empty cursor", 200, None, "since="),
    pull("a cursor that is none", 400, "bad_cursor", "since=7"),
    pull("a cursor of 50,000", 400, "bad_cursor", "since=" + "A" * 50_000),
    pull("a cursor beyond ASCII", 400, "bad_cursor", "since=%C3%A9"),
    pull("a cursor of zeros", 400, "bad_cursor", "since=" + "A" * 76),
    pull("a cursor twice", 400, "bad_request", "since=a&since=b"),
    pull("an item", 200, None, "items=task.milk"),
    pull("a prefix", 200, None, "items=task.*"),
    pull("items", 200, None, "items=task.*,note.a&items=x"),
    pull("everything", 200, None, "items=*"),
    pull("a star within", 400, "bad_request", "items=ta*sk"),
    pull("no item", 400, "bad_request", "items="),
    pull("an item of 257", 400, "bad_request", "items=" + "i" * 257),
    pull("an item with a control character", 400, "bad_request", "items=a%00b"),
    pull("an item of SQL", 400, "bad_request", "items=x%27%20OR%201=1%20--"),
    pull("an item of ../", 200, None, "items=../../x"),
    pull("100 items", 200, None, "items=" + ",".join(f"i{n}" for n in range(100))),
    pull("101 items", 400, "bad_request", "items=" + ",".join(f"i{n}" for n in range(101))),
    pull("300 parameters", 400, "bad_request", "&".join(f"a{n}=1" for n in range(300))),
    pull("a parameter nobody knows", 200, None, "colour=red"),
    Case("live with a cursor that is none", "GET", f"{LIVE}?since=7", 400, "bad_cursor"),
    Case("live with a Last-Event-ID that is none", "GET", LIVE, 400, "bad_cursor", None, {"Last-Event-ID": "7"}),
    Case("live with bad items", "GET", f"{LIVE}?items=a*b", 400, "bad_request"),
]

ADDRESSES = [
    Case("nowhere", "GET", "/nowhere", 404, "not_found"),
    Case("nowhere in a space", "GET", "/v1/spaces/{space}/nowhere", 404, "not_found"),
    Case("a slash too many", "GET", PULL + "/", 404, "not_found"),
    Case("an address of 60,000", "GET", "/" + "a" * 60_000, 404, "not_found"),
    Case("GET push", "GET", PUSH, 405, "method_not_allowed"),
    Case("DELETE pull", "DELETE", PULL, 405, "method_not_allowed"),
    Case("POST pull", "POST", PULL, 405, "method_not_allowed", b"{}"),
    Case("POST live", "POST", LIVE, 405, "method_not_allowed", b"{}"),
    Case("PATCH spaces", "PATCH", "/v1/spaces", 405, "method_not_allowed", b"{}"),
    Case("the session over plain HTTP", "GET", "/ws", 404, "not_found"),
    Case("a space of ../", "POST", "/v1/spaces/%2e%2e/push", 400, "bad_request", GOOD),
    Case("a space of ../ with a slash", "POST", "/v1/spaces/..%2f..%2fetc/push", 404, "not_found", GOOD),
    Case("a space in capitals", "POST", "/v1/spaces/Space/push", 400, "bad_request", GOOD),
    Case("a space with a control character", "POST", "/v1/spaces/a%00b/push", 400, "bad_request", GOOD),
    Case("a space with a newline", "POST", "/v1/spaces/a%0a/push", 400, "bad_request", GOOD),
    Case("a space of SQL", "POST", "/v1/spaces/a%27%3b--/push", 400, "bad_request", GOOD),
    Case("a space beyond ASCII", "POST", "/v1/spaces/%C3%A9/push", 400, "bad_request", GOOD),
    Case("a space of 64", "POST", "/v1/spaces/" + "s" * 64 + "/hello", 200, None, b'{"type":"hello","node":"n"}'),
    Case("a space of 65", "POST", "/v1/spaces/" + "s" * 65 + "/push", 400, "bad_request", GOOD),
    Case("the tenant of the path", "POST", PUSH, 200, None, GOOD, {"X-Tenant-ID": "{space}"}),
    Case("a tenant against the path", "POST", PUSH, 400, "space_mismatch", GOOD, {"X-Tenant-ID": "other"}),
    Case("a tenant alone", "POST", "/v1/push", 200, None, GOOD, {"X-Tenant-ID": "{space}"}),
    Case("a bad tenant", "POST", "/v1/push", 400, "bad_request", GOOD, {"X-Tenant-ID": "../x"}),
    Case("a bad tenant to pull", "GET", "/v1/pull", 400, "bad_request", None, {"X-Tenant-ID": "a b"}),
    Case("a wrong key", "POST", PUSH, 401, "unauthorized", GOOD, {"Authorization": "Bearer sk_wrong"}),
    Case("a key with a NUL", "POST", PUSH, 401, "unauthorized", GOOD, {"Authorization": "Bearer a\xffb"}),
    Case("a wrong key in X-API-Key", "GET", PULL, 401, "unauthorized", None, {"X-API-Key": "sk_wrong"}),
    Case("a key of 60,000", "GET", PULL, 401, "unauthorized", None, {"X-API-Key": "k" * 60_000}),
    Case("a space that is not there", "GET", "/v1/spaces/nobody-was-here", 404, "unknown_space"),
    Case("deleting what is not there", "DELETE", "/v1/spaces/nobody-was-here", 404, "unknown_space"),
    Case("making a space without a name", "POST", "/v1/spaces", 400, "bad_request", b"{}"),
    Case("making a space with a bad name", "POST", "/v1/spaces", 400, "bad_request", b'{"name":"../x"}'),
    Case("making a space of nothing", "POST", "/v1/spaces", 400, "bad_json", b""),
    hello("hello", 200, None, {"type": "hello", "node": "n"}),
    hello("hello with its space", 200, None, {"type": "hello", "node": "n", "space": "hello-space"}, "hello-space"),
    hello("hello with another space", 400, "space_mismatch", {"type": "hello", "node": "n", "space": "other"}),
    hello("hello of protocol 2", 400, "unsupported_protocol", {"type": "hello", "node": "n", "protocol": 2}),
    hello("hello of protocol one", 400, "bad_request", {"type": "hello", "node": "n", "protocol": "1"}),
    hello("hello without a node", 400, "bad_request", {"type": "hello"}),
    hello("hello with a bad node", 400, "bad_request", {"type": "hello", "node": "a\x00b"}),
    hello("hello with a node of 65", 400, "bad_request", {"type": "hello", "node": "n" * 65}),
    hello("hello that is no hello", 400, "bad_request", {"type": "push", "events": []}),
    hello("hello that is no JSON", 400, "bad_json", b"hello"),
    hello("hello of nothing", 400, "bad_json", b""),
]  # fmt: skip


@pytest.mark.parametrize("case", [*BODIES, *QUERIES, *ADDRESSES], ids=str)
def test_answer(open_server, space, case):
    before = [entry["event"]["id"] for entry in open_server.entries(space)]
    headers = {name: value.replace("{space}", space) for name, value in case.headers.items()}
    answer = open_server.request(case.method, case.path.replace("{space}", space), case.body, headers)
    assert (answer.status, answer.code) == (case.status, case.code), answer
    if answer.status != 200:
        assert [entry["event"]["id"] for entry in open_server.entries(space)] == before
    assert open_server.request("GET", "/readyz").status == 200


@pytest.mark.parametrize(("encoding", "bomb"), [("gzip", gzip_bomb), ("zstd", zstd_bomb)], ids=["gzip", "zstd"])
def test_a_gibibyte_of_zeros(open_server, space, encoding, bomb):
    body = bomb()
    assert len(body) <= MIB
    assert memory_of(open_server, lambda: refused(open_server, space, body, encoding, "too_large")) < 64 * MIB
    assert open_server.head(space) == 0


def test_half_a_million_numbers_for_events(open_server, space):
    body = push_body(b"[" + b"7," * 500_000 + b"7]")
    assert memory_of(open_server, lambda: refused(open_server, space, body, "identity", "too_many_events")) < 64 * MIB


def refused(server: Any, space: str, body: bytes, encoding: str, code: str) -> None:
    answer = server.request("POST", PUSH.replace("{space}", space), body, {"Content-Encoding": encoding})
    assert answer.code == code


def memory_of(server: Any, do: Any) -> int:
    """By how many bytes the server's memory grew at most meanwhile."""
    do()  # what is loaded once does not count
    before = server.memory()
    server.forget_peak()
    do()
    return server.memory("VmHWM") - before


def test_a_body_in_chunks(open_server, space):
    answer = open_server.request("POST", PUSH.replace("{space}", space), chunks(TWO, 40))
    assert (answer.status, answer.json["head"]) == (200, 2)


def test_a_body_in_chunks_without_end(open_server, space):
    answer = open_server.request("POST", PUSH.replace("{space}", space), chunks(bytes(4 * MIB), 65_536))
    assert (answer.status, answer.code) == (413, "too_large")


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    yield from (data[place : place + size] for place in range(0, len(data), size))


def test_405_says_what_is_allowed(open_server):
    assert open_server.request("GET", "/v1/push").json["allow"] == "POST"
    assert open_server.request("GET", "/v1/push").headers["allow"] == "POST"


def test_401_asks_for_credentials(open_server):
    answer = open_server.request("GET", "/v1/pull", headers={"X-API-Key": "wrong"})
    assert answer.headers["www-authenticate"] == "Bearer"


def test_errors_keep_the_connection(open_server, space):
    connection = open_server.connect()
    for body in (b"", GOOD, b"[", GOOD):
        answer = ask(connection, "POST", PUSH.replace("{space}", space), body)
        assert answer.status == (200 if body == GOOD else 400)
    connection.close()
