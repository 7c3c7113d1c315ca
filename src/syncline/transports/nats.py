"""Over NATS: a request and its answer for each message. Any of several servers answers, each time another one.

Nobody keeps a conversation but this client: every request carries its credentials, and live pages are a chain of
requests that wait for news. The next is on its way while a page is being used, and no second one: a slow subscriber
holds up nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from msgspec.structs import replace

from syncline.core.answers import AnswerKind, expect
from syncline.core.limits import PING_SECONDS, PONG_SECONDS
from syncline.core.messages import (
    Ack,
    Auth,
    Authenticated,
    Hello,
    Inquiry,
    Live,
    Merkle,
    Message,
    Page,
    Pull,
    Push,
    ReplyKind,
    Tree,
    Welcome,
    encode,
    type_of,
)
from syncline.errors import BadSettings, ConnectionLost, HelloRequired, Unauthorized
from syncline.transports.nats_connection import NatsConnection, headers_size
from syncline.transports.nats_url import NatsUrl
from syncline.transports.nats_wire import AUTHORIZATION, LEAST_PAYLOAD, MAX_PAYLOAD, WAIT, Parts, subject_of

__all__ = ["NatsTransport"]

SILENCE_SECONDS = PING_SECONDS + PONG_SECONDS
"""Nobody is there who sends nothing for so long."""
WAIT_SECONDS = int(PING_SECONDS)
"""How long a server waits for news before it says that there are none, and so that it is there."""
ENVELOPE_BYTES = 256
"""What a push has beside its events, and its headers beside the token."""


class NatsTransport:
    """A conversation over NATS; see ``Transport``. ``url`` is that of NATS, such as ``nats://localhost:4222``."""

    def __init__(self, url: str) -> None:
        """Raises BadSettings for what is no URL of NATS."""
        NatsUrl.parse(url)
        self._url = url
        self._space = ""
        self._headers: dict[str, str] = {}
        self._room = 0  # for a message, in one of NATS
        self._connection: NatsConnection | None = None

    async def hello(self, hello: Hello) -> Welcome:
        """See ``Transport.hello``."""
        await self.close()
        subject_of(hello.space, "hello")  # a bad name is refused before there is anybody to tell it
        self._space = hello.space
        connection = self._connection = NatsConnection(self._url, name="syncline replica")
        await connection.open()
        if connection.max_payload < LEAST_PAYLOAD:
            raise BadSettings(f"NATS at {connection.url}: its max_payload must be at least {LEAST_PAYLOAD:,} bytes.")
        self._headers = {MAX_PAYLOAD: str(connection.max_payload), **_bearer(hello.token)}
        text = encode(Hello(node=hello.node, space=hello.space, protocol=hello.protocol))
        welcome = await self._ask("hello", text, Welcome)
        self._room = connection.max_payload - headers_size(self._headers) - ENVELOPE_BYTES
        limits = welcome.limits
        return replace(welcome, limits=replace(limits, body_bytes=min(limits.body_bytes, self._room)))

    async def authenticate(self, auth: Auth) -> Authenticated:
        """See ``Transport.authenticate``."""
        answer = await self._send("auth", auth, Authenticated)
        self._headers = {**self._headers, **_bearer(auth.token)}
        return answer

    async def push(self, push: Push) -> Ack:
        """See ``Transport.push``."""
        return await self._send("push", push, Ack)

    async def pull(self, pull: Pull) -> Page:
        """See ``Transport.pull``."""
        return await self._send("pull", pull, Page)

    async def subscribe(self, live: Live) -> AsyncGenerator[Page, None]:
        """See ``Transport.subscribe``."""
        page, is_first = await self._next_page(live, wait=0), True
        while True:
            live = replace(live, cursor=page.cursor)
            coming = asyncio.create_task(self._next_page(live, wait=WAIT_SECONDS))
            coming.add_done_callback(_look_at)
            try:
                if is_first or page.entries or page.late or page.forget or page.bases:
                    yield page
                page, is_first = await coming, False
            finally:
                coming.cancel()

    async def ask(self, inquiry: Inquiry, kind: type[ReplyKind]) -> ReplyKind:
        """See ``Transport.ask``."""
        if isinstance(inquiry, Merkle) and len(inquiry.summaries) > 1 and len(encode(inquiry)) > self._room:
            half = len(inquiry.summaries) // 2
            one = await self.ask(replace(inquiry, summaries=inquiry.summaries[:half]), kind)
            return _joined(one, await self.ask(replace(inquiry, summaries=inquiry.summaries[half:]), kind))
        return await self._send(type_of(inquiry), inquiry, kind)

    async def close(self) -> None:
        """See ``Transport.close``."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    async def _next_page(self, live: Live, *, wait: int) -> Page:
        """What comes after a cursor, or an empty page after so many seconds."""
        while True:
            shown = self._headers.get(AUTHORIZATION)
            try:
                return await self._send("live", live, Page, headers={WAIT: str(wait)})
            except Unauthorized:
                if shown == self._headers.get(AUTHORIZATION):  # otherwise there are fresh ones meanwhile
                    raise

    async def _send(
        self, verb: str, message: Message, kind: type[AnswerKind], *, headers: dict[str, str] | None = None
    ) -> AnswerKind:
        return await self._ask(verb, encode(message), kind, headers=headers)

    async def _ask(
        self, verb: str, text: bytes, kind: type[AnswerKind], *, headers: dict[str, str] | None = None
    ) -> AnswerKind:
        if self._connection is None:
            raise HelloRequired("Say hello first.")
        answer = await self._connection.request(
            subject_of(self._space, verb),
            text,
            headers={**self._headers, **(headers or {})},
            seconds=SILENCE_SECONDS,
            take=Parts().take,
        )
        return expect(answer, kind)


def _joined(one: ReplyKind, other: ReplyKind) -> ReplyKind:
    """The answer to a question that was too large for one message of NATS. Raises ConnectionLost."""
    if not (isinstance(one, Tree) and isinstance(other, Tree)) or (one.seq, one.root) != (other.seq, other.root):
        raise ConnectionLost("The log has grown while trees were compared.")
    return replace(one, summaries=[*one.summaries, *other.summaries])


def _bearer(token: str | None) -> dict[str, str]:
    return {AUTHORIZATION: f"Bearer {token}"} if token else {}


def _look_at(task: asyncio.Task[Page]) -> None:
    """A page that nobody waits for any more may fail in silence."""
    if not task.cancelled():
        task.exception()
