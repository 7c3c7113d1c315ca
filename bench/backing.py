"""PostgreSQL and NATS for the figures that need one: started as the tests start theirs, but on the bench's disk."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bench.plan import Skipped
from tests.nats import NatsServer, nats_server
from tests.postgres import Cluster


@contextmanager
def postgres(folder: Path) -> Iterator[Cluster]:
    """A PostgreSQL that waits for the disk, with its data in this folder. Raises Skipped where there is none."""
    try:
        cluster = Cluster(fsync=True, data=folder / "postgres")
    except pytest.skip.Exception as problem:
        raise Skipped(str(problem)) from None
    with closing(cluster):
        yield cluster


@contextmanager
def nats() -> Iterator[NatsServer]:
    """A NATS that keeps nothing. Raises Skipped where there is none."""
    try:
        server = nats_server()
        started = server.__enter__()
    except pytest.skip.Exception as problem:
        raise Skipped(str(problem)) from None
    try:
        yield started
    finally:
        server.__exit__(None, None, None)
