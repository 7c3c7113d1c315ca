"""The gate: what is looked at before any route, of every request and every WebSocket handshake.

Where it comes from (``proxies``), and whether a page of there may ask (``origins``); a browser is told so by the
headers of CORS. Cookies are not allowed across sites, because the server knows none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from syncline.errors import ForbiddenOrigin
from syncline.server.http import Receive, Request, Scope, Send
from syncline.server.origins import ANY, Origins
from syncline.server.proxies import Proxies, joined, scheme_of
from syncline.server.service import Service
from syncline.server.settings import Settings
from syncline.transports.addresses import is_loopback

App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

METHODS = b"GET, POST, PUT, PATCH, DELETE"
SENT = (
    b"Authorization, Content-Encoding, Content-Type, If-Match, If-None-Match, Last-Event-ID, Prefer, "
    b"X-API-Key, X-Node-ID, X-Tenant-ID"
)
EXPOSED = b"Allow, ETag, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Syncline-Demo"
PREFLIGHT_SECONDS = b"600"
DEMO: Headers = [(b"x-syncline-demo", b"true")]
LEAVE: Headers = [(b"connection", b"close")]
"""From a server that is about to stop: whoever asks again makes another connection, and perhaps to another server."""


class Gate:
    """An ASGI app in front of another."""

    def __init__(self, app: App, service: Service) -> None:
        """Raises BadSettings."""
        settings: Settings = service.settings
        self._app, self._service = app, service
        self._origins, self._proxies = Origins(settings.origins), Proxies(settings.trusted_proxies)
        self._is_open, self._headers = settings.is_open, DEMO if settings.demo else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets one request or handshake through, or refuses it."""
        scope = self._seen(scope)
        headers = dict(scope["headers"])
        try:
            told = self._admit(scope, headers) + self._headers
            if self._service.is_draining and scope["type"] == "http":
                told = told + LEAVE
        except ForbiddenOrigin as error:
            await self._refuse(scope, receive, send, error)
            return
        if told and scope.get("method") == "OPTIONS" and b"access-control-request-method" in headers:
            await _answer_preflight(send, told)
        else:
            await self._app(scope, receive, _adding(send, told) if told else send)

    def _seen(self, scope: Scope) -> Scope:
        """The request as the last trusted proxy saw it."""
        peer = scope["client"][0] if scope.get("client") else ""
        if not self._proxies or not self._proxies.trusts(peer):
            return scope
        headers = scope["headers"]
        client = self._proxies.client(peer, joined(headers, b"x-forwarded-for"))
        scheme = scheme_of(joined(headers, b"x-forwarded-proto")) or scope["scheme"].replace("ws", "http")
        if scope["type"] == "websocket":
            scheme = scheme.replace("http", "ws")
        return {**scope, "client": (client, 0), "scheme": scheme}

    def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> Headers:
        """The headers that a page is told by. Raises ForbiddenOrigin."""
        host = headers.get(b"host", b"").decode("latin-1")
        if self._is_open and scope.get("server") and is_loopback(scope["server"][0]):
            self._origins.check_local(host)
        told, is_secure = headers.get(b"origin"), scope.get("scheme") in ("https", "wss")
        origin = None if told is None else told.decode("latin-1")
        allowed = self._origins.admit(origin, host, is_secure=is_secure)
        if allowed is None:
            return []
        vary: Headers = [] if allowed == ANY else [(b"vary", b"Origin")]
        return [(b"access-control-allow-origin", allowed.encode("latin-1")), *vary]

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, error: ForbiddenOrigin) -> None:
        if scope["type"] == "http":
            await Request(self._service, scope, receive, send).refuse(error)
            return
        await receive()
        if "websocket.http.response" in scope.get("extensions", {}):
            await Request(self._service, scope, receive, _of_handshake(send)).refuse(error)
        else:
            await send({"type": "websocket.close", "code": 4403, "reason": error.code})  # becomes a bare 403


async def _answer_preflight(send: Send, told: Headers) -> None:
    more = [
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", SENT),
        (b"access-control-max-age", PREFLIGHT_SECONDS),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": [*told, *more]})
    await send({"type": "http.response.body", "body": b""})


def _adding(send: Send, told: Headers) -> Send:
    """A ``send`` that adds headers to the beginning of the answer."""
    exposed: Headers = [(b"access-control-expose-headers", EXPOSED)]

    async def adding(message: dict[str, object]) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            message = {**message, "headers": [*message.get("headers", []), *told, *exposed]}  # type: ignore[misc]
        await send(message)

    return adding  # type: ignore[return-value]


def _of_handshake(send: Send) -> Send:
    """A ``send`` that answers a handshake with a response."""

    async def answering(message: dict[str, object]) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return answering  # type: ignore[return-value]
