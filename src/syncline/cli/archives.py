"""``archives``: the history that spaces have let go of, as files: listed, checked, and read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from syncline.cli.failures import misused
from syncline.cli.terminal import Json, count, emit, out, say, table, write
from syncline.server.history.archives import Archives

app = typer.Typer(
    name="archives", help="What spaces do not keep any more: list, check and read it.", no_args_is_help=True
)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A space's folder of archives: DATA/archives/SPACE.")]
Since = Annotated[int, typer.Option(metavar="SEQ", help="Only entries after this one.")]


@app.command("list")
def list_archives(folder: Folder, json: Json = False) -> None:
    """List the archives of a space, and which entries are in them."""
    found = _open(folder).all()
    if json:
        emit({"archives": [{"file": each.path.name, "first": each.first, "last": each.last} for each in found]})
        return
    shown = table("file", "first", "last", "bytes", right=("first", "last", "bytes"))
    for each in found:
        shown.add_row(each.path.name, f"{each.first:,}", f"{each.last:,}", f"{each.path.stat().st_size:,}")
    out.print(shown)


@app.command()
def verify(folder: Folder, json: Json = False) -> None:
    """Read all of it: every line, the tails of the log, the sums, and that each archive follows on the one before."""
    checked = list(_open(folder).verify())
    entries = sum(each.last - each.first + 1 for each, _ in checked)
    if json:
        emit({"archives": len(checked), "entries": entries, "tail": checked[-1][1].after if checked else None})
    else:
        what = f"{count(entries, 'entry', 'entries')} in {count(len(checked), 'archive')}"
        say(f"{what}: all as they were.")


@app.command()
def show(folder: Folder, since: Since = 0) -> None:
    """Write the entries to stdout, as JSON Lines; what does not read as it was is told before it is written."""
    archives = _open(folder)
    for each in archives.all():
        lines, _ = archives.read(each) if each.last > since else ([], None)
        for line in lines[max(0, since + 1 - each.first) :]:
            write(line + b"\n")


def _open(folder: Path) -> Archives:
    if not folder.is_dir():
        misused(f"There is no folder {folder}.")
    return Archives(folder, folder.name)
