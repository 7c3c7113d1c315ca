"""Argon2id (RFC 9106): the only module that knows argon2. Run as a program it computes for the server that started it.

It imports nothing of the package, so that the program is small. Its standard input is one end of a socket: a line of
JSON comes, ``["hash", cost, text]`` or ``["verify", hashed, text]``, and its answer goes back, in order. What comes
first is ``null``: it is ready. It ends when the other end is closed, however the server came to its end.
"""

import json
import os
import signal
import socket
from contextlib import suppress
from typing import Any, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

NICENESS = 19


class Cost(NamedTuple):
    """What a hash costs: by default 20 to 50 ms, and 19 MiB meanwhile."""

    memory_kib: int = 19_456
    passes: int = 2
    lanes: int = 1


def compute(what: str, how: Any, text: str) -> str | bool:
    """The encoded hash of a text at a ``Cost``, or whether a text has a hash; False for what is no hash."""
    if what == "hash":
        return _hasher(Cost(*how)).hash(text)
    try:
        return PasswordHasher().verify(how, text)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(hashed: str, cost: Cost) -> bool:
    """Whether a hash was made at another cost. Raises ValueError for what is no hash."""
    return _hasher(cost).check_needs_rehash(hashed)


def _hasher(cost: Cost) -> PasswordHasher:
    return PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes)


def serve(server: socket.socket) -> None:
    """Answers until the other end is closed."""
    with server, server.makefile("rw", encoding="ascii", newline="\n") as lines:
        print("null", file=lines, flush=True)
        stand_back()
        for line in lines:
            print(json.dumps(compute(*json.loads(line))), file=lines, flush=True)


def stand_back() -> None:
    """Lets all other work of the machine go first, where that can be said."""
    with suppress(OSError):
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        else:
            os.nice(NICENESS)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the server's, which ends this one
    with suppress(OSError):
        serve(socket.socket(fileno=0))
