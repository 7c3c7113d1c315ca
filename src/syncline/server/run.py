"""Runs the app on uvicorn: with deadlines for request heads, and a shutdown that finishes what was begun."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from syncline.core.limits import HEAD_SECONDS, IDLE_SECONDS, MAX_BODY_BYTES, MAX_HEAD_BYTES
from syncline.server import frames, packing
from syncline.server.app import App
from syncline.server.service import Authenticate, Service
from syncline.server.settings import Settings

if TYPE_CHECKING:
    from syncline.transports.grpc.library import Listener

MakeCalls = Callable[[], "Listener"]

SWITCH_SECONDS = 0.0002
"""How long a thread keeps the interpreter when another waits: short, so that commits and requests alternate."""
SWEEP_SECONDS = 1.0
DRAIN_STEP_SECONDS = 0.1
GARBAGE_THRESHOLDS = (50_000, 20, 100)
"""Objects made before the collector of cycles looks: a batch makes thousands, and none of them in cycles."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which also knows since when it waits for a head, or for a body that nobody reads."""

    waiting_since: float | None = None
    head_bytes: int | None = None
    """What has come of a head that is not complete."""

    def data_received(self, data: bytes) -> None:
        """A head has an end before its limit."""
        super().data_received(data)
        if self.head_bytes is not None and not self.transport.is_closing():
            self.head_bytes += len(data)
            if self.head_bytes > MAX_HEAD_BYTES:
                self.send_400_response(f"The head of a request may have {MAX_HEAD_BYTES} bytes.")

    def connection_made(self, transport: Any) -> None:
        """A new connection owes a request."""
        super().connection_made(transport)
        self.waiting_since = self.loop.time()

    def on_message_begin(self) -> None:
        """A head has begun."""
        super().on_message_begin()
        self.waiting_since, self.head_bytes = self.loop.time(), 0

    def on_headers_complete(self) -> None:
        """The head is here."""
        super().on_headers_complete()
        self.waiting_since = self.head_bytes = None

    def on_response_complete(self) -> None:
        """The answer may be there before the body; what is left of that has to come soon."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self.waiting_since = self.loop.time()

    def on_message_complete(self) -> None:
        """The body is here, too."""
        super().on_message_complete()
        self.waiting_since = None


class SharingProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, which also sends frames that were made once for many, and packs what is large.

    With permessage-deflate (RFC 7692) each message may be packed or not: small ones are not, and no message needs the
    one before, so that a socket that is silent holds no memory for it.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        deflate: Any
        for deflate in self.conn.available_extensions or ():
            deflate.server_no_context_takeover = deflate.client_no_context_takeover = True
            deflate.server_max_window_bits = None
        self._packing = asyncio.Lock()

    async def send(self, message: Any) -> None:
        """A text goes out as one frame when the socket takes more, after what is being packed."""
        text = message.get("text")
        if text is None or self.close_sent or not self.handshake_complete:
            await super().send(message)
            return
        await self.writable.wait()
        if self.conn.extensions and len(text) >= packing.SMALLEST:
            async with self._packing:
                self._write(await frames.packed(message))
        elif self._packing.locked():
            async with self._packing:
                self._write(frames.plain(message))
        else:
            self._write(frames.plain(message))

    def _write(self, wire: bytes) -> None:
        if self.disconnected or self.close_sent:
            raise ClientDisconnected
        self.transport.write(wire)


class PlainServer(uvicorn.Server):
    """uvicorn's server for any app, with a sweep over slow connections; it says on which port it listens."""

    head_seconds: float = HEAD_SECONDS

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[int], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A stop that was asked for is a success: the signal is not raised again at the end."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: Any = None) -> None:
        """Listens, and says where."""
        await super().startup(sockets)
        if self.started:
            await self.begin()
            self._sweeper = asyncio.create_task(self._sweep())
            self._on_ready(self.servers[0].sockets[0].getsockname()[1])

    async def begin(self) -> None:
        """What else begins with it, before it says that it is ready."""

    async def shutdown(self, sockets: Any = None) -> None:
        """Waits for requests under way."""
        await super().shutdown(sockets)
        self._sweeper.cancel()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(SWEEP_SECONDS, self.head_seconds))
            limit = asyncio.get_running_loop().time() - self.head_seconds
            for protocol in list(self.server_state.connections):
                since = getattr(protocol, "waiting_since", None)
                if since is not None and since < limit:
                    protocol.transport.close()


