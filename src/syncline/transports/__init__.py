"""Transports: what carries a session's messages. One seam; the memory adapter is the one to read.

A transport is one conversation with one server. It is asynchronous, and it raises the server's error where a request
fails as a whole, or ConnectionLost where nobody answers. ``syncline.testing`` ships the contract suite.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from syncline.core.messages import (
    Ack,
    Auth,
    Authenticated,
    Hello,
    Inquiry,
    Live,
    Page,
    Peers,
    Presence,
    Pull,
    Push,
    ReplyKind,
    Welcome,
)
from syncline.errors import SynclineError

__all__ = ["PresenceTransport", "Transport"]


class Transport(Protocol):
    """One conversation. ``hello`` comes first; after an error of the connection it may be said again."""

    async def hello(self, hello: Hello) -> Welcome:
        """Opens the conversation."""

    async def authenticate(self, auth: Auth) -> Authenticated:
        """Goes on with other credentials of the same user. Raises Unauthorized or UserMismatch, and goes on as before.

        What is subscribed may go on with the old ones, and end with them.
        """

    async def push(self, push: Push) -> Ack:
        """Delivers events; when this returns, what the answer calls stored is durable."""

    async def pull(self, pull: Pull) -> Page:
        """One page of the log."""

    def subscribe(self, live: Live) -> AsyncGenerator[Page, None]:
        """Pages from a cursor on, as they come, until the connection or the caller ends."""

    async def ask(self, inquiry: Inquiry, kind: type[ReplyKind]) -> ReplyKind:
        """What heals: the reply (of this ``kind``) to ``merkle``, ``fetch``, ``give`` or ``snapshot``."""

    async def close(self) -> None:
        """Ends the conversation; closing twice does nothing."""


@runtime_checkable
class PresenceTransport(Protocol):
    """What a transport has beside that over which it is known who is here; it is for open conversations."""

    async def tell(self, presence: Presence) -> None:
        """Says who is here. Nothing answers, but an error may come among ``peers``."""

    def peers(self) -> AsyncGenerator[Peers | SynclineError, None]:
        """What is told of others, and why something that was said was not taken, until the connection ends."""
