"""The log over NATS: requests as ``transports.nats_wire`` has them. They are let in, limited and audited as over HTTP.

Servers are one group: each request reaches one of them, and none remembers the one before. Where a client is, NATS does
not tell; so rates count for credentials and users, and a flood of strangers ends at how much is answered at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, aclosing, contextmanager, suppress
from functools import cached_property
from typing import TypeVar

from syncline.core.limits import MAX_BODY_BYTES, MAX_WAIT_SECONDS
from syncline.core.messages import PROTOCOL, Auth, ErrorMessage, Hello, Live, Pull, Push, decode_request, encode
from syncline.errors import (
    BadRequest,
    ConnectionLost,
    InternalError,
    NotFound,
    Overloaded,
    SpaceMismatch,
    SynclineError,
    TooLarge,
    Unauthorized,
    UnsupportedProtocol,
)
from syncline.server.auth.identity import Identity
from syncline.server.auth.tickets import TICKET_PREFIX
from syncline.server.member import Member
from syncline.server.registry import DEFAULT_SPACE, check_space
from syncline.server.service import Caller, Service
from syncline.transports.nats_connection import Message, NatsConnection, Subscription
from syncline.transports.nats_link import NatsLink
from syncline.transports.nats_wire import (
    ANY,
    AUTHORIZATION,
    INBOXES,
    LEAST_PAYLOAD,
    MAX_PAYLOAD,
    QUEUE,
    WAIT,
    cut,
    place_of,
)

log = logging.getLogger("syncline.nats")

Kind = TypeVar("Kind", Hello, Auth, Push, Pull, Live)

MAX_REQUESTS = 256
MAX_REQUEST_BYTES = 64 * 1024 * 1024
"""Requests that are answered at a time, and what they hold; those that wait for news are not among them."""
MAX_WAITING = 4_096
"""Requests that wait for news at a time."""


class Asked:
    """One request: its headers, who asks, and what."""

    def __init__(self, service: Service, message: Message, waiting: Callable[[], AbstractContextManager[None]]) -> None:
        self.service, self.data, self.waiting = service, message.data, waiting
        self.named, self.verb = place_of(message.subject)
        self.headers = {name.lower(): value for name, value in message.headers.items()}
        self.identity: Identity | None = None
        """Whose request this is; known before anything else is looked at."""

    async def identify(self, token: str | None) -> Identity:
        """Who comes with these credentials. Raises Unauthorized."""
        if token and token.startswith(TICKET_PREFIX):
            raise Unauthorized("A ticket opens a WebSocket or a stream over HTTP, and nothing else.")
        return await self.service.identify(token, lambda: Caller(token, self.space, self.headers))

    @property
    def token(self) -> str | None:
        """The credentials in the header, if any."""
        scheme, _, token = self.headers.get(AUTHORIZATION.lower(), "").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None

    @cached_property
    def space(self) -> str:
        """The space. Raises BadRequest."""
        return check_space(self.named)

    def enter(self) -> AbstractAsyncContextManager[Member]:
        """The space as its user sees it. Raises UnknownSpace."""
        assert self.identity is not None
        return self.service.enter(self.identity, self.space)

    def message(self, kind: type[Kind]) -> Kind:
        """What is asked. Raises TooLarge, BadJson or BadRequest."""
        if len(self.data) > MAX_BODY_BYTES:
            raise TooLarge(f"A request may have {MAX_BODY_BYTES:,} bytes.")
        found = decode_request(self.data)
        if not isinstance(found, kind):
            raise BadRequest(f"This subject takes a {kind.__name__} message.")
        return found

    def number(self, name: str, default: int, high: int) -> int:
        """A whole number of a header. Raises BadRequest."""
        text = self.headers.get(name.lower(), "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= high):
            raise BadRequest(f"{name}: {text[:40]!r} is not a whole number between 0 and {high}.")
        return int(text)


async def hello(asked: Asked) -> bytes:
    """The welcome of a conversation whose requests follow one by one."""
    message = asked.message(Hello)
    if message.protocol != PROTOCOL:
        raise UnsupportedProtocol(f"This server speaks protocol {PROTOCOL}, not {message.protocol}.")
    if message.space not in (DEFAULT_SPACE, asked.space):
        raise SpaceMismatch("The hello names another space than the subject.")
    async with asked.enter() as member:
        return encode(await member.welcome(message.node))


async def auth(asked: Asked) -> bytes:
    """Whether other credentials may take the place of those that came with the request."""
    message = asked.message(Auth)
    identity = await asked.identify(message.token)
    async with asked.enter() as member:
        return encode(member.renew(identity, message.ref))


async def push(asked: Asked) -> bytes:
    """Stores events, and answers with a result for each."""
    message = asked.message(Push)
    async with asked.enter() as member:
        return b'{"type":"ack","ref":%d,%b}' % (message.ref, await member.push(bytes(message.events)))


async def pull(asked: Asked) -> bytes:
    """A page."""
    message = asked.message(Pull)
    async with asked.enter() as member:
        return await member.pull(message)


async def live(asked: Asked) -> bytes:
    """The next page for who follows; an empty one if nothing has come for as long as they want to wait."""
    message, seconds = asked.message(Live), asked.number(WAIT, 0, MAX_WAIT_SECONDS)
    async with asked.enter() as member, aclosing(member.follow(message)) as frames:
        frame = await anext(frames)
        if frame.is_empty and seconds:
            with member.connected(), asked.waiting(), suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    frame = await anext(frames)
        return frame.text.encode()


METHODS: Mapping[str, Callable[[Asked], Awaitable[bytes]]] = {
    "hello": hello,
    "auth": auth,
    "push": push,
    "pull": pull,
    "live": live,
}


class NatsEndpoint:
    """A server's place in the group of those that answer over NATS. Start it when the service has started."""

    def __init__(self, service: Service) -> None:
        """Raises BadSettings."""
        self._service = service
        self._link = NatsLink(service.settings.nats, self._listen, name="syncline server")
        self._heard: tuple[NatsConnection, Subscription] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._requests = self._bytes = self._waiting = 0
        service.links["nats"] = lambda: self._link.state

    def start(self) -> None:
        """Begins to listen; if NATS is not there yet, as soon as it is."""
        self._link.start()

    async def finish(self) -> None:
        """Takes no more requests, and returns when all that had come are answered."""
        with suppress(ConnectionLost):
            if self._heard is not None and self._link.connection is not None:
                connection, subscription = self._heard
                await connection.drain(subscription)
                await asyncio.gather(*self._tasks, return_exceptions=True)
                await connection.flush()

    async def stop(self) -> None:
        """Ends the connection, and what is still being answered."""
        await self._link.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, connection: NatsConnection) -> None:
        async def handle(message: Message) -> None:
            if message.reply.startswith(INBOXES):  # who wants no answer asks for nothing
                await self._take(connection, message)

        self._heard = connection, await connection.subscribe(ANY, handle, queue=QUEUE)
        await connection.flush()

    async def _take(self, connection: NatsConnection, message: Message) -> None:
        """Begins to answer a request, or refuses it if there are too many."""
        if self._requests >= MAX_REQUESTS or self._bytes + len(message.data) > MAX_REQUEST_BYTES:
            error = Overloaded("Too many requests over NATS at a time.", retry_after=1)
            await self._respond(connection, message, encode(ErrorMessage.of(error)))
            return
        self._requests += 1
        self._bytes += len(message.data)
        task = asyncio.create_task(self._answer(connection, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: NatsConnection, message: Message) -> None:
        try:
            asked = Asked(self._service, message, self._wait)
            await self._respond(connection, message, await self._outcome(asked))
        finally:
            self._requests -= 1
            self._bytes -= len(message.data)

    async def _outcome(self, asked: Asked) -> bytes:
        try:
            asked.identity = await asked.identify(asked.token)
            self._service.limits.meter(asked.identity, "").request()
            method = METHODS.get(asked.verb)
            if method is None:
                raise NotFound("There is nothing at this subject.")
            return await method(asked)
        except SynclineError as error:
            self._note(error, asked)
            return encode(ErrorMessage.of(error))
        except Exception:
            log.exception("%s failed", asked.verb)
            return encode(ErrorMessage.of(InternalError("The server failed to answer; its log says why.")))

    def _note(self, error: SynclineError, asked: Asked) -> None:
        """Notes a refusal for the audit."""
        user = asked.identity.user if asked.identity else ""
        self._service.audit.refused(error, user, asked.named, "", f"NATS {asked.verb[:20]}")

    async def _respond(self, connection: NatsConnection, message: Message, answer: bytes) -> None:
        """Says an answer, in as many messages as it takes; who is not there any more does not hear it."""
        asked = message.headers.get(MAX_PAYLOAD, "")
        most = int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= 9 else connection.max_payload
        most = min(max(most, LEAST_PAYLOAD), connection.max_payload)
        with suppress(ConnectionLost, BadRequest):
            for headers, part in cut(answer, most):
                await connection.publish(message.reply, part, headers=headers)

    @contextmanager
    def _wait(self) -> Iterator[None]:
        """As long as the block lasts, a request is one of those that wait. Raises Overloaded."""
        if self._waiting >= MAX_WAITING:
            raise Overloaded("Too many wait for news over NATS.", retry_after=1)
        self._waiting += 1
        self._requests -= 1
        try:
            yield
        finally:
            self._requests += 1
            self._waiting -= 1
