"""The log over gRPC: the calls of ``spec/syncline.proto``. They are let in, limited and audited as requests are.

A call is looked at in the order of a request: where it comes from, whose it is, and only then what it says.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from functools import cached_property, partial
from typing import Any

from syncline.core.limits import MAX_BODY_BYTES
from syncline.core.messages import PROTOCOL, Give
from syncline.errors import (
    BadRequest,
    InternalError,
    RequestTimeout,
    SynclineError,
    TooLarge,
    Unauthorized,
    UnsupportedProtocol,
)
from syncline.server.auth.credentials import bearer_of
from syncline.server.auth.identity import Identity
from syncline.server.auth.tickets import TICKET_PREFIX
from syncline.server.member import Member
from syncline.server.proxies import Proxies
from syncline.server.registry import DEFAULT_SPACE, check_space
from syncline.server.service import Caller, Service
from syncline.transports.grpc import wire
from syncline.transports.grpc.failures import status_of, trailers_of
from syncline.transports.grpc.library import END, GZIP, Call, Listener

log = logging.getLogger("syncline.grpc")


class Asked:
    """One call: its metadata, who calls, and what they say, read when it is asked for."""

    def __init__(self, service: Service, call: Call, address: str) -> None:
        self.service, self.call, self.address = service, call, address
        pairs = ((name, value) for name, value in call.invocation_metadata() or () if isinstance(value, str))
        self.headers: dict[str, str] = dict(pairs)
        self.identity: Identity | None = None
        """Whose call this is; known before a method answers it."""

    async def identify(self, token: str | None) -> Identity:
        """Who comes with these credentials. Raises Unauthorized."""
        if token and token.startswith(TICKET_PREFIX):
            raise Unauthorized("A ticket opens a WebSocket or a stream over HTTP, and nothing else.")
        caller = partial(self._caller, token)
        return await self.service.identify(token, caller)

    def _caller(self, token: str | None) -> Caller:
        return Caller(token, self.space, self.headers, self.address)

    @property
    def token(self) -> str | None:
        """The credentials in the metadata, if any."""
        token = bearer_of(self.headers.get("authorization", ""))
        return self.headers.get("x-api-key") or None if token is None else token

    @cached_property
    def space(self) -> str:
        """The space. Raises BadRequest."""
        return check_space(self.headers.get("x-tenant-id") or DEFAULT_SPACE)

    def enter(self, *, catch_up: bool = True) -> AbstractAsyncContextManager[Member]:
        """The space as its user sees it; see ``Service.enter``. Raises UnknownSpace."""
        assert self.identity is not None
        return self.service.enter(self.identity, self.space, address=self.address, catch_up=catch_up)

    async def message(self) -> bytes:
        """The request itself. Raises RequestTimeout, TooLarge, or BadRequest if none came."""
        try:
            async with asyncio.timeout(self.service.settings.body_seconds):
                data = await self.call.read()
        except TimeoutError:
            raise RequestTimeout("The message did not arrive in time.") from None
        if data is END:
            raise BadRequest("The call ended without a message.")
        return bytes(data)

    async def answer(self, data: bytes) -> None:
        """Sends a message; waits while the client does not read."""
        await self.call.write(data)


Method = Callable[[Asked], Awaitable[None]]


async def hello(asked: Asked) -> None:
    """``Hello``: the welcome of a conversation whose calls follow one by one."""
    message = wire.read_hello(await asked.message(), asked.headers.get("x-node-id", ""))
    if message.protocol != PROTOCOL:
        raise UnsupportedProtocol(f"This server speaks protocol {PROTOCOL}, not {message.protocol}.")
    async with asked.enter() as member:
        await asked.answer(wire.welcome(await member.welcome(message.node)))


async def authenticate(asked: Asked) -> None:
    """``Authenticate``: whether other credentials may take the place of those that came with the call."""
    identity = await asked.identify(wire.read_authenticate(await asked.message()))
    async with asked.enter() as member:
        await asked.answer(wire.authenticated(member.renew(identity, 0)))


async def push(asked: Asked) -> None:
    """``Push``: stores events, and answers with a result for each."""
    array = wire.read_push(await asked.message())
    if len(array) > MAX_BODY_BYTES:
        raise TooLarge(f"The events may have {MAX_BODY_BYTES} bytes.")
    async with asked.enter(catch_up=False) as member:
        await asked.answer(wire.ack(await member.push(array)))


async def pull(asked: Asked) -> None:
    """``Pull``: a page."""
    message = wire.read_pull(await asked.message())
    async with asked.enter() as member:
        await asked.answer(wire.page(await member.pull(message)))


async def live(asked: Asked) -> None:
    """``Live``: pages for ever. Each is made when the one before is on its way."""
    message = wire.read_live(await asked.message())
    async with asked.enter() as member:
        with member.connected():
            async with aclosing(member.follow(message)) as frames:
                async for frame in frames:
                    await asked.answer(wire.page(frame.text))


async def ask(asked: Asked) -> None:
    """``Ask``: what heals."""
    inquiry = wire.read_inquiry(await asked.message())
    async with asked.enter(catch_up=not isinstance(inquiry, Give)) as member:
        await asked.answer(wire.reply(await member.answer(inquiry)))


METHODS: Mapping[str, Method] = {
    "Hello": hello,
    "Authenticate": authenticate,
    "Push": push,
    "Pull": pull,
    "Live": live,
    "Ask": ask,
}


class Switchboard:
    """What answers calls, by the names of their methods."""

    def __init__(self, service: Service) -> None:
        """Raises BadSettings."""
        self._service, self._proxies = service, Proxies(service.settings.trusted_proxies)

    @property
    def behaviours(self) -> Mapping[str, Callable[[Any, Call], Awaitable[None]]]:
        """A function for each method, as ``Listener`` takes them."""
        return {name: self._behaviour(name, method) for name, method in METHODS.items()}

    def _behaviour(self, name: str, method: Method) -> Callable[[Any, Call], Awaitable[None]]:
        async def behaviour(_: Any, call: Call) -> None:
            asked = Asked(self._service, call, self._address(call))
            error = await self._failure(name, method, asked)
            if error is not None:
                await call.abort(status_of(error), error.message, trailers_of(error))

        return behaviour

    async def _failure(self, name: str, method: Method, asked: Asked) -> SynclineError | None:
        """Answers a call; with what it has failed, if it has."""
        try:
            self._service.limits.knock(asked.address)
            asked.identity = await asked.identify(asked.token)
            self._service.limits.meter(asked.identity, asked.address).request()
            if asked.headers.get("x-compression") == "gzip":
                asked.call.set_compression(GZIP)
            await method(asked)
        except SynclineError as error:
            self._note(error, asked, name)
            return error
        except Exception:
            log.exception("%s failed", name)
            return InternalError("The server failed to answer; its log says why.")
        return None

    def _note(self, error: SynclineError, asked: Asked, name: str) -> None:
        """Notes a refusal for the audit."""
        user = asked.identity.user if asked.identity else ""
        try:
            space = asked.space
        except SynclineError:
            space = ""
        self._service.audit.refused(error, user, space, asked.address, f"gRPC {name}")

    def _address(self, call: Call) -> str:
        """Where a call comes from, as the last trusted proxy saw it."""
        peer = _host(call.peer())
        if not self._proxies or not self._proxies.trusts(peer):
            return peer
        forwarded = [value for name, value in call.invocation_metadata() or () if name == "x-forwarded-for"]
        return self._proxies.client(peer, ",".join(map(str, forwarded)))


def listener(service: Service) -> Listener:
    """A server of gRPC for a service that starts before it; not bound to a port yet. Raises BadSettings."""
    settings = service.settings
    return Listener(
        Switchboard(service).behaviours, idle_seconds=settings.idle_seconds, handshake_seconds=settings.head_seconds
    )


def _host(peer: str) -> str:
    """The address in what gRPC calls a peer: ``ipv4:127.0.0.1:5000`` or ``ipv6:%5B::1%5D:5000``."""
    kind, _, rest = peer.partition(":")
    if kind == "ipv6":
        return rest.replace("%5B", "[").replace("%5D", "]").partition("]")[0].removeprefix("[")
    return rest.rpartition(":")[0] if kind == "ipv4" else ""
