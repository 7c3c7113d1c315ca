"""``audit``: who logged in and out, who was refused, and who administered what."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from rich.text import Text

from syncline.cli.remote import DEFAULT_SERVER, DEFAULT_SPACE, Remote, Server, Space, Token
from syncline.cli.terminal import Json, emit, local_time, note, out, table

PAGE = 1_000

User = Annotated[str | None, typer.Option("--user", metavar="USER", help="Only this user's.", show_default=False)]
Kind = Annotated[
    str | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        show_default=False,
        help="Only login, logout, account, space, unauthorized, forbidden or administration.",
    ),
]
Limit = Annotated[int, typer.Option(min=0, help="The last so many; 0 for all.")]
AllSpaces = Annotated[bool, typer.Option("--all-spaces", help="Also what was noted in other spaces.")]


def audit(
    user: User = None,
    kind: Kind = None,
    limit: Limit = 50,
    all_spaces: AllSpaces = False,
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show who logged in and out, who was refused, and who administered what, the newest last."""
    wanted = {"user": user, "kind": kind, "spaces": "all" if all_spaces else None}
    entries = asyncio.run(_newest(Remote(server, space, token), limit, wanted))[::-1]
    if json:
        for entry in entries:
            emit(entry)
    elif entries:
        _show(entries)
    else:
        note("There is nothing.")


async def _newest(remote: Remote, limit: int, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with remote.administer() as administration:
        after = None
        while True:
            size = min(limit - len(found), PAGE) if limit else PAGE
            page = await administration.audit(after=after, limit=size, **wanted)
            found += page["entries"]
            after = page["next"]
            if after is None or len(found) == limit:
                return found


def _show(entries: list[dict[str, Any]]) -> None:
    shown = table("time", "space", "kind", "user", "address", "times", "what", right=("times",), rest="what")
    for entry in entries:
        what = " ".join(filter(None, [entry["what"], entry.get("item")]))
        cells = (entry["space"], entry["kind"], entry["user"], entry.get("address", ""))
        times = f"{entry.get('times', 1):,}"
        shown.add_row(local_time(entry["at"]), *map(Text, cells), times, Text(what))
    out.print(shown)
