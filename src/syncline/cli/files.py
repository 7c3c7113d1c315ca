"""A replica's file, opened to look at it, also while another program has it open."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from syncline.errors import ForeignFile, StoreDamaged
from syncline.stores.sqlite import SqliteReplicaStore

File = Annotated[Path, typer.Argument(metavar="REPLICA.db", show_default=False, help="A replica's file.")]
ReplicaFile = Annotated[
    Path | None, typer.Argument(metavar="[REPLICA.db]", show_default=False, help="A replica's file; else the server.")
]

MENDED = "Whatever opens it to write puts it aside, and goes on with what is whole of it: its program, or syncline doc."


@contextmanager
def looking_at(path: Path) -> Iterator[SqliteReplicaStore]:
    """The replica in a file, read-only. Raises FileNotFoundError, ForeignFile or StoreDamaged."""
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if path.is_dir():
        raise ForeignFile(f"{path} is a directory; a replica is a file.")
    try:
        store = SqliteReplicaStore(path, "", read_only=True)
    except StoreDamaged as error:
        raise StoreDamaged(f"{error.message} {MENDED}") from error
    try:
        yield store
    finally:
        store.close()
