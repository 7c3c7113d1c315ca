"""``tail``: the entries of a space as they come, until Ctrl-C."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated

import typer

from syncline.cli.entries import Row
from syncline.cli.pull import Since
from syncline.cli.remote import DEFAULT_SERVER, DEFAULT_SPACE, Items, Remote, Server, Space, Token
from syncline.cli.terminal import Json, note, out, say, write
from syncline.core.events import Entry
from syncline.core.messages import Live
from syncline.errors import SynclineError, Unauthorized
from syncline.sync import SyncOptions
from syncline.sync.options import pause_seconds
from syncline.transports.websocket import WebSocketTransport

Last = Annotated[int, typer.Option(min=0, help="Begin so many entries before the end of the log.")]


def tail(
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    items: Items = None,
    last: Last = 10,
    since: Since = None,
    json: Json = False,
) -> None:
    """Print entries as they come; Ctrl-C ends it.

    With --json each is a JSON line. A connection that breaks is taken up again where it ended.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(_Tail(Remote(server, space, token), items or [], json).run(since, last))


class _Tail:
    """One reader, and how far it has come."""

    def __init__(self, remote: Remote, items: list[str], json: bool) -> None:
        self._remote, self._items, self._json = remote, items, json
        self._cursor: str | None = None
        self._attempt = 0
        self._was_welcome = False

    async def run(self, since: str | None, last: int) -> None:
        """Shows the last entries, then goes on for ever. Raises what only a person can mend."""
        self._cursor = since or await self._remote.cursor_back(last, self._items)
        while True:
            try:
                await self._follow()
            except SynclineError as error:
                if not error.retryable and not self._may_have_expired(error):
                    raise
                note(f"{error.message} Trying again.")
            await asyncio.sleep(pause_seconds(self._attempt, SyncOptions(), random.random()))
            self._attempt += 1

    async def _follow(self) -> None:
        async with self._remote.talk(WebSocketTransport) as (transport, _):
            self._was_welcome = True
            async for page in transport.subscribe(Live(cursor=self._cursor, items=tuple(self._items))):
                self._cursor, self._attempt = page.cursor, 0
                self._show(page.entries)

    def _may_have_expired(self, error: SynclineError) -> bool:
        """Whether to try with a fresh token: once, after one that had been good."""
        was_welcome, self._was_welcome = self._was_welcome, False
        return was_welcome and isinstance(error, Unauthorized)

    def _show(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if self._json:
                write(entry.encoded + b"\n")
            elif out.is_terminal:
                out.print(Row.of(entry).line, no_wrap=True, overflow="ellipsis")
            else:
                say(Row.of(entry).line)
        sys.stdout.flush()
