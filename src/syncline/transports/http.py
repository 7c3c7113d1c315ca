"""Over HTTP: one request for each message, and server-sent events for live pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import msgspec

from syncline.core.answers import expect
from syncline.core.limits import PING_SECONDS, PONG_SECONDS
from syncline.core.messages import (
    Ack,
    Auth,
    Authenticated,
    Hello,
    Inquiry,
    Live,
    Page,
    Pull,
    Push,
    ReplyKind,
    Result,
    Welcome,
    encode,
    type_of,
)
from syncline.errors import (
    BadRequest,
    ConnectionLost,
    HelloRequired,
    InternalError,
    SynclineError,
    UserMismatch,
    from_wire,
)
from syncline.transports.addresses import is_near

__all__ = ["HttpTransport"]

AUTHORIZATION = "Authorization"
SILENCE_SECONDS = PING_SECONDS + PONG_SECONDS
"""A server that sends nothing for so long, not even a comment on a stream, is gone."""
CONNECT_SECONDS = 5.0
PROBLEM_MEMBERS = ("type", "title", "status", "detail")
"""What a problem document (RFC 9457) says beside the error itself."""


class _Pushed(msgspec.Struct):
    results: list[Result]
    head: int


_pushed = msgspec.json.Decoder(_Pushed)


class HttpTransport:
    """A conversation over HTTP; see ``Transport``. ``url`` is the server's, such as ``http://localhost:8080``."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._client: httpx2.AsyncClient | None = None
        self._hello = b""
        self._user = ""

    async def hello(self, hello: Hello) -> Welcome:
        """See ``Transport.hello``."""
        await self.close()
        headers = {"X-Tenant-ID": hello.space, "X-Node-ID": hello.node}
        if hello.token:
            headers[AUTHORIZATION] = f"Bearer {hello.token}"
        self._client = open_client(self._url + "/v1/", headers)
        self._hello = encode(Hello(node=hello.node, space=hello.space, protocol=hello.protocol))
        welcome = await self._greet()
        self._user = welcome.user
        return welcome

    async def _greet(self) -> Welcome:
        return expect(await self._request("POST", "hello", content=self._hello), Welcome)

    async def authenticate(self, auth: Auth) -> Authenticated:
        """See ``Transport.authenticate``."""
        headers = self._ready().headers
        before = headers.get(AUTHORIZATION)
        headers[AUTHORIZATION] = f"Bearer {auth.token}"
        try:
            welcome = await self._greet()
            if welcome.user != self._user:
                raise UserMismatch(f"These are credentials of {welcome.user}, not of {self._user}.")
        except SynclineError:
            if before is None:
                del headers[AUTHORIZATION]
            else:
                headers[AUTHORIZATION] = before
            raise
        return Authenticated(ref=auth.ref, user=welcome.user, time=welcome.time, expires=welcome.expires)

    async def push(self, push: Push) -> Ack:
        """See ``Transport.push``."""
        response = await self._request("POST", "push", content=b'{"events":%b}' % bytes(push.events))
        try:
            pushed = _pushed.decode(response)
        except msgspec.MsgspecError as error:
            raise InternalError(f"The server's answer to a push cannot be read: {error}") from None
        return Ack(ref=push.ref, results=pushed.results, head=pushed.head)

    async def pull(self, pull: Pull) -> Page:
        """See ``Transport.pull``."""
        parameters = {"limit": pull.limit, **_place(pull.cursor, pull.items)}
        return expect(await self._request("GET", "pull", params=parameters), Page)

    async def subscribe(self, live: Live) -> AsyncGenerator[Page, None]:
        """See ``Transport.subscribe``."""
        try:
            async with self._ready().stream("GET", "live", params=_place(live.cursor, live.items)) as response:
                if response.status_code != 200:
                    raise _problem(response.status_code, await response.aread())
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        yield expect(line[6:].encode(), Page)
        except httpx2.HTTPError as error:
            raise ConnectionLost(f"The stream from {self._url} broke: {_words(error)}") from None
        raise ConnectionLost(f"{self._url} ended the stream.")

    async def ask(self, inquiry: Inquiry, kind: type[ReplyKind]) -> ReplyKind:
        """See ``Transport.ask``."""
        return expect(await self._request("POST", type_of(inquiry), content=encode(inquiry)), kind)

    async def close(self) -> None:
        """See ``Transport.close``."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    def _ready(self) -> httpx2.AsyncClient:
        if self._client is None:
            raise HelloRequired("Say hello first.")
        return self._client

    async def _request(self, method: str, path: str, **more: Any) -> bytes:
        return (await request(self._ready(), method, path, **more)).content


def open_client(url: str, headers: dict[str, str]) -> httpx2.AsyncClient:
    """A client for the addresses under a URL. Raises BadRequest if it is none."""
    try:
        timeout = httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
        unpacked = {"Accept-Encoding": "identity"} if is_near(url) else {}
        return httpx2.AsyncClient(base_url=url, headers={**headers, **unpacked}, timeout=timeout)
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise BadRequest(f"{url} is not a URL, or its credentials are not text of ASCII: {_words(error)}") from None


async def request(
    client: httpx2.AsyncClient, method: str, path: str, *, silence_seconds: float | None = None, **more: Any
) -> httpx2.Response:
    """A successful response. Raises the server's error, or ConnectionLost; ``silence_seconds``: not before those."""
    headers = {"Content-Type": "application/json"} if "content" in more else {}
    if silence_seconds is not None:
        more["timeout"] = httpx2.Timeout(silence_seconds, connect=CONNECT_SECONDS)
    try:
        response = await client.request(method, path, headers=headers, **more)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ConnectionLost(f"{client.base_url} cannot be reached: {_words(error)}") from None
    if not response.is_success:
        raise _problem(response.status_code, response.content)
    return response


