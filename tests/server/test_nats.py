"""A server over NATS: what is refused and how, floods, a NATS that goes and comes, servers that stop."""

import asyncio
import json
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import syncline
from syncline.core import stamps
from syncline.core.merkle import Leaf, Walk, held_in
from syncline.core.merkle import Tree as MerkleTree
from syncline.core.messages import Auth, Hello, Live, Merkle, Pull, Push, Tree, encode
from syncline.core.stamps import Stamp
from syncline.core.summaries import nodes_of, summaries_of
from syncline.errors import BadSettings, ConnectionLost, Overloaded
from syncline.server import Service, Settings
from syncline.server.api import nats_group as group
from syncline.server.api.nats_group import NatsEndpoint
from syncline.server.settings import gather
from syncline.testing.seeded import START_MS
from syncline.testing.seeded import Author as Maker
from syncline.transports.nats import NatsTransport
from syncline.transports.nats_connection import NatsConnection
from tests.nats import nats_server
from tests.server.inquiries import TYPES, inquiry
from tests.server.nats_asking import asking, link_of, told, until_connected
from tests.server.running import DEADLINE, Author, eventually, serving
from tests.server.tenants import administer, bearer, change, key, make

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024
LEAST = 128 * 1024
MEMBERS = {verb: {"node": "n", "events": []} for verb in ("hello", "auth", "push", "pull", "live")}
VERBS = (*MEMBERS, *TYPES)


@pytest.fixture(scope="module")
def nats():
    with nats_server() as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory, nats):
    with serving(tmp_path_factory.mktemp("nats"), nats=nats.url) as server:
        until_connected(server)
        yield server


@pytest.fixture
def serve_over(serve):
    """Starts a server with settings of its own, which answers over a NATS."""

    def start(nats, **settings):
        server = serve(nats=nats.url, **settings)
        until_connected(server)
        return server

    return start


async def put(ask, count=1, **fields) -> list:
    """Events that were stored; the results."""
    return (await ask("push", events=Author().events(count, **fields))).json["results"]


# What is asked for, and what is refused


async def test_a_conversation_of_a_program_without_the_sdk(nats, server, space):
    async with asking(nats, space, server.key) as ask:
        welcome = (await ask("hello", node="n")).json
        assert (welcome["type"], welcome["user"], welcome["head"]) == ("welcome", ".root", 0)
        events = Author().events(3)
        ack = (await ask("push", ref=7, events=events)).json
        assert (ack["ref"], ack["head"], [result["seq"] for result in ack["results"]]) == (7, 3, [1, 2, 3])
        first = (await ask("pull", ref=8, limit=2)).json
        rest = (await ask("pull", cursor=first["cursor"])).json
        assert (first["ref"], first["more"], "more" in rest) == (8, True, False)
        assert [each["event"]["id"] for page in (first, rest) for each in page["entries"]] == [e["id"] for e in events]
        again = (await ask("auth", token=server.key, ref=9)).json
        assert (again["type"], again["ref"], again["user"]) == ("authenticated", 9, ".root")


BAD = [
    ("hello", {"node": "n", "protocol": 2}, "unsupported_protocol"),
    ("hello", {"node": "a b"}, "bad_request"),
    ("hello", {"node": "n", "space": "elsewhere"}, "space_mismatch"),
    ("push", {"events": {}}, "bad_request"),
    ("push", {"events": [{}] * 1_001}, "too_many_events"),
    ("pull", {"limit": 10_001}, "bad_request"),
    ("pull", {"items": ["a*b"]}, "bad_request"),
    ("pull", {"cursor": "nonsense"}, "bad_cursor"),
    ("live", {"cursor": "nonsense"}, "bad_cursor"),
    ("live", {"wait": 56}, "bad_request"),
    ("auth", {"token": "wrong"}, "unauthorized"),
    ("auth", {"token": "tk_ticket"}, "unauthorized"),
    ("nothing", {}, "not_found"),
]


@pytest.mark.parametrize(("verb", "members", "code"), BAD)
async def test_what_is_refused(nats, server, space, verb, members, code):
    async with asking(nats, space, server.key) as ask:
        assert (await ask(verb, **members)).code == code
        assert (await put(ask))[0]["seq"] == 1  # and nothing else was stored


