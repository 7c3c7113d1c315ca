"""A server, a space and credentials, as flags, variables and contexts name them, and conversations with them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, NamedTuple, TypeVar

import typer

from syncline.cli.chosen import DEFAULT_SERVER as DEFAULT_SERVER
from syncline.cli.chosen import DEFAULT_SPACE as DEFAULT_SPACE
from syncline.cli.chosen import Server as Server
from syncline.cli.chosen import Space as Space
from syncline.cli.chosen import Token as Token
from syncline.cli.chosen import credentials
from syncline.core import patterns
from syncline.core.effects import retry_seconds
from syncline.core.limits import MAX_PAGE_ENTRIES
from syncline.core.messages import Hello, Page, Pull, Welcome
from syncline.errors import SynclineError
from syncline.replica import new_node
from syncline.sync import SyncOptions
from syncline.sync.options import pause_seconds
from syncline.transports import Transport
from syncline.transports.administration import Administration
from syncline.transports.http import HttpTransport

ATTEMPTS = 5

T = TypeVar("T")


def _check_items(values: list[str] | None) -> list[str]:
    try:
        return list(patterns.check([pattern for value in values or () for pattern in value.split(",")]))
    except SynclineError as error:
        raise typer.BadParameter(error.message) from None


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
        token = await self.bearer()
        carrier = transport(self.server)
        try:
            yield carrier, await carrier.hello(Hello(node=new_node(), space=self.space, token=token))
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

    @asynccontextmanager
    async def administer(self) -> AsyncIterator[Administration]:
        """Requests beside the log."""
        async with Administration(self.server, await self.bearer(), self.space) as administration:
            yield administration

    def ask(self, question: Callable[[Administration], Awaitable[T]]) -> T:
        """The answer to a question beside the log; returns when it is there."""

        async def ask() -> T:
            async with self.administer() as administration:
                return await question(administration)

        return asyncio.run(ask())

    async def bearer(self) -> str | None:
        """What the server is shown: the token that was given, or else what the sign-in has."""
        source = credentials(self.server, self.token)
        answer = await asyncio.to_thread(source) if callable(source) else source
        assert answer is None or isinstance(answer, str)  # a sign-in's is one
        return answer


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """The answer of a call that is made again, after a pause, while it fails for reasons that may pass."""
    options = SyncOptions()
    for attempt in range(ATTEMPTS - 1):
        try:
            return await call()
        except SynclineError as error:
            if not error.retryable or retry_seconds(error) > options.max_backoff_seconds:
                raise
            pause = pause_seconds(attempt, options, random.random(), error)
        await asyncio.sleep(pause)
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
