"""One connection to NATS, from its opening to its loss: publish, subscribe, request. It alone knows nats-py.

A connection that is lost stays lost, and says so to everybody at once: whoever asked learns it without waiting, and
nothing that was said before is said again behind their backs. ``nats_link`` opens the next one, for servers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from syncline.core.limits import PING_SECONDS
from syncline.errors import BadRequest, BadSettings, ConnectionLost, SynclineError, TooLarge
from syncline.transports.nats_url import NatsUrl

try:
    from nats import errors
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription
except ImportError:
    raise BadSettings("NATS needs a package: pip install 'syncline[nats]'") from None

__all__ = ["Message", "NatsConnection", "Subscription"]

log = logging.getLogger("syncline.nats")

T = TypeVar("T")

CONNECT_SECONDS = 5.0
AGAIN_SECONDS = 0.05
"""Between two of several servers that are tried."""
CLOSE_SECONDS = 2.0
NOBODY = "503"
"""The status of an answer by which NATS says that nobody listens."""
WAITING_MESSAGES = 4_096
WAITING_BYTES = 64 * 1024 * 1024
"""What may wait for a subscriber; what is more is dropped, and logged."""


class Message(NamedTuple):
    """What came on a subject; ``reply`` is where an answer is wanted, if it is."""

    subject: str
    reply: str
    data: bytes
    headers: Mapping[str, str] = MappingProxyType({})


Handler = Callable[[Message], Awaitable[None]]
FAILURES: tuple[type[Exception], ...] = (errors.Error, OSError, TimeoutError, RuntimeError, AttributeError)
"""What nats-py raises about connections; of one that has just ended also what its event loop says of closed sockets."""


class NatsConnection:
    """``open`` it once, and ``close`` it. Belongs to one event loop."""

    def __init__(self, url: str, *, name: str = "syncline") -> None:
        """``name``: what NATS shows of it. Raises BadSettings for what is no URL of NATS."""
        self.url = NatsUrl.parse(url)
        self.lost = asyncio.Event()
        """Set when the connection is no more."""
        self._name = name
        self._client = Client()
        self._asked: dict[str, asyncio.Queue[Message | None]] = {}
        self._numbers = count()
        self._inbox = ""
        self._trouble = ""
        """What went wrong last; what NATS says of credentials is not overruled by how the connection ended then."""
        self._patience: asyncio.Timeout | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def max_payload(self) -> int:
        """Bytes of a message with its headers, as NATS has said."""
        return self._client.max_payload

    @property
    def _is_refused(self) -> bool:
        return "authorization" in self._trouble.lower()

    async def open(self) -> None:
        """Connects. Raises ConnectionLost, or BadSettings if NATS does not know the credentials."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS) as self._patience:
                await self._client.connect(**self._options())
            self._patience = None
            self._check_tls()
        except FAILURES as error:
            await self.close()
            raise self._unreachable(error) from None
        except ImportError:
            raise BadSettings("NATS: a file of credentials needs more packages: pip install 'syncline[nats]'") from None

    def _options(self) -> dict[str, Any]:
        url = self.url
        return {
            "servers": list(url.servers),
            "name": self._name,
            "error_cb": self._note,
            "disconnected_cb": self._end,
            "closed_cb": self._end,
            "connect_timeout": CONNECT_SECONDS,
            "reconnect_time_wait": AGAIN_SECONDS,
            "max_reconnect_attempts": 1,
            "ping_interval": PING_SECONDS,
            "max_outstanding_pings": 1,
            "flush_timeout": CONNECT_SECONDS,
            "inbox_prefix": url.inbox,
            "tls": self._tls() if url.needs_tls else None,
            "user": None if url.user is None else lambda: self._secret(url.user),
            "password": None if url.password is None else lambda: self._secret(url.password),
            "token": None if url.token is None else lambda: self._secret(url.token),
            "user_credentials": self._credentials(),
        }

    def _credentials(self) -> str | None:
        """Their file, looked at now: nats-py does so only when the server asks for them."""
        file = self.url.credentials
        if file and not os.access(file, os.R_OK):
            raise BadSettings(f"NATS: the credentials {file} cannot be read.")
        return file or None

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.url.ca or None)
        except OSError as error:
            raise BadSettings(f"NATS: {self.url.ca} cannot be read as certificates: {error}") from None

    def _secret(self, secret: str | None) -> str | None:
        self._check_tls()
        return secret

    def _check_tls(self) -> None:
        """nats-py goes on in plain text with a server, or whoever is in between, that does not ask for TLS."""
        if self.url.needs_tls and not self._client._server_info.get("tls_required"):
            raise errors.SecureConnWantedError

    def _unreachable(self, error: Exception) -> SynclineError:
        trouble = self._trouble or str(error) or type(error).__name__
        if self._is_refused:
            return BadSettings(f"NATS at {self.url} does not take these credentials: {trouble}")
        return ConnectionLost(f"NATS at {self.url} cannot be reached: {trouble}")

    async def _note(self, error: Exception) -> None:
        if not self._is_refused:
            self._trouble = str(error) or type(error).__name__
        if isinstance(error, ssl.SSLError) and self._patience is not None:
            patience, self._patience = self._patience, None
            patience.reschedule(0)  # nats-py would wait for the end of a connection that has ended
        level = logging.WARNING if isinstance(error, errors.SlowConsumerError) else logging.DEBUG
        log.log(level, "%s: %s", self.url, self._trouble)

    async def _end(self) -> None:
        """The connection is no more; nats-py would open another one, and is told not to."""
        self.lost.set()
        for replies in self._asked.values():
            replies.put_nowait(None)
        if self._closing is None:
            self._closing = asyncio.create_task(self._shut())

    async def _shut(self) -> None:
        with suppress(*FAILURES, AssertionError):  # which it raises if it never came as far as to connect
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._client.close()
        for subscription in tuple(self._client._subs.values()):  # left behind where that failed
            subscription._stop_processing()

    async def close(self) -> None:
        """Ends the connection; ending it twice does nothing."""
        await self._end()
        if self._closing is not None:
            await asyncio.shield(self._closing)  # nats-py swallows a cancellation here and there

    # What is said and heard

    async def publish(
        self, subject: str, data: bytes = b"", *, reply: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Says something. Raises ConnectionLost, TooLarge, or BadRequest for a bad subject or header."""
        self._check(headers, len(data))
        with self._telling(subject):
            await self._client.publish(subject, data, reply, dict(headers) if headers else None)

    def _check(self, headers: Mapping[str, str] | None, size: int) -> None:
        if self.lost.is_set():
            raise self._gone()
        if headers:
            if not all(each.isascii() and each.isprintable() for pair in headers.items() for each in pair):
                raise BadRequest("A header, such as the token, is not printable ASCII.")
            size += headers_size(headers)
        if size > self.max_payload:
            raise TooLarge(f"This NATS takes messages of {self.max_payload:,} bytes.")

    async def subscribe(self, subject: str, handler: Handler, *, queue: str = "") -> Subscription:
        """Calls ``handler`` with what comes, one after the other; of a ``queue`` group one subscriber gets it."""

        async def handle(message: Msg) -> None:
            await handler(Message(message.subject, message.reply, message.data, message.headers or {}))

        with self._telling(subject):
            return await self._client.subscribe(
                subject, queue, handle, pending_msgs_limit=WAITING_MESSAGES, pending_bytes_limit=WAITING_BYTES
            )

    async def drain(self, subscription: Subscription) -> None:
        """Hears no more of it; when this returns, the handler was given all that had come. Raises ConnectionLost."""
        with self._telling(subscription.subject):
            await self._client._send_unsubscribe(subscription._id)  # its own drain does not wait for this to go out
            await self.flush()
            await subscription._pending_queue.join()

    async def request(
        self,
        subject: str,
        data: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        seconds: float,
        take: Callable[[Message], T | None],
    ) -> T:
        """Asks, and waits for an answer, each time so many seconds: ``take`` is called with what comes until it has it.

        Raises ConnectionLost if nobody answers, and what ``publish`` and ``take`` raise.
        """
        if not self._inbox:  # who only answers needs none, nor the right to one
            self._inbox = self._client.new_inbox()
            await self.subscribe(f"{self._inbox}.*", self._hear)
        number = str(next(self._numbers))
        replies = self._asked[number] = asyncio.Queue()
        try:
            await self.publish(subject, data, reply=f"{self._inbox}.{number}", headers=headers)
            while True:
                async with asyncio.timeout(seconds):
                    message = await replies.get()
                if message is None:
                    raise self._gone()
                if message.headers.get("Status") == NOBODY and not message.data:
                    raise ConnectionLost(f"No server listens at NATS {self.url} on {subject}.")
                if (answer := take(message)) is not None:
                    return answer
        except TimeoutError:
            raise ConnectionLost(f"No answer came over NATS in {seconds:g} s. {self._trouble}".rstrip()) from None
        finally:
            del self._asked[number]

    async def _hear(self, message: Message) -> None:
        replies = self._asked.get(message.subject.rpartition(".")[2])
        if replies is not None:
            replies.put_nowait(message)

    async def flush(self) -> None:
        """Returns when NATS has taken all that was said. Raises ConnectionLost."""
        with self._telling():
            for _ in range(2):  # nats-py's ping overtakes what has not gone out; when it is answered, that has
                await self._client.flush(int(CONNECT_SECONDS))

    @contextmanager
    def _telling(self, subject: str = "") -> Iterator[None]:
        """Says in our words what nats-py raises."""
        try:
            yield
        except errors.BadSubjectError:
            raise BadRequest(f"{subject[:80]!r} is not a subject of NATS.") from None
        except FAILURES as error:
            raise ConnectionLost(f"NATS at {self.url} was lost: {error}") from None

    def _gone(self) -> ConnectionLost:
        return ConnectionLost(f"The connection to NATS at {self.url} was lost. {self._trouble}".rstrip())


def headers_size(headers: Mapping[str, str]) -> int:
    """Bytes that headers take in a message."""
    return len("NATS/1.0\r\n\r\n") + sum(len(name) + len(value) + len(": \r\n") for name, value in headers.items())
