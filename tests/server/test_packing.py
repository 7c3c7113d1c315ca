"""What is large is packed for those who take it, over HTTP and over a WebSocket, and is the same as without."""

import gzip
import json
import sys
from contextlib import contextmanager

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

from syncline.core.limits import MAX_BODY_BYTES
from syncline.core.messages import Hello, Pull
from syncline.server.packing import accepts
from syncline.transports.addresses import is_near
from syncline.transports.websocket import WebSocketTransport
from tests.server.running import recv

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MANY = 300


def pulled(server, space, accepted):
    headers = {"Accept-Encoding": accepted} if accepted else {}
    answer = server.request("GET", f"/v1/spaces/{space}/pull", headers=headers)
    assert answer.status == 200
    return answer


@pytest.fixture
def log(open_server, space, author):
    """The space, with a log whose one page is large."""
    assert open_server.push(space, author.events(MANY)).status == 200
    return space


@pytest.mark.parametrize(
    ("accepted", "encoding", "unpack"),
    [
        ("gzip", "gzip", gzip.decompress),
        ("gzip, deflate, br, zstd", "zstd", zstd.decompress),
        ("gzip;q=1.0, zstd;q=0", "gzip", gzip.decompress),
    ],
)
def test_a_large_page_is_packed_as_the_client_takes_it(open_server, log, accepted, encoding, unpack):
    plain, packed = pulled(open_server, log, None), pulled(open_server, log, accepted)
    assert plain.headers.get("content-encoding") is None
    assert packed.headers["content-encoding"] == encoding
    assert packed.headers["vary"] == "Accept-Encoding"
    assert len(packed.body) < len(plain.body) / 3
    assert json.loads(unpack(packed.body))["entries"] == plain.json["entries"]


@pytest.mark.parametrize("accepted", ["br", "identity", "gzip;q=0", "xgzip"])
def test_nobody_gets_what_they_do_not_take(open_server, log, accepted):
    assert pulled(open_server, log, accepted).headers.get("content-encoding") is None


def test_a_small_page_stays_as_it_is(open_server, space, author):
    open_server.push(space, author.events(3))
    assert pulled(open_server, space, "gzip").headers.get("content-encoding") is None


def test_weights():
    assert accepts("gzip;q=0.5", "gzip")
    assert not accepts("gzip;q=0.0", "gzip")


# Over a WebSocket


class Counted(ClientPerMessageDeflateFactory):
    """A client's permessage-deflate, which notes the frames that come: whether they are packed, and their bytes."""

    def __init__(self):
        super().__init__(client_max_window_bits=True)
        self.frames = []

    def process_response_params(self, params, accepted_extensions):
        extension = super().process_response_params(params, accepted_extensions)
        decode = extension.decode

        def noting(frame, **more):
            self.frames.append((frame.rsv1, len(frame.data)))
            return decode(frame, **more)

        extension.decode = noting
        return extension


@contextmanager
def session(server, space):
    """A conversation of a client that takes packed messages, after its hello; and what has come."""
    deflate = Counted()
    url = server.url.replace("http", "ws") + "/ws"
    with connect(url, extensions=[deflate], compression=None, max_size=None, proxy=None) as socket:
        socket.send(json.dumps({"type": "hello", "protocol": 1, "node": "n", "space": space}))
        assert recv(socket)["type"] == "welcome"
        yield socket, deflate.frames


def test_a_large_message_is_packed_and_a_small_one_is_not(open_server, log):
    with session(open_server, log) as (socket, frames):
        assert frames == [(False, frames[0][1])]
        socket.send(json.dumps({"type": "pull", "ref": 1, "limit": MANY}))
        page = recv(socket)
    assert len(page["entries"]) == MANY
    assert frames[1][0]
    assert frames[1][1] < len(json.dumps(page)) / 3


def test_pages_that_many_follow_are_packed_for_those_who_take_it(open_server, space, author):
    with (
        session(open_server, space) as (packed, frames),
        session(open_server, space) as (second, _),
        open_server.session(space) as plain,
    ):
        for socket in (packed, second, plain):
            socket.send(json.dumps({"type": "live"}))
            assert recv(socket)["entries"] == []
        open_server.push(space, author.events(MANY))
        pages = [recv(socket) for socket in (packed, second, plain)]
    assert [len(page["entries"]) for page in pages] == [MANY] * 3
    assert pages[0] == pages[1] == pages[2]
    is_packed, _ = max(frames, key=lambda frame: frame[1])
    assert is_packed


def test_answers_come_after_what_is_being_packed(open_server, log, author):
    with session(open_server, log) as (socket, _):
        for ref in range(1, 21):
            socket.send(json.dumps({"type": "pull", "ref": ref, "limit": MANY if ref % 2 else 1}))
        assert [recv(socket)["ref"] for _ in range(20)] == list(range(1, 21))


def test_what_a_client_packs_is_read_up_to_the_limit(open_server, space, author):
    with session(open_server, space) as (socket, _):
        socket.send(json.dumps({"type": "push", "ref": 1, "events": author.events(MANY)}))
        assert len(recv(socket)["results"]) == MANY
        socket.send(" " * (MAX_BODY_BYTES + 1))  # a few hundred bytes, packed
        with pytest.raises(Exception, match="1009"):
            recv(socket)


# What replicas take


@pytest.mark.parametrize("packed", [True, False, None])
async def test_a_replica_gets_the_same_packed_or_not(open_server, log, packed):
    transport = WebSocketTransport(open_server.url, packed=packed)
    await transport.hello(Hello(node="n", space=log))
    page = await transport.pull(Pull(ref=1, limit=MANY))
    await transport.close()
    assert len(page.entries) == MANY


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://localhost:8080", True),
        ("ws://127.0.0.1:8080/ws", True),
        ("https://[::1]/", True),
        ("https://sync.example.org", False),
        ("http://192.168.1.7:8080", False),
        ("http://[", False),
    ],
)
def test_who_is_near(url, near):
    assert is_near(url) is near
