"""``verify``: whether logs are what they were: every seq, digest, tail, time, receipt, and what is kept beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from syncline.cli.failures import REFUSED
from syncline.cli.flags import Config, Data, Store, config_file
from syncline.cli.terminal import Json, complain, count, emit, note, progress, say
from syncline.errors import StoreDamaged
from syncline.server.settings import gather

if TYPE_CHECKING:
    from syncline.core.log import Receipts
    from syncline.stores.checking import Verified
    from syncline.stores.reading import LogReader

SHOWN = 20
"""Damages of one log that people are told of; all are in the JSON."""

Place = Annotated[
    str | None,
    typer.Argument(metavar="[LOG]", show_default=False, help="One log, or a replica's file."),
]
Spaces = Annotated[list[str] | None, typer.Option("--space", metavar="SPACE", help="Only this space.")]


def verify(
    log: Place = None,
    data: Data = None,
    store: Store = None,
    config: Config = None,
    space: Spaces = None,
    json: Json = False,
) -> None:
    """Look at every entry of a log, also while a server has it open, and say exactly what is damaged.

    LOG is a path that ends with .db, .lmdb or .jsonl, postgresql://user@host/database#space, or a replica's file;
    without it, all logs of the server that --data or the settings name. Ends with 1 if something is damaged.
    """
    from syncline.cli.looking import opened_log, opened_server

    found: dict[str, dict[str, Any]] = {}
    if log is not None:
        found[log] = _verified(opened_log(log), None)
    else:
        flags = {"data": data, "store": store}
        settings, _ = gather(file=config_file(config), environment=os.environ, flags=flags)
        with opened_server(settings.store, Path(settings.data)) as server:
            for name in space or server.names():
                found[name] = _verified(server.open(name), server.receipts)
    is_well = not any(each["damaged"] for each in found.values())
    if json:
        emit({"well": is_well, "logs": found})
    for name, each in () if json else found.items():
        _tell(name, each)
    if not is_well:
        raise typer.Exit(REFUSED)


def _verified(opened: AbstractContextManager[LogReader], receipts: Receipts | None) -> dict[str, Any]:
    """What is told of a log; one that is too damaged to be opened has no more than that."""
    from syncline.stores.checking import Checking

    try:
        with opened as reader, progress("Verifying", reader.head().seq) as advance:
            return _described(Checking(reader, receipts, advance).run())
    except StoreDamaged as error:
        return {"damaged": [{"seq": 0, "what": error.message}]}


def _tell(name: str, found: Mapping[str, Any]) -> None:
    damaged = found["damaged"]
    for damage in damaged[:SHOWN]:
        place = f"{name}, seq {damage['seq']}" if damage["seq"] else name
        complain(f"{place}: {damage['what']}.")
    if len(damaged) > SHOWN:
        complain(f"{name}: {len(damaged) - SHOWN:,} more; --json tells them all.")
    if "epoch" not in found:
        return
    words, style = (f"{len(damaged):,} damaged", "bold red") if damaged else ("all well", "green")
    say(Text.assemble((name, "bold"), f": {count(found['entries'], 'entry', 'entries')}, ", (words, style), "."))
    say(Text(f"  epoch {found['epoch']}  tail {found['tail']}  root {found['root']}", style="dim"))
    if found["foreign_receipts"]:
        note(f"{name}: the first {found['foreign_receipts']:,} receipts are another server's.")


def _described(found: Verified) -> dict[str, Any]:
    return {
        "epoch": found.head.epoch,
        "head": found.head.seq,
        "tail": found.head.tail.hex(),
        "root": found.root.hex(),
        "entries": found.entries,
        "without_content": found.without_content,
        "foreign_receipts": None if found.foreign_receipts < 0 else found.foreign_receipts,
        "damaged": [{"seq": damage.seq, "what": damage.what} for damage in found.damages],
    }
