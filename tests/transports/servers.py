"""Servers for the transport contract: one in this process, and real ones in processes of their own."""

from __future__ import annotations

import json
import signal
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

import pytest

from syncline.server import Service, Settings
from syncline.server.auth.identity import Identity
from syncline.testing import Served, TransportContract
from syncline.transports.memory import MemoryTransport
from tests.forked import Forked
from tests.processes import rest_of

PROGRAM = """
import json, sys
from syncline.server.auth.identity import Identity
from syncline.server.run import run
from syncline.server.settings import Settings

def ann_anywhere(caller):
    user = (caller.token or "").removeprefix("of-")
    return Identity(user, caller.space) if user in ("ann", "bob") else None

def ready(app, port):
    print(app.grpc_port or port, "of-ann", flush=True)

run(Settings(**json.loads(sys.argv[1])), ready, authenticate=ann_anywhere)
"""


def ann_anywhere(caller):
    """One token for a user of each space."""
    return Identity("ann", caller.space) if caller.token == "of-ann" else None


@asynccontextmanager
async def in_this_process(data):
    """A service in this event loop."""
    service = Service(Settings(data=str(data)), authenticate=ann_anywhere)
    service.start()
    try:
        yield Served(lambda: MemoryTransport(service.peer()), "of-ann")
    finally:
        await service.stop()


@contextmanager
def in_a_process(data, make_transport, *, scheme="http", nats=""):
    """A server on a free port, as ``syncline serve`` runs it; it is asked to stop as a supervisor would."""
    settings = {"data": str(data), "port": 0, "grpc_port": 0 if scheme == "grpc" else -1, "nats": nats}
    server = Forked(PROGRAM, json.dumps(settings), Path(f"{data}.log"))
    try:
        port, token = server.stdout.readline().decode().split()
        yield Served(lambda: make_transport(f"{scheme}://127.0.0.1:{port}"), token)
    finally:
        server.send_signal(signal.SIGTERM)
        rest_of(server)
    assert server.returncode == 0


class NetworkContract(TransportContract):
    """The contract with real servers: most tests share one, each in a space of its own."""

    transport = None
    scheme = "http"

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _shared(cls, tmp_path_factory):
        with in_a_process(tmp_path_factory.mktemp("shared"), cls.transport, scheme=cls.scheme) as served:
            cls.shared, cls.names = served, map("space-{}".format, count())
            yield

    @asynccontextmanager
    async def serve(self, data):
        with in_a_process(data, self.transport, scheme=self.scheme) as served:
            yield served

    @asynccontextmanager
    async def share(self, data):
        yield self.shared._replace(space=next(self.names))
