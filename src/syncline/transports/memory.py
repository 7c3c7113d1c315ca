"""Within one process: messages are handed over, after a trip through their encoded form. The adapter to read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

from syncline.core.answers import AnswerKind, expect
from syncline.core.messages import (
    Ack,
    Auth,
    Authenticated,
    Hello,
    Inquiry,
    Live,
    Message,
    Page,
    Pull,
    Push,
    ReplyKind,
    Welcome,
    encode,
)
from syncline.errors import HelloRequired

__all__ = ["MemoryTransport", "Peer"]


class Peer(Protocol):
    """The other end: whatever answers encoded requests, such as ``syncline.server.Server.peer``."""

    async def answer(self, request: bytes) -> bytes:
        """The encoded answer to one encoded request."""

    def follow(self, live: Live) -> AsyncIterator[bytes]:
        """Encoded pages, as they come."""


class MemoryTransport:
    """A conversation with a peer in this process; see ``Transport``."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._greeted = False

    async def hello(self, hello: Hello) -> Welcome:
        """See ``Transport.hello``."""
        welcome = await self._ask(hello, Welcome)
        self._greeted = True
        return welcome

    async def authenticate(self, auth: Auth) -> Authenticated:
        """See ``Transport.authenticate``."""
        self._check_greeted()
        return await self._ask(auth, Authenticated)

    async def push(self, push: Push) -> Ack:
        """See ``Transport.push``."""
        self._check_greeted()
        return await self._ask(push, Ack)

    async def pull(self, pull: Pull) -> Page:
        """See ``Transport.pull``."""
        self._check_greeted()
        return await self._ask(pull, Page)

    async def subscribe(self, live: Live) -> AsyncGenerator[Page, None]:
        """See ``Transport.subscribe``."""
        self._check_greeted()
        async for page in self._peer.follow(live):
            yield expect(page, Page)

    async def ask(self, inquiry: Inquiry, kind: type[ReplyKind]) -> ReplyKind:
        """See ``Transport.ask``."""
        self._check_greeted()
        return await self._ask(inquiry, kind)

    async def close(self) -> None:
        """See ``Transport.close``."""
        self._greeted = False

    async def _ask(self, request: Message, kind: type[AnswerKind]) -> AnswerKind:
        return expect(await self._peer.answer(encode(request)), kind)

    def _check_greeted(self) -> None:
        if not self._greeted:
            raise HelloRequired("Say hello first.")
