"""``spaces``: list, create, show and delete the spaces of a server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from syncline.cli.failures import misused
from syncline.cli.remote import DEFAULT_SERVER, Remote, Server, Token
from syncline.cli.terminal import Json, emit, facts, local_time, out, say
from syncline.transports.administration import Administration

app = typer.Typer(name="spaces", help="Administer the spaces of a server.", no_args_is_help=True)

T = TypeVar("T")

Name = Annotated[str, typer.Argument(metavar="SPACE", help="The space's name.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
def list_spaces(server: Server = DEFAULT_SERVER, token: Token = None, json: Json = False) -> None:
    """List the spaces."""
    names = _ask(server, token, lambda administration: administration.spaces())
    if json:
        emit({"spaces": names})
    for name in () if json else names:
        say(name)


@app.command()
def create(name: Name, server: Server = DEFAULT_SERVER, token: Token = None, json: Json = False) -> None:
    """Make a space; nothing happens if it is there."""
    is_new = _ask(server, token, lambda administration: administration.create_space(name))
    if json:
        emit({"name": name, "created": is_new})
    else:
        say(f"{name} is made." if is_new else f"{name} was there already.")


@app.command()
def show(name: Name, server: Server = DEFAULT_SERVER, token: Token = None, json: Json = False) -> None:
    """Show where a space's log stands."""
    space = _ask(server, token, lambda administration: administration.space(name))
    if json:
        emit(space)
        return
    at = local_time(space["at"] or None)
    out.print(facts({"space": name, "epoch": space["epoch"], "head": f"{space['head']:,}", "last entry": at}))


@app.command()
def delete(
    name: Name, server: Server = DEFAULT_SERVER, token: Token = None, yes: Yes = False, json: Json = False
) -> None:
    """Delete a space for ever: its log is gone, and its name is not used again."""
    if not yes:
        _confirm(name)
    _ask(server, token, lambda administration: administration.delete_space(name))
    if json:
        emit({"name": name, "deleted": True})
    else:
        say(f"{name} is deleted.")


def _confirm(name: str) -> None:
    if not sys.stdin.isatty():
        misused("Deleting cannot be undone, and nobody can be asked here. Say --yes if it is meant.")
    if typer.prompt(f"This deletes the log of {name} for ever. Its name again", err=True) != name:
        misused("That is another name; nothing was deleted.")


def _ask(server: str, token: str | None, question: Callable[[Administration], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with Remote(server, token=token).administer() as administration:
            return await question(administration)

    return asyncio.run(ask())
