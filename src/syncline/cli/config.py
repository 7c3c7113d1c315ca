"""``config show`` and ``config check``: what the server's settings are, where each comes from, and whether they fit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from syncline.cli.flags import Config, config_file
from syncline.cli.terminal import Json, emit, out, say, table
from syncline.server.settings import gather

app = typer.Typer(name="config", help="Look at the server's settings.", no_args_is_help=True)


@app.command()
def show(config: Config = None, json: Json = False) -> None:
    """Show every setting, and whether it comes from the default, the file or the environment."""
    _, found = gather(file=config_file(config), environment=os.environ, flags={})
    if json:
        emit({setting.name: {"value": setting.shown, "source": setting.source} for setting in found})
        return
    shown = table("setting", "value", "source")
    for setting in found:
        style = "dim" if setting.source == "default" else ""
        shown.add_row(setting.name, Text(_toml(setting.shown), style=style), Text(setting.source, style=style))
    out.print(shown)


@app.command()
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="A syncline.toml.")], json: Json = False) -> None:
    """Check a file of settings without starting anything."""
    _, found = gather(file=file, environment={}, flags={})
    changed = [setting.name for setting in found if setting.source != "default"]
    if json:
        emit({"file": str(file), "ok": True, "settings": changed})
    else:
        say(f"{file} is fine: it sets {', '.join(changed) or 'nothing'}.")


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return str([getattr(one, "issuer", one) for one in value])
    return str(value).lower() if isinstance(value, bool) else str(value)
