"""``sync``: a replica's file agrees with another one, with a replica that somebody shares, or with a server."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from syncline.cli.chosen import DEFAULT_SPACE, Space, Token, credentials
from syncline.cli.databases import Server
from syncline.cli.failures import REFUSED, misused
from syncline.cli.files import File
from syncline.cli.passing import counting
from syncline.cli.terminal import Json, complain, count, emit, say

if TYPE_CHECKING:
    from syncline.sync import SyncResult

URLS = ("http://", "https://", "ws://", "wss://", "grpc://", "grpcs://", "nats://", "tls://")

Other = Annotated[
    str | None,
    typer.Argument(
        metavar="[OTHER]",
        show_default=False,
        help="Another replica's file, or the URL of one that is shared, or of a server; else the server.",
    ),
]


History = Annotated[
    bool,
    typer.Option(
        "--history/--no-history",
        help="Whether a new file gets all that has been, or begins from the server's newest snapshot.",
    ),
]


class Exchange(NamedTuple):
    """What went over, seen from the first replica."""

    sent: int
    received: int
    result: SyncResult


def sync(
    file: File,
    other: Other = None,
    server: Server = None,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    history: History = True,
    json: Json = False,
) -> None:
    """Bring a replica's file and another replica, or a server, to agreement.

    Two files need no server: each gets what the other has, and keeps it until a server confirms it. A file that is not
    there yet is made.
    """
    if other is not None and not other.startswith(URLS):
        exchange = _with_file(file, Path(other), json=json)
    else:
        other = other or server
        if other is None:
            misused("Sync with what? Name another replica's file, a URL, or a server: syncline login, or --server.")
        exchange = _with_url(file, other, space, token, history=history, json=json)
    _show(str(file), other, exchange, json=json)


def _with_file(one: Path, other: Path, *, json: bool) -> Exchange:
    from syncline.sync import SyncManager
    from syncline.sync import open as open_replica
    from syncline.sync.replica_peer import ReplicaPeer
    from syncline.transports.memory import MemoryTransport

    if one.exists() and other.exists() and one.samefile(other):
        misused("These are one and the same file.")
    if not one.exists() and not other.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(one))
    with open_replica(one) as mine, open_replica(other) as theirs:
        has_more = mine.tree()[0].count >= theirs.tree()[0].count
        asking, answering = (mine, theirs) if has_more else (theirs, mine)  # to give much is quicker than to find it
        manager = SyncManager(asking, MemoryTransport(ReplicaPeer(answering)))
        with counting("Syncing", mine, theirs, json=json):
            result = asyncio.run(manager.sync())
    return Exchange(*((result.pushed, result.pulled) if has_more else (result.pulled, result.pushed)), result)


def _with_url(file: Path, url: str, space: str, token: str | None, *, history: bool, json: bool) -> Exchange:
    from syncline.sync import open as open_replica

    found = credentials(url, token)
    opened = open_replica(file, server=url, space=space, token=found, transport="http", history=history)
    with opened as replica, counting("Syncing", replica, json=json):
        result = replica.sync()
    return Exchange(result.pushed + result.given, result.pulled, result)


def _show(one: str, other: str, exchange: Exchange, *, json: bool) -> None:
    """Tells what went each way. Raises what ended the sync."""
    result = exchange.result
    single = [error for error in result.errors if error is not result.failure]
    if json:
        errors = [error.to_wire() for error in result.errors]
        told = {"replica": one, "other": other, "sent": exchange.sent, "received": exchange.received}
        emit({**told, **({"bases": result.bases} if result.bases else {}), "errors": errors})
    else:
        for error in single:
            complain(f"{error.message} ({error.code})")
    if result.failure is not None:
        raise result.failure
    if not json:
        sent, received = (count(each, "event") for each in (exchange.sent, exchange.received))
        begun = f" and {count(result.bases, 'item')} as they stood at a snapshot" if result.bases else ""
        say(f"{one} -> {other}: {sent}; {other} -> {one}: {received}{begun}.")
    if single:
        raise typer.Exit(REFUSED)
