"""Effects: what a session tells its replica to do, and what whoever runs the session does about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from syncline.core.beginning import Take
from syncline.core.events import Event
from syncline.core.limits import MAX_SAFE_INTEGER
from syncline.core.messages import Page, Peers, Welcome
from syncline.errors import SynclineError

WAIT_SECONDS = 1.0
"""How long a replica waits that was told to wait, but not how long."""


class Greet(NamedTuple):
    """Take note of what the server said of itself and of this replica."""

    welcome: Welcome


class Settle(NamedTuple):
    """Events have their answers: a seq, or the error that refused them."""

    answers: Sequence[tuple[Event, int | SynclineError]]


class Given(NamedTuple):
    """What was offered has its answers: a seq, or the error that refused it."""

    answers: Sequence[tuple[Event, int | SynclineError]]


class Apply(NamedTuple):
    """Store a page, which was asked for with these item patterns."""

    page: Page
    items: tuple[str, ...]


class Rewind(NamedTuple):
    """The log does not know the cursor: go back to an older one, none of those beyond ``head``."""

    head: int = MAX_SAFE_INTEGER


class Restamp(NamedTuple):
    """Give the pending events new ids from ``now_ms`` on; after a copy was noticed, under a new node id."""

    now_ms: int


class MarkCopied(NamedTuple):
    """Remember that another replica uses this node id, and that this event cannot be stored under its own."""

    event: Event


Effect = Greet | Settle | Given | Apply | Take | Rewind | Restamp | MarkCopied
"""What is done to the replica."""


class Wait(NamedTuple):
    """Wait some seconds, then take the same step again: the server was asked for too much at a time."""

    error: SynclineError

    @property
    def seconds(self) -> float:
        """How long."""
        return retry_seconds(self.error) or WAIT_SECONDS


class Meet(NamedTuple):
    """Take note of who is here. It comes at any moment, and answers nothing."""

    peers: Peers


def retry_seconds(error: SynclineError) -> float:
    """How long the server asks to wait; 0 if it did not say."""
    seconds = error.details.get("retry_after")
    return max(0.0, float(seconds)) if isinstance(seconds, int | float) else 0.0