async def fetch(url: str, *, max_bytes: int, seconds: float) -> bytes:
    """A small document from a server that is not ours. Redirects are not followed. Raises ConnectionLost."""
    try:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with (
            asyncio.timeout(seconds),
            httpx2.AsyncClient(headers=headers, follow_redirects=False) as client,
            client.stream("GET", url) as response,
        ):
            return await _bounded(response, url, max_bytes)
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, TimeoutError) as error:
        raise ConnectionLost(f"{url} cannot be read: {_words(error)}") from None


async def post_form(url: str, form: dict[str, str], *, max_bytes: int, seconds: float) -> bytes:
    """The answer to a form, also one that refuses (RFC 6749, section 5.2), from a server that is not ours.

    Redirects are not followed. Raises ConnectionLost.
    """
    try:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with (
            asyncio.timeout(seconds),
            httpx2.AsyncClient(headers=headers, follow_redirects=False) as client,
            client.stream("POST", url, data=form) as response,
        ):
            return await _bounded(response, url, max_bytes, statuses=(200, 400, 401))
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, TimeoutError) as error:
        raise ConnectionLost(f"{url} cannot be read: {_words(error)}") from None


async def _bounded(response: httpx2.Response, url: str, max_bytes: int, *, statuses: tuple[int, ...] = (200,)) -> bytes:
    body = bytearray()
    if response.status_code not in statuses:
        raise ConnectionLost(f"{url} answers with HTTP status {response.status_code}.")
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise ConnectionLost(f"{url} is longer than {max_bytes:,} bytes.")
    return bytes(body)


def _place(cursor: str | None, items: tuple[str, ...]) -> dict[str, str]:
    parameters = {"since": cursor} if cursor else {}
    return {**parameters, "items": ",".join(items)} if items else parameters


def _problem(status: int, body: bytes) -> SynclineError:
    """The error of a problem document, or of an answer that is none (from a proxy, say)."""
    try:
        problem = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        problem = {}
    if "code" in problem:
        return from_wire({name: value for name, value in problem.items() if name not in PROBLEM_MEMBERS})
    words = f"The server (or a proxy before it) answered with HTTP status {status}."
    return InternalError(words)  # whoever it was, it did not judge the request


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
