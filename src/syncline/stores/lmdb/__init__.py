"""Logs in LMDB: an environment, which is a folder, for each space."""

from __future__ import annotations

from syncline.stores.lmdb.events import LmdbEventStore
from syncline.stores.lmdb.logs import LmdbLogs

__all__ = [
    "LmdbEventStore",
    "LmdbLogs",
]
