"""Bases in live pages reach a reader over every transport."""

import asyncio
from contextlib import aclosing

import pytest

from syncline.core.messages import Hello, Live, Pull
from syncline.transports.grpc.client import GrpcTransport
from syncline.transports.http import HttpTransport
from syncline.transports.nats import NatsTransport
from syncline.transports.websocket import WebSocketTransport
from tests.nats import nats_server
from tests.processes import DEADLINE
from tests.server.nats_asking import until_connected
from tests.server.rest import Client
from tests.server.running import serving
from tests.server.tenants import key, make
from tests.server.test_history import history, retain


@pytest.fixture(scope="module")
def nats():
    with nats_server() as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory, nats):
    with serving(tmp_path_factory.mktemp("all"), nats=nats.url, grpc_port=0) as server:
        until_connected(server)
        yield server


@pytest.fixture
def transport(request, server, nats):
    urls = {GrpcTransport: f"grpc://127.0.0.1:{server.grpc_port}", NatsTransport: nats.url}
    return request.param(urls.get(request.param, server.url))


@pytest.mark.parametrize("transport", [HttpTransport, WebSocketTransport, GrpcTransport, NatsTransport], indirect=True)
async def test_what_becomes_visible_comes_as_bases(server, space, transport):
    make(server, space)
    root = Client(server, space, key=server.key, node="root")
    rule = {"user": "ann", "item": "task.*", "action": ".read", "type": "deny"}
    root.ask("POST", "acl", rule)
    for n in range(4):
        root.put("task.a", {"n": n})
        root.put("task.b", {"n": n})
    await transport.hello(Hello(node="n", space=space, token=key(server, space)))
    cursor = (await transport.pull(Pull())).cursor
    assert root.ask("PUT", "labels/now", {}).status == 200
    retain(server, space, labels=True)
    assert history(server, space)["horizon"] == root.head() - 1  # there is no entry left to come late
    bases = []
    async with asyncio.timeout(DEADLINE), aclosing(transport.subscribe(Live(cursor=cursor))) as pages:
        assert (await anext(pages)).bases == []
        root.ask("POST", "acl", {**rule, "type": "allow"})
        while len(bases) < 2:
            bases += (await anext(pages)).bases
    assert [(base.item, base.revision) for base in bases] == [("task.a", 4), ("task.b", 4)]
    await transport.close()