async def codes(ask, **members) -> set:
    """What a request of each verb is refused with."""
    every = [{**MEMBERS[verb], "type": verb} if verb in MEMBERS else inquiry(verb) for verb in VERBS]
    return {(await ask.raw(each["type"], json.dumps({**each, **members}).encode())).code for each in every}


JUNK = {b"": "bad_json", b"\xff\xfe": "bad_json", b"[]": "bad_request", b'{"type":"ping"}': "bad_request"}
JUNK |= {b'{"type":"pull","limit":1,"limit":2}': "bad_json", b"[" * 100_000: "bad_request"}


@pytest.mark.parametrize("verb", VERBS)
async def test_what_is_no_message(nats, server, space, verb):
    async with asking(nats, space, server.key) as ask:
        found = {body: (await ask.raw(verb, body)).code for body in JUNK}
    assert found == JUNK


@pytest.mark.parametrize("token", ["NO", "a*", "-a", "x" * 65, "é", "%", "a=é"])
async def test_a_name_that_no_space_has(nats, server, token):
    async with asking(nats, "x", server.key) as ask:
        ask.place = f"syncline.v1.{token}"
        assert (await ask("pull")).code == "bad_request"


async def test_headers_that_say_nothing(nats, server, space):
    async with asking(nats, space, None) as ask:
        body = b'{"type":"pull"}'
        for shown in ("", "Basic x", "Bearer", "Bearer wrong", "Bearer tk_x"):
            assert (await ask.raw("pull", body, Authorization=shown)).code == "unauthorized"
        right = f"bearer {server.key}"
        for more in ({"Max_Payload": "x"}, {"Max_Payload": "-1"}, {"Max_Payload": "9" * 30}, {"Other": "é"}):
            assert (await ask.raw("pull", body, Authorization=right, **more)).json["type"] == "page"


async def test_a_ticket_opens_nothing_here(nats, server, space):
    make(server, space)
    path = f"/v1/spaces/{space}/auth/ticket"
    ticket = server.request("POST", path, b"{}", bearer(key(server, space))).json["ticket"]
    async with asking(nats, space, ticket) as ask, asking(nats, space, server.key) as root:
        assert await codes(ask, token=ticket) == {"unauthorized"}
        assert (await root("auth", token=ticket)).code == "unauthorized"
    with server.websocket(f"/v1/spaces/{space}/ws?ticket={ticket}") as ws:  # it was not used up
        ws.send(json.dumps({"type": "hello", "node": "n", "space": space}))
        assert json.loads(ws.recv(DEADLINE))["type"] == "welcome"


async def test_a_space_of_the_longest_name_with_dots(nats, server):
    name = "a.b-c_d." + "x" * 55 + "."
    async with asking(nats, name, server.key) as ask:
        await put(ask)
    assert len(name) == 64
    assert server.head(name) == 1


async def test_who_wants_no_answer_asks_for_nothing(nats, server, space):
    async with asking(nats, space, server.key) as ask:
        elsewhere = await ask.client.subscribe("syncline.test.elsewhere")
        body = json.dumps({"type": "push", "events": Author().events(1)}).encode()
        for reply in ("", "syncline.test.elsewhere"):
            await ask.client.publish(
                f"{ask.place}.push", body, reply=reply, headers={"Authorization": f"Bearer {ask.token}"}
            )
        assert (await ask("pull")).json["entries"] == []
        await ask.client.flush()
        assert elsewhere.pending_msgs == 0


# Sizes


async def test_a_large_page_comes_in_parts_of_the_size_that_was_asked_for(nats, server, space):
    async with asking(nats, space, server.key) as ask:
        stored = [await put(ask, 15, payload="x" * 60_000) for _ in range(4)]
        body = b'{"type":"pull"}'
        whole = await ask.raw("pull", body)
        small = await ask.raw("pull", body, Max_Payload=LEAST)
    assert [len(each.json["entries"]) for each in (whole, small)] == [60, 60]
    assert len(stored) < len(whole.parts) + 1 < len(small.parts)
    assert max(map(len, whole.parts)) < MIB
    assert max(map(len, small.parts)) < LEAST


