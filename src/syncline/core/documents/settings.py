"""A space's conflict policies: system events that say which policy holds for which items from their seq on."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from operator import itemgetter
from typing import Protocol

from syncline.core.documents.policies import MERGE, POLICIES
from syncline.core.events import Event
from syncline.core.patterns import matcher

POLICIES_ITEM = ".policies"
SET_POLICY = ".policy.set"


class Placed(Protocol):
    """An event that has its place in the log."""

    @property
    def seq(self) -> int:
        """Its seq."""

    @property
    def event(self) -> Event:
        """The event."""


class Policies:
    """Which policy judges an entry: the newest rule before it whose pattern is the most specific one for its item."""

    def __init__(self, entries: Iterable[Placed] = ()) -> None:
        self._rules: list[tuple[int, str, str | None]] = []
        self.begin(entries)

    def begin(self, entries: Iterable[Placed]) -> None:
        """Begins anew, with these."""
        self._rules.clear()
        for entry in entries:
            self.note(entry)

    def note(self, entry: Placed) -> None:
        """Takes a system event into account; any other does nothing. Without a policy it ends the pattern's."""
        payload = entry.event.payload
        if entry.event.item != POLICIES_ITEM or entry.event.action != SET_POLICY or not isinstance(payload, dict):
            return
        pattern, policy = payload.get("item"), payload.get("policy")
        if isinstance(pattern, str) and (policy is None or policy in POLICIES):
            rule = (entry.seq, pattern, policy)
            if rule not in self._rules:
                insort(self._rules, rule, key=itemgetter(0))

    def of(self, item: str, seq: int | None = None) -> str:
        """The policy for an entry of this item; without ``seq`` for one that comes next."""
        newest = {pattern: policy for since, pattern, policy in self._rules if seq is None or since < seq}
        matching = [
            (not pattern.endswith("*"), len(pattern), policy)
            for pattern, policy in newest.items()
            if policy is not None and matcher([pattern])(item)
        ]
        return max(matching)[2] if matching else MERGE

    def has_changed(self, item: str, since: int) -> bool:
        """Whether something was said of an item after a seq."""
        return any(seq > since and matcher([pattern])(item) for seq, pattern, _ in self._rules)

    def current(self) -> dict[str, str]:
        """The policy of each pattern, as it holds now."""
        newest = {pattern: policy for _, pattern, policy in self._rules}
        return {pattern: policy for pattern, policy in newest.items() if policy is not None}
