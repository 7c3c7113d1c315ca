"""Servers for these tests: two for all that want no settings of their own, and as many others as needed."""

import zlib

import pytest

from tests.server.running import Author, ServerProcess, serving


@pytest.fixture(scope="session")
def open_server(tmp_path_factory):
    """One server for the tests of a worker, without credentials; every test takes spaces of its own."""
    with serving(tmp_path_factory.mktemp("open"), open=True) as server:
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """One server for the tests of a worker, which asks for credentials; every test takes spaces of its own.

    It believes who proxies on this machine say they speak for, so that tests have many addresses.
    """
    with serving(tmp_path_factory.mktemp("closed"), trusted_proxies=["127.0.0.1"]) as server:
        yield server


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