async def test_every_event_fits_through_a_small_nats(tmp_path, serve_over):
    file = tmp_path / "nats.conf"
    file.write_text(f"max_payload: {LEAST}")
    with nats_server("--config", str(file)) as small:
        server = serve_over(small)
        with syncline.open(None, server=small.url, token=server.key) as one:
            for number in range(6):
                one.record("note.a", "write", {"text": "x" * 65_000, "n": number})
            assert one.sync().pushed == 6
        with syncline.open(None, server=small.url, token=server.key) as other:
            assert other.sync().pulled == 6


async def test_trees_are_compared_through_a_small_nats(tmp_path, serve_over):
    """The second question is of 256 leaves with 16 ids each, more than one message of this NATS holds."""
    ids = [str(Stamp(START_MS, counter, 0, 0)) for counter in range(4_096)]
    shared = [id for place, id in enumerate(ids) if place % 16 < 2]
    file = tmp_path / "nats.conf"
    file.write_text(f"max_payload: {LEAST}")
    with nats_server("--config", str(file)) as small:
        server, author = serve_over(small), Author()
        server.push("default", [author.event(id=id) for id in shared], server.bearer())
        leaves = [Leaf(stamps.key(id), bytes(32)) for id in ids]
        walk, transport, sizes = Walk(MerkleTree.of(leaves), held_in(leaves)), NatsTransport(small.url), []
        await transport.hello(Hello(node="n", token=server.key))
        while questions := walk.questions():
            asked = Merkle(summaries=summaries_of(questions))
            sizes.append(len(encode(asked)))
            walk.take(nodes_of((await transport.ask(asked, Tree)).summaries))
        await transport.close()
    assert max(sizes) > LEAST
    assert (walk.differing, walk.mine_only) == (set(shared), set(ids) - set(shared))


async def test_a_nats_that_is_too_small_is_refused(tmp_path):
    file = tmp_path / "nats.conf"
    file.write_text(f"max_payload: {LEAST - 1}")
    with nats_server("--config", str(file)) as small, syncline.open(None, server=small.url) as one:
        assert isinstance(one.sync().failure, BadSettings)


# Permissions of NATS


def documented(start: str) -> str:
    """The block of the documentation that begins so."""
    blocks = (ROOT / "docs" / "transports.md").read_text("utf-8").split("```\n")
    return next(block for block in blocks if block.startswith(start))


async def test_permissions_as_they_are_documented(tmp_path, serve):
    file = tmp_path / "nats.conf"
    file.write_text("SERVER: s\nANN: a\n" + documented("authorization"))
    with nats_server("--config", str(file)) as closed:
        place = closed.url.removeprefix("nats://")
        server = serve(nats=f"nats://server:s@{place}")
        await asyncio.to_thread(until_connected, server)
        for _ in range(2):
            server.push("home", Author().events(15, payload="x" * 60_000), server.bearer())
        ann = f"nats://ann:a@{place}?inbox=_INBOX_ann"
        with syncline.open(None, server=ann, space="home", token=server.key) as one:
            one.record("note.a", "write", {})
            result = one.sync()
            assert (result.errors, result.pushed, result.pulled) == ([], 1, 31)
        eaves = NatsConnection(ann)
        await eaves.open()
        heard = []
        for subject in ("syncline.v1.home.*", "_INBOX.>", ">"):
            await eaves.subscribe(subject, heard.append)
        await eaves.flush()
        assert "permissions violation" in eaves._trouble
        await eaves.close()


# Limits and what an administrator does


async def test_rates_are_counted_by_credential_and_user(nats, serve_over):
    with nats_server() as own:
        server = serve_over(own, user_requests_per_second=0.01, burst_seconds=200)
        async with asking(own, "default", key(server, "default", "ann")) as ask:
            codes = [(await ask("pull")).code for _ in range(3)]
            assert codes == [None, None, "rate_limited"]
            assert (await ask("pull")).json["details"]["retry_after"] > 0
        async with asking(own, "default", key(server, "default", "bob")) as ask:
            assert (await ask("pull")).code is None


