"""Programs that are forked by a process which has imported the server already: that takes longer than a short test."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["syncline.server.run", __name__])


def carry_out(program: str, argument: str, out: Connection, log: str) -> None:
    """What ``python -c program argument >out 2>>log`` does, in a process that was forked."""
    os.dup2(out.fileno(), 1)
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT), 2)
    sys.argv = ["-c", argument]
    exec(program, {"__name__": "__main__"})


class Forked:
    """As much of ``subprocess.Popen`` as these tests ask for."""

    def __init__(self, program: str, argument: str, log: Path) -> None:
        reading, writing = CONTEXT.Pipe(duplex=False)
        # A daemon, so that it does not outlive the tests whatever happens to them.
        self._process = CONTEXT.Process(target=carry_out, args=(program, argument, writing, str(log)), daemon=True)
        with writing:
            self._process.start()
        with reading:
            self.stdout = os.fdopen(os.dup(reading.fileno()), "rb")
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a forked server", timeout or 0)
        if self.stdout.closed:
            return b"", b""
        with self.stdout:
            return self.stdout.read(), b""
