"""``keys``: list, create and revoke API keys in a data directory, also while the server runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from syncline.cli.failures import REFUSED, misused
from syncline.cli.flags import Config, Data, config_file
from syncline.cli.terminal import Json, complain, emit, local_time, note, out, say, table
from syncline.core.events import USER
from syncline.replica import wall_clock_ms
from syncline.server.auth.identity import ROOT
from syncline.server.registry import Registry
from syncline.server.settings import gather

app = typer.Typer(name="keys", help="Administer API keys, on the machine of the server.", no_args_is_help=True)

Name = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="What the key is for: laptop, backup, ci.", show_default="USER")
]
User = Annotated[str | None, typer.Option("--user", metavar="USER", help="Whose key it is.", show_default="NAME")]
Admin = Annotated[bool, typer.Option("--admin", help=f"A key of the administrator ({ROOT}), who may do everything.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as keys list shows it.")]


@app.command("list")
def list_keys(data: Data = None, config: Config = None, json: Json = False) -> None:
    """List the keys. The keys themselves are not kept, only their hashes."""
    with _registry(data, config) as registry:
        keys = registry.keys()
    if json:
        emit({"keys": [key._asdict() for key in keys]})
        return
    shown = table("id", "name", "user", "created")
    for key in keys:
        shown.add_row(key.id, Text(key.name), Text(key.user), local_time(key.created))
    out.print(shown)


@app.command()
def create(
    name: Name = None,
    user: User = None,
    admin: Admin = False,
    data: Data = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Make a key for a user. It is shown this once."""
    owner = _owner(name, user, admin)
    with _registry(data, config) as registry:
        key = registry.create_key(name or owner, owner)
    if json:
        emit({"key": key, "name": name or owner, "user": owner})
        return
    say(Text(key, style="bold green" if out.is_terminal else ""))
    note(f"A key of {owner}; it is not shown again.")


@app.command()
def revoke(id: Id, data: Data = None, config: Config = None, json: Json = False) -> None:
    """Revoke a key; a running server notices within a second."""
    with _registry(data, config) as registry:
        revoked = registry.revoke_key(id)
    if not revoked:
        complain(f"There is no key {id}; syncline keys list shows those there are.")
        raise typer.Exit(REFUSED)
    if json:
        emit({"id": id, "revoked": True})
    else:
        say(f"{id} is revoked.")


def _owner(name: str | None, user: str | None, admin: bool) -> str:
    if admin and user is not None:
        misused("--admin and --user exclude each other.")
    owner = ROOT if admin else user or name
    if owner is None:
        misused("Say whose key it is: --user USER, or --admin.")
    if not admin and (owner.startswith(".") or not USER.fullmatch(owner)):
        misused(f"{owner!r} cannot be a user: 1 to 256 characters, and no leading dot (--admin is for that).")
    return owner


@contextmanager
def _registry(data: str | None, config: Path | None) -> Iterator[Registry]:
    """The register of a data directory. Raises FileNotFoundError instead of making one."""
    settings, _ = gather(file=config_file(config), environment=os.environ, flags={"data": data})
    path = Path(settings.data) / "server.db"
    if not path.exists():
        words = "no server was started here yet (or name its directory with --data)"
        raise FileNotFoundError(2, words, settings.data)
    registry = Registry(path, wall_clock_ms)
    try:
        yield registry
    finally:
        registry.close()
