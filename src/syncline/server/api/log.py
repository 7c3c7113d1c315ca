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
from syncline.core.messages import PROTOCOL, Hello, Live, Pull, encode
from syncline.core.requests import checked
from syncline.errors import BadJson, BadRequest, SpaceMismatch, UnsupportedProtocol
from syncline.server import streams
from syncline.server.frames import Frame
from syncline.server.http import Request
from syncline.server.member import Member
from syncline.server.registry import DEFAULT_SPACE


class PushBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a push."""

    events: Raw


_push_body = msgspec.json.Decoder(PushBody)


async def push(request: Request) -> None:
    """``POST push``: stores events; 200 with a result for each."""
    array = read_push(await request.body())
    async with request.enter(catch_up=False) as member:
        await request.answer(b"{%b}" % await member.push(array))


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
    message = checked(await request.message(Hello))
    if message.protocol != PROTOCOL:
        raise UnsupportedProtocol(f"This server speaks protocol {PROTOCOL}, not {message.protocol}.")
    if message.space not in (DEFAULT_SPACE, request.space):
        raise SpaceMismatch("The hello names another space than the request.")
    async with request.enter() as member:
        await request.answer(encode(await member.welcome(message.node)))


async def pull(request: Request) -> None:
    """``GET pull``: a page after the cursor ``since``; with ``wait``, when there is one, or after so many seconds."""
    wait = request.number("wait", 0, low=0, high=MAX_WAIT_SECONDS)
    message = Pull(
        cursor=request.parameter("since"),
        limit=request.number("limit", 1_000, low=1, high=MAX_PAGE_ENTRIES),
        items=request.items,
    )
    async with request.enter() as member:
        if wait:
            await _wait(request, member, message, wait)
        await request.answer_packed(await member.pull(message))


async def _wait(request: Request, member: Member, pull: Pull, seconds: int) -> None:
    """Waits for news, or for the client to go."""
    gone = asyncio.create_task(streams.until_gone(request.receive))
    news = asyncio.create_task(member.wait(pull.cursor, pull.items, seconds))
    try:
        await asyncio.wait([gone, news], return_when=asyncio.FIRST_COMPLETED)
        if news.done():
            news.result()
    finally:
        gone.cancel()
        news.cancel()


async def live(request: Request) -> None:
    """``GET live``: pages as server-sent events; each has its cursor as its id, so a browser resumes by itself."""
    last = request.headers.get(b"last-event-id", b"").decode("latin-1")
    message = Live(cursor=last or request.parameter("since"), items=request.items)
    async with request.enter() as member:
        with member.connected():
            await streams.serve(request, _events(member.follow(message)))


async def _events(pages: AsyncGenerator[Frame, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(pages):
        async for frame in pages:
            yield streams.event("page", frame.text, frame.cursor)
