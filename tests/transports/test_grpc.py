"""The transport over gRPC keeps the contract, with real servers; what is its own: deadlines, TLS, compression, URLs."""

import asyncio
import os
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

import syncline
from syncline.core.access.rules import Rule
from syncline.core.bases import Base
from syncline.core.events import Entry
from syncline.core.limits import Limits
from syncline.core.messages import Auth, Hello, Live, Page, Pull, Push, Welcome, encode
from syncline.errors import BadRequest, BadSettings, ConnectionLost, HelloRequired, UserMismatch
from syncline.testing.seeded import Author
from syncline.transports.grpc import wire
from syncline.transports.grpc.client import GrpcTransport
from tests.processes import DEADLINE
from tests.server.proxy import Proxy
from tests.server.running import eventually
from tests.transports.certificates import make_certificate
from tests.transports.servers import NetworkContract, in_a_process

ROOT = Path(__file__).parents[2]


class TestGrpcTransport(NetworkContract):
    transport = GrpcTransport
    scheme = "grpc"


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    """A server of which the transport is made by hand: the URLs are all that is asked of it."""
    with in_a_process(tmp_path_factory.mktemp("grpc"), lambda url: url, scheme="grpc") as served:
        yield served


@pytest.fixture
def port(urls):
    return int(urls.connect().rpartition(":")[2])


async def greeted(url, space, **more):
    transport = GrpcTransport(url, **more)
    await transport.hello(Hello(node="n", space=space, token="of-ann"))
    return transport


def behind(proxy):
    return proxy.url.replace("http", "grpc")


# What is made of the contract


def test_what_protoc_made_is_what_it_makes(tmp_path):
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "-Ispec", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([*protoc, "spec/syncline.proto"], cwd=ROOT, check=True, timeout=DEADLINE)
    for made in tmp_path.iterdir():
        assert made.read_text() == (ROOT / "src/syncline/transports/grpc" / made.name).read_text(), "make proto"
    assert sorted(made.name for made in tmp_path.iterdir()) == ["syncline_pb2.py", "syncline_pb2.pyi"]


def test_every_member_of_a_welcome_and_of_a_page_crosses_the_wire():
    event = Author().event()
    entry = Entry.of(1, 2, "r" * 24, event)
    base = Base(item="a", seq=1, at=2, count=3, clock={"n": 4})
    welcome = Welcome(
        epoch="0" * 32,
        head=1,
        time=2,
        user="ann",
        own=event.id,
        limits=Limits(push_events=3),
        rules=[Rule("ann", "*", ".read", "allow")],
        actions=("a",),
        items=("b",),
        expires=4,
        peer=True,
        erasable=("c",),
    )
    page = Page(entries=[entry], late=[entry], forget=["a"], bases=[base], cursor="c", more=True)
    for message, read in (
        (welcome, wire.read_welcome(wire.welcome(welcome))),
        (page, wire.read_page(wire.page(encode(page)))),
    ):
        assert all(getattr(message, name) for name in message.__struct_fields__ if name != "ref")
        assert encode(read) == encode(message)


# URLs and metadata


@pytest.mark.parametrize(
    "url",
    [
        "grpc://",
        "grpc:///x",
        "http://localhost:1",
        "grpc://localhost:x",
        "grpc://localhost/path",
        "grpc://h?compression=br",
    ],
)
def test_what_is_no_url(url):
    with pytest.raises(BadRequest):
        GrpcTransport(url)


async def test_credentials_that_are_no_text(urls):
    with pytest.raises(BadRequest):
        await GrpcTransport(urls.connect()).hello(Hello(node="n", token="schlüssel"))
    with pytest.raises(BadRequest):
        await GrpcTransport(urls.connect()).hello(Hello(node="n", token="a\nb"))


async def test_credentials_of_others_are_not_taken(urls):
    transport = await greeted(urls.connect(), "others")
    with pytest.raises(UserMismatch):
        await transport.authenticate(Auth(token="of-bob"))
    assert (await transport.pull(Pull())).entries == []
    await transport.close()


# Silence, and ends


async def test_a_call_has_a_deadline(port):
    async with Proxy(port) as proxy:
        transport = await greeted(behind(proxy), "deadline", call_seconds=0.5)
        proxy.fall_silent()
        with pytest.raises(ConnectionLost):
            await transport.pull(Pull())
        proxy.speak()
        assert (await transport.pull(Pull())).entries == []
        await transport.close()


