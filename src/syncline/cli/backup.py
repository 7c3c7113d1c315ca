"""``backup``: backups of all spaces while the server runs, and what they are worth: looking at them, and restoring."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from syncline.cli.failures import REFUSED, misused
from syncline.cli.flags import Config, Data, Store, config_file
from syncline.cli.terminal import Json, complain, count, emit, facts, local_time, note, out, progress, say, table
from syncline.cli.times import moment
from syncline.server.settings import Settings, gather

if TYPE_CHECKING:
    from syncline.core.log import Head
    from syncline.server.backups.folder import Folder, Listing
    from syncline.server.backups.taking import Taken

app = typer.Typer(
    name="backup", help="Back up a server while it runs; look at backups, restore them.", no_args_is_help=True
)

NICENESS = 19
"""Whoever serves goes first; and for half the time a backup does nothing, even if nobody else has anything to do."""

Place = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of the backups, on any disk.")]
Key = Annotated[
    str | None,
    typer.Option(
        "--key-file",
        envvar="SYNCLINE_BACKUP_KEY_FILE",
        metavar="FILE",
        show_default=False,
        help="The file with the key, for backups that are encrypted; -: a line of standard input.",
    ),
]
Name = Annotated[
    str, typer.Option("--name", metavar="NAME", show_default=False, help="Another backup than the newest.")
]


@app.command()
def create(
    folder: Place,
    data: Data = None,
    store: Store = None,
    config: Config = None,
    key_file: Key = None,
    register: Annotated[bool, typer.Option(help="Users, keys and secrets, too, in a file apart.")] = True,
    full: Annotated[bool, typer.Option("--full", help="Copy all anew, nothing that is in the folder is used.")] = False,
    json: Json = False,
) -> None:
    """Back up all spaces of a server, also while it runs.

    Each space is as it was at one moment. What an earlier backup in the folder has is not copied again. Interrupted,
    it goes on where it was when it is said again.
    """
    _be_nice()
    from syncline.server.backups.folder import ABOUT, Folder
    from syncline.server.backups.sources import open_sources
    from syncline.server.backups.taking import Taking

    settings = _settings(config, data, store)
    secret = _secret(key_file)
    if not (folder / ABOUT).exists():
        open_sources(settings.store, Path(settings.data)).close()  # where is nothing to back up, no folder is made
    place = Folder.make(folder, secret)
    archives = Path(settings.archives) if settings.archives else None
    taking = Taking(place, settings.store, Path(settings.data), _now_ms, archives=archives, full=full, rest=_Resting())
    taken = taking.run(partial(progress, "Backing up"), register=register)
    _tell_taken(taken, json=json)


@app.command("list")
def list_backups(folder: Place, key_file: Key = None, json: Json = False) -> None:
    """List the backups, the newest last."""
    place = _open(folder, key_file)
    found = [place.read(name) for name in place.names()]
    if json:
        emit({"backups": [_described(listing) for listing in found]})
        return
    shown = table("name", "taken", "spaces", "events", "bytes", "register", right=("spaces", "events", "bytes"))
    for listing in found:
        told = _described(listing)
        counts = (f"{told[name]:,}" for name in ("spaces", "events", "bytes"))
        shown.add_row(listing.name, local_time(listing.seen), *counts, "yes" if told["register"] else "no")
    out.print(shown)
    if not found:
        note("None yet: syncline backup create.")


@app.command()
def verify(
    folder: Place,
    name: Name = "",
    all: Annotated[bool, typer.Option("--all", help="All backups in the folder.")] = False,
    key_file: Key = None,
    json: Json = False,
) -> None:
    """Look at every file and every entry of a backup, without a server. Ends with 1 if something is damaged."""
    from syncline.server.backups.checking import Checking

    place = _open(folder, key_file)
    listings = [place.read(each) for each in (place.names() if all and not name else [name])]
    with progress("Verifying", max(listing.events for listing in listings)) as advance:
        checking = Checking(place, advance)
        wrong = {listing.name: checking.check(listing) for listing in listings}
    if json:
        emit({"well": not any(wrong.values()), "backups": [{"name": name, "damaged": wrong[name]} for name in wrong]})
    for listing in () if json else listings:
        _tell_verified(listing, wrong[listing.name])
    if any(wrong.values()):
        raise typer.Exit(REFUSED)


@app.command()
def restore(
    folder: Place,
    data: Data = None,
    store: Store = None,
    name: Name = "",
    space: Annotated[list[str] | None, typer.Option(metavar="SPACE", help="Only this space; several are fine.")] = None,
    to_seq: Annotated[int | None, typer.Option(metavar="N", min=0, help="Up to this seq of one space.")] = None,
    to_time: Annotated[
        str | None, typer.Option(metavar="TIME", help="As it was then: 2026-11-21T08:30, or 90m ago.")
    ] = None,
    with_register: Annotated[
        bool, typer.Option("--with-register", help="Users, keys and secrets as they were.")
    ] = False,
    key_file: Key = None,
    json: Json = False,
) -> None:
    """Restore a backup into a new data directory or database, or to the end of logs that it continues.

    No server may run there. Without --with-register the spaces come without users and keys: those that are there stay,
    and what was revoked since the backup stays revoked. Interrupted, it goes on when it is said again.
    """
    from syncline.server.backups.restoring import Restoring, Wanted

    if data is None and not (store or "").startswith("postgres"):
        misused("Say where to with --data, a directory; or with --store, a database.")
    settings, _ = gather(file=None, environment={}, flags={"data": data, "store": store})
    place = _open(folder, key_file)
    listing = place.read(name)
    wanted = Wanted(space or (), to_seq, moment(to_time))
    if to_seq is not None and len(wanted.of(listing)) != 1:
        misused("A seq is that of one space: say --space, too.")
    restoring = Restoring(place, listing, settings.store, Path(settings.data), _now_ms)
    heads = restoring.run(wanted, partial(progress, "Restoring"), register=with_register)
    if json:
        ends = {name: {"epoch": head.epoch, "head": head.seq, "tail": head.tail.hex()} for name, head in heads.items()}
        emit({"name": listing.name, "spaces": ends, "register": with_register})
    else:
        _tell_restored(heads, with_register=with_register)


def _tell_restored(heads: Mapping[str, Head], *, with_register: bool) -> None:
    for space, head in heads.items():
        say(f"{space}: {count(head.seq, 'event')}, up to {local_time(head.at or None)}.")
    if not with_register:
        note("Users, keys and secrets were left out; --with-register restores them into a place that has none.")


def _settings(config: Path | None, data: str | None, store: str | None) -> Settings:
    flags = {"data": data, "store": store}
    return gather(file=config_file(config), environment=os.environ, flags=flags)[0]


def _secret(key_file: str | None) -> bytes | None:
    from syncline.server.backups.sealing import checked_secret

    if key_file is None:
        return None
    return checked_secret(sys.stdin.buffer.readline() if key_file == "-" else Path(key_file).read_bytes())


def _open(folder: Path, key_file: str | None) -> Folder:
    from syncline.server.backups.folder import Folder

    return Folder(folder, _secret(key_file))


def _be_nice() -> None:
    if hasattr(os, "nice"):
        os.nice(NICENESS)


class _Resting:
    """Rests for as long as was worked since the last rest."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def __call__(self) -> None:
        time.sleep(time.monotonic() - self._since)
        self._since = time.monotonic()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _described(listing: Listing) -> dict[str, Any]:
    return {
        "name": listing.name,
        "taken_ms": listing.seen,
        "spaces": len(listing.spaces),
        "events": listing.events,
        "bytes": sum(file.bytes for file in listing.files),
        "register": listing.register is not None,
    }


def _tell_taken(taken: Taken, *, json: bool) -> None:
    told = {**_described(taken.listing), "files_written": taken.files, "bytes_written": taken.bytes}
    if json:
        emit({**told, "rolled_back": taken.rolled_back})
        return
    shown = {"backup": taken.listing.name, "as of": local_time(taken.listing.seen)}
    numbers = {name.replace("_", " "): f"{value:,}" for name, value in told.items() if type(value) is int}
    out.print(facts({**shown, **{name: value for name, value in numbers.items() if name != "taken ms"}}))
    for space in taken.rolled_back:
        note(f"{space} does not go on from the backup before this one: its log was taken back, or made anew.")


def _tell_verified(listing: Listing, wrong: list[str]) -> None:
    for each in wrong:
        complain(each)
    if not wrong:
        say(
            Text.assemble(
                (listing.name, "bold"),
                f": {count(listing.events, 'event')} of ",
                count(len(listing.spaces), "space"),
                ", all well.",
            )
        )
