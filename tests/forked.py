"""Programs that are forked by a process which has imported already what they need: that takes longer than a short test.

Each is a process of its own all the same, with pipes, a directory, variables and an exit code of its own.
"""

import io
import os
import runpy
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from tests.processes import DEADLINE

IMPORTED = ["syncline.server.run", "syncline.sync", "httpcore2", "rich.console", "typer", __name__]
"""Nothing that looks at variables or at a terminal when it is imported."""

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(IMPORTED)


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


def run(arguments: list[str], input: str, directory: Path, variables: dict[str, str]) -> tuple[int, str, str]:
    """What ``python -um syncline`` does with these arguments, on pipes: its exit code, stdout and stderr."""
    (stdin, feed), (out, stdout), (err, stderr) = (CONTEXT.Pipe(duplex=False) for _ in range(3))
    what = (arguments, directory, variables, stdin, stdout, stderr)
    process = CONTEXT.Process(target=command, args=what, daemon=True)
    process.start()
    for end in (stdin, stdout, stderr):
        end.close()
    with ThreadPoolExecutor(3) as pool:
        fed, *said = pool.submit(write, feed, input), pool.submit(read, out), pool.submit(read, err)
        process.join(DEADLINE)
        process.kill()  # whoever has not ended by now; its exit code tells
        process.join()
        fed.result()
        return process.exitcode, said[0].result(), said[1].result()


def write(pipe: Connection, text: str) -> None:
    """Everything to a pipe, as far as somebody reads it."""
    with pipe, suppress(BrokenPipeError), os.fdopen(os.dup(pipe.fileno()), "w") as file:
        file.write(text)


def read(pipe: Connection) -> str:
    """Everything that comes out of a pipe."""
    with pipe, os.fdopen(os.dup(pipe.fileno())) as file:
        return file.read()


def command(arguments: list[str], directory: Path, variables: dict[str, str], *pipes: Connection) -> None:
    """The command line, in a process that was forked."""
    for number, pipe in enumerate(pipes):
        os.dup2(pipe.fileno(), number)
        pipe.close()
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), errors="backslashreplace", write_through=True)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    sys.argv[1:] = arguments
    runpy.run_module("syncline", run_name="__main__", alter_sys=True)
