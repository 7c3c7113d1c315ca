"""The networked half: sync a replica with a server, once or live."""

from __future__ import annotations

from syncline.sync.background import SyncedReplica, open
from syncline.sync.manager import SyncManager
from syncline.sync.options import SyncOptions, SyncResult
from syncline.sync.resolvers import (
    ConflictResolver,
    FirstWriteWins,
    KeepBoth,
    LastWriteWins,
    ManualReview,
    ResolveByRules,
    Rule,
)
from syncline.sync.sign_in import SignIn, signed_in

__all__ = [
    "ConflictResolver",
    "FirstWriteWins",
    "KeepBoth",
    "LastWriteWins",
    "ManualReview",
    "ResolveByRules",
    "Rule",
    "SignIn",
    "SyncManager",
    "SyncOptions",
    "SyncResult",
    "SyncedReplica",
    "open",
    "signed_in",
]
