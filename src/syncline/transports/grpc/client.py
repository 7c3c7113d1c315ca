"""Over gRPC: a call for each message, and a stream of pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from syncline.core.messages import (
    Ack,
    Auth,
    Authenticated,
    Hello,
    Inquiry,
    Live,
    Page,
    Pull,
    Push,
    ReplyKind,
    Welcome,
)
from syncline.errors import BadRequest, ConnectionLost, HelloRequired
from syncline.transports.grpc import wire
from syncline.transports.grpc.failures import error_of
from syncline.transports.grpc.library import END, GZIP, CallFailed, Channel, MisuseError, dial

__all__ = ["GrpcTransport"]

CALL_SECONDS = 30.0
"""The deadline of a call with one answer; a connection that has gone silent ends sooner."""
PORTS = {"grpc": 80, "grpcs": 443}
AUTHORIZATION = "authorization"
COMPRESSED = {"compression": ["gzip"]}


class GrpcTransport:
    """A conversation over gRPC; see ``Transport``.

    ``url`` is the server's, such as ``grpc://localhost:9090``, or ``grpcs://…`` for TLS; with ``?compression=gzip``
    messages go compressed both ways. Raises BadRequest if it is none.
    """

    def __init__(self, url: str, *, call_seconds: float = CALL_SECONDS) -> None:
        self._target, self._is_secure, self._is_compressed = _parsed(url)
        self._seconds = call_seconds
        self._channel: Channel | None = None
        self._metadata: dict[str, str] = {}

    async def hello(self, hello: Hello) -> Welcome:
        """See ``Transport.hello``."""
        await self.close()
        self._metadata = {"x-tenant-id": hello.space, "x-node-id": hello.node}
        if hello.token:
            self._metadata[AUTHORIZATION] = f"Bearer {hello.token}"
        if self._is_compressed:
            self._metadata["x-compression"] = "gzip"
        _check(self._metadata)
        self._channel = await dial(self._target, is_secure=self._is_secure)
        return wire.read_welcome(await self._ask("Hello", wire.hello_request(hello)))

    async def authenticate(self, auth: Auth) -> Authenticated:
        """See ``Transport.authenticate``."""
        shown = {**self._metadata, AUTHORIZATION: f"Bearer {auth.token}"}
        _check(shown)
        answer = wire.read_authenticated(await self._ask("Authenticate", wire.authenticate_request(auth)), auth.ref)
        self._metadata = shown
        return answer

    async def push(self, push: Push) -> Ack:
        """See ``Transport.push``."""
        return wire.read_ack(await self._ask("Push", wire.push_request(push)), push.ref)

    async def pull(self, pull: Pull) -> Page:
        """See ``Transport.pull``."""
        return wire.read_page(await self._ask("Pull", wire.pull_request(pull)))

    async def subscribe(self, live: Live) -> AsyncGenerator[Page, None]:
        """See ``Transport.subscribe``."""
        channel = self._open()
        call = channel.stream("Live", wire.live_request(live), **self._more())
        try:
            while True:
                with _told():
                    data = await call.read()
                if data is END:
                    raise ConnectionLost(f"{self._target} ended the stream.")
                yield wire.read_page(data)
        finally:
            call.cancel()

    async def ask(self, inquiry: Inquiry, kind: type[ReplyKind]) -> ReplyKind:
        """See ``Transport.ask``."""
        return wire.read_reply(await self._ask("Ask", wire.inquiry_request(inquiry)), kind)

    async def close(self) -> None:
        """See ``Transport.close``."""
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close()

    async def _ask(self, method: str, request: bytes) -> bytes:
        channel = self._open()
        with _told():
            answer: bytes = await channel.call(method, request, timeout=self._seconds, **self._more())
        return answer

    def _open(self) -> Channel:
        if self._channel is None:
            raise HelloRequired("Say hello first.")
        return self._channel

    def _more(self) -> dict[str, Any]:
        return {"metadata": tuple(self._metadata.items()), "compression": GZIP if self._is_compressed else None}


@contextmanager
def _told() -> Iterator[None]:
    """What grpcio raises, as our errors. That a call was cancelled because its channel was closed is one of them."""
    try:
        yield
    except CallFailed as error:
        raise error_of(error) from None
    except MisuseError:
        raise lost() from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise lost() from None


def _parsed(url: str) -> tuple[str, bool, bool]:
    """Of a URL the target, whether it is by TLS, and whether messages are compressed. Raises BadRequest."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or PORTS.get(parts.scheme)
    except ValueError:
        raise BadRequest(f"{url} is not a URL.") from None
    query = parse_qs(parts.query, keep_blank_values=True)
    if not host or parts.scheme not in PORTS or parts.path.strip("/") or query not in ({}, COMPRESSED):
        raise BadRequest(f"{url} is not a URL such as grpc://localhost:9090 or grpcs://sync.example?compression=gzip.")
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return target, parts.scheme == "grpcs", query == COMPRESSED


def _check(metadata: Mapping[str, str]) -> None:
    """Raises BadRequest for what cannot be sent."""
    for name, value in metadata.items():
        if not (value.isascii() and value.isprintable()):
            raise BadRequest(f"{name}: is not text of ASCII.")


def lost() -> ConnectionLost:
    """What to say when this end has closed."""
    return ConnectionLost("The connection was closed.")
