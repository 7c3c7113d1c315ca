"""Where hashes are computed: in one long-lived process beside the server, which stands behind everything else.

In a thread of the server each hash would make the event loop wait for the interpreter's lock and for the processor:
the p99 of pushes beside 20 logins was 18 ms with a thread and 12 ms with a process, without logins 8 ms (medians of 11
runs by turns, on 2 cores of which other programs took one). With nothing else to do there it is 3 to 7 ms with a
process, and 1 ms without logins. A process costs 34 MB, and the first hash the time of its start.
Where there is no such process, or where it gets no processor because the machine is full, this thread computes instead:
a login is slow then, and never without an end.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from contextlib import suppress
from typing import Any

from syncline.server.auth import argon2id

log = logging.getLogger(__name__)

PROGRAM = "syncline.server.auth.argon2id"
PATIENCE_SECONDS = 1.0
"""For an answer: a hash takes 20 to 50 ms where there is a processor for it."""
START_SECONDS = 10.0
AT_ONCE_SECONDS = 1e-6
LINE_BYTES = 4_096
STARTS = 3
"""Processes that may end without an answer, one after the other, before there are no more."""


class Hasher:
    """Computes one hash at a time, for one thread. ``close`` it."""

    def __init__(self, *, apart: bool = True) -> None:
        """``apart``: in a process of its own, which is started by the first hash."""
        self._starts = STARTS if apart and _can_start() else 0
        self._process: _Process | None = None

    def compute(self, what: str, how: Any, text: str) -> str | bool:
        """As ``argon2id.compute``."""
        while process := self._running():
            try:
                answer = process.ask([what, how, text])
            except (OSError, ValueError):
                self._ended()
                continue
            if answer is None:
                break
            self._starts = STARTS
            return answer
        return argon2id.compute(what, how, text)

    @property
    def pid(self) -> int | None:
        """The process; None if there is none now."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """Ends the process."""
        self._starts = 0
        if self._process is not None:
            self._process.end()
            self._process = None

    def _running(self) -> _Process | None:
        while self._process is None and self._starts:
            try:
                self._process = _Process()
            except (OSError, ValueError):
                self._ended()
        return self._process

    def _ended(self) -> None:
        self._starts -= 1
        log.warning("The process that hashes passwords has ended%s.", "" if self._starts else "; a thread does it now")
        if self._process is not None:
            self._process.end()
            self._process = None


class _Process:
    """The program, and the socket to it. What is sent over that appears nowhere else."""

    def __init__(self) -> None:
        """Raises OSError or ValueError if it does not start."""
        self._socket, its = socket.socketpair()
        try:
            self._process = _started(its)
        except OSError:
            self._socket.close()
            raise
        self._came = b""
        self._owes = 1
        """Answers that are still to come, with the greeting."""
        try:
            self._settle(START_SECONDS)
        except (OSError, ValueError):
            self.end()
            raise

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    def ask(self, question: list[Any]) -> str | bool | None:
        """The answer; None if it takes too long. Raises OSError or ValueError if the process has ended."""
        with suppress(TimeoutError):
            self._settle(AT_ONCE_SECONDS)
            self._socket.settimeout(PATIENCE_SECONDS)
            self._socket.sendall(json.dumps(question).encode("ascii") + b"\n")
            self._owes += 1
            return self._settle(PATIENCE_SECONDS)
        return None

    def _settle(self, seconds: float) -> str | bool | None:
        """The last answer that is owed. Raises TimeoutError, OSError or ValueError."""
        answer: str | bool | None = None
        while self._owes:
            self._socket.settimeout(seconds)
            answer = json.loads(self._line())
            self._owes -= 1
        return answer

    def _line(self) -> bytes:
        while b"\n" not in self._came:
            more = self._socket.recv(LINE_BYTES)
            if not more:
                raise OSError("The process has ended.")
            self._came += more
        line, _, self._came = self._came.partition(b"\n")
        return line

    def end(self) -> None:
        """Kills it, and waits until it is gone."""
        self._socket.close()
        self._process.kill()
        self._process.wait()


def _started(its: socket.socket) -> subprocess.Popen[bytes]:
    """The program with its end of the socket. It finds modules where this process does."""
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-P", "-m", PROGRAM]
    with its:
        return subprocess.Popen(
            command,
            stdin=its.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )


def _can_start() -> bool:
    """Whether ``sys.executable`` is an interpreter that can be told to run a program."""
    return os.name == "posix" and bool(sys.executable) and not getattr(sys, "frozen", False)
