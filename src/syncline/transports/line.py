"""A conversation over frames of text: who asked gets the answer, and a server that vanished in silence is noticed.

What carries the frames is a ``Frames``: a WebSocket of a library, or that of a browser.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

from msgspec.structs import replace

from syncline.core.answers import AnswerKind, decode_answer
from syncline.core.limits import PING_SECONDS, PONG_SECONDS
from syncline.core.messages import (
    Ack,
    Answer,
    Auth,
    Authenticated,
    ErrorMessage,
    Found,
    Hello,
    Inquiry,
    Live,
    Page,
    Peers,
    Ping,
    Pong,
    Presence,
    Pull,
    Push,
    ReplyKind,
    Snapshot,
    Tree,
    Welcome,
    encode,
)
from syncline.errors import ConnectionLost, HelloRequired, InternalError, SynclineError

__all__ = ["Frames", "Line", "SocketTransport", "lost"]

WAITING_PAGES = 8
"""Pages that may wait for the subscriber; then the connection itself waits."""


class Frames(Protocol):
    """An open connection. Iterating tells what arrives, and ends when the other end has closed."""

    async def send(self, text: bytes) -> None:
        """Sends a frame of UTF-8 text. Raises ConnectionLost."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The frames as they arrive."""

    def abort(self) -> None:
        """Ends the connection without waiting for anybody."""

    async def close(self) -> None:
        """Ends the connection; ending it twice does nothing."""


class SocketTransport:
    """A conversation over frames; see ``Transport``. ``connect`` opens a new connection, or raises ConnectionLost."""

    def __init__(self, connect: Callable[[], Awaitable[Frames]]) -> None:
        self._connect = connect
        self._line: Line | None = None

    async def hello(self, hello: Hello) -> Welcome:
        """See ``Transport.hello``."""
        await self.close()
        self._line = Line(await self._connect())
        return await self._line.ask(hello, Welcome)

    async def authenticate(self, auth: Auth) -> Authenticated:
        """See ``Transport.authenticate``."""
        return await self._open().ask(auth, Authenticated)

    async def push(self, push: Push) -> Ack:
        """See ``Transport.push``."""
        return await self._open().ask(push, Ack)

    async def pull(self, pull: Pull) -> Page:
        """See ``Transport.pull``."""
        return await self._open().ask(pull, Page)

    async def subscribe(self, live: Live) -> AsyncGenerator[Page, None]:
        """See ``Transport.subscribe``."""
        line = self._open()
        await line.send(live)
        while True:
            yield await line.next_page()

    async def tell(self, presence: Presence) -> None:
        """See ``PresenceTransport.tell``."""
        line = self._open()
        await line.send(replace(presence, ref=line.presence_ref))

    async def peers(self) -> AsyncGenerator[Peers | SynclineError, None]:
        """See ``PresenceTransport.peers``."""
        line = self._open()
        try:
            while True:
                yield await line.next_peers()
        finally:
            line.hear_no_more()

    async def ask(self, inquiry: Inquiry, kind: type[ReplyKind]) -> ReplyKind:
        """See ``Transport.ask``."""
        return await self._open().ask(inquiry, kind)

    async def close(self) -> None:
        """See ``Transport.close``."""
        if self._line is not None:
            line, self._line = self._line, None
            await line.close()

    def _open(self) -> Line:
        if self._line is None:
            raise HelloRequired("Say hello first.")
        return self._line


class Line:
    """An open connection: answers go to who asked, pages to who follows, and silence ends it."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._pages: asyncio.Queue[Page | SynclineError] = asyncio.Queue(WAITING_PAGES)
        self._ref = self.presence_ref = 1
        self._peers: asyncio.Queue[Peers | SynclineError] = asyncio.Queue(WAITING_PAGES)
        self._hears = True
        self._heard = self._said = asyncio.get_running_loop().time()
        self._failure: SynclineError | None = None
        self._tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._beat())]

    async def ask(self, request: Any, kind: type[AnswerKind]) -> AnswerKind:
        """Sends a request and waits for its answer."""
        ref = 0
        if not isinstance(request, Hello):
            self._ref += 1
            ref = self._ref
            request = replace(request, ref=ref)
        self._asked[ref] = asyncio.get_running_loop().create_future()
        try:
            await self.send(request)
            answer = await self._asked[ref]
        finally:
            self._asked.pop(ref, None)
        if isinstance(answer, ErrorMessage):
            raise answer.error
        if not isinstance(answer, kind):
            raise InternalError(f"The server answered {type(answer).__name__} where {kind.__name__} was expected.")
        return answer

    async def send(self, message: Any) -> None:
        """Sends a message."""
        if self._failure is not None:
            raise self._failure
        try:
            await self._frames.send(encode(message))
            self._said = asyncio.get_running_loop().time()
        except ConnectionLost as error:
            raise self._failure or error from None

    async def next_page(self) -> Page:
        """The next page of the subscription."""
        if self._failure is not None and self._pages.empty():
            raise self._failure
        page = await self._pages.get()
        if isinstance(page, SynclineError):
            raise page
        return page

    async def next_peers(self) -> Peers | SynclineError:
        """What is told next of who is here, or an error about what was said of it."""
        if self._failure is not None and self._peers.empty():
            raise self._failure
        told = await self._peers.get()
        if told is self._failure:
            raise self._failure
        return told

    def hear_no_more(self) -> None:
        """What is told of who is here is dropped from now on."""
        self._hears = False
        while not self._peers.empty():  # whoever waits for room goes on
            self._peers.get_nowait()

    async def _receive(self) -> None:
        try:
            async for text in self._frames:
                self._heard = asyncio.get_running_loop().time()
                await self._take(decode_answer(text))
            self._fail(lost())
        except SynclineError as error:
            self._fail(error)

    async def _take(self, answer: Answer) -> None:
        match answer:
            case Welcome():
                self._settle(0, answer)
            case Authenticated() | Ack() | Page(ref=int()) | Tree() | Found() | Snapshot():
                self._settle(answer.ref or 0, answer)
            case Page():
                await self._pages.put(answer)
            case Peers() if self._hears:
                await self._peers.put(answer)
            case ErrorMessage(ref=self.presence_ref) if self._hears:
                await self._peers.put(answer.error)
            case ErrorMessage(ref=int()):
                self._settle(answer.ref or 0, answer)
            case ErrorMessage() if 0 in self._asked:
                self._settle(0, answer)
            case ErrorMessage():
                await self._pages.put(answer.error)
            case Ping():
                await self.send(Pong(ref=answer.ref))

    def _settle(self, ref: int, answer: Answer) -> None:
        future = self._asked.get(ref)
        if future is not None and not future.done():
            future.set_result(answer)

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PING_SECONDS / 2)
            silence = loop.time() - self._heard
            if silence > PING_SECONDS + PONG_SECONDS:
                self._fail(ConnectionLost("The server has gone silent."))
                self._frames.abort()
                return
            if max(silence, loop.time() - self._said) > PING_SECONDS:  # whoever only reads has to be heard, too
                with suppress(SynclineError):
                    await self.send(Ping())

    def _fail(self, error: SynclineError) -> None:
        self._failure = self._failure or error
        for future in self._asked.values():
            if not future.done():
                future.set_exception(self._failure)
        for queue in (self._pages, self._peers):
            with suppress(asyncio.QueueFull):
                queue.put_nowait(self._failure)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fail(lost())
        await self._frames.close()


def lost() -> ConnectionLost:
    """What to say when the other end has closed."""
    return ConnectionLost("The server ended the connection.")
