"""For tests of adapters and of programs that sync: contract suites, a small world in memory, and a network to break.

    class TestMyStore(EventStoreContract):            # a store of one's own: subclass, give it, inherit every test
        def make(self, directory, epoch, receipts):
            return MyStore(directory / "log", epoch, receipts)

    ann, bob = pair()                                 # a server in memory and two replicas: no files, threads or ports
    bob.line.fail(Fault.DROP_ANSWER)

Needs ``pip install syncline[testing]``. The fixtures of ``plugin`` are there without an import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from syncline.testing.adoption import AdoptionContract
    from syncline.testing.document_index import DocumentIndexContract
    from syncline.testing.event_store import EventStoreContract
    from syncline.testing.faults import Fault, FaultyTransport, random_faults, ticking
    from syncline.testing.log_server import LogConnection, LogServer
    from syncline.testing.log_store import LogStoreContract
    from syncline.testing.pairs import Pair, PairedReplica, pair
    from syncline.testing.replica_store import ReplicaStoreContract
    from syncline.testing.seeded import Author, ManualClock, entropy_from, nodes_from
    from syncline.testing.snapshot_store import SnapshotStoreContract
    from syncline.testing.transport import Served, TransportContract

__all__ = [
    "AdoptionContract",
    "Author",
    "DocumentIndexContract",
    "EventStoreContract",
    "Fault",
    "FaultyTransport",
    "LogConnection",
    "LogServer",
    "LogStoreContract",
    "ManualClock",
    "Pair",
    "PairedReplica",
    "ReplicaStoreContract",
    "Served",
    "SnapshotStoreContract",
    "TransportContract",
    "entropy_from",
    "nodes_from",
    "pair",
    "random_faults",
    "ticking",
]

_HOME = {
    "AdoptionContract": "adoption",
    "Author": "seeded",
    "DocumentIndexContract": "document_index",
    "EventStoreContract": "event_store",
    "Fault": "faults",
    "FaultyTransport": "faults",
    "LogConnection": "log_server",
    "LogServer": "log_server",
    "LogStoreContract": "log_store",
    "ManualClock": "seeded",
    "Pair": "pairs",
    "PairedReplica": "pairs",
    "ReplicaStoreContract": "replica_store",
    "Served": "transport",
    "SnapshotStoreContract": "snapshot_store",
    "TransportContract": "transport",
    "entropy_from": "seeded",
    "nodes_from": "seeded",
    "pair": "pairs",
    "random_faults": "faults",
    "ticking": "faults",
}

for _name in (
    "adoption",
    "base_store",
    "digests",
    "document_index",
    "event_store",
    "log_store",
    "replica_changes",
    "replica_store",
    "snapshot_store",
    "transport",
):
    pytest.register_assert_rewrite(f"{__name__}.{_name}")


def __getattr__(name: str) -> Any:
    """What is asked for is imported then: pytest imports this package everywhere, for the fixtures of ``plugin``."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return found


def __dir__() -> list[str]:
    return __all__
