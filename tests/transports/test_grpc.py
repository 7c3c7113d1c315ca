"""The transport over gRPC keeps the contract, with real servers."""

from syncline.transports.grpc.client import GrpcTransport
from tests.transports.servers import NetworkContract


class TestGrpcTransport(NetworkContract):
    transport = GrpcTransport
    scheme = "grpc"
