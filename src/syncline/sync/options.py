"""What a sync does and what it did: options and results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from syncline.core.effects import retry_seconds
from syncline.core.events import Event
from syncline.core.limits import MAX_PUSH_EVENTS
from syncline.errors import BadSettings, SynclineError
from syncline.sync.resolvers import ConflictResolver

LONGEST_SECONDS = 3_600.0
"""No server is left in peace for longer, whatever it asks for."""


@dataclass(frozen=True, kw_only=True)
class SyncOptions:
    """How to sync. Raises BadSettings for options that contradict each other."""

    push_only: bool = False
    pull_only: bool = False
    filter: Callable[[Event], bool] | None = None
    """Which events take part: of the local ones those to push (others stay pending), of others' those to keep."""
    items: Sequence[str] = ()
    """Item patterns; the server sends only these. Literals, or prefixes with one trailing ``*``; none means all."""
    history: bool = True
    """Whether a new replica pulls all that has been; if not, it begins from the server's newest snapshot of the space.
    Either way it takes the snapshot where the server's log no longer has what it would have to pull."""
    batch_size: int = MAX_PUSH_EVENTS
    """Events in one push, at most."""
    sync_interval: float | None = None
    """Seconds between automatic syncs; None stays connected and syncs at once."""
    resolver: ConflictResolver | None = None
    """Who decides when pending events meet concurrent ones of others; without one both stand."""
    attempts: int = 3
    """How often one ``sync`` tries when errors are retryable."""
    backoff_seconds: float = 0.25
    """Upper bound of the first pause after a retryable error; doubled each time, up to ``max_backoff_seconds``."""
    max_backoff_seconds: float = 30.0
    give_seconds: float = 30.0
    """What a log has lost of others is given back, in the background, after a random part of this: many hold it, and
    what one of them gives, the others need not. A ``sync`` that is asked for does not wait."""

    def __post_init__(self) -> None:
        if self.push_only and self.pull_only:
            raise BadSettings("push_only and pull_only exclude each other.")
        if not 1 <= self.batch_size <= MAX_PUSH_EVENTS:
            raise BadSettings(f"batch_size: must be between 1 and {MAX_PUSH_EVENTS}.")
        if self.attempts < 1 or min(self.backoff_seconds, self.give_seconds) < 0 or (self.sync_interval or 1) <= 0:
            raise BadSettings("attempts, backoff_seconds, give_seconds and sync_interval must be positive.")


@dataclass
class SyncResult:
    """What one sync did."""

    pushed: int = 0
    """Events the server stored, or had already."""
    given: int = 0
    """Entries that the server's log had lost, and has again."""
    mended: int = 0
    """Entries that a ``heal`` found missing, or other than they stand in the server's log."""
    pulled: int = 0
    """Entries that arrived."""
    bases: int = 0
    """Items that came as they stood at a snapshot, without their history."""
    conflicts: int = 0
    """Items on which pending events met concurrent ones of others, and it was decided what stands."""
    errors: list[SynclineError] = field(default_factory=list)
    """Refusals of single events, failures of the resolver, and last what ended the sync if it did not end well."""
    failure: SynclineError | None = None
    """What ended the sync, if it did not end well."""
    duration: float = 0.0
    """Seconds it took."""

    @property
    def ok(self) -> bool:
        """Whether everything went well."""
        return not self.errors


def pause_seconds(attempt: int, options: SyncOptions, chance: float, error: SynclineError | None = None) -> float:
    """Full jitter: a random part of a bound that doubles with each attempt. ``chance`` is from [0, 1).

    Not less than the server asked for with its ``error``, if that is no more than ``LONGEST_SECONDS``.
    """
    jitter = chance * min(options.max_backoff_seconds, options.backoff_seconds * 2.0 ** min(attempt, 32))
    return jitter + (min(retry_seconds(error), LONGEST_SECONDS) if error is not None else 0.0)
