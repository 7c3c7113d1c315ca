"""The log over HTTP: hello, push, pull, and live as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from msgspec import Raw

from syncline.core import canonical
from syncline.core.batch import ENVELOPE_DEPTH
from syncline.core.limits import MAX_DEPTH, MAX_PAGE_ENTRIES, MAX_WAIT_SECONDS
from syncline.core.messages import PROTOCOL, Hello, Live, Pull, checked, encode
from syncline.errors import BadJson, BadRequest, SpaceMismatch, UnsupportedProtocol
from syncline.server import streams
from syncline.server.frames import Frame
from syncline.server.http import Request
from syncline.server.registry import DEFAULT_SPACE
from syncline.server.space import Space


class PushBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a push."""

    events: Raw


_push_body = msgspec.json.Decoder(PushBody)


async def push(request: Request) -> None:
    """``POST push``: stores events; 200 with a result for each."""
    user = request.user
    array = read_push(await request.body())
    async with request.service.use(request.space) as space:
        await request.answer(b"{%b}" % await space.push(array, user))


def read_push(body: bytes) -> bytes:
    """The array of events in the body of a push. Raises BadJson or BadRequest."""
    try:
        array = bytes(_push_body.decode(body).events)
    except msgspec.ValidationError as error:
        canonical.decode(body, max_depth=MAX_DEPTH + ENVELOPE_DEPTH)
        raise BadRequest(f'The body must be {{"events": […]}}: {error}') from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        canonical.decode(body, max_depth=MAX_DEPTH + ENVELOPE_DEPTH)
        raise BadJson("The body is not JSON.") from None
    if len(array) + len(b'{"events":}') != len(body):
        canonical.decode(body.replace(array, b"[]", 1), max_depth=MAX_DEPTH)  # finds a key that stands twice
    return array


async def hello(request: Request) -> None:
    """``POST hello``: the welcome of a session whose requests follow one by one."""
    user = request.user
    message = checked(await request.message(Hello))
    if message.protocol != PROTOCOL:
        raise UnsupportedProtocol(f"This server speaks protocol {PROTOCOL}, not {message.protocol}.")
    if message.space not in (DEFAULT_SPACE, request.space):
        raise SpaceMismatch("The hello names another space than the request.")
    async with request.service.use(request.space) as space:
        await request.answer(encode(await space.welcome(message.node, user)))


async def pull(request: Request) -> None:
    """``GET pull``: a page after the cursor ``since``; with ``wait``, when there is one, or after so many seconds."""
    _ = request.user
    wait = request.number("wait", 0, low=0, high=MAX_WAIT_SECONDS)
    message = Pull(
        cursor=request.parameter("since"),
        limit=request.number("limit", 1_000, low=1, high=MAX_PAGE_ENTRIES),
        items=request.items,
    )
    async with request.service.use(request.space) as space:
        if wait:
            await _wait(request, space, message, wait)
        await request.answer(await space.pull(message))


async def _wait(request: Request, space: Space, pull: Pull, seconds: int) -> None:
    """Waits for news, or for the client to go."""
    gone = asyncio.create_task(streams.until_gone(request))
    news = asyncio.create_task(space.wait(pull.cursor, pull.items, seconds))
    try:
        await asyncio.wait([gone, news], return_when=asyncio.FIRST_COMPLETED)
        if news.done():
            news.result()
    finally:
        gone.cancel()
        news.cancel()


async def live(request: Request) -> None:
    """``GET live``: pages as server-sent events; each has its cursor as its id, so a browser resumes by itself."""
    _ = request.user
    last = request.headers.get(b"last-event-id", b"").decode("latin-1")
    message = Live(cursor=last or request.parameter("since"), items=request.items)
    async with request.service.use(request.space) as space:
        await streams.serve(request, _events(space.follow(message)))


async def _events(pages: AsyncGenerator[Frame, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(pages):
        async for frame in pages:
            yield streams.event("page", frame.text, frame.cursor)
