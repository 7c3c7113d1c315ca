"""One replica, served to its peers over HTTP and WebSocket: the messages of a session, without a server behind them.

The addresses are a server's: ``/v1/hello``, ``/v1/merkle``, ``/v1/fetch``, ``/v1/give``, ``/v1/live`` and ``/ws``. So
whoever syncs with a server syncs with a replica as well. It is for programs: what a web page sends is refused.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress

from syncline.core.limits import BODY_SECONDS, HELLO_SECONDS, IDLE_SECONDS
from syncline.core.messages import ErrorMessage, Hello, Live, Message, Ping, encode, type_of
from syncline.core.requests import decode_request
from syncline.core.server_session import CLOSE_CODES, CLOSE_OTHERWISE
from syncline.errors import (
    BadRequest,
    ForbiddenOrigin,
    InternalError,
    MethodNotAllowed,
    NotFound,
    RequestTimeout,
    SynclineError,
)
from syncline.replica import Replica
from syncline.server.auth.credentials import bearer_of
from syncline.server.http import JSON, PROBLEM, Disconnected, Receive, Scope, Send, problem_of, receive_body
from syncline.server.streams import EVENT_STREAM, STILL_HERE, event, keep_alive, until_gone, until_one_ends
from syncline.sync.replica_peer import ReplicaPeer

log = logging.getLogger("syncline.peer")

VERBS = ("hello", "merkle", "fetch", "give")


class PeerApp:
    """An ASGI app that answers for one replica."""

    def __init__(self, replica: Replica, token: str | None = None) -> None:
        """``token``: what peers have to show; None: nothing."""
        self._replica, self._token = replica, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or holds one WebSocket."""
        if scope["type"] == "websocket":
            await self._converse(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    # HTTP

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            handler = self._handler(scope)
            _check_origin(scope)
            ReplicaPeer(self._replica, token=self._token).admit(_token(scope))
            await handler(scope, receive, send)
        except Disconnected:
            return
        except SynclineError as error:
            await _respond(send, error.status, PROBLEM, problem_of(error))
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            failure = InternalError("The replica failed to answer; its log says why.")
            await _respond(send, failure.status, PROBLEM, problem_of(failure))

    def _handler(self, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        verb = scope["path"].rpartition("/")[2] if scope["path"].startswith("/v1/") else ""
        method = {"live": "GET", **dict.fromkeys(VERBS, "POST")}.get(verb)
        if method is None:
            raise NotFound("This is a replica; its addresses are /v1/hello, merkle, fetch, give and live, and /ws.")
        if scope["method"] != method:
            raise MethodNotAllowed(f"{scope['method']} is not possible here; {method} is.", allow=method)
        return self._follow if verb == "live" else self._reply

    async def _reply(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = decode_request(await receive_body(receive, BODY_SECONDS))
        verb = scope["path"].rpartition("/")[2]
        if type_of(message) != verb:
            raise BadRequest(f"This address takes a {verb} message.")
        peer = ReplicaPeer(self._replica, is_open=True)  # who asks was let in already
        answer = await asyncio.to_thread(peer.reply, message)
        await _respond(send, 200, JSON, encode(answer))

    async def _follow(self, _: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", EVENT_STREAM)]})

        async def stream(part: bytes) -> None:
            await send({"type": "http.response.body", "body": part, "more_body": True})

        async def tell() -> None:
            await stream(STILL_HERE)
            async with aclosing(ReplicaPeer(self._replica).follow(Live())) as hints:
                async for hint in hints:
                    await stream(event("page", hint.decode()))

        await until_one_ends(until_gone(receive), keep_alive(stream), tell())

    # WebSocket

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if scope["path"].rpartition("/")[2] != "ws":
            await send({"type": "websocket.close", "code": 4404, "reason": NotFound.code})
            return
        await send({"type": "websocket.accept"})
        peer, tasks = ReplicaPeer(self._replica, token=self._token), dict[str, asyncio.Task[None]]()
        try:
            _check_origin(scope)
            while (text := await _text(receive, HELLO_SECONDS if not peer.is_open else IDLE_SECONDS)) is not None:
                kind = _kind(text) if peer.is_open else Hello
                if kind is Live and "hints" not in tasks:
                    tasks["hints"] = asyncio.create_task(_send_hints(peer, send))
                elif kind is Ping or kind is Hello:
                    await _say(send, answer := peer.answer_to(text))
                    if not peer.is_open:
                        await send({"type": "websocket.close", **_closing(answer)})
                        return
                else:  # in a thread, and pings are answered meanwhile
                    tasks["answer"] = asyncio.create_task(_answer_after(tasks.get("answer"), peer, text, send))
        except SynclineError as error:
            await _say(send, answer := ErrorMessage.of(error))
            await send({"type": "websocket.close", **_closing(answer)})
        except OSError:
            return  # the peer has gone while it was answered
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)


def _kind(text: bytes) -> type[Message] | None:
    with suppress(SynclineError):
        return type(decode_request(text))
    return None


async def _answer_after(before: asyncio.Task[None] | None, peer: ReplicaPeer, text: bytes, send: Send) -> None:
    """Answers a message when those before it are answered."""
    if before is not None:
        await asyncio.wait([before])
    with suppress(OSError):  # the peer has gone; the reader notices
        await _say(send, await asyncio.to_thread(peer.answer_to, text))


async def _say(send: Send, message: Message) -> None:
    await send({"type": "websocket.send", "text": encode(message).decode()})


def _check_origin(scope: Scope) -> None:
    """Raises ForbiddenOrigin for what a web page sends: it could reach what only this machine should."""
    if any(name == b"origin" for name, _ in scope["headers"]):
        raise ForbiddenOrigin("A replica is shared with programs, not with web pages.")


def _token(scope: Scope) -> str | None:
    return bearer_of(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))


async def _respond(send: Send, status: int, kind: bytes, body: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _text(receive: Receive, seconds: float) -> bytes | None:
    """The next message of a WebSocket; None when the peer has gone. Raises RequestTimeout."""
    try:
        async with asyncio.timeout(seconds):
            message = await receive()
    except TimeoutError:
        raise RequestTimeout("Nothing was heard for too long.") from None
    if message["type"] == "websocket.disconnect":
        return None
    text: str | None = message.get("text")
    return bytes(message["bytes"]) if text is None else text.encode("utf-8", "surrogatepass")


async def _send_hints(peer: ReplicaPeer, send: Send) -> None:
    with suppress(OSError):  # the peer has gone; the reader notices
        async with aclosing(peer.follow(Live())) as hints:
            async for hint in hints:
                await send({"type": "websocket.send", "text": hint.decode()})


def _closing(answer: Message) -> dict[str, object]:
    code = answer.code if isinstance(answer, ErrorMessage) else ""
    return {"code": CLOSE_CODES.get(code, CLOSE_OTHERWISE), "reason": code}