async def test_who_waits_counts_as_connected(nats, server, space):
    make(server, space)
    change(server, space, connections=1)
    token = key(server, space)
    async with asking(nats, space, token) as ask, asking(nats, space, token) as other:
        waiting = await ask.send("live", b'{"type":"live"}', Wait=55)
        await asyncio.to_thread(eventually, lambda: used(server, space) == 1)
        assert (await other("live", wait=55)).code == "too_many_connections"
        await put(ask)
        assert len((await told(waiting)).json["entries"]) == 1
        await asyncio.to_thread(eventually, lambda: used(server, space) == 0)


def used(server, space) -> int:
    """Streams and sessions of a space that are open, and requests that wait."""
    return administer(server, "GET", f"/v1/spaces/{space}").json["used"]["connections"]


async def test_who_waits_is_told_that_it_has_ended(nats, server, space):
    make(server, space)
    token = key(server, space)
    async with asking(nats, space, token) as ask:
        waiting = await ask.send("live", b'{"type":"live"}', Wait=55)
        await asyncio.to_thread(eventually, lambda: used(server, space) == 1)
        change(server, space, suspended=True)
        assert (await told(waiting)).code == "space_suspended"
        assert await codes(ask, token=token) == {"space_suspended"}
        change(server, space, suspended=False)
        waiting = await ask.send("live", b'{"type":"live"}', Wait=55)
        await asyncio.to_thread(eventually, lambda: used(server, space) == 1)
        mine = server.request("GET", f"/v1/spaces/{space}/auth/me", headers=bearer(token)).json["credential"]
        id = mine.partition(":")[2] or mine
        assert administer(server, "DELETE", f"/v1/spaces/{space}/keys/{id}").status == 200
        assert (await told(waiting)).code == "unauthorized"


async def test_refusals_are_in_the_audit(nats, server, space):
    make(server, space)
    async with asking(nats, space, "sk_wrong") as ask:
        assert (await ask("pull")).code == "unauthorized"
    entries = administer(server, "GET", f"/v1/spaces/{space}/audit?kind=unauthorized").json["entries"]
    assert [(each["kind"], each["what"]) for each in entries] == [("unauthorized", "unauthorized NATS pull")]


async def test_a_flood_is_answered_and_takes_no_memory(nats, server, space):
    async with asking(nats, space, server.key) as ask:
        await put(ask)
        server.forget_peak()
        before = server.memory()
        inbox = await ask.client.subscribe(reply := ask.client.new_inbox())
        shown = {"Authorization": f"Bearer {ask.token}"}
        sent = [Author().event(payload="x" * 10_000) for _ in range(4_000)]
        for event in sent:
            body = json.dumps({"type": "push", "events": [event]}).encode()
            await ask.client.publish(f"{ask.place}.push", body, reply=reply, headers=shown)
        answers = [json.loads((await inbox.next_msg(timeout=DEADLINE)).data) for _ in sent]
        acked = [answer for answer in answers if answer["type"] == "ack"]
        refused = [answer for answer in answers if answer["type"] == "error"]
        assert {each["code"] for each in refused} <= {Overloaded.code}
        assert server.head(space) == 1 + len(acked)
        assert server.memory("VmHWM") - before < 100 * MIB


@asynccontextmanager
async def here(nats, data):
    """A service in this event loop, and what makes it answer over NATS."""
    service = Service(Settings(data=str(data), nats=nats.url))
    service.start()
    endpoints = []

    async def answer():
        endpoints.append(NatsEndpoint(service))
        endpoints[-1].start()
        async with asyncio.timeout(DEADLINE):
            while service.links["nats"]() != "connected":  # noqa: ASYNC110
                await asyncio.sleep(0)
        return endpoints[-1]

    try:
        yield service.registry.create_key("laptop", "ann"), answer
    finally:
        for endpoint in endpoints:
            await endpoint.stop()
        await service.stop()


async def test_more_than_can_be_answered_is_refused_at_once(tmp_path, monkeypatch):
    with nats_server() as own:
        async with here(own, tmp_path / "data") as (token, answer), asking(own, "default", token) as ask:
            await answer()
            monkeypatch.setattr(group, "MAX_WAITING", 0)
            assert (await ask("live")).code is None
            assert (await ask("live", wait=1)).code == Overloaded.code
            monkeypatch.setattr(group, "MAX_REQUEST_BYTES", 100)
            assert (await ask("pull", cursor="x" * 100)).code == Overloaded.code
            assert (await ask("pull")).code is None
            monkeypatch.setattr(group, "MAX_REQUESTS", 0)
            assert (await ask("pull")).code == Overloaded.code


