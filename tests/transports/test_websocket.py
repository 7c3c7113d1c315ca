"""The transport over a WebSocket keeps the contract, with real servers."""

from syncline.transports.websocket import WebSocketTransport
from tests.transports.servers import NetworkContract


class TestWebSocketTransport(NetworkContract):
    transport = WebSocketTransport
