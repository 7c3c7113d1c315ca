"""The logs of a server's spaces, each in a folder ``<space>.jsonl`` of its own in one directory."""

from __future__ import annotations

import shutil
from pathlib import Path

from syncline.core.log import Receipts
from syncline.stores.folders import make_folder
from syncline.stores.jsonl.events import JsonLinesEventStore


class JsonLinesLogs:
    """See ``Logs``."""

    def __init__(self, directory: Path, receipts: Receipts) -> None:
        """``directory`` is made if it is not there, for whoever runs the server alone."""
        self._directory, self._receipts = directory, receipts
        make_folder(directory)  # what is in it is for whoever the rules say

    def open(self, space: str) -> JsonLinesEventStore:
        """See ``Logs.open``. Raises StoreLocked, ForeignFile, NewerSchema or StoreDamaged."""
        return JsonLinesEventStore(self._path(space), self._receipts)

    def delete(self, space: str) -> None:
        """See ``Logs.delete``."""
        path = self._path(space)
        if path.exists():
            shutil.rmtree(path)

    def close(self) -> None:
        """See ``Logs.close``: each folder is closed with its log."""

    def _path(self, space: str) -> Path:
        return self._directory / f"{space}.jsonl"
