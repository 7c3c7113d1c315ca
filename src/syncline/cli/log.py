"""``log``: the events of a replica's file or of a server's space, as a table for people."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from syncline.cli import times
from syncline.cli.entries import COLUMNS, Row, chooser
from syncline.cli.files import ReplicaFile, looking_at
from syncline.cli.remote import DEFAULT_SERVER, DEFAULT_SPACE, Items, Remote, Server, Space, Token, read
from syncline.cli.terminal import Json, emit, note, out, progress, table

Action = Annotated[str | None, typer.Option(metavar="PATTERN", help="Only this action.", show_default=False)]
User = Annotated[str | None, typer.Option(metavar="PATTERN", help="Only this user's.", show_default=False)]
Node = Annotated[str | None, typer.Option(metavar="NODE", help="Only this node's; its beginning.", show_default=False)]
Limit = Annotated[int, typer.Option(min=0, help="The last so many; 0 for all.")]


def log(
    replica: ReplicaFile = None,
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    item: Items = None,
    action: Action = None,
    user: User = None,
    node: Node = None,
    since: times.Since = None,
    until: times.Until = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Show the last events of a replica's file, or of a space of the server.

    Local events that no server has answered stand at the end, refused ones with the reason.
    """
    items = item or []
    chosen = chooser(
        items=items, action=action, user=user, node=node, since=times.moment(since), until=times.moment(until)
    )
    rows: deque[Row] = deque(maxlen=limit or None)
    if replica is not None:
        rows.extend(row for row in _local(replica, items) if chosen(row))
    else:
        is_plain = not any((items, action, user, node, since, until))
        back = limit if limit and is_plain else None
        asyncio.run(_collect(_remote(Remote(server, space, token), items, back), rows, chosen))
    _show(rows, json)


def _local(path: Path, items: list[str]) -> Iterator[Row]:
    with looking_at(path) as store:
        yield from map(Row.of, store.load(items=items))
        for event, status, _, error, _ in store.outbox():
            yield Row.local(event, status, error)


async def _remote(remote: Remote, items: list[str], back: int | None) -> AsyncIterator[Row]:
    """The rows of a space: the last ``back`` of them, or all."""
    head = await remote.head()
    cursor = None if back is None else await remote.cursor_back(back, items)
    async with remote.talk() as (transport, _):
        with progress("Reading", head) as advance:
            async for page in read(transport, cursor, items):
                for entry in page.entries:
                    yield Row.of(entry)
                    advance(entry.seq)


async def _collect(found: AsyncIterator[Row], rows: deque[Row], chosen: Callable[[Row], bool]) -> None:
    async for row in found:
        if chosen(row):
            rows.append(row)


def _show(rows: deque[Row], json: bool) -> None:
    if json:
        for row in rows:
            emit(row.to_json())
        return
    if not rows:
        note("No such events.")
        return
    shown = table(*COLUMNS, right=("seq",), rest="content")
    for row in rows:
        shown.add_row(*row.cells)
    out.print(shown)
