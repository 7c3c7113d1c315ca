"""The log over one WebSocket: the session's messages as text frames. A dialect may understand others beside them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Any, Protocol

from syncline.core.limits import PING_SECONDS
from syncline.core.messages import Authenticated, ErrorMessage, Live, Ping, Welcome, encode
from syncline.core.server_session import (
    Announce,
    Authenticate,
    Close,
    Commit,
    Deed,
    Follow,
    Inquire,
    Read,
    Reauthenticate,
    ServerSession,
)
from syncline.core.server_session import Send as SendText
from syncline.errors import InternalError, RequestTimeout, ShuttingDown, SpaceMismatch, SynclineError, Unauthorized
from syncline.server.attendance import Attendance
from syncline.server.auth.identity import Identity
from syncline.server.http import Receive, Scope, Send, address_of, headers_of, ticket_of
from syncline.server.member import Member
from syncline.server.registry import DEFAULT_SPACE, check_space
from syncline.server.service import Caller, Service

log = logging.getLogger("syncline.websocket")


class Dialect(Protocol):
    """What a conversation understands beside the log's own messages."""

    @property
    def session(self) -> ServerSession:
        """The session that takes all messages; its deeds may be others than those of the log."""

    def enter(self, member: Member, node: str) -> None:
        """The credentials are good; the session is about to open."""

    async def carry_out(self, deed: Any) -> None:
        """Carries out what is no deed of the log. An error that is raised is answered with the deed's ``ref``."""

    async def leave(self) -> None:
        """The session is over."""


Speaker = Callable[[Callable[[bytes], Awaitable[None]]], Dialect]


