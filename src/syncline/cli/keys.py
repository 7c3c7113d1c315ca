"""``keys``: list, create and revoke API keys, at a server or in its data directory, also while it runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from syncline.cli.failures import REFUSED, misused
from syncline.cli.registers import Ask, administering
from syncline.cli.terminal import Json, complain, emit, local_time, note, out, say, table
from syncline.cli.times import deadline
from syncline.core.events import USER
from syncline.errors import NotFound
from syncline.server.auth.identity import ROOT

app = typer.Typer(name="keys", help="Administer API keys.", no_args_is_help=True)

Name = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="What the key is for: laptop, backup, ci.", show_default="USER")
]
User = Annotated[str | None, typer.Option("--user", "-u", metavar="USER", help="Whose key it is.", show_default="NAME")]
Admin = Annotated[bool, typer.Option("--admin", help=f"A key of the administrator ({ROOT}), who may do everything.")]
Actions = Annotated[
    list[str] | None,
    typer.Option("--action", metavar="PATTERN", help="Only for these actions; again for more.", show_default="all"),
]
Items = Annotated[
    list[str] | None,
    typer.Option("--item", metavar="PATTERN", help="Only for these items; again for more.", show_default="all"),
]
Expires = Annotated[
    str | None, typer.Option("--expires", metavar="WHEN", help="30d from now, or a date.", show_default="never")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as keys list shows it.")]

TIMES = ("created", "expires", "used")


@app.command("list")
@administering
def list_keys(ask: Ask[list[dict[str, Any]]], json: Json = False) -> None:
    """List the keys. The keys themselves are not kept, only their hashes."""
    keys = ask(lambda register: register.keys())
    if json:
        emit({"keys": keys})
        return
    shown = table("id", "name", "user", *(["space"] if "space" in (keys or [{}])[0] else []), "scope", *TIMES)
    for key in keys:
        where = [Text(key["space"] or "all")] if "space" in key else []
        times = [local_time(key[f"{name}_ms"]) for name in TIMES]
        shown.add_row(key["id"], Text(key["name"]), Text(key["user"]), *where, Text(_scope(key)), *times)
    out.print(shown)


@app.command()
@administering
def create(
    ask: Ask[dict[str, Any]],
    name: Name = None,
    user: User = None,
    admin: Admin = False,
    action: Actions = None,
    item: Items = None,
    expires: Expires = None,
    json: Json = False,
) -> None:
    """Make a key for a user. It is shown this once."""
    owner = _owner(name, user, admin)
    scope = {"actions": action or [], "items": item or [], "expires_ms": deadline(expires)}
    made = ask(lambda register: register.create_key(name or owner, owner, **scope))
    if json:
        emit(made)
        return
    say(Text(made["key"], style="bold green" if out.is_terminal else ""))
    until = f", until {local_time(made['expires_ms'])}" if made["expires_ms"] else ""
    note(f"A key of {owner}{until}; it is not shown again.")


@app.command()
@administering
def revoke(ask: Ask[None], id: Id, json: Json = False) -> None:
    """Revoke a key; a running server notices within a second."""
    try:
        ask(lambda register: register.revoke_key(id))
    except NotFound:
        complain(f"There is no key {id}; syncline keys list shows those there are.")
        raise typer.Exit(REFUSED) from None
    if json:
        emit({"id": id, "revoked": True})
    else:
        say(f"{id} is revoked.")


def _scope(key: dict[str, Any]) -> str:
    parts = [f"{name} {', '.join(key[name])}" for name in ("actions", "items") if key[name]]
    return "; ".join(parts) or "all"


def _owner(name: str | None, user: str | None, admin: bool) -> str:
    if admin and user is not None:
        misused("--admin and --user exclude each other.")
    owner = ROOT if admin else user or name
    if owner is None:
        misused("Say whose key it is: --user USER, or --admin.")
    if not admin and (owner.startswith(".") or not USER.fullmatch(owner)):
        misused(f"{owner!r} cannot be a user: 1 to 256 characters, and no leading dot (--admin is for that).")
    return owner
