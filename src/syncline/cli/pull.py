"""``pull``: the entries of a space, as JSON Lines."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer

from syncline.cli.remote import DEFAULT_SERVER, DEFAULT_SPACE, Items, Remote, Server, Space, Token, read
from syncline.cli.terminal import Json, count, note, write

Since = Annotated[
    str | None, typer.Option("--since", metavar="CURSOR", help="Where the last pull ended.", show_default=False)
]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many entries.", show_default=False)]


def pull(
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    items: Items = None,
    since: Since = None,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Print the entries of a space as JSON Lines.

    The cursor to go on from is told on stderr. With --json it is all one document: {"entries", "cursor", "more"}.
    """
    asyncio.run(_pull(Remote(server, space, token), since, items or [], limit, json))


async def _pull(remote: Remote, cursor: str | None, items: list[str], limit: int | None, json: bool) -> None:
    await remote.head()
    entries, more = 0, False
    write(b'{"entries":[' if json else b"")
    async with remote.talk() as (transport, _):
        async for page in read(transport, cursor, items, limit):
            for entry in page.entries:
                write((b"," if json and entries else b"") + entry.encoded + (b"" if json else b"\n"))
                entries += 1
            cursor, more = page.cursor, page.more
    if json:
        write(b'],"cursor":%b,"more":%b}\n' % (msgspec.json.encode(cursor), b"true" if more else b"false"))
    else:
        note(f"{count(entries, 'entry', 'entries')}; go on with --since {cursor}")
