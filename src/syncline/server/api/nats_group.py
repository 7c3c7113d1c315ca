"""A server's place in the group of those that answer over NATS: requests are let in, limited and audited as over HTTP.

Each request reaches one server of the group, and none remembers the one before. Where a client is, NATS does not tell;
so rates count for credentials and users, and a flood of strangers ends at how much is answered at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from syncline.core.messages import ErrorMessage, encode
from syncline.errors import BadRequest, ConnectionLost, InternalError, NotFound, Overloaded, SynclineError
from syncline.server.api.nats import METHODS, Asked
from syncline.server.service import Service
from syncline.transports.nats_connection import Message, NatsConnection, Subscription
from syncline.transports.nats_link import NatsLink
from syncline.transports.nats_wire import ANY, INBOXES, LEAST_PAYLOAD, MAX_PAYLOAD, QUEUE, cut

log = logging.getLogger("syncline.nats")

MAX_REQUESTS = 256
MAX_REQUEST_BYTES = 64 * 1024 * 1024
"""Requests that are answered at a time, and what they hold; those that wait for news are not among them."""
MAX_WAITING = 4_096
"""Requests that wait for news at a time."""


class NatsEndpoint:
    """Start it when the service has started; then ``finish`` and ``stop`` it."""

    def __init__(self, service: Service) -> None:
        """Raises BadSettings."""
        self._service = service
        self._link = NatsLink(service.settings.nats, self._listen, name="syncline server")
        self._heard: tuple[NatsConnection, Subscription] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._requests = self._bytes = 0
        self._waiting: set[asyncio.Timeout] = set()
        service.links["nats"] = lambda: self._link.state

    def start(self) -> None:
        """Begins to listen; if NATS is not there yet, as soon as it is."""
        self._link.start()

    async def finish(self) -> None:
        """Takes no more requests, and returns when all that had come are answered.

        Who waits for news is told that there are none, and asks the next server of the group.
        """
        with suppress(ConnectionLost):
            if self._heard is not None and self._link.connection is not None:
                connection, subscription = self._heard
                await connection.drain(subscription)
                for deadline in self._waiting:
                    deadline.reschedule(0)
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

    @asynccontextmanager
    async def _wait(self, seconds: float) -> AsyncIterator[None]:
        """A block in which a request waits, no longer than this and than the server serves. Raises Overloaded."""
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded("Too many wait for news over NATS.", retry_after=1)
        self._requests -= 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds) as deadline:
                    self._waiting.add(deadline)
                    try:
                        yield
                    finally:
                        self._waiting.discard(deadline)
        finally:
            self._requests += 1
