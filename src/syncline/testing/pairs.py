"""A server in memory and replicas that are ready to sync with it: a whole small world, without files, threads or ports.

Time stands still until its clock is moved, and all that is random comes from one seed, so that a test that failed fails
again. What it leaves to others: rules and users (the server takes every user's name for credentials, and allows all).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Any, Self

from syncline.replica.documents import DocumentReplica
from syncline.stores.memory import MemoryReplicaStore
from syncline.sync import SyncManager, SyncOptions, SyncResult
from syncline.testing.faults import FaultyTransport
from syncline.testing.log_server import LogServer
from syncline.testing.seeded import ManualClock, entropy_from, nodes_from

ROUNDS = 100
AT_ONCE = SyncOptions(backoff_seconds=0)
"""Nobody waits before it tries again."""


class PairedReplica(DocumentReplica):
    """A replica of a user with a line to a server in memory, which may be made to fail."""

    def __init__(self, server: LogServer, user: str, clock: ManualClock, chance: random.Random) -> None:
        make_node, entropy = nodes_from(chance), entropy_from(chance)
        super().__init__(MemoryReplicaStore(make_node()), now_ms=clock, entropy=entropy, make_node=make_node)
        self.line = FaultyTransport(server.transport())
        """``line.fail(…)`` for the next requests, ``line.partitioned = True`` for as long as it is."""
        self.manager = SyncManager(self, self.line, AT_ONCE, token=user, chance=chance.random)
        """For tests with an event loop: ``await replica.manager.sync()``."""

    def sync(self) -> SyncResult:
        """Pushes what is pending and pulls what is new. Errors are in the result."""
        return asyncio.run(self.manager.sync())


class Pair(Sequence[PairedReplica]):
    """Replicas, their ``server`` and the ``clock`` of all of them. Unpack it: ``ann, bob = pair()``."""

    def __init__(self, server: LogServer, clock: ManualClock, replicas: Sequence[PairedReplica]) -> None:
        self.server, self.clock = server, clock
        self._replicas = tuple(replicas)

    def sync(self) -> None:
        """Syncs all, again and again, until nothing moves any more. Raises the first error of any."""
        for _ in range(ROUNDS):
            results = [replica.sync() for replica in self]
            for error in (error for result in results for error in result.errors):
                raise error
            if not any(result.pushed or result.pulled for result in results):
                return
        raise AssertionError(f"After {ROUNDS} rounds there is still something new: who writes while this syncs?")

    def __getitem__(self, index: Any) -> Any:
        return self._replicas[index]

    def __iter__(self) -> Iterator[PairedReplica]:
        return iter(self._replicas)

    def __len__(self) -> int:
        return len(self._replicas)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the replicas; in memory nothing is left of them then."""
        for replica in self:
            replica.close()


def pair(*users: str, server: LogServer | None = None, clock: ManualClock | None = None, seed: int = 0) -> Pair:
    """A replica for each user, of one server. Without users two: ann's and bob's. The same from the same ``seed``."""
    clock = clock or ManualClock()
    server = server or LogServer(now_ms=clock)
    chance = random.Random(seed)
    replicas = [PairedReplica(server, user, clock, chance) for user in users or ("ann", "bob")]
    return Pair(server, clock, replicas)
