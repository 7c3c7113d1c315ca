"""The logs of a server's spaces: a folder for each."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

from syncline.core.log import Receipts
from syncline.stores.folders import make_folder
from syncline.stores.lmdb.events import LmdbEventStore


class LmdbLogs:
    """Folders ``<space>.lmdb`` in one directory; see ``Logs``."""

    def __init__(self, directory: Path, receipts: Receipts) -> None:
        """``directory`` is made if it is not there, for whoever runs the server alone."""
        self._directory, self._receipts = directory, receipts
        make_folder(directory)

    def open(self, space: str) -> LmdbEventStore:
        """See ``Logs.open``. Raises StoreLocked, ForeignFile, NewerSchema or StoreDamaged."""
        return LmdbEventStore(self._path(space), self._receipts)

    def delete(self, space: str) -> None:
        """See ``Logs.delete``."""
        path = self._path(space)
        if path.exists():
            rmtree(path)
        Path(f"{path}.lock").unlink(missing_ok=True)

    def close(self) -> None:
        """See ``Logs.close``: each folder is closed with its log."""

    def _path(self, space: str) -> Path:
        return self._directory / f"{space}.lmdb"
