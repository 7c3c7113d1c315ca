"""gRPC as a program in another language has it: stubs made of ``spec/syncline.proto``, and grpcio's blocking client."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from tests.processes import DEADLINE
from tests.server.running import ServerProcess

SPEC = str(Path(__file__).parents[2] / "spec")

sys.path.insert(0, SPEC)  # where grpcio looks for the file
try:
    pb, services = grpc.protos_and_services("syncline.proto")
finally:
    sys.path.remove(SPEC)

REQUESTS = {"Hello": pb.HelloRequest, "Authenticate": pb.AuthenticateRequest, "Push": pb.PushRequest}
REQUESTS |= {"Pull": pb.PullRequest, "Live": pb.LiveRequest, "Ask": pb.Inquiry}


class Stub:
    """The service, for a caller with these metadata."""

    def __init__(self, channel: grpc.Channel, metadata: dict[str, str | bytes]) -> None:
        self.channel, self.metadata = channel, tuple(metadata.items())
        self._stub = services.SynclineStub(channel)

    def __call__(self, method: str, *, timeout: float = DEADLINE, **fields: Any) -> Any:
        """One call: its answer, or a stream of answers."""
        request = REQUESTS[method](**fields)
        return getattr(self._stub, method)(request, metadata=self.metadata, timeout=timeout)

    def end(self, method: str, *, timeout: float, **fields: Any) -> grpc.StatusCode:
        """How one call ends."""
        begun = getattr(self._stub, method).future(REQUESTS[method](**fields), metadata=self.metadata, timeout=timeout)
        return begun.code()

    def raw(self, method: str, body: bytes, **more: Any) -> bytes:
        """One call with a body that may be anything."""
        ask = self.channel.unary_unary(f"/syncline.v1.Syncline/{method}")
        return ask(body, metadata=self.metadata, timeout=DEADLINE, **more)


@contextmanager
def calling(server: ServerProcess, space: str = "default", token: str | None = None, **metadata: str | bytes):
    """A stub for a server."""
    given: dict[str, str | bytes] = {"x-tenant-id": space, "x-node-id": "n"}
    given |= {"authorization": f"Bearer {token}"} if token else {}
    given |= {name.replace("_", "-"): value for name, value in metadata.items()}
    options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}", options=options) as channel:
        yield Stub(channel, given)


def refusal(error: grpc.RpcError) -> dict[str, Any]:
    """What a call was refused with; its status is that of the code."""
    found = dict(error.trailing_metadata())
    told = json.loads(found["syncline-error-bin"])
    assert told["code"] == found["syncline-code"]
    assert told["message"] == error.details()
    return {**told, "status": error.code().name}
