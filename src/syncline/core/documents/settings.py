"""A space's conflict policies: system events that say which policy holds for which items from their seq on."""

from __future__ import annotations

from collections.abc import Iterable
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
        self._rules: list[tuple[int, str, str]] = []
        for entry in entries:
            self.note(entry)

    def note(self, entry: Placed) -> None:
        """Takes a system event into account; any other does nothing."""
        payload = entry.event.payload
        if entry.event.item != POLICIES_ITEM or entry.event.action != SET_POLICY or not isinstance(payload, dict):
            return
        pattern, policy = payload.get("item"), payload.get("policy")
        if isinstance(pattern, str) and policy in POLICIES:
            self._rules.append((entry.seq, pattern, policy))

    def of(self, item: str, seq: int | None = None) -> str:
        """The policy for an entry of this item; without ``seq`` for one that comes next."""
        matching = [
            (not pattern.endswith("*"), len(pattern), since, policy)
            for since, pattern, policy in self._rules
            if (seq is None or since < seq) and matcher([pattern])(item)
        ]
        return max(matching)[3] if matching else MERGE

    def current(self) -> dict[str, str]:
        """The policy of each pattern, as it holds now."""
        return {pattern: policy for _, pattern, policy in self._rules}
