"""The transport within a process keeps the contract."""

from syncline.testing import TransportContract
from tests.transports.servers import in_this_process


class TestMemoryTransport(TransportContract):
    def serve(self, data):
        return in_this_process(data)