async def test_any_server_of_the_group_goes_on_with_a_conversation(tmp_path):
    with nats_server() as own:
        async with here(own, tmp_path / "data") as (token, answer), asking(own, "default", token) as ask:
            one, transport = await answer(), NatsTransport(own.url)
            await transport.hello(Hello(node="n", token=token))
            pages = transport.subscribe(Live())
            await anext(pages)
            waiting = await ask.send("live", b'{"type":"live"}', Wait=55)
            await ask.client.flush()
            await ask.client.flush()
            other = await answer()
            async with asyncio.timeout(DEADLINE):
                await one.finish()
            assert (await told(waiting)).json["entries"] == []
            await transport.push(Push.of(Maker().events(2)))
            assert len((await anext(pages)).entries) == 2
            await answer()
            await other.finish()
            assert len((await transport.pull(Pull())).entries) == 2
            await transport.authenticate(Auth(token=token))
            await transport.close()


# NATS goes and comes, and so do servers


async def test_a_server_does_without_nats_until_it_is_there(serve):
    with nats_server() as late:
        late.kill()
        server = serve(nats=late.url)
        assert link_of(server) == "connecting"
        assert server.push("home", Author().events(1), server.bearer()).status == 200
        late.start()
        await asyncio.to_thread(until_connected, server)
        async with asking(late, "home", server.key) as ask:
            assert len((await ask("pull")).json["entries"]) == 1


async def test_nats_is_killed_in_the_middle_of_a_sync(serve_over):
    with nats_server() as mortal:
        server = serve_over(mortal)
        with (
            syncline.open(None, server=mortal.url, token=server.key) as one,
            syncline.open(None, server=mortal.url, token=server.key) as other,
        ):
            one.start()
            other.start()
            for number in range(1_500):
                one.record(f"note.{number}", "write", {"n": number})
                if number % 500 == 300:
                    eventually(lambda: server.head("default") > 0)
                    mortal.kill()
                    mortal.start()
            eventually(lambda: not one.status.pending)
            eventually(lambda: sum(1 for _ in other.events()) == 1_500)
        assert server.head("default") == 1_500


async def test_a_server_that_stops_answers_what_has_come(serve_over):
    with nats_server() as own:
        server = serve_over(own)
        async with asking(own, "home", server.key) as ask:
            waiting = await ask.send("live", b'{"type":"live"}', Wait=55)
            inboxes = []
            for _ in range(100):
                body = json.dumps({"type": "push", "events": Author().events(10)}).encode()
                inboxes.append(await ask.send("push", body))
            await ask.client.flush()
            server.send(signal.SIGTERM)
            heard = [(await inbox.next_msg(timeout=DEADLINE)) for inbox in inboxes]
            acked = [each for each in heard if (each.headers or {}).get("Status") != "503"]
            assert all(json.loads(each.data)["type"] in ("ack", "error") for each in acked)
            stored = sum(10 for each in acked if json.loads(each.data)["type"] == "ack")
            assert (await told(waiting)).json["type"] in ("page", "error")
        assert await asyncio.to_thread(server.stop) == 0
        transport = NatsTransport(own.url)
        with pytest.raises(ConnectionLost, match="No server listens"):
            await transport.hello(Hello(node="n"))
        await transport.close()
        server.start()
        assert server.head("home") == stored


# Settings


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"nats": "nats://a", "open": True}, "open: refused with nats"),
        ({"nats": "nats://a", "demo": True}, "demo: refused with nats"),
        ({"nats": "http://a"}, "not a URL such as nats://"),
    ],
)
def test_settings_that_are_refused(flags, words):
    with pytest.raises(BadSettings, match=words):
        gather(file=None, environment={}, flags=flags)


def test_a_replica_over_nats_has_no_presence(nats):
    with syncline.open(None, server=nats.url) as one, pytest.raises(syncline.SynclineError, match="Presence needs"):
        one.presence.set({"caret": 1})
