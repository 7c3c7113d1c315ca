"""Entries that came to documents in memory, and wait until somebody looks at their item to be folded.

They wait as they were admitted, decoded and with their ops read, so whoever looks pays for the folds of one item and
for nothing else. Each takes about eight times its body. When they are too many, the items that have waited longest
are given up: the log has it all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from syncline.core.documents.revisions import Placed


class Waiting:
    """What waits, by item. Not thread-safe: whoever owns it holds a lock."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._placed: dict[str, list[Placed]] = {}  # the item that has waited longest is the first
        self._bytes: Counter[str] = Counter()

    def add(self, placed: Placed) -> None:
        """Takes what came to the end of an item."""
        item = placed.event.item
        self._placed.setdefault(item, []).append(placed)
        self._bytes[item] += len(placed.event.body)

    def take(self, item: str) -> Sequence[Placed]:
        """What waits for an item, in order; from now on it does not."""
        self._bytes.pop(item, None)
        return self._placed.pop(item, [])

    def give_up(self) -> list[str]:
        """Forgets what has waited longest until the rest is within the budget; of which items."""
        total, given_up = self._bytes.total(), []
        for item, size in list(self._bytes.items()):
            if total <= self._max_bytes:
                break
            given_up.append(item)
            self.take(item)
            total -= size
        return given_up
