"""Syncline: a local-first sync engine. Events in a log, documents as folds of it, every node a replica.

import syncline

with syncline.open("notes.db", server="http://localhost:8080", token=token) as notes:
    milk = notes.create("task.milk", {"title": "Milk", "done": False, "tags": syncline.ORSet(["shop"])})
    milk["done"] = True                  # works offline, durable at once
    notes.sync()                         # or notes.start(): live, in the background
    milk.undo()
"""

from __future__ import annotations

from importlib.metadata import version as _version

from syncline.core.clocks import VectorClock
from syncline.core.documents.values import Counter, ORSet, Text
from syncline.core.events import Entry, Event
from syncline.core.versions import Ordering, SequenceVersion, StampVersion, Version
from syncline.errors import SynclineError
from syncline.replica import Draft, Refused, Replica, Status
from syncline.replica.documents import DocumentReplica, LiveDocument
from syncline.replica.documents.upcasts import upcast
from syncline.stores import EventStore, ReplicaStore
from syncline.sync import (
    ConflictResolver,
    FirstWriteWins,
    KeepBoth,
    LastWriteWins,
    ManualReview,
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
    "Refused",
    "Replica",
    "ReplicaStore",
    "ResolveByRules",
    "Rule",
    "SequenceVersion",
    "SignIn",
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
    "Version",
    "__version__",
    "open",
    "signed_in",
    "upcast",
]

__version__ = _version("syncline")
"""The version of this package."""
