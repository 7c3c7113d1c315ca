"""What a peer is to the benchmark: a server process, and the bytes one speaks to it.

`Peer` is the server's side. `Pushes`, `Pulls` and `Lives` are the load generator's, and a peer has those
that it can do. All of it is plain bytes, made before the clock runs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from bench.events import Event
from bench.wire import Reply


class Step(NamedTuple):
    """Part of a greeting: send this, then read until that has come (nothing: do not wait)."""

    send: bytes
    until: bytes


class Peer(Protocol):
    name: str
    note: str
    ready_path: str | None  # HTTP path that answers 2xx when ready; None: the port is enough

    def install(self) -> None:
        """Get the packages, once. Raises NotInstalled."""
        ...

    def command(self, port: int, folder: Path) -> list[str]:
        """How to start it on loopback with its data in `folder`."""
        ...

    def prepare(self, port: int) -> None:
        """Make the database, stream or space in a server that has just started."""
        ...


class Pushes(Protocol):
    def greeting(self, number: int) -> Sequence[Step]:
        """Make a connection (the `number`th) ready to push."""
        ...

    def push(self, number: int, events: Sequence[Event]) -> bytes:
        """One request (or a pipelined run of them) that stores `events`."""
        ...

    def reply(self, events: int) -> Reply | None:
        """What answers such a push; None where nothing does."""
        ...


class Pulls(Protocol):
    marker: bytes  # once in every entry

    def pull(self, cursor: str, limit: int) -> bytes: ...

    def next_cursor(self, tail: bytes) -> str:
        """From the end of a page."""
        ...


class Lives(Pushes, Protocol):
    marker: bytes  # once in every entry
    keepalive: bytes

    def subscriptions(self, port: int, count: int) -> list[Sequence[Step]]:
        """What makes each of `count` connections a subscriber to what comes from now on."""
        ...