class WebSocketEndpoint:
    """An ASGI app that accepts a WebSocket and holds one session on it."""

    def __init__(self, service: Service, dialect: Speaker) -> None:
        """``dialect`` makes one for each conversation, from what sends a message."""
        self._service, self._dialect = service, dialect
        self._conversations: set[_Conversation] = set()
        service.endings.listeners.append(self._look_again)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Holds one session, from its hello to its end."""
        await receive()
        await send({"type": "websocket.accept"})
        async with AsyncExitStack() as stack:
            conversation = _Conversation(self._service, self._dialect, scope, receive, send, stack)
            self._conversations.add(conversation)
            try:
                await conversation.run()
            finally:
                self._conversations.discard(conversation)

    def _look_again(self) -> None:
        """Ends every session whose credentials have ended."""
        for conversation in self._conversations:
            conversation.look_again()

    async def finish(self) -> None:
        """Ends every session, after what it has begun is answered."""
        await asyncio.gather(*(each.finish() for each in self._conversations), return_exceptions=True)


class _Conversation:
    """The shell around one ``ServerSession``."""

    def __init__(
        self, service: Service, dialect: Speaker, scope: Scope, receive: Receive, send: Send, stack: AsyncExitStack
    ) -> None:
        self._service, self._receive, self._send, self._stack = service, receive, send, stack
        self._scope = scope
        self._dialect = dialect(self._send_text)
        self._session = self._dialect.session
        self._path_space = scope.get("path_params", {}).get("space")
        self._space = self._user = ""  # for the audit, until they are known
        self._member: Member
        self._node = ""
        self._attendance: Attendance | None = None
        self._follower: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._is_over = False
        self._busy = asyncio.Lock()

    async def run(self) -> None:
        try:
            while not self._is_over:
                text = await self._next_text()
                if text is None:
                    return
                if self._attendance is not None:
                    self._attendance.heard()
                async with self._busy:
                    if not self._is_over:
                        await self._carry_out(self._session.receive(text))
        except TimeoutError:
            if self._is_over:
                return
            silent = RequestTimeout("Nothing was heard for too long.")
            unknown = Unauthorized("No hello came in time.")
            await self._carry_out(self._session.reject(silent if self._session.is_open else unknown))
        except OSError:
            return  # the client has gone while it was answered
        except Exception:
            log.exception("a session failed")
            await self._carry_out(self._session.reject(InternalError("The server failed; its log says why.")))
        finally:
            if self._expiry is not None:
                self._expiry.cancel()
            for task in (self._follower, self._ending):
                if task is not None:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
            if self._attendance is not None:
                await self._attendance.leave()
            await self._dialect.leave()

    def look_again(self) -> None:
        """Ends the session if what it came with is valid no longer."""
        if not self._session.is_open or self._ending is not None:
            return
        try:
            self._member.check()
        except Unauthorized as error:
            self._ending = asyncio.create_task(self._end(error))
        except SynclineError:
            return  # whoever follows is told, and so is who asks

    async def _end(self, error: SynclineError) -> None:
        with suppress(OSError):  # the client has gone
            async with self._busy:
                if not self._is_over:
                    await self._carry_out(self._session.reject(error))

    async def finish(self) -> None:
        """Answers what was begun, and ends."""
        async with self._busy:
            if not self._is_over:
                await self._carry_out(self._session.reject(ShuttingDown("The server is stopping; connect again soon.")))

    async def _next_text(self) -> bytes | None:
        """The next message, or None when the client has gone."""
        settings = self._service.settings
        async with asyncio.timeout(settings.idle_seconds if self._session.is_open else settings.hello_seconds):
            message = await self._receive()
        if message["type"] == "websocket.disconnect":
            return None
        text: str | None = message.get("text")
        return bytes(message["bytes"]) if text is None else text.encode("utf-8", "surrogatepass")

    async def _carry_out(self, deeds: list[Deed]) -> None:
        for deed in deeds:
            try:
                await self._carry_out_one(deed)
            except SynclineError as error:
                self._service.audit.refused(error, self._user, self._space, address_of(self._scope), "WebSocket")
                is_end = isinstance(error, Unauthorized) and not isinstance(deed, Reauthenticate)
                if isinstance(deed, Authenticate) or is_end:
                    await self._carry_out(self._session.reject(error))
                    return
                if isinstance(deed, Follow):
                    self._session.unfollow()
                ref = deed.pull.ref if isinstance(deed, Read) else getattr(deed, "ref", None)
                await self._send_text(encode(ErrorMessage.of(error, ref)))

    async def _carry_out_one(self, deed: Deed) -> None:
        if self._session.is_open and not isinstance(deed, SendText | Announce | Close):
            self._service.limits.knock(address_of(self._scope))
            self._member.meter.request()
        match deed:
            case SendText(text):
                await self._send_text(text)
            case Commit(ref, events):
                await self._send_text(b'{"type":"ack","ref":%d,%b}' % (ref, await self._member.push(bytes(events))))
            case Read(pull):
                await self._send_text(await self._member.pull(pull))
            case Inquire(inquiry):
                await self._send_text(await self._patiently(self._member.answer(inquiry)))
            case Follow(live):
                self._follower = asyncio.create_task(self._follow(live))
            case Announce():
                self._attend().announce(deed)
            case Authenticate(hello):
                await self._carry_out(self._session.welcome(await self._admit(hello.token, hello.space, hello.node)))
            case Reauthenticate(ref, token):
                await self._send_text(encode(await self._renew(ref, token)))
            case Close(code, reason):
                self._is_over = True
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
            case _:
                await self._dialect.carry_out(deed)

    async def _patiently(self, answer: Coroutine[Any, Any, bytes]) -> bytes:
        """An answer that may take long: a large tree is made once. The client hears meanwhile that somebody is here."""
        task = asyncio.ensure_future(answer)
        try:
            while not (await asyncio.wait([task], timeout=PING_SECONDS))[0]:
                await self._send_text(encode(Ping()))
            return task.result()
        finally:
            task.cancel()

    async def _admit(self, token: str | None, space: str, node: str) -> Welcome:
        if self._path_space and space not in (DEFAULT_SPACE, self._path_space):
            raise SpaceMismatch("The hello names another space than the path.")
        name = check_space(self._path_space or space)
        self._space, address = name, address_of(self._scope)
        self._service.limits.knock(address)
        identity = await self._identify(token or ticket_of(self._scope))
        self._user = identity.user
        self._member = await self._stack.enter_async_context(self._service.enter(identity, name, address=address))
        self._member.meter.request()
        self._stack.enter_context(self._member.connected())
        self._note_expiry(identity)
        self._node = node
        self._dialect.enter(self._member, node)
        return await self._member.welcome(node)

    def _attend(self) -> Attendance:
        if self._attendance is None:
            away_seconds = self._service.settings.away_seconds
            self._attendance = Attendance(self._member, self._node, self._send_text, self._end, away_seconds)
        return self._attendance

    async def _renew(self, ref: int, token: str) -> Authenticated:
        """Goes on with other credentials of the same user, or raises and goes on as before."""
        identity = await self._identify(token)
        answer = self._member.renew(identity, ref)
        self._note_expiry(identity)
        return answer

    async def _identify(self, token: str | None) -> Identity:
        caller = Caller(token, self._space, headers_of(self._scope), address_of(self._scope))
        return await self._service.identify(token, lambda: caller)

    def _note_expiry(self, identity: Identity) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if identity.expires_ms is not None:
            seconds = max(0.0, (identity.expires_ms - self._member.space.now_ms()) / 1000)
            self._expiry = asyncio.get_running_loop().call_later(seconds + 0.001, self.look_again)

    async def _follow(self, live: Live) -> None:
        try:
            async for frame in self._member.follow(live):
                await self._send(frame.message)
        except Unauthorized as error:
            await self._end(error)
        except SynclineError as error:
            self._session.unfollow()
            await self._send_text(encode(ErrorMessage.of(error)))
        except OSError:
            return  # the client has gone; the reader will notice

    async def _send_text(self, text: bytes) -> None:
        await self._send({"type": "websocket.send", "text": text.decode()})
