"""For tests of adapters and of programs that sync: contract suites, a clock to move by hand, and a network to break.

    class TestMyStore(EventStoreContract):            # a store of one's own: subclass, give it, inherit every test
        def make(self, directory, epoch, receipts):
            return MyStore(directory / "log", epoch, receipts)

    server = LogServer(now_ms=ManualClock())          # a whole server in memory: no files, threads or ports
    transport = FaultyTransport(server.transport(), random_faults(random.Random(7), rate=0.2))

Needs ``pip install syncline[testing]``.
"""

from __future__ import annotations

import pytest

for _name in ("adoption", "document_index", "event_store", "log_store", "replica_store", "snapshot_store", "transport"):
    pytest.register_assert_rewrite(f"{__name__}.{_name}")

from syncline.testing.adoption import AdoptionContract  # noqa: E402
from syncline.testing.document_index import DocumentIndexContract  # noqa: E402
from syncline.testing.event_store import EventStoreContract  # noqa: E402
from syncline.testing.faults import Fault, FaultyTransport, random_faults  # noqa: E402
from syncline.testing.log_server import LogConnection, LogServer  # noqa: E402
from syncline.testing.log_store import LogStoreContract  # noqa: E402
from syncline.testing.replica_store import ReplicaStoreContract  # noqa: E402
from syncline.testing.seeded import Author, ManualClock, entropy_from, nodes_from  # noqa: E402
from syncline.testing.snapshot_store import SnapshotStoreContract  # noqa: E402
from syncline.testing.transport import Served, TransportContract  # noqa: E402

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
    "ReplicaStoreContract",
    "Served",
    "SnapshotStoreContract",
    "TransportContract",
    "entropy_from",
    "nodes_from",
    "random_faults",
]
