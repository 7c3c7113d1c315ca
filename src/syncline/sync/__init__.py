"""The networked half: sync a replica with a server, once or live."""

from __future__ import annotations

from syncline.sync.background import SyncedReplica, open
from syncline.sync.manager import SyncManager
from syncline.sync.options import ConflictResolver, LastWriteWins, SyncOptions, SyncResult

__all__ = [
    "ConflictResolver",
    "LastWriteWins",
    "SyncManager",
    "SyncOptions",
    "SyncResult",
    "SyncedReplica",
    "open",
]
