"""``spaces``: the spaces of a server, what each of them holds and may hold, suspending, deleting and copying them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import typer

from syncline.cli.copying import copy
from syncline.cli.failures import misused
from syncline.cli.keeping import label, labels, retention, snapshot, told
from syncline.cli.remote import DEFAULT_SERVER, Remote, Server, Token
from syncline.cli.terminal import Json, emit, facts, local_time, note, out, say
from syncline.transports.administration import Administration

app = typer.Typer(
    name="spaces", help="Administer the spaces of a server; copy them between stores.", no_args_is_help=True
)

app.command()(copy)
app.command()(retention)
app.command()(snapshot)
app.command()(label)
app.command()(labels)

T = TypeVar("T")

Name = Annotated[str, typer.Argument(metavar="SPACE", help="The space's name.")]
Quota = Annotated[str | None, typer.Option(metavar="N", show_default=False, help="At most so many; 0: no limit.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
def list_spaces(server: Server = DEFAULT_SERVER, token: Token = None, json: Json = False) -> None:
    """List the spaces."""
    names = Remote(server, token=token).ask(lambda administration: administration.spaces())
    if json:
        emit({"spaces": names})
    for name in () if json else names:
        say(name)


@app.command()
def create(name: Name, server: Server = DEFAULT_SERVER, token: Token = None, json: Json = False) -> None:
    """Make a space; nothing happens if it is there."""
    is_new = Remote(server, token=token).ask(lambda administration: administration.create_space(name))
    if json:
        emit({"name": name, "created": is_new})
    else:
        say(f"{name} is made." if is_new else f"{name} was there already.")


@app.command()
def show(name: Name, server: Server = DEFAULT_SERVER, token: Token = None, json: Json = False) -> None:
    """Show where a space's log stands, and to its administrator what it holds and may hold."""
    space = Remote(server, token=token).ask(lambda administration: administration.space(name))
    if json:
        emit(space)
        return
    at = local_time(space["at"] or None)
    log = {"space": name, "epoch": space["epoch"], "head": f"{space['head']:,}", "last entry": at}
    out.print(facts({**log, **_terms(space)}))


@app.command()
def suspend(name: Name, server: Server = DEFAULT_SERVER, token: Token = None, json: Json = False) -> None:
    """Close a space to all but administrators, until it is resumed; replicas keep what is pending."""
    _change(server, token, name, f"{name} is suspended.", json=json, suspended=True)


@app.command()
def resume(name: Name, server: Server = DEFAULT_SERVER, token: Token = None, json: Json = False) -> None:
    """Open a suspended space again."""
    _change(server, token, name, f"{name} is open.", json=json, suspended=False)


@app.command()
def quota(
    name: Name,
    events: Quota = None,
    bytes: Quota = None,
    items: Quota = None,
    connections: Quota = None,
    events_per_second: Quota = None,
    server: Server = DEFAULT_SERVER,
    token: Token = None,
    json: Json = False,
) -> None:
    """Set quotas of a space, or show them all.

    A quota is a number, 0 for none, or "default" for what the server's settings say.
    """
    given = {
        "events": events,
        "bytes": bytes,
        "items": items,
        "connections": connections,
        "events_per_second": events_per_second,
    }
    quotas = {which: _quota(most) for which, most in given.items() if most is not None}
    _change(server, token, name, None, json=json, quotas=quotas)


@app.command()
def erasable(
    name: Name,
    items: Annotated[list[str] | None, typer.Argument(metavar="[PATTERN]…", show_default=False)] = None,
    none: Annotated[bool, typer.Option("--none", help="From now on no item is.")] = False,
    server: Server = DEFAULT_SERVER,
    token: Token = None,
    json: Json = False,
) -> None:
    """Say which items are to be erasable without a trace, or show which are: their events get a random salt."""
    if none and items:
        misused("Say either --none or which items.")

    async def ask(administration: Administration) -> list[str]:
        return await (administration.set_erasable(items or []) if items or none else administration.erasable())

    found = Remote(server, name, token).ask(ask)
    if json:
        emit({"items": found})
    elif not found:
        note("No items are.")
    for item in () if json else found:
        say(item)


def _quota(text: str) -> int | None:
    if text == "default":
        return None
    if not (text.isascii() and text.isdigit()):
        raise typer.BadParameter(f'{text!r} is neither a number nor "default".')
    return int(text)


def _change(server: str, token: str | None, name: str, words: str | None, *, json: bool, **terms: Any) -> None:
    space = Remote(server, token=token).ask(lambda administration: administration.change_space(name, **terms))
    if json:
        emit(space)
    elif words is not None:
        say(words)
    else:
        out.print(facts({"space": name, **_terms(space)}))


def _terms(space: Mapping[str, Any]) -> dict[str, str]:
    """What only administrators see of a space: each quota beside what is used of it."""
    used, quotas = space.get("used", {}), space.get("quotas", {})
    shown = {
        name.replace("_", " "): " of ".join(
            [f"{each:,}" for each in (used.get(name),) if each is not None] + [f"{most:,}" if most else "no limit"]
        )
        for name, most in quotas.items()
    }
    return {**shown, **({"suspended": "yes"} if space.get("suspended") else {}), **told(space)}


@app.command()
def delete(
    name: Name, server: Server = DEFAULT_SERVER, token: Token = None, yes: Yes = False, json: Json = False
) -> None:
    """Delete a space for ever: its log is gone, and its name is not used again."""
    if not yes:
        _confirm(name)
    Remote(server, token=token).ask(lambda administration: administration.delete_space(name))
    if json:
        emit({"name": name, "deleted": True})
    else:
        say(f"{name} is deleted.")


def _confirm(name: str) -> None:
    if not sys.stdin.isatty():
        misused("Deleting cannot be undone, and nobody can be asked here. Say --yes if it is meant.")
    if typer.prompt(f"This deletes the log of {name} for ever. Its name again", err=True) != name:
        misused("That is another name; nothing was deleted.")
