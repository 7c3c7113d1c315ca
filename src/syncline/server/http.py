"""Requests and responses in bare ASGI: what every route needs, and nothing a hot route would pay for in vain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager
from math import ceil
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs, unquote

import msgspec

from syncline.core import canonical
from syncline.core.events import ITEM
from syncline.core.limits import MAX_BODY_BYTES, MAX_DEPTH
from syncline.errors import (
    BadRequest,
    InternalError,
    MethodNotAllowed,
    RateLimited,
    RequestTimeout,
    SpaceMismatch,
    SynclineError,
    TooLarge,
    Unauthorized,
    UnsupportedMedia,
)
from syncline.server import limits, packing
from syncline.server.auth.credentials import bearer_of
from syncline.server.auth.identity import Identity
from syncline.server.auth.tickets import TICKET_PREFIX
from syncline.server.author import check_node
from syncline.server.member import Member
from syncline.server.registry import DEFAULT_SPACE, check_space
from syncline.server.service import Caller, Service

log = logging.getLogger("syncline.http")

T = TypeVar("T")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = b"application/json"
PROBLEM = b"application/problem+json"
KEPT_BY_NONE, ASKED_AGAIN = "no-store", "private, no-cache"
"""What caches are told of an answer, and of one with an ETag: it is this caller's, by whatever header they came."""
STREAMS = "/live"
"""How the addresses of streams end; a browser opens them without headers, with a ticket."""
INLINE_BYTES = 16 * 1024
"""Larger bodies are decoded in a thread, so that they hold up nobody."""


class Disconnected(Exception):
    """The client has gone; nobody is left to answer."""


