"""Logs opened to look at them, also while a server or a program has them open: one by its address, or a server's."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from syncline.cli.addresses import Address
from syncline.core.log import Receipts
from syncline.errors import ForeignFile
from syncline.server.backups.sources import READERS, Sources, has_register, open_sources
from syncline.server.logs import POSTGRES, SQLITE, load
from syncline.server.registry import open_registry
from syncline.stores.reading import LogReader
from syncline.stores.sqlite.replica_reader import ReplicaReader

SECRET = "SELECT secret FROM secrets WHERE name = 'receipts'"


class LookedAt(NamedTuple):
    """The logs of a server, and by which receipts it vouches for their entries; None if it has no register."""

    sources: Sources
    receipts: Receipts | None

    def names(self) -> list[str]:
        """The spaces that have a log, sorted."""
        return self.sources.names()

    @contextmanager
    def open(self, space: str) -> Iterator[LogReader]:
        """One of them. Raises UnknownSpace."""
        with closing(self.sources.open(space)) as reader:
            yield reader


@contextmanager
def opened_server(store: str, data: Path) -> Iterator[LookedAt]:
    """The logs of a server with these settings. Raises BadSettings."""
    with closing(open_sources(store, data)) as sources:
        yield LookedAt(sources, _receipts(store, data))


@contextmanager
def opened_log(text: str) -> Iterator[LogReader]:
    """The log, or the replica, at an address; see ``addresses``."""
    address = Address.read(text)
    if address.store == POSTGRES:
        with opened_server(address.place, Path()) as server, server.open(address.space) as reader:
            yield reader
        return
    path = Path(address.place)
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    with closing(_opened(address.store, path)) as reader:
        yield reader


def _opened(store: str, path: Path) -> LogReader:
    module, name, _ = READERS[store]
    try:
        reader: LogReader = load(module, name)(path)
    except ForeignFile:
        if store != SQLITE:
            raise
        return ReplicaReader(path)
    return reader


def _receipts(store: str, data: Path) -> Receipts | None:
    if not has_register(store, data):
        return None
    with closing(open_registry(data, store, lambda: 0)) as registry, registry.database.reading() as cursor:
        secret = cursor.execute(SECRET).get
    return None if secret is None else Receipts(bytes(secret))
