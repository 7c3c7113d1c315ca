"""Where a server keeps the logs of its spaces: in files of its data directory, or in a database that it shares.

What an adapter needs beside Syncline is imported when it is chosen, so whoever does not choose it need not install it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from syncline.core.log import Receipts
from syncline.errors import BadSettings
from syncline.server.masking import masked
from syncline.stores import Logs

SQLITE, LMDB, JSONL, POSTGRES = "sqlite", "lmdb", "jsonl", "postgresql"
POSTGRES_URLS = ("postgresql://", "postgres://")


class _Adapter(NamedTuple):
    module: str
    name: str
    directory: str = ""
    """Below ``data``; none where the logs are elsewhere."""
    logs: str = "*"
    """What of it are logs."""


ADAPTERS = {
    SQLITE: _Adapter("syncline.stores.sqlite.logs", "SqliteLogs", "spaces", "*.db"),
    LMDB: _Adapter("syncline.stores.lmdb.logs", "LmdbLogs", "lmdb"),
    JSONL: _Adapter("syncline.stores.jsonl.logs", "JsonLinesLogs", "jsonl"),
    POSTGRES: _Adapter("syncline.stores.postgres.logs", "PostgresLogs"),
}


def kind_of(store: str) -> str:
    """Which adapter a setting names. Raises BadSettings."""
    kind = POSTGRES if store.startswith(POSTGRES_URLS) else store or SQLITE
    if kind not in ADAPTERS or store == POSTGRES:
        raise BadSettings(f"store: {masked(store)[:40]!r} is none of sqlite, lmdb, jsonl, or a URL postgresql://….")
    return kind


def open_logs(store: str, data: Path, receipts: Receipts) -> Logs:
    """The logs that the settings ``store`` and ``data`` name. Raises BadSettings, and what opening them raises."""
    kind = kind_of(store)
    _check_only(kind, data)
    chosen = ADAPTERS[kind]
    logs: Logs = load(chosen.module, chosen.name)(data / chosen.directory if chosen.directory else store, receipts)
    return logs


def _check_only(kind: str, data: Path) -> None:
    """Raises BadSettings if the directory has logs of another store: they would seem to be gone."""
    for other, adapter in ADAPTERS.items():
        if other != kind and adapter.directory and any((data / adapter.directory).glob(adapter.logs)):
            raise BadSettings(f"store: the logs in {data} are kept in {other}. Choose that, or another data directory.")


def load(module: str, name: str) -> Callable[..., Any]:
    """Something that needs an extra. Raises BadSettings, with what to install, if that is not there."""
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found
