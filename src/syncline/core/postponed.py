"""What a session holds back for a while: the items whose events had a retryable answer, and why."""

from __future__ import annotations

from syncline.core.effects import retry_seconds
from syncline.core.events import Event
from syncline.errors import SynclineError


class Postponed:
    """Items that are neither pushed nor given back until ``clear``, so that their events stay in order."""

    def __init__(self) -> None:
        self.items: set[str] = set()
        self.errors: dict[str, SynclineError] = {}
        """Why: the last error of each code."""
        self.seconds = 0.0
        """After how long, at the earliest, the server wants to see them again; 0: it did not say."""

    def add(self, event: Event, error: SynclineError) -> None:
        """This event may be stored later, because of this error."""
        self.items.add(event.item)
        self.errors[error.code] = error
        self.seconds = max(self.seconds, retry_seconds(error))

    def clear(self) -> None:
        """They may all be tried again."""
        self.items.clear()
        self.errors = {}
        self.seconds = 0.0