@pytest.mark.slow
async def test_a_server_that_has_gone_silent_is_noticed(port):
    async with Proxy(port) as proxy:
        transport = await greeted(behind(proxy), "silence")
        pages = transport.subscribe(Live())
        await anext(pages)
        proxy.fall_silent()
        with pytest.raises(ConnectionLost):
            await anext(pages)
        await transport.close()


async def test_closing_ends_what_waits(urls):
    transport = await greeted(urls.connect(), "closing")
    pages = transport.subscribe(Live())
    await anext(pages)
    waiting = asyncio.ensure_future(anext(pages))
    await asyncio.sleep(0)
    await transport.close()
    with pytest.raises(ConnectionLost):
        await waiting
    with pytest.raises(HelloRequired):
        await transport.pull(Pull())


async def test_who_is_cancelled_stays_cancelled(urls):
    transport = await greeted(urls.connect(), "cancelled")
    pages = transport.subscribe(Live())
    await anext(pages)
    waiting = asyncio.ensure_future(anext(pages))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await transport.pull(Pull())).entries == []
    await transport.close()


# Compression


class Counting(Proxy):
    """Counts the bytes both ways."""

    bytes = 0

    async def _copy(self, reader, writer, *, count):
        with suppress(OSError):
            while data := await reader.read(65_536):
                self.bytes += len(data)
                writer.write(data)
                await writer.drain()
        writer.close()


def test_replicas_of_many_threads_come_and_go(urls, caplog):
    """Each thread has event loops of its own, and ends one while others wait for answers."""

    async def visit(name):
        transport = await greeted(urls.connect(), name)
        waiting = asyncio.create_task(anext(transport.subscribe(Live(cursor=None))))
        for ref in range(3):
            await transport.pull(Pull(ref=ref, limit=10))
        await waiting
        await transport.close()

    def come_and_go(number):
        for _ in range(10):
            asyncio.run(asyncio.wait_for(visit(f"thread-{number}"), DEADLINE))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(come_and_go, range(8)))
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


async def bytes_of(port, query, space):
    """How many bytes a push of 500 events and a pull of them take."""
    async with Counting(port) as proxy:
        transport = await greeted(behind(proxy) + query, space)
        await transport.push(Push.of(Author().events(500)))
        assert len((await transport.pull(Pull())).entries) == 500
        await transport.close()
        return proxy.bytes


async def test_messages_go_compressed_if_that_is_asked_for(port):
    plain, small = await bytes_of(port, "", "plain"), await bytes_of(port, "?compression=gzip", "small")
    assert small < plain / 2.5


# Replicas, and TLS


def test_replicas_sync_over_it(urls, tmp_path):
    options = {"server": urls.connect(), "space": "replicas", "token": "of-ann"}
    with syncline.open(tmp_path / "a.db", **options) as one, syncline.open(tmp_path / "b.db", **options) as other:
        one.create("task.milk", {"title": "Milk"})
        one.sync()
        other.sync()
        assert other.get("task.milk")["title"] == "Milk"
        other.start()
        one.create("task.rye", {"title": "Rye"})
        one.sync()
        eventually(lambda: "task.rye" in other.items())
        with pytest.raises(BadSettings):
            one.presence.set("here")


TLS_CLIENT = """
import asyncio, sys
from syncline.core.messages import Hello
from syncline.transports.grpc.client import GrpcTransport

async def main():
    transport = GrpcTransport(sys.argv[1])
    print((await transport.hello(Hello(node="n", space="tls", token="of-ann"))).user)
    await transport.close()

asyncio.run(main())
"""


async def test_by_tls_behind_a_proxy(port, tmp_path):
    certificate, private = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    context.set_alpn_protocols(["h2"])
    async with Proxy(port, context=context) as proxy:
        url = behind(proxy).replace("grpc://127.0.0.1", "grpcs://localhost")
        for roots, outcome in ((certificate, "ann\n"), (None, "")):
            environment = {**os.environ, **({"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(roots)} if roots else {})}
            client = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", TLS_CLIENT, url), stdout=-1, stderr=-1, env=environment
            )
            told, words = await asyncio.wait_for(client.communicate(), DEADLINE)
            assert told.decode() == outcome, words.decode()
            assert roots or b"ConnectionLost" in words
