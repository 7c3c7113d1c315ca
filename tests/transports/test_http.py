"""The transport over HTTP keeps the contract, with real servers."""

from syncline.transports.http import HttpTransport
from tests.transports.servers import NetworkContract


class TestHttpTransport(NetworkContract):
    transport = HttpTransport
