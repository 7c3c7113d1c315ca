"""The register in a SQLite file of the data directory, for one server and the command line beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from syncline.server.register.schema import SCHEMA
from syncline.stores.tables.database import Database


class RegisterFile(Database):
    """See ``register.database``. Every transaction that writes is alone."""

    is_remote = False

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.touch(mode=0o600)  # it holds secrets, and SQLite gives the files beside it the same mode
        super().__init__(path, SCHEMA, shared=True)

    @contextmanager
    def writing(self, *, durable: bool = True, alone: bool = True) -> Iterator[Any]:
        """A transaction; see ``register.database``."""
        with super().writing(durable=durable) as cursor:
            yield cursor

    @contextmanager
    def holding(self, name: str) -> Iterator[bool]:
        """Always so: a data directory has one server, which holds a lock on it."""
        yield True
