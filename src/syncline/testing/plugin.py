"""Fixtures for pytest, there as soon as Syncline is installed. Importing this imports nothing else of it.

``-p no:syncline.testing.plugin`` leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from syncline.testing.log_server import LogServer
    from syncline.testing.pairs import Pair, PairedReplica
    from syncline.testing.seeded import ManualClock


@pytest.fixture
def manual_clock() -> ManualClock:
    """The time of ``syncline_server`` and of its replicas: it stands still until it is moved."""
    from syncline.testing.seeded import ManualClock

    return ManualClock()


@pytest.fixture
def syncline_server(manual_clock: ManualClock) -> LogServer:
    """A server in memory."""
    from syncline.testing.log_server import LogServer

    return LogServer(now_ms=manual_clock)


@pytest.fixture
def syncline_pair(syncline_server: LogServer, manual_clock: ManualClock) -> Iterator[Pair]:
    """Two replicas of ``syncline_server``: ann's and bob's."""
    from syncline.testing.pairs import pair

    with pair(server=syncline_server, clock=manual_clock) as both:
        yield both


@pytest.fixture
def syncline_replica(syncline_server: LogServer, manual_clock: ManualClock) -> Iterator[PairedReplica]:
    """One replica of ``syncline_server``: carl's."""
    from syncline.testing.pairs import pair

    with pair("carl", server=syncline_server, clock=manual_clock, seed=1) as (replica,):
        yield replica