class Server(PlainServer):
    """The same for a whole server: with gRPC beside it, and an end to live sessions before it waits for the rest."""

    def __init__(self, config: uvicorn.Config, app: App, on_ready: Callable[[int], None]) -> None:
        super().__init__(config, on_ready)
        self._app, self.head_seconds = app, app.service.settings.head_seconds

    async def startup(self, sockets: Any = None) -> None:
        """Listens, and says where."""
        self._calls = _bound(self._app.service)
        await super().startup(sockets)

    async def begin(self) -> None:
        """Takes calls over gRPC, if that is set."""
        if self._calls is not None:
            await self._calls.start()
            self._app.grpc_port = self._calls.port

    async def shutdown(self, sockets: Any = None) -> None:
        """Serves until a balancer has noticed, ends live sessions, then waits for requests under way."""
        await self._drain()
        await self._app.end_sessions()
        if self._calls is not None:
            await self._calls.stop(self._app.service.settings.shutdown_seconds)
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        """Returns when no more should come, or whoever stops the server is impatient."""
        service = self._app.service
        service.is_draining = True
        for _ in range(ceil(service.settings.drain_seconds / DRAIN_STEP_SECONDS)):
            if self.force_exit:
                return
            await asyncio.sleep(DRAIN_STEP_SECONDS)


def tune() -> None:
    """Sets the interpreter for serving."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def run(settings: Settings, on_ready: Callable[[App, int], None], *, authenticate: Authenticate | None = None) -> None:
    """Serves until SIGINT or SIGTERM; raises if it cannot. ``on_ready`` gets the app and the port it listens on."""
    tune()
    app = App(Service(settings, makes_key=not settings.demo, authenticate=authenticate))
    config = _config(
        app,
        lifespan="on",
        log_level=settings.log_level if settings.log_level != "info" else "warning",
        timeout_keep_alive=int(settings.idle_seconds),
        timeout_graceful_shutdown=int(settings.shutdown_seconds) or None,
    )
    try:
        Server(config, app, lambda port: on_ready(app, port)).run(sockets=[_listen(settings.host, settings.port)])
    except SystemExit:  # uvicorn's word for a start that failed
        if app.failure is not None:
            raise app.failure from None
        raise


class PeerServer(PlainServer):
    """The same for a replica, with calls over gRPC beside it, if these are wanted."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[int], None], make_calls: MakeCalls | None) -> None:
        super().__init__(config, on_ready)
        self._make_calls = make_calls
        self._calls: Listener | None = None

    async def begin(self) -> None:
        """Takes calls over gRPC."""
        if self._make_calls is not None:
            self._calls = self._make_calls()
            await self._calls.start()

    async def shutdown(self, sockets: Any = None) -> None:
        """Ends the calls, then waits for requests under way."""
        if self._calls is not None:
            await self._calls.stop(1)
        await super().shutdown(sockets)


def run_peer(
    app: Any, host: str, port: int, on_ready: Callable[[int], None], make_calls: MakeCalls | None = None
) -> None:
    """Serves an ASGI app without a lifespan until SIGINT or SIGTERM. Raises OSError if it cannot.

    ``make_calls`` makes what takes calls over gRPC, bound to its port; it is called in the event loop.
    """
    config = _config(
        app, lifespan="off", log_level="warning", timeout_keep_alive=int(IDLE_SECONDS), timeout_graceful_shutdown=1
    )
    PeerServer(config, on_ready, make_calls).run(sockets=[_listen(host, port)])


def _config(app: Any, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=GuardedProtocol,
        ws=SharingProtocol,
        ws_max_size=MAX_BODY_BYTES,
        ws_per_message_deflate=True,
        ws_ping_interval=None,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        **more,
    )


def _bound(service: Service) -> Listener | None:
    """What takes calls over gRPC, on its port; None if there is to be none. Raises OSError or BadSettings."""
    settings = service.settings
    if settings.grpc_port < 0:
        return None
    from syncline.server.api.grpc import listener  # an extra: who does not ask for it does without

    return bind(lambda: listener(service), settings.host, settings.grpc_port)


def bind(make: MakeCalls, host: str, port: int) -> Listener:
    """What takes calls over gRPC, on its port. Raises OSError."""
    _listen(host, port).close()  # says why it cannot be had, which gRPC does not
    calls = make()
    if not calls.bind(host, port):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), f"{host}:{port}")
    return calls


def _listen(host: str, port: int) -> socket.socket:
    """The socket to serve on. Raises OSError, with the address as its file name, if it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), f"{host}:{port}") from None
