"""Syncline: a local-first sync engine. Events in a log, documents as folds of it, every node a replica.

import syncline

with syncline.open("notes.db", server="http://localhost:8080", token=token) as notes:
    milk = notes.create("task.milk", {"title": "Milk", "done": False, "tags": syncline.ORSet(["shop"])})
    milk["done"] = True                  # works offline, durable at once
    notes.sync()                         # or notes.start(): live, in the background
    milk.undo()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syncline.core.clocks import VectorClock
    from syncline.core.documents.values import Counter, ORSet, Text
    from syncline.core.events import Entry, Event
    from syncline.core.presence import Peer
    from syncline.core.versioning import SequenceManager, StampManager, VectorClockManager, VersionManager
    from syncline.core.versions import Ordering, SequenceVersion, StampVersion, Version
    from syncline.errors import SynclineError
    from syncline.replica import Draft, Refused, Replica, Status
    from syncline.replica.documents import DocumentReplica, LiveDocument
    from syncline.replica.documents.upcasts import upcast
    from syncline.stores import EventStore, ReplicaStore
    from syncline.stores.versioned import VersionedStore
    from syncline.sync import (
        ConflictResolver,
        FirstWriteWins,
        KeepBoth,
        LastWriteWins,
        ManualReview,
        Presence,
        ResolveByRules,
        Rule,
        SignIn,
        SyncedReplica,
        SyncManager,
        SyncOptions,
        SyncResult,
        open,
        signed_in,
    )
    from syncline.transports import Transport

__all__ = [
    "ConflictResolver",
    "Counter",
    "DocumentReplica",
    "Draft",
    "Entry",
    "Event",
    "EventStore",
    "FirstWriteWins",
    "KeepBoth",
    "LastWriteWins",
    "LiveDocument",
    "ManualReview",
    "ORSet",
    "Ordering",
    "Peer",
    "Presence",
    "Refused",
    "Replica",
    "ReplicaStore",
    "ResolveByRules",
    "Rule",
    "SequenceManager",
    "SequenceVersion",
    "SignIn",
    "StampManager",
    "StampVersion",
    "Status",
    "SyncManager",
    "SyncOptions",
    "SyncResult",
    "SyncedReplica",
    "SynclineError",
    "Text",
    "Transport",
    "VectorClock",
    "VectorClockManager",
    "Version",
    "VersionManager",
    "VersionedStore",
    "__version__",
    "open",
    "signed_in",
    "upcast",
]

_HOME = {
    "ConflictResolver": "sync",
    "Counter": "core.documents.values",
    "DocumentReplica": "replica.documents",
    "Draft": "replica",
    "Entry": "core.events",
    "Event": "core.events",
    "EventStore": "stores",
    "FirstWriteWins": "sync",
    "KeepBoth": "sync",
    "LastWriteWins": "sync",
    "LiveDocument": "replica.documents",
    "ManualReview": "sync",
    "ORSet": "core.documents.values",
    "Ordering": "core.versions",
    "Peer": "core.presence",
    "Presence": "sync",
    "Refused": "replica",
    "Replica": "replica",
    "ReplicaStore": "stores",
    "ResolveByRules": "sync",
    "Rule": "sync",
    "SequenceManager": "core.versioning",
    "SequenceVersion": "core.versions",
    "SignIn": "sync",
    "StampManager": "core.versioning",
    "StampVersion": "core.versions",
    "Status": "replica",
    "SyncManager": "sync",
    "SyncOptions": "sync",
    "SyncResult": "sync",
    "SyncedReplica": "sync",
    "SynclineError": "errors",
    "Text": "core.documents.values",
    "Transport": "transports",
    "VectorClock": "core.clocks",
    "VectorClockManager": "core.versioning",
    "Version": "core.versions",
    "VersionManager": "core.versioning",
    "VersionedStore": "stores.versioned",
    "open": "sync",
    "signed_in": "sync",
    "upcast": "replica.documents.upcasts",
}


def __getattr__(name: str) -> Any:
    """What is asked for is imported then, so that nobody waits for what they do not use."""
    if name == "__version__":
        from importlib.metadata import version

        found: Any = version("syncline")
    elif name in _HOME:
        found = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
