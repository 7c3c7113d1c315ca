"""The connection to NATS, with a real NATS server: what is said arrives, what is lost is noticed, secrets are kept."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from nats.aio.client import Client

from syncline.errors import BadRequest, BadSettings, ConnectionLost, TooLarge
from syncline.transports.nats_connection import NatsConnection
from syncline.transports.nats_link import NatsLink
from syncline.transports.nats_url import NatsUrl
from tests.nats import nats_server
from tests.transports.certificates import NAME, make_certificate

SECONDS = 20.0


@pytest.fixture(scope="module")
def nats():
    with nats_server() as server:
        yield server


@asynccontextmanager
async def connected(url):
    connection = NatsConnection(url)
    await connection.open()
    try:
        yield connection
    finally:
        await connection.close()


def data_of(message):
    return message.data


def echo(connection):
    async def handle(message):
        await connection.publish(message.reply, message.data + message.headers.get("More", "").encode())

    return handle


async def test_a_request_is_answered(nats):
    async with connected(nats.url) as asks, connected(nats.url) as answers:
        await answers.subscribe("test.echo", echo(answers), queue="q")
        await answers.flush()
        answer = await asks.request("test.echo", b"Hel", headers={"More": "lo"}, seconds=SECONDS, take=data_of)
        assert answer == b"Hello"


@pytest.mark.parametrize("parameter", ["ca", "creds"])
async def test_a_file_that_is_not_there_is_told_and_the_connection_closes(nats, tmp_path, parameter):
    connection = NatsConnection(f"{nats.url}?{parameter}={tmp_path}/missing")
    with pytest.raises((BadSettings, ConnectionLost)):
        await connection.open()
    await connection.close()


async def test_of_a_queue_group_one_answers(nats):
    heard = []
    async with connected(nats.url) as one, connected(nats.url) as other:
        for each in (one, other):

            async def handle(message):
                heard.append(message.data)

            await each.subscribe("test.queue", handle, queue="q")
            await each.flush()
        for number in range(50):
            await one.publish("test.queue", b"%d" % number)
        await one.flush()
        await other.flush()
        assert sorted(heard, key=int) == [b"%d" % number for number in range(50)]


async def test_that_nobody_listens_is_told_at_once(nats):
    async with connected(nats.url) as connection:
        with pytest.raises(ConnectionLost, match="No server listens"):
            await connection.request("test.nobody", seconds=SECONDS, take=data_of)


async def test_that_nobody_answers_is_told_after_the_time(nats):
    async def ignore(message):
        pass

    async with connected(nats.url) as connection:
        await connection.subscribe("test.ignored", ignore)
        with pytest.raises(ConnectionLost, match="No answer"):
            await connection.request("test.ignored", seconds=0.01, take=data_of)


@pytest.mark.parametrize("subject", ["", "a b", "a\r\nPUB x 0\r\n", "a\tb"])
async def test_a_bad_subject_is_refused(nats, subject):
    async with connected(nats.url) as connection:
        with pytest.raises(BadRequest):
            await connection.publish(subject)
        with pytest.raises(BadRequest):
            await connection.subscribe(subject, echo(connection))


@pytest.mark.parametrize("value", ["a\r\nB: c", "é", "a\0"])
async def test_a_bad_header_is_refused(nats, value):
    async with connected(nats.url) as connection:
        with pytest.raises(BadRequest):
            await connection.publish("test.header", headers={"Token": value})


async def test_what_is_too_large_is_refused_and_the_connection_stays(nats):
    async with connected(nats.url) as connection:
        await connection.subscribe("test.large", echo(connection))
        headers = {"Name": "x" * 100}
        most = connection.max_payload - len("NATS/1.0..") - len("Name: ..") - 100 - len("..")
        for size in (connection.max_payload, most + 1):
            with pytest.raises(TooLarge):
                await connection.publish("test.large", b"x" * size, headers=headers)
        answer = await connection.request(
            "test.large", b"x" * most, headers=headers, seconds=SECONDS, take=lambda message: len(message.data)
        )
        assert answer == most


async def test_a_lost_connection_is_told_to_all_who_wait():
    async def ignore(message):
        pass

    with nats_server() as server:
        async with connected(server.url) as connection:
            await connection.subscribe("test.ignored", ignore)
            asked = [connection.request("test.ignored", seconds=SECONDS, take=data_of) for _ in range(3)]
            waiting = asyncio.gather(*asked, return_exceptions=True)
            await connection.flush()
            server.kill()
            assert [type(each) for each in await waiting] == [ConnectionLost] * 3
            assert connection.lost.is_set()
            with pytest.raises(ConnectionLost):
                await connection.publish("test.ignored")
        with pytest.raises(ConnectionLost, match="cannot be reached"):
            await NatsConnection(server.url).open()


async def test_a_link_connects_again_and_subscribes_again():
    connections = asyncio.Queue()

    async def subscribe(connection):
        await connection.subscribe("test.echo", echo(connection))
        await connections.put(connection)

    with nats_server() as server:
        server.kill()
        link = NatsLink(server.url, subscribe)
        link.start()  # NATS is not there yet
        assert link.state == "connecting"
        for _ in range(2):
            server.start()
            connection = await asyncio.wait_for(connections.get(), SECONDS)
            async with connected(server.url) as asks:
                assert await asks.request("test.echo", b"x", seconds=SECONDS, take=data_of) == b"x"
            assert link.state == "connected"
            server.kill()
            await asyncio.wait_for(connection.lost.wait(), SECONDS)
        await link.stop()
        await link.stop()


async def test_a_link_goes_on_whatever_the_end_of_a_connection_is_like(monkeypatch):
    """An event loop may say that a socket is closed in words of its own, which nats-py hands on."""

    async def fail(_):
        raise RuntimeError("this transport is closed")

    connections = asyncio.Queue()
    with nats_server() as server:
        link = NatsLink(server.url, connections.put)
        link.start()
        connection = await asyncio.wait_for(connections.get(), SECONDS)
        close = Client.close
        monkeypatch.setattr(Client, "close", fail)
        server.kill()
        await asyncio.wait_for(connection.lost.wait(), SECONDS)
        server.start()
        await asyncio.wait_for(connections.get(), SECONDS)
        monkeypatch.undo()
        await link.stop()
        await close(connection._client)


async def test_credentials_of_the_url_are_shown(tmp_path):
    file = tmp_path / "nats.conf"
    file.write_text('authorization { users = [{user: "ann", password: "a:b@c"}] }')
    with nats_server("--config", str(file)) as server:
        place = server.url.removeprefix("nats://")
        async with connected(f"nats://ann:a%3Ab%40c@{place}") as connection:
            await connection.flush()
        for wrong in (f"nats://ann:wrong@{place}", f"nats://{place}"):
            error = await refusal(wrong)
            assert "does not take these credentials" in str(error)
            assert "wrong" not in str(error)


async def refusal(url):
    """What NATS says of credentials; a connection that it ends at once may be gone before that was read."""
    async with asyncio.timeout(SECONDS):
        while True:
            with pytest.raises((BadSettings, ConnectionLost)) as caught:
                await NatsConnection(url).open()
            if isinstance(caught.value, BadSettings):
                return caught.value


async def test_nothing_is_said_in_plain_text_where_tls_is_asked_for(nats):
    place = nats.url.removeprefix("nats://")
    for url in (f"tls://{place}", f"tls://ann:secret@{place}"):
        with pytest.raises(ConnectionLost, match="secure connection"):
            await NatsConnection(url).open()


async def test_tls_with_certificates_of_ones_own(tmp_path):
    public, private = make_certificate(tmp_path)
    file = tmp_path / "nats.conf"
    file.write_text(f'tls {{ cert_file: "{public}", key_file: "{private}" }}')
    with nats_server("--config", str(file)) as server:
        async with connected(f"tls://{NAME}:{server.port}?ca={public}") as asks:
            await asks.subscribe("test.echo", echo(asks))
            assert await asks.request("test.echo", b"x", seconds=SECONDS, take=data_of) == b"x"
        for wrong in (f"tls://{NAME}:{server.port}", f"tls://127.0.0.1:{server.port}?ca={public}"):
            with pytest.raises(ConnectionLost, match=r"(?i)certificate"):
                await NatsConnection(wrong).open()
        with pytest.raises(BadSettings, match="cannot be read"):
            await NatsConnection(f"tls://{NAME}:{server.port}?ca={private}").open()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://a",
        "nats://",
        "nats://a/b",
        "nats://a:b",
        "nats://a?x=1",
        "nats://a b",
        "nats://a?inbox=a.b",
        "ws://a",
    ],
)
def test_what_is_no_url_of_nats_is_refused(url):
    with pytest.raises(BadSettings, match="NATS"):
        NatsUrl.parse(url)


def test_what_a_url_says():
    url = NatsUrl.parse("nats://ann:x%2Fy@one,tls://two:9?creds=/run/a.creds&ca=/run/ca.pem&inbox=_INBOX_ann")
    assert url.servers == ("nats://one:4222", "tls://two:9")
    assert str(url) == "nats://one:4222,tls://two:9"
    assert (url.user, url.password, url.token) == ("ann", "x/y", None)
    assert (url.credentials, url.ca, url.inbox, url.needs_tls) == ("/run/a.creds", "/run/ca.pem", "_INBOX_ann", True)
    assert NatsUrl.parse("nats://secret@one").token == "secret"
