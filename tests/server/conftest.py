"""Servers for these tests: one open one for all that want no settings of their own, and as many others as needed."""

import zlib

import pytest

from tests.server.running import Author, ServerProcess


@pytest.fixture(scope="session")
def open_server(tmp_path_factory):
    """One server for the tests of a worker, without credentials; every test takes spaces of its own."""
    server = ServerProcess(tmp_path_factory.mktemp("open") / "data", open=True)
    yield server
    assert server.is_running, server.log()
    assert server.stop() == 0
    assert "failed" not in server.log()


@pytest.fixture
def serve(tmp_path):
    """Starts a server with settings of its own."""
    servers = []

    def start(name="data", **settings):
        servers.append(ServerProcess(tmp_path / name, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def space(request, worker_id):
    """A space nobody else uses."""
    return f"{zlib.crc32(request.node.nodeid.encode()):08x}-{worker_id}"


@pytest.fixture
def author():
    return Author()
