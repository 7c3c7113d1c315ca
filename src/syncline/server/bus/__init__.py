"""The bus: small messages between servers that share their logs. A hint wakes; nobody depends on one.

``memory`` is the adapter to read; ``postgres`` and ``nats`` carry the same between processes and machines. What the
messages say is in ``messages``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Bus", "MAX_MESSAGE_BYTES"]

MAX_MESSAGE_BYTES = 7_500
"""PostgreSQL carries less than 8,000."""


class Bus(Protocol):
    """Carries messages to all servers, at most once, in any order, perhaps also to the one that sent them.

    All methods belong to one event loop.
    """

    @property
    def state(self) -> str:
        """``connected`` if messages come just now, as far as one knows, or ``connecting``."""

    def start(self, hear: Callable[[bytes], None], on_gap: Callable[[], None]) -> None:
        """From now on ``hear`` is called with what comes. Who carries it may be away: then it is tried again and again.

        ``on_gap`` is called whenever it begins to come, at first and after a break: what was sent before may be lost.
        """

    def send(self, message: bytes) -> None:
        """Sends a message of at most ``MAX_MESSAGE_BYTES``, soon, if it can; never waits."""

    async def stop(self) -> None:
        """Sends what was to be sent, if it can, and hears no more."""
