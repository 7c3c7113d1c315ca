"""grpcio: how channels and servers are made here, with all their limits and deadlines. Nobody else imports it.

Raises BadSettings when it is imported and grpcio is not installed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from syncline.core.limits import IDLE_SECONDS, MAX_BODY_BYTES, MAX_HEAD_BYTES, PING_SECONDS, PONG_SECONDS
from syncline.errors import BadSettings
from syncline.transports.grpc import MISSING, elsewhere

try:
    import grpc
    import grpc.aio
except ImportError:
    raise BadSettings(MISSING) from None

__all__ = ["CallFailed", "END", "GZIP", "Listener", "MisuseError", "Status", "dial"]

SERVICE = "syncline.v1.Syncline"
ENVELOPE_BYTES = 1024
"""Room for what is around the body of a request."""
WINDOW_BYTES = 256 * 1024
"""How much may be on the way to a client that has not read it; 40 Mbit/s when an answer takes 50 ms."""
MAX_STREAMS = 1_000
"""Calls at a time on one connection; a proxy brings those of many clients on one."""

Status = grpc.StatusCode
CallFailed = grpc.aio.AioRpcError
MisuseError = grpc.aio.UsageError
"""A call on a channel that was closed."""
GZIP = grpc.Compression.Gzip
END = grpc.aio.EOF
"""What is read after the last message."""

Call = Any
"""The server's end of a call: ``grpc.aio.ServicerContext``."""
Behaviour = Callable[[Any, Call], Awaitable[None]]
"""Answers one call. The first argument is nothing to look at: messages are read from the call, when it is time."""

_BOTH = (
    ("grpc.keepalive_time_ms", int(PING_SECONDS * 1000)),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_metadata_size", MAX_HEAD_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_HEAD_BYTES),
)
_CLIENT = (
    *_BOTH,
    ("grpc.keepalive_timeout_ms", int(PONG_SECONDS * 1000)),
    ("grpc.http2.ping_timeout_ms", int((PING_SECONDS + PONG_SECONDS) * 1000)),  # an answer may be behind much of a page
    ("grpc.http2.bdp_probe", 0),  # its pings would hold up those that ask for life
    ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel is a new connection, whatever became of others
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),  # whoever syncs knows what may be sent again
)
_SERVER = (
    *_BOTH,
    ("grpc.keepalive_timeout_ms", int(IDLE_SECONDS * 1000)),  # also that of TCP: whoever reads slowly is not gone
    ("grpc.max_receive_message_length", MAX_BODY_BYTES + ENVELOPE_BYTES),
    ("grpc.max_concurrent_streams", MAX_STREAMS),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", int(PING_SECONDS * 1000 / 2)),
    ("grpc.http2.min_ping_interval_without_data_ms", int(PING_SECONDS * 1000 / 2)),
    ("grpc.so_reuseport", 0),
)


class Channel:
    """A connection to a server, for any event loop: the work is done ``elsewhere``."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    async def call(self, method: str, request: bytes, **more: Any) -> Any:
        """The one answer to a call."""

        async def call() -> Any:
            return await self._channel.unary_unary(f"/{SERVICE}/{method}")(request, **more)

        return await elsewhere.run(call())

    def stream(self, method: str, request: bytes, **more: Any) -> Stream:
        """A call with many answers. It begins when the first is read."""
        return Stream(lambda: self._channel.unary_stream(f"/{SERVICE}/{method}")(request, **more))

    async def close(self) -> None:
        """Ends it, and every call on it."""
        await elsewhere.run(self._channel.close(grace=None))


class Stream:
    """A call with many answers."""

    def __init__(self, begin: Callable[[], Any]) -> None:
        self._begin = begin
        self._call: Any = None

    async def read(self) -> Any:
        """The next answer, or ``END``."""
        return await elsewhere.run(self._read())

    async def _read(self) -> Any:
        if self._call is None:
            self._call = self._begin()
        return await self._call.read()

    def cancel(self) -> None:
        """Ends it."""
        elsewhere.soon(self._cancel)

    def _cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()


async def dial(target: str, *, is_secure: bool) -> Channel:
    """A channel to a server, ``host:port``; it connects with its first call. ``is_secure``: by TLS."""

    async def dial() -> Channel:
        if is_secure:
            return Channel(grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=_CLIENT))
        return Channel(grpc.aio.insecure_channel(target, options=_CLIENT))

    return await elsewhere.run(dial())


class Listener:
    """A server of the service. Belongs to the event loop in which it is made."""

    def __init__(self, behaviours: Mapping[str, Behaviour], *, idle_seconds: float, handshake_seconds: float) -> None:
        """``idle_seconds``: a connection without calls for so long is ended."""
        options = (
            *_SERVER,
            ("grpc.max_connection_idle_ms", int(idle_seconds * 1000)),
            ("grpc.server_handshake_timeout_ms", int(handshake_seconds * 1000)),
        )
        self.port = 0
        """The one that it has taken."""
        self._server = grpc.aio.server(handlers=[_Calls(behaviours)], options=options)

    def bind(self, host: str, port: int) -> bool:
        """Takes a port (0: a free one) to listen on; whether it could be had."""
        try:
            self.port = self._server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except RuntimeError:
            return False
        return True

    async def start(self) -> None:
        """Takes calls from now on."""
        await self._server.start()

    async def stop(self, seconds: float | None) -> None:
        """Takes no new calls, waits so long for those under way, and cancels what is left."""
        await self._server.stop(seconds)


class _Calls(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Every call as a stream both ways, which is the same on the wire: so a body is read after its credentials."""

    def __init__(self, behaviours: Mapping[str, Behaviour]) -> None:
        self._handlers = {
            f"/{SERVICE}/{name}": grpc.stream_stream_rpc_method_handler(each) for name, each in behaviours.items()
        }

    def service(self, handler_call_details: Any) -> Any:
        """What answers a call; None: UNIMPLEMENTED."""
        return self._handlers.get(handler_call_details.method)
