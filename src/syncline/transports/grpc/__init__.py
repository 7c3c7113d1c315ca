"""gRPC: the client's transport, and what it shares with the server. ``spec/syncline.proto`` is the contract.

``library`` is the one module that imports grpcio; ``wire`` turns messages into protobuf and back, with what protoc has
made of the contract (``make proto``); ``failures`` does the same with errors; ``client`` is the transport.
"""

MISSING = "gRPC needs its libraries: pip install 'syncline[grpc]'."
"""What is said where grpcio or protobuf is not installed."""
