"""A replica's half of giving back: what one session offers to a log that has lost it, and what becomes of that.

What is offered, and in which order: ``gifts``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from syncline.core import gifts
from syncline.core.effects import Given
from syncline.core.events import Event
from syncline.core.gifts import Offer
from syncline.core.limits import Limits
from syncline.core.messages import Ack, Give
from syncline.core.postponed import Postponed
from syncline.errors import BadRequest, SynclineError


class Giving:
    """What one session gives back."""

    def __init__(self, size: int, *, gives_all: bool) -> None:
        """``size``: entries in one message, at most."""
        self.gives_all = gives_all
        """Whether what others wrote is given back now, or later, if nobody else has done it by then."""
        self.withholds = False
        """Whether something waits for ``gives_all``."""
        self.given: Sequence[Event] = ()
        """What is on its way and has no answer yet."""
        self._size = size

    def next(self, offers: Sequence[Offer], user: str, items: Collection[str], limits: Limits) -> Give | None:
        """The next message; None if there is nothing to give now. On ``items`` something is to be pushed after it."""
        due = offers if self.gives_all else gifts.due(offers, user, items)
        self.withholds = len(due) < len(offers)
        batch = gifts.batch(due, min(self._size, limits.push_events), limits.body_bytes)
        self.given = [offer.event for offer in batch]
        return gifts.message(batch) if batch else None

    def settle(self, ack: Ack, postponed: Postponed) -> Given:
        """What became of what was given; what may be taken later is postponed. Raises BadRequest."""
        given, self.given = self.given, ()
        if len(ack.results) != len(given):
            raise BadRequest("The server answered another number of entries than were given.")
        answers: list[tuple[Event, int | SynclineError]] = []
        for event, result in zip(given, ack.results, strict=True):
            error = result.refusal
            if error is None or not error.retryable:
                answers.append((event, error or result.seq or 0))
            else:
                postponed.add(event, error)
        return Given(answers)

    def halve(self, error: SynclineError) -> list[Given]:
        """The server cannot read the message: fewer at a time show which entry it is, and that one is refused."""
        given, self.given = self.given, ()
        self._size = max(1, len(given) // 2)
        return [Given([(given[0], error)])] if len(given) == 1 else []
