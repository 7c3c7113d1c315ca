"""A replica's file on this machine: whether it is whole, and what was put aside because it was not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from syncline.cli.checks.findings import Checks, Finding, good, warning
from syncline.cli.files import looking_at
from syncline.cli.terminal import count
from syncline.stores.sqlite.mending import put_aside

UNPROVEN = "Its program looks through it whenever it opens it; close that, and look again."


def checks(path: Path) -> Checks:
    """The checks of a replica's file. Nothing of it is changed."""
    yield "put aside", lambda: aside(path)
    yield "replica", lambda: whole(path)


def aside(path: Path) -> Iterator[Finding]:
    """Files that were damaged."""
    for each in put_aside(path):
        advice = "What was whole of it went on in the new file. If that has all you miss, delete it, with its -wal."
        yield warning("put aside", f"{each} was damaged", advice)


def whole(path: Path) -> Iterator[Finding]:
    """Whether each page of it is as it was written. Raises StoreDamaged, which says what will become of it."""
    with looking_at(path) as store:
        if store.is_proven:
            yield good("replica", f"{path} is whole, up to seq {store.state().seq:,}")
        else:
            yield warning("replica", f"{path} is open in another program, or has no checksums yet", UNPROVEN)
        if refused := len(store.outbox("refused")):
            yield warning("replica", f"refused: {count(refused, 'event')}", f"syncline status {path} tells why.")
