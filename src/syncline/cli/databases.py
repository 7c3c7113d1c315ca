"""The replica in a file that a command about documents works on: read, edited, and synced if a server is named.

A command says ``@reading`` or ``@editing`` and gets an open replica as its first argument; the flags that say which one
are added to its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import wraps
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from syncline.cli.chosen import DEFAULT_SPACE, Space, Token, credentials, server_of
from syncline.cli.failures import REFUSED
from syncline.cli.files import looking_at
from syncline.cli.terminal import complain, note
from syncline.errors import StoreDamaged, StoreLocked, Unavailable
from syncline.replica.documents import DocumentReplica

if TYPE_CHECKING:
    from syncline.sync import SyncedReplica

Command = Callable[..., None]

Database = Annotated[
    Path,
    typer.Option(
        "--database", "-d", envvar="SYNCLINE_DATABASE", metavar="FILE", show_default=False, help="The replica's file."
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        "-s",
        envvar="SYNCLINE_SERVER",
        metavar="URL",
        callback=server_of,
        show_default=False,
        help="The server to sync with, before and after.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Do not sync, even if a server is named.")]


class Place(NamedTuple):
    """Which replica, and whether and with whom it syncs."""

    database: Path
    server: str | None = None
    space: str = DEFAULT_SPACE
    token: str | None = None

    def open(self) -> SyncedReplica:
        """The replica, to be written. Raises StoreLocked if another program has it open."""
        from syncline.sync import open as open_replica  # networks, which who only reads does not wait for

        token = credentials(self.server, self.token)
        return open_replica(self.database, server=self.server, space=self.space, token=token, transport="http")

    @contextmanager
    def look(self) -> Iterator[DocumentReplica]:
        """The replica as it stands, also while another program has it open."""
        with looking_at(self.database) as store:
            yield DocumentReplica(store)

    @contextmanager
    def read(self) -> Iterator[DocumentReplica]:
        """The replica to read, after a sync."""
        if self.server is None:
            with self.look() as replica:
                yield replica
            return
        try:
            opened = self.open()
        except StoreLocked:
            note(f"{self.database} is open in another program; this is how it stands there.")
            with self.look() as replica:
                yield replica
            return
        with opened as replica:
            _sync(replica)
            yield replica

    @contextmanager
    def edit(self, *, makes: bool) -> Iterator[DocumentReplica]:
        """The replica to edit, between two syncs. ``makes``: the file need not be there."""
        if self.server is None and not makes:
            with suppress(StoreDamaged), looking_at(self.database):
                pass  # a file whose name was misspelled is not made; one that is damaged is mended
        with self.open() as replica:
            refused = replica.status.refused
            is_reached = self.server is not None and _sync(replica)
            yield replica
            if is_reached:
                _sync(replica)
            if replica.status.refused > refused:
                raise typer.Exit(REFUSED)


def _sync(replica: SyncedReplica) -> bool:
    """Syncs; False if there is nobody to sync with just now. Raises what only a person can mend."""
    result = replica.sync()
    for error in result.errors:
        if error is not result.failure:
            complain(f"{error.message} ({error.code}) The event is in the refused inbox.")
    if isinstance(result.failure, Unavailable):
        note(f"Not synced: {result.failure.message} What was changed waits here for the next time.")
    elif result.failure is not None:
        raise result.failure
    return result.failure is None


def reading(command: Command) -> Command:
    """A command whose first argument is a replica that it reads."""
    return _with_flags(command, lambda place: place.read())


def editing(command: Command) -> Command:
    """A command whose first argument is a replica that it edits."""
    return _with_flags(command, lambda place: place.edit(makes=False))


def making(command: Command) -> Command:
    """The same, and the file is made if it is not there."""
    return _with_flags(command, lambda place: place.edit(makes=True))


def _with_flags(command: Command, opened: Callable[[Place], AbstractContextManager[DocumentReplica]]) -> Command:
    @wraps(command)
    def run(*, database: Path, server: str | None, space: str, token: str | None, offline: bool, **given: Any) -> None:
        with opened(Place(database, None if offline else server, space, token)) as replica:
            command(replica, **given)

    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    flags = [
        _flag("database", Database),
        _flag("server", Server, None),
        _flag("space", Space, DEFAULT_SPACE),
        _flag("token", Token, None),
        _flag("offline", Offline, False),
    ]
    named = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in own]
    run.__signature__ = inspect.Signature([*named, *flags])  # type: ignore[attr-defined]
    return run


def _flag(name: str, annotation: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
