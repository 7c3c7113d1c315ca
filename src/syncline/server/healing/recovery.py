"""Recovery: for how long a log that was put back from an older copy takes nothing but what it has lost.

The proof is a genuine cursor whose place the log does not know. From the first one after a log was opened it takes what
receipts vouch for, and puts off what is new: the rules that it has lost are back before anybody makes use of their
absence. There is one such time for each opening of a log, so that an old cursor cannot be shown again and again.
"""

from __future__ import annotations

from collections.abc import Callable

from syncline.errors import Recovering

RECOVERING_MS = 30_000
"""Who is connected has given back by then what was lost: replicas wait for a random part of this."""


class Recovery:
    """Of one opening of a log. Belongs to the event loop."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._until: int | None = None

    def prove(self) -> None:
        """Somebody has shown that the log was put back."""
        if self._until is None:
            self._until = self._now_ms() + RECOVERING_MS

    @property
    def hold(self) -> Recovering | None:
        """Why nothing new is stored now; None: it is."""
        left = 0 if self._until is None else self._until - self._now_ms()
        if left <= 0:
            return None
        words = "The log was put back from an older copy, and what it lost comes first: try again in a moment."
        return Recovering(words, retry_after=left / 1000)
