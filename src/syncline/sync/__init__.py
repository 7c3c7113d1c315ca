"""The networked half: sync a replica with a server, once or live.

What is asked for is imported then, because only some of it needs the network's libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syncline.sync.background import SyncedReplica, open
    from syncline.sync.manager import SyncManager
    from syncline.sync.options import SyncOptions, SyncResult
    from syncline.sync.presence import Presence
    from syncline.sync.replica_peer import ReplicaPeer
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
    "Presence",
    "ReplicaPeer",
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

_HOME = {
    "ConflictResolver": "resolvers",
    "FirstWriteWins": "resolvers",
    "KeepBoth": "resolvers",
    "LastWriteWins": "resolvers",
    "ManualReview": "resolvers",
    "Presence": "presence",
    "ReplicaPeer": "replica_peer",
    "ResolveByRules": "resolvers",
    "Rule": "resolvers",
    "SignIn": "sign_in",
    "SyncManager": "manager",
    "SyncOptions": "options",
    "SyncResult": "options",
    "SyncedReplica": "background",
    "open": "background",
    "signed_in": "sign_in",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return found


def __dir__() -> list[str]:
    return __all__
