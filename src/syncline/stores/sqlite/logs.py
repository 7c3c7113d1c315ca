"""The logs of a server's spaces, each in a SQLite file of its own in one directory."""

from __future__ import annotations

from pathlib import Path

from syncline.core.log import Receipts
from syncline.stores.folders import make_folder
from syncline.stores.sqlite.events import SqliteEventStore

SUFFIXES = ("", "-wal", "-shm", ".lock")


class SqliteLogs:
    """See ``Logs``."""

    def __init__(self, directory: Path, receipts: Receipts) -> None:
        """``directory`` is made if it is not there, for whoever runs the server alone."""
        self._directory, self._receipts = directory, receipts
        make_folder(directory)  # what is in it is for whoever the rules say

    def open(self, space: str) -> SqliteEventStore:
        """See ``Logs.open``. Raises StoreLocked, ForeignFile, NewerSchema or StoreDamaged."""
        return SqliteEventStore(self._path(space), self._receipts)

    def delete(self, space: str) -> None:
        """See ``Logs.delete``."""
        for suffix in SUFFIXES:
            Path(f"{self._path(space)}{suffix}").unlink(missing_ok=True)

    def close(self) -> None:
        """See ``Logs.close``: each file is closed with its log."""

    def _path(self, space: str) -> Path:
        return self._directory / f"{space}.db"
