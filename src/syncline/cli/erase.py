"""``erase``: takes the content of events away, for good: on the server and, as they sync, on every replica."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer

from syncline.cli.failures import misused
from syncline.cli.remote import DEFAULT_SERVER, DEFAULT_SPACE, Items, Remote, Server, Space, Token
from syncline.cli.terminal import Json, count, emit, note, progress, say

Events = Annotated[list[str] | None, typer.Argument(metavar="[EVENT]…", help="Ids of events.", show_default=False)]
Users = Annotated[
    list[str] | None, typer.Option("--user", metavar="USER", help="All that this user wrote.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be erased, and erase nothing.")]


def erase(
    events: Events = None,
    items: Items = None,
    users: Users = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    json: Json = False,
) -> None:
    """Erase what events said: some, all of some items, or all of a user's. Their places in the log stay, empty."""
    what = {"events": events or [], "items": items or [], "users": users or []}
    if not any(what.values()):
        misused("Say what to erase: ids of events, --items or --user.")
    remote = Remote(server, space, token)
    found = remote.ask(lambda administration: administration.erase(**what, dry_run=True))
    if found["events"] and not dry_run:
        _confirm(found, yes=yes)
        asyncio.run(_erase(remote, what, found["events"]))
    if json:
        emit({"events": found["events"], "items": found["items"]})
    elif not found["events"]:
        note("There is nothing to erase.")
    else:
        done = "would be erased" if dry_run else "erased"
        say(f"{_told(found)} {done}.")


async def _erase(remote: Remote, what: dict[str, Any], total: int) -> None:
    """Erases a part at a time. Whoever stops it goes on by saying it again."""
    async with remote.administer() as administration:
        with progress("Erasing", total) as advance:
            left = total
            while left:
                left = (await administration.erase(**what))["left"]
                advance(total - left)


def _confirm(found: dict[str, Any], *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        misused(f"{_told(found)} would be erased for good. Say --yes to do it.")
    typer.confirm(f"Erase what {_told(found)} said, for good and everywhere?", abort=True, err=True)


def _told(found: dict[str, Any]) -> str:
    return f"{count(found['events'], 'event')} of {count(len(found['items']), 'item')}"
