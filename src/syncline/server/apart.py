"""What was made apart: the events of a log that did not know of an earlier one, until an answer knows of both.

Vector clocks tell. An answer is written by somebody who has the whole log of its item, so what its clock covers is
decided, in every process that reads that log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from syncline.core.events import Event
from syncline.replica import Conflict
from syncline.replica.clocks import saw
from syncline.replica.conflicts import are_concurrent

KEPT_EVENTS = 1_000
"""Events of an item that wait for an answer together; if nobody answers, the older ones are left as they are."""


class Apart:
    """The undecided events of one log, whose answers are the events of one user. Takes the events in its order."""

    def __init__(self, user: str) -> None:
        self._user = user
        self._seen: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._late: dict[str, list[Event]] = {}
        self._news: dict[str, None] = {}

    def begin(self, item: str, clock: Mapping[str, int]) -> None:
        """The log is read from where an item stands like this: what was apart before that is left as it is."""
        self._seen[item] = dict(clock)

    def note(self, event: Event) -> None:
        """Takes the next event of the log."""
        if event.user == self._user:
            self._answer(event)
        seen = self._seen[event.item]
        if any(n > event.clock.get(node, 0) for node, n in seen.items()):
            late = self._late.setdefault(event.item, [])
            late.append(event)
            del late[:-KEPT_EVENTS]
            self._news[event.item] = None
        saw(seen, event)

    def _answer(self, answer: Event) -> None:
        late = self._late.pop(answer.item, [])
        if left := [each for each in late if each.n > answer.clock.get(each.node, 0)]:
            self._late[answer.item] = left

    def news(self) -> list[str]:
        """The items of which there is more to decide than when this was asked last."""
        news, self._news = self._news, {}
        return [item for item in news if item in self._late]

    def look_again(self, item: str) -> None:
        """There is more to decide of an item than it seemed."""
        self._news[item] = None

    def leave(self, item: str) -> None:
        """What there is of an item stays as it is."""
        self._late.pop(item, None)

    def conflict(self, item: str, events: Iterable[Event]) -> Conflict | None:
        """What is to be decided, given the events of an item in the order of the log; None if it is not among them.

        Remote is what did not know of an earlier event, local what it did not know.
        """
        late = self._late.get(item, [])
        ids = {event.id for event in late}
        local = (event for event in events if event.id not in ids)
        missed = tuple(event for event in local if any(are_concurrent(event, each) for each in late))
        return Conflict(missed, tuple(late)) if missed else None