class Request:
    """One request: its headers, parameters and body, read when they are asked for."""

    def __init__(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        self.service = service
        self.scope, self.receive, self._send = scope, receive, send
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.identity: Identity
        """Whose request this is; known before a handler is called, unless everybody may ask."""
        self.claimed_user = ""
        """Who somebody says they are, at a login: for the audit, if they are refused."""
        self.has_answered = False
        self.opens_stream = False
        """Whether a ticket is enough: browsers open streams without headers."""
        self._body: bytes | None = None

    async def identify(self) -> None:
        """Finds out whose request this is. Raises Unauthorized, also for a ticket that would open something else."""
        token = self.token
        if token and token.startswith(TICKET_PREFIX) and not self.opens_stream:
            raise Unauthorized("A ticket opens a WebSocket or a stream, and nothing else.")
        self.identity = await self.service.identify(token, self.caller)

    def caller(self) -> Caller:
        """Who asks. Raises BadRequest or SpaceMismatch."""
        return Caller(self.token, self.space, headers_of(self.scope), address_of(self.scope))

    @property
    def meter(self) -> limits.Meter:
        """Counts what whoever asks is asking for."""
        return self.service.limits.meter(self.identity, address_of(self.scope))

    def enter(self, *, create: bool = True, catch_up: bool = True) -> AbstractAsyncContextManager[Member]:
        """The space of the request as its user sees it; see ``Service.enter``. Raises UnknownSpace."""
        address = address_of(self.scope)
        return self.service.enter(self.identity, self.space, create=create, address=address, catch_up=catch_up)

    @property
    def token(self) -> str | None:
        """The credentials that came with the request, if any."""
        token = bearer_of(self.headers.get(b"authorization", b"").decode("latin-1"))
        if token is not None:
            return token
        given = self.headers.get(b"x-api-key", b"").decode("latin-1")
        return given or (ticket_of(self.scope) if self.opens_stream else None)

    @property
    def space(self) -> str:
        """The space, from the path or ``X-Tenant-ID``. Raises BadRequest or SpaceMismatch."""
        in_path = self.scope.get("path_params", {}).get("space")
        in_header = self.headers.get(b"x-tenant-id", b"").decode("latin-1") or None
        if in_path and in_header and in_path != in_header:
            raise SpaceMismatch("The path and X-Tenant-ID name different spaces.")
        return check_space(in_path or in_header or DEFAULT_SPACE)

    @property
    def query(self) -> Mapping[str, list[str]]:
        """The parameters of the query. Raises BadRequest."""
        try:
            return parse_qs(self.scope["query_string"].decode("ascii"), keep_blank_values=True, max_num_fields=200)
        except ValueError:
            raise BadRequest("The query cannot be read.") from None

    def parameter(self, name: str) -> str | None:
        """One parameter of the query. Raises BadRequest if it is given more than once."""
        values = self.query.get(name, [])
        if len(values) > 1:
            raise BadRequest(f"{name}: given more than once.")
        return values[0] if values and values[0] else None

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        """A whole number of the query. Raises BadRequest."""
        number = self.optional_number(name, low=low, high=high)
        return default if number is None else number

    def optional_number(self, name: str, *, low: int, high: int) -> int | None:
        """The same, None if it is not given."""
        text = self.parameter(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 16 and low <= int(text) <= high):
            raise BadRequest(f"{name}: {text[:40]!r} is not a whole number between {low} and {high}.")
        return int(text)

    @property
    def items(self) -> tuple[str, ...]:
        """The item patterns of the query: given several times, or separated by commas."""
        return tuple(pattern for value in self.query.get("items", []) for pattern in value.split(","))

    @property
    def document(self) -> str:
        """The document's id from the path, where it is one segment, percent-encoded. Raises BadRequest."""
        text = unquote(self.scope["path_params"]["id"], errors="replace")
        if not ITEM.fullmatch(text):
            raise BadRequest(f"{text[:80]!r} is not the id of a document: it does not match {ITEM.pattern}.")
        return text

    @property
    def node(self) -> str | None:
        """The id that the client gives itself in ``X-Node-ID``. Raises BadRequest."""
        given = self.header(b"x-node-id")
        return check_node(given) if given else None

    def header(self, name: bytes) -> str | None:
        """A header, by its name in lower case; several of one name are one list."""
        values = [value.decode("latin-1") for each, value in self.scope["headers"] if each == name]
        return ", ".join(values) or None

    @property
    def media(self) -> bytes:
        """The body's content type, without parameters."""
        return self.headers.get(b"content-type", JSON).partition(b";")[0].strip().lower()

    async def value(self, *media: bytes, max_depth: int = MAX_DEPTH) -> Any:
        """The body as JSON, of one of these content types. Raises what ``body`` and JSON raise."""
        return await _decode(await self.body(*media), max_depth)

    async def body(self, *media: bytes) -> bytes:
        """The body, decoded, also when asked again. Raises TooLarge, UnsupportedMedia, RequestTimeout or BadRequest."""
        if self.media not in (media or (JSON,)):
            wanted = " or ".join(each.decode() for each in media or (JSON,))
            raise UnsupportedMedia(f"The content type must be {wanted}.")
        if self._body is None:
            self._body = await self._receive_body()
        return self._body

    async def _receive_body(self) -> bytes:
        length = self.headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            raise TooLarge(f"The body may have {MAX_BODY_BYTES} bytes.")
        body = await receive_body(self.receive, self.service.settings.body_seconds)
        encoding = self.headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding == b"identity":
            return body
        return await asyncio.to_thread(packing.unpack, body, encoding)

    async def message(self, kind: type[T], *, max_depth: int = MAX_DEPTH, may_be_empty: bool = False) -> T:
        """The body as a message. Raises BadRequest if it has another shape, and what ``body`` and JSON raise."""
        body = await self.body()
        value = await _decode(body or b"{}" if may_be_empty else body, max_depth)
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise BadRequest(f"No {kind.__name__} message: {error}") from None

    async def answer(self, body: bytes, *, status: int = 200, kind: bytes = JSON, **headers: str) -> None:
        """Sends the whole response. Unless it is said otherwise, no cache on the way shows it to anybody else."""
        headers.setdefault("cache_control", ASKED_AGAIN if "etag" in headers else KEPT_BY_NONE)
        headers.setdefault("x_content_type_options", "nosniff")
        lines = [(b"content-type", kind), (b"content-length", b"%d" % len(body))] if status != 304 else []
        lines += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.has_answered = True
        await self._send({"type": "http.response.start", "status": status, "headers": lines})
        await self._send({"type": "http.response.body", "body": body})

    async def answer_packed(self, body: bytes) -> None:
        """Answers with JSON, packed if there is much of it and the client takes that."""
        packed, encoding = body, None
        if len(body) >= packing.SMALLEST and (accepted := self.header(b"accept-encoding")):
            packed, encoding = await asyncio.to_thread(packing.pack, body, accepted)
        headers = {"vary": "Accept-Encoding"} | ({"content_encoding": encoding} if encoding else {})
        await self.answer(packed, status=200, kind=JSON, **headers)

    async def begin_stream(self, kind: bytes) -> None:
        """Begins a response that has no end yet."""
        self.has_answered = True
        lines = [(b"content-type", kind), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await self._send({"type": "http.response.start", "status": 200, "headers": lines})

    async def stream(self, body: bytes, *, more: bool = True) -> None:
        """Sends a part of such a response; waits while the client does not read."""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def note_act(self, kind: str, what: str) -> None:
        """Notes for the audit what somebody did who was let in: see ``Audit.note``."""
        self.service.audit.note(kind, self.identity.user, self.space, address_of(self.scope), what)

    def note(self, error: SynclineError, place: str) -> None:
        """Notes for the audit that the request is answered with an error."""
        user = self.identity.user if hasattr(self, "identity") else self.claimed_user
        try:
            space = self.space
        except SynclineError:
            space = ""
        self.service.audit.refused(error, user, space, address_of(self.scope), place)

    async def refuse(self, error: SynclineError) -> None:
        """Answers with a problem document (RFC 9457)."""
        headers = {401: {"www_authenticate": "Bearer"}, 503: {"retry_after": "1"}}.get(error.status, {})
        if "retry_after" in error.details:
            headers = {"retry_after": str(ceil(error.details["retry_after"]))}
        if isinstance(error, RateLimited):
            headers |= limits.headers_of(error)
        if isinstance(error, MethodNotAllowed):
            headers = {"allow": error.details["allow"]}
        if error.status in (408, 413):
            headers = {"connection": "close"}  # what is left of the body is not worth reading
        await self.answer(problem_of(error), status=error.status, kind=PROBLEM, **headers)


async def receive_body(receive: Receive, seconds: float) -> bytes:
    """The body of a request, as it was sent. Raises TooLarge, RequestTimeout or Disconnected."""
    parts, size, more = [], 0, True
    try:
        async with asyncio.timeout(seconds):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > MAX_BODY_BYTES:
                    raise TooLarge(f"The body may have {MAX_BODY_BYTES} bytes.")
                more = message.get("more_body", False)
    except TimeoutError:
        raise RequestTimeout("The body did not arrive in time.") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def problem_of(error: SynclineError) -> bytes:
    """An error as a problem document (RFC 9457)."""
    title = type(error).__doc__ or ""
    problem = {
        "type": f"urn:syncline:error:{error.code}",
        "title": title.partition("\n")[0],
        "status": error.status,
        "detail": error.message,
        **error.to_wire(),
    }
    return msgspec.json.encode(problem)


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers of a request, by their names in lower case."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def ticket_of(scope: Scope) -> str | None:
    """The ticket in the query, for what a browser opens without headers."""
    try:
        given = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=200).get("ticket", [])
    except ValueError:
        return None
    return given[0] if given and given[0].startswith(TICKET_PREFIX) else None


def address_of(scope: Scope) -> str:
    """Where a request comes from; empty if nobody knows."""
    return str(scope["client"][0]) if scope.get("client") else ""


Handler = Callable[[Request], Awaitable[None]]


class Address(NamedTuple):
    """An address of the server, and who handles which method there."""

    path: str
    handlers: Mapping[str, Handler]
    is_per_space: bool = True
    """Whether it stands under ``/v1/spaces/{space}/`` as well as under ``/v1/``."""
    is_public: bool = False
    """Whether it answers everybody, without credentials."""

    @property
    def paths(self) -> list[str]:
        """Where it stands."""
        return [f"/v1/{self.path}", f"/v1/spaces/{{space}}/{self.path}"] if self.is_per_space else [self.path]

    @property
    def methods(self) -> Mapping[str, Handler]:
        """Who handles what. What everybody may GET has a HEAD (RFC 9110, 9.3.2); the HTTP server drops its body."""
        get = self.handlers.get("GET") if self.is_public else None
        return {**self.handlers, "HEAD": get} if get else self.handlers


class Endpoint:
    """An ASGI app for one address: a handler for each method, errors as problem documents."""

    def __init__(self, service: Service, address: Address) -> None:
        self._service, self._handlers, self._is_public = service, address.methods, address.is_public
        self._is_stream = f"/{address.path}".endswith(STREAMS)
        self._place, self._is_counted = address.path, address.is_per_space or not address.is_public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        request = Request(self._service, scope, receive, send)
        request.opens_stream = self._is_stream
        try:
            handler = self._handlers.get(scope["method"])
            if handler is None:
                allowed = ", ".join(sorted(self._handlers))
                raise MethodNotAllowed(f"{scope['method']} is not possible here; {allowed} is.", allow=allowed)
            if self._is_counted:
                self._service.limits.knock(address_of(scope))
            if not self._is_public:
                await request.identify()
                request.meter.request()
            await handler(request)
        except Disconnected:
            return
        except SynclineError as error:
            request.note(error, f"{scope['method']} {self._place}")
            await self._refuse(request, error)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            await self._refuse(request, InternalError("The server failed to answer; its log says why."))

    @staticmethod
    async def _refuse(request: Request, error: SynclineError) -> None:
        if not request.has_answered:
            await request.refuse(error)


async def _decode(body: bytes, max_depth: int) -> Any:
    if len(body) <= INLINE_BYTES:
        return canonical.decode(body, max_depth=max_depth)
    return await asyncio.to_thread(canonical.decode, body, max_depth=max_depth)
