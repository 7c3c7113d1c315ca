"""Server-sent events: a response without end that notices when its reader is gone, and says that it is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from syncline.core.limits import PING_SECONDS
from syncline.core.messages import ErrorMessage, encode
from syncline.errors import SynclineError
from syncline.server.http import Receive, Request

EVENT_STREAM = b"text/event-stream"
STILL_HERE = b": still here\n\n"
"""A comment, so that whoever reads knows that there is nothing."""
BEGINNING = b": go on\n\n"
"""A comment, for a stream whose first event may be long in coming."""


def event(kind: str, data: str, id: str | None = None) -> bytes:
    """One event of a stream; ``data`` has no line breaks, as JSON has none."""
    first = f"id: {id}\n" if id else ""
    return f"{first}event: {kind}\ndata: {data}\n\n".encode()


async def serve(request: Request, events: AsyncGenerator[bytes, None]) -> None:
    """Streams events until they end, or the client has gone. An error before the first is an ordinary answer."""
    first = await anext(events)
    await request.begin_stream(EVENT_STREAM)
    await request.stream(first)
    try:
        await until_one_ends(until_gone(request.receive), keep_alive(request.stream), _stream(request, events))
    finally:
        await events.aclose()
    with suppress(OSError):
        await request.stream(b"", more=False)


async def _stream(request: Request, events: AsyncIterator[bytes]) -> None:
    try:
        async for each in events:
            await request.stream(each)
    except SynclineError as error:
        await request.stream(event("error", encode(ErrorMessage.of(error)).decode()))


async def until_one_ends(*parts: Coroutine[Any, Any, None]) -> None:
    """Runs several things side by side, and breaks off the others when one of them ends."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def keep_alive(stream: Callable[[bytes], Awaitable[None]]) -> None:
    """Says every so often that the stream is still there."""
    while True:
        await asyncio.sleep(PING_SECONDS)
        await stream(STILL_HERE)


async def until_gone(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
