"""The transport over NATS keeps the contract, with real servers and a real NATS."""

import json
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import NamedTuple
from urllib.request import urlopen

import pytest

from syncline.transports.nats import NatsTransport
from tests.nats import nats_server
from tests.server.running import eventually
from tests.transports.servers import NetworkContract, in_a_process


class TestNatsTransport(NetworkContract):
    """Each server that the tests start has a NATS of its own, or else one would answer for another."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _shared(cls, tmp_path_factory):
        with nats_server() as nats, over(nats, tmp_path_factory.mktemp("shared")) as served:
            cls.shared, cls.names = served, map("space-{}".format, count())
            yield

    @asynccontextmanager
    async def serve(self, data):
        with nats_server() as nats, over(nats, data) as served:
            yield served


@contextmanager
def over(nats, data):
    """A server that answers over a NATS, when it does."""
    with in_a_process(data, Place, nats=nats.url) as served:
        url = served.connect().url
        eventually(lambda: json.loads(urlopen(f"{url}/readyz").read())["nats"] == "connected")
        yield served._replace(connect=lambda: NatsTransport(nats.url))


class Place(NamedTuple):
    """Where a server answers over HTTP."""

    url: str
