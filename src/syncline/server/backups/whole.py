"""The content that a log has let go of, out of its archives: a backup has all of a space's history in one place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from syncline.core.events import Entry
from syncline.errors import StoreDamaged
from syncline.server.history.archives import Archives
from syncline.stores.reading import Kept


class Whole:
    """Puts content back into the rows of one log. Rows come in order of seq, so one archive is held at a time."""

    def __init__(self, folder: Path, space: str) -> None:
        self._archives, self._folder = Archives(folder, space), folder
        self._lines: dict[int, bytes] = {}

    def filled(self, rows: Sequence[Kept]) -> list[Kept]:
        """The rows, each with its entry. Raises StoreDamaged if an archive is missing, or is not what it was."""
        return [row if row.entry is not None else row._replace(entry=self._entry(row)) for row in rows]

    def _entry(self, row: Kept) -> bytes:
        if row.seq not in self._lines:
            self._lines = self._read(row.seq)
        line = self._lines[row.seq]
        if Entry.read(line).event.digest != row.digest:
            raise StoreDamaged(f"The archive in {self._folder} has another event than the log at seq {row.seq}.")
        return line

    def _read(self, seq: int) -> dict[int, bytes]:
        for archived in self._archives.all():
            if archived.first <= seq <= archived.last:
                lines, seal = self._archives.read(archived)
                return dict(enumerate(lines, seal.first))
        raise StoreDamaged(f"The content of seq {seq} is in an archive that is not in {self._folder}. Put it there.")
