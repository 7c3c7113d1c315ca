"""Where a log is kept, as one says it on a command line, and opening it there.

spaces/home.db                       a SQLite file             sqlite:PATH, whatever it is called
lmdb/home.lmdb                       a folder of LMDB          lmdb:FOLDER
jsonl/home.jsonl                     a folder of JSON Lines    jsonl:FOLDER
postgresql://user@host/database#home                           one space of a PostgreSQL database
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from syncline.core.log import Receipts
from syncline.errors import BadSettings, UnknownSpace
from syncline.server.logs import JSONL, LMDB, POSTGRES, POSTGRES_URLS, SQLITE, load
from syncline.server.masking import masked
from syncline.server.registry import check_space
from syncline.stores import LogStore

SUFFIXES = {".db": SQLITE, ".lmdb": LMDB, ".jsonl": JSONL}
STORES = {
    SQLITE: ("syncline.stores.sqlite.events", "SqliteEventStore"),
    LMDB: ("syncline.stores.lmdb.events", "LmdbEventStore"),
    JSONL: ("syncline.stores.jsonl.events", "JsonLinesEventStore"),
}
NONE_ISSUED = Receipts(b"")
"""For stores that nobody appends to here: entries keep the receipts they have."""


class Address(NamedTuple):
    """Where a log is kept: the store, the path or the database's URL, and of the latter the space."""

    store: str
    place: str
    space: str = ""

    @classmethod
    def read(cls, text: str) -> Address:
        """Raises BadSettings for what is none."""
        if text.startswith(POSTGRES_URLS):
            url, _, space = text.partition("#")
            if not space:
                raise BadSettings("Which space of the database? Say postgresql://user@host/database#space.")
            return cls(POSTGRES, url, check_space(space))
        store, _, path = text.partition(":")
        if store in STORES and path:
            return cls(store, path)
        suffix = Path(text).suffix
        if suffix not in SUFFIXES:
            raise BadSettings(
                f"{masked(text)!r} says no store: a path that ends with .db, .lmdb or .jsonl, sqlite:PATH, "
                "lmdb:FOLDER, jsonl:FOLDER, or postgresql://user@host/database#space."
            )
        return cls(SUFFIXES[suffix], text)

    def is_same(self, other: Address) -> bool:
        """Whether both are the same log, as far as one sees."""
        if POSTGRES in (self.store, other.store):
            return self == other
        return Path(self.place).resolve() == Path(other.place).resolve()

    @contextmanager
    def open(self, *, makes: bool) -> Iterator[LogStore]:
        """The log there, for nobody else meanwhile unless the store is shared. ``makes``: it need not be there.

        Raises FileNotFoundError, UnknownSpace, StoreLocked, and whatever else opening it raises.
        """
        if self.store == POSTGRES:
            with self._opened_in_database(makes=makes) as store:
                yield store
            return
        self._check_there(makes=makes)
        with closing(load(*STORES[self.store])(Path(self.place), NONE_ISSUED)) as store:
            yield store

    @contextmanager
    def _opened_in_database(self, *, makes: bool) -> Iterator[LogStore]:
        postgres_logs = load("syncline.stores.postgres.logs", "PostgresLogs")
        with closing(postgres_logs(self.place, NONE_ISSUED)) as logs:
            if not makes and not logs.heads([self.space]):
                raise UnknownSpace(f"The database has no log of a space {self.space}.")
            with closing(logs.open(self.space)) as store:
                yield store

    def _check_there(self, *, makes: bool) -> None:
        """Raises FileNotFoundError: what is not there would be made."""
        path = Path(self.place)
        missing = path.parent if makes else path
        is_empty = not makes and path.is_dir() and not any(path.iterdir())
        if not missing.exists() or is_empty:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(missing))
