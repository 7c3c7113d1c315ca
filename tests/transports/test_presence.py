"""Presence over the transports that carry it: told, heard, refused, and in nobody's way."""

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest
from msgspec import Raw

from syncline.core.messages import Hello, Peer, Peers, Presence, Pull
from syncline.errors import BadRequest, ConnectionLost, HelloRequired
from syncline.transports import PresenceTransport
from syncline.transports.http import HttpTransport
from syncline.transports.line import WAITING_PAGES
from syncline.transports.memory import MemoryTransport
from syncline.transports.websocket import WebSocketTransport
from tests.transports.servers import in_a_process


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with in_a_process(tmp_path_factory.mktemp("presence"), WebSocketTransport) as served:
        yield served


@asynccontextmanager
async def conversation(served, space, node):
    """A transport that has said hello."""
    transport = served.connect()
    try:
        await transport.hello(Hello(node=node, space=space, token=served.token))
        yield transport
    finally:
        await transport.close()


def test_which_transports_carry_it():
    assert isinstance(WebSocketTransport("http://localhost"), PresenceTransport)
    assert not isinstance(HttpTransport("http://localhost"), PresenceTransport)
    assert not isinstance(MemoryTransport(None), PresenceTransport)


async def test_it_is_for_open_conversations(served):
    transport = served.connect()
    with pytest.raises(HelloRequired):
        await transport.tell(Presence())
    with pytest.raises(HelloRequired):
        await anext(transport.peers())


async def test_what_is_told_is_heard(served):
    async with (
        conversation(served, "told", "a") as ann,
        conversation(served, "told", "b") as bob,
        aclosing(bob.peers()) as heard,
    ):
        await bob.tell(Presence())
        assert await anext(heard) == Peers(peers=[])
        await ann.tell(Presence(key="k", item="note.x", state=Raw(b'{"caret":5}')))
        (peer,) = (await anext(heard)).peers
        assert (peer.user, peer.node, peer.key, peer.item) == ("ann", "a", "k", "note.x")
        assert bytes(peer.state) == b'{"caret":5}'
        await ann.close()
        assert (await anext(heard)).peers == [Peer("ann", "a", "k")]


async def test_what_is_not_taken_is_heard_and_ends_nothing(served):
    async with conversation(served, "refused", "a") as ann, aclosing(ann.peers()) as heard:
        await ann.tell(Presence(item="a b"))
        assert isinstance(await anext(heard), BadRequest)
        assert (await ann.pull(Pull())).entries == []
        await ann.tell(Presence())
        assert await anext(heard) == Peers(peers=[])


async def test_who_hears_no_more_holds_up_nothing(served):
    async with (
        conversation(served, "unheard", "a") as ann,
        conversation(served, "unheard", "b") as bob,
        conversation(served, "unheard", "c") as eve,
        aclosing(eve.peers()) as told,
    ):
        await eve.tell(Presence())
        await anext(told)
        async with aclosing(bob.peers()) as heard:
            await bob.tell(Presence())
            await anext(heard)
            for n in range(2 * WAITING_PAGES):  # more than fit, so that the connection itself waits
                await ann.tell(Presence(state=Raw(b"%d" % n)))
                await anext(told)
        assert (await bob.pull(Pull())).entries == []


async def test_the_end_of_the_conversation_is_heard(served):
    async with conversation(served, "end", "a") as ann:
        heard = ann.peers()
        await ann.tell(Presence())
        await anext(heard)
        waiting = asyncio.ensure_future(anext(heard))
        await asyncio.sleep(0)
        await ann.close()
        with pytest.raises(ConnectionLost):
            await waiting
