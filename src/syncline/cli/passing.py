"""How many events have gone over so far, while replicas come to agreement: shown on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from syncline.cli.terminal import err, progress
from syncline.core.events import Event
from syncline.replica import Replica


@contextmanager
def counting(what: str, *replicas: Replica, json: bool) -> Iterator[None]:
    """A bar while the block runs, with the count of the events that arrived at these replicas. ``json``: none."""
    if json or not err.is_terminal:
        yield
        return
    arrived = 0
    with progress(what, None) as advance, ExitStack() as listening:

        def note(events: list[Event]) -> None:
            nonlocal arrived
            arrived += len(events)
            advance(arrived)

        for replica in replicas:
            listening.callback(replica.watch_events(note))
        yield
