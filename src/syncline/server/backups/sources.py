"""The logs of a server, to be looked at while it runs: those that its settings ``store`` and ``data`` name."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from syncline.errors import BadSettings, UnknownSpace
from syncline.server.logs import ADAPTERS, JSONL, LMDB, POSTGRES, SQLITE, kind_of, load
from syncline.server.registry import FILE, SPACE
from syncline.stores.reading import LogReader

READERS = {
    SQLITE: ("syncline.stores.sqlite.reader", "SqliteReader", ".db"),
    LMDB: ("syncline.stores.lmdb.reader", "LmdbReader", ".lmdb"),
    JSONL: ("syncline.stores.jsonl.reader", "JsonLinesReader", ".jsonl"),
}


class Sources(Protocol):
    """Where there are logs to look at."""

    def names(self) -> list[str]:
        """The spaces that have a log, sorted."""

    def open(self, space: str) -> LogReader:
        """A log; whoever opened it closes it. Raises UnknownSpace if there is none."""

    def close(self) -> None:
        """Lets go of what they share; they were closed before."""


class FileSources:
    """Logs in files of a data directory."""

    def __init__(self, kind: str, data: Path) -> None:
        self._module, self._name, self._suffix = READERS[kind]
        self._directory = data / ADAPTERS[kind].directory

    def names(self) -> list[str]:
        """See ``Sources.names``."""
        if not self._directory.is_dir():
            return []
        found = (path.name.removesuffix(self._suffix) for path in self._directory.glob(f"*{self._suffix}"))
        return sorted(name for name in found if SPACE.fullmatch(name))

    def open(self, space: str) -> LogReader:
        """See ``Sources.open``."""
        path = self._directory / f"{space}{self._suffix}"
        if not path.exists():
            raise UnknownSpace(f"There is no log of a space {space} in {self._directory}.")
        reader: LogReader = load(self._module, self._name)(path)
        return reader

    def close(self) -> None:
        """See ``Sources.close``: each log is closed by itself."""


def open_sources(store: str, data: Path) -> Sources:
    """The logs of a server with these settings. Raises BadSettings."""
    kind = kind_of(store)
    if kind == POSTGRES:
        sources: Sources = load("syncline.stores.postgres.reader", "PostgresReaders")(store)
        return sources
    sources = FileSources(kind if store else _kind_in(data), data)
    if not sources.names() and not has_register(store, data):
        raise BadSettings(f"{data} is no data directory of a server: --data names another one.")
    return sources


def _kind_in(data: Path) -> str:
    """The store that a data directory has logs of; SQLite if it has none."""
    for kind in READERS:
        if FileSources(kind, data).names():
            return kind
    return SQLITE


def has_register(store: str, data: Path) -> bool:
    """Whether there is a register; in a database there always is."""
    return kind_of(store) == POSTGRES or (data / FILE).exists()
