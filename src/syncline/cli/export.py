"""``export``: the entries of a space or of a replica's file, into a file that the next export continues."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer

from syncline.cli import checkpoints
from syncline.cli.files import ReplicaFile, looking_at
from syncline.cli.remote import DEFAULT_SERVER, DEFAULT_SPACE, Items, Remote, Server, Space, Token, read
from syncline.cli.terminal import Json, count, emit, note, progress
from syncline.core.events import Entry
from syncline.core.limits import MAX_EVENT_BYTES
from syncline.errors import LocalError

SUFFIX = ".cursor"
LONGEST_LINE_BYTES = 2 * MAX_EVENT_BYTES

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", show_default=False, help="The file to write or to continue."),
]


def export(
    replica: ReplicaFile = None,
    output: Output = None,
    server: Server = DEFAULT_SERVER,
    space: Space = DEFAULT_SPACE,
    token: Token = None,
    items: Items = None,
    json: Json = False,
) -> None:
    """Write the entries of a replica's file or of a space as JSON Lines.

    With --output a file that is there is continued after its last complete line; FILE.cursor remembers where that is
    in the space. With --json and --output stdout gets one document with the sums.
    """
    source = "replica" if replica else "space"
    target = _Stdout() if output is None else _File(output, source, items or [])
    try:
        if replica is not None:
            _from_replica(replica, target, items or [])
        else:
            asyncio.run(_from_space(Remote(server, space, token), target, items or []))
        target.finish()
    finally:
        target.close()
    if output is not None and json:
        emit({"output": str(output), "entries": target.written, "head": target.seq})
    elif output is not None:
        note(f"{count(target.written, 'entry', 'entries')} written to {output}; it ends at seq {target.seq:,}.")


async def _from_space(remote: Remote, target: _Stdout, items: list[str]) -> None:
    head = await remote.head()
    async with remote.talk() as (transport, _):
        with progress("Exporting", head) as advance:
            async for page in read(transport, target.cursor, items):
                target.write(page.entries)
                target.reached(page.cursor)
                advance(target.seq)


def _from_replica(path: Path, target: _Stdout, items: list[str]) -> None:
    with looking_at(path) as store:
        target.write(store.load(max(target.seq - 1, 0), items=items))
        waiting = len(store.outbox("pending", "refused"))
    if waiting:
        note(f"{count(waiting, 'local event')} left out: no server has given them a seq.")


class _Stdout:
    """Where entries go; this one to standard output, from the first on."""

    cursor: str | None = None
    """Where to go on reading, if that is known."""
    seq = 0
    """The last seq written."""
    written = 0

    def write(self, entries: Iterable[Entry]) -> None:
        """Writes entries."""
        for entry in entries:
            sys.stdout.buffer.write(entry.encoded + b"\n")
            self.seq = entry.seq
            self.written += 1

    def reached(self, cursor: str) -> None:
        """Takes note of the cursor after what was written."""
        sys.stdout.flush()

    def finish(self) -> None:
        """All is written."""
        sys.stdout.flush()

    def close(self) -> None:
        """Closes what is open."""


class _Place(msgspec.Struct, frozen=True):
    """Where an export ended: the cursor there if it was one of a space, its seq, and what was asked for."""

    source: str
    items: list[str]
    seq: int = 0
    cursor: str | None = None


class _File(_Stdout):
    """A file, continued after its last complete line, which has to be an entry of the same log."""

    def __init__(self, path: Path, source: str, items: list[str]) -> None:
        self._path, self._source, self._items = path, source, items
        self._file = path.open("r+b" if path.exists() else "w+b")
        self._last = _last_entry(self._file, path)
        self.seq = self._last.seq if self._last else 0
        self._is_same = self._last is None
        self._recall()

    def _recall(self) -> None:
        kept = checkpoints.load(checkpoints.beside(self._path, SUFFIX), _Place)
        if kept is None or self._last is None or kept.source != self._source:
            return
        if kept.items != self._items:
            was = ", ".join(kept.items) or "all of them"
            raise LocalError(f"{self._path} was exported with other --items: {was}. Name the same, or another file.")
        if kept.cursor is not None and kept.seq <= self.seq:
            self.cursor = kept.cursor
            self._is_same = kept.seq == self.seq  # then the server vouches: it knows its own cursors

    def write(self, entries: Iterable[Entry]) -> None:
        """Writes the entries after the last one the file holds, which is compared when it comes by."""
        for entry in entries:
            if self._last is not None and entry.seq <= self._last.seq:
                self._is_same = self._is_same or entry.encoded == self._last.encoded
                continue
            self._check_same()
            self._file.write(entry.encoded + b"\n")
            self.seq = entry.seq
            self.written += 1

    def _check_same(self) -> None:
        if not self._is_same:
            raise LocalError(f"{self._path} ends with an entry that is not in this log. Export into another file.")

    def reached(self, cursor: str) -> None:
        """Remembers the cursor, once the entries before it are on the disk."""
        self._sync()
        place = _Place(self._source, self._items, self.seq, cursor)
        if self._is_same:
            checkpoints.save(checkpoints.beside(self._path, SUFFIX), place)

    def finish(self) -> None:
        """Raises LocalError if the file turned out to be of another log."""
        self._check_same()
        self._sync()

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _last_entry(file: BinaryIO, path: Path) -> Entry | None:
    """The last entry of a file, which then ends with it. Raises LocalError if that is not what it holds."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - LONGEST_LINE_BYTES)
    file.seek(start)
    complete = file.read().rpartition(b"\n")[0]
    try:
        last = Entry.read(complete.rpartition(b"\n")[2]) if complete else None
    except msgspec.MsgspecError:
        raise LocalError(f"{path} does not end with an entry; it was left as it is. Name another file.") from None
    if last is None and start > 0:
        raise LocalError(f"{path} is not made of lines; it was left as it is. Name another file.")
    file.truncate(start + len(complete) + 1 if complete else 0)
    file.seek(0, os.SEEK_END)
    return last
