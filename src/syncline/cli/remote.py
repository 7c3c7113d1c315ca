"""A server, a space and credentials, as flags and variables name them, and conversations with them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, NamedTuple, TypeVar

import typer

from syncline.core import patterns
from syncline.core.limits import MAX_PAGE_ENTRIES
from syncline.core.messages import Hello, Page, Pull, Welcome
from syncline.errors import SynclineError
from syncline.replica import new_node
from syncline.sync import SyncOptions
from syncline.sync.options import pause_seconds
from syncline.transports import Transport
from syncline.transports.administration import Administration
from syncline.transports.http import HttpTransport

DEFAULT_SERVER = "http://localhost:8080"
DEFAULT_SPACE = "default"
ATTEMPTS = 5

T = TypeVar("T")


def check_url(url: str | None) -> str | None:
    """A server as a flag names it, if it does. Raises BadParameter."""
    if url is not None and not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{url!r} is not a URL such as {DEFAULT_SERVER}.")
    return url


def _check_items(values: list[str] | None) -> list[str]:
    try:
        return list(patterns.check([pattern for value in values or () for pattern in value.split(",")]))
    except SynclineError as error:
        raise typer.BadParameter(error.message) from None


Server = Annotated[
    str,
    typer.Option("--server", "-s", envvar="SYNCLINE_SERVER", metavar="URL", callback=check_url, help="The server."),
]
Space = Annotated[str, typer.Option("--space", envvar="SYNCLINE_SPACE", metavar="NAME", help="The space.")]
Token = Annotated[
    str | None,
    typer.Option("--token", envvar="SYNCLINE_TOKEN", metavar="KEY", help="An API key.", show_default=False),
]
Items = Annotated[
    list[str] | None,
    typer.Option(
        "--items",
        "--item",
        metavar="PATTERN",
        callback=_check_items,
        show_default=False,
        help="Only these: items, or prefixes with one trailing *; several with commas, or given again.",
    ),
]


class Remote(NamedTuple):
    """Where to ask, and by what right."""

    server: str
    space: str = DEFAULT_SPACE
    token: str | None = None

    @asynccontextmanager
    async def talk(
        self, transport: Callable[[str], Transport] = HttpTransport
    ) -> AsyncIterator[tuple[Transport, Welcome]]:
        """A conversation, after its hello."""
        carrier = transport(self.server)
        try:
            yield carrier, await carrier.hello(Hello(node=new_node(), space=self.space, token=self.token))
        finally:
            await carrier.close()

    async def head(self) -> int:
        """The last seq of the space. Raises UnknownSpace instead of making one that was misspelled."""
        async with self.administer() as administration:
            return int((await administration.space(self.space))["head"])

    async def cursor_back(self, entries: int, items: Sequence[str]) -> str:
        """The cursor so many entries before the head of the space."""
        async with self.administer() as administration:
            return str((await administration.space(self.space, back=entries, items=items))["cursor"])

    def administer(self) -> Administration:
        """Requests beside the log."""
        return Administration(self.server, self.token)


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """The answer of a call that is made again, after a pause, while it fails for reasons that may pass."""
    options = SyncOptions()
    for attempt in range(ATTEMPTS - 1):
        try:
            return await call()
        except SynclineError as error:
            if not error.retryable:
                raise
        await asyncio.sleep(pause_seconds(attempt, options, random.random()))
    return await call()


async def read(
    transport: Transport, cursor: str | None, items: Sequence[str], limit: int | None = None
) -> AsyncIterator[Page]:
    """The pages after a cursor, up to the head or until they hold ``limit`` entries."""
    more = True
    while more and (limit is None or limit > 0):
        wanted = MAX_PAGE_ENTRIES if limit is None else min(limit, MAX_PAGE_ENTRIES)
        request = Pull(cursor=cursor, limit=wanted, items=tuple(items))
        page = await insist(lambda request=request: transport.pull(request))  # type: ignore[misc]
        yield page
        cursor, more = page.cursor, page.more
        limit = None if limit is None else limit - len(page.entries)
