"""Both stores in memory: for tests, simulation and programs that keep nothing. The adapters to read."""

from __future__ import annotations

from syncline.stores.memory.events import MemoryEventStore
from syncline.stores.memory.replica import MemoryReplicaStore

__all__ = ["MemoryEventStore", "MemoryReplicaStore"]
