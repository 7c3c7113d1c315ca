"""What a session is told of its own accord: every change of the documents that it subscribed.

There is no queue: a subscription holds its place in the log, and reads on when what it read is sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from syncline.core import patterns
from syncline.core.messages import ErrorMessage, encode
from syncline.errors import SynclineError
from syncline.server.dialects.commands.changes import changes_after
from syncline.server.member import Member

PAGE_ENTRIES = 100


class Subscription:
    """The documents that a session follows, and how far it has been told."""

    def __init__(self, member: Member, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._member, self._send = member, send
        self.items: tuple[str, ...] = ()
        """Ids and patterns; another tuple whenever they change."""
        self.seq = member.space.hub.head.seq
        """Every change after this place is told."""

    async def run(self) -> None:
        """Tells changes until the space ends, or the client has gone."""
        try:
            while True:
                await self._member.grown(self.seq)
                await self._tell()
        except SynclineError as error:
            await self._send(encode(ErrorMessage.of(error)))
        except OSError:
            return  # the client has gone; the reader will notice

    async def _tell(self) -> None:
        items = self.items
        stretch = await changes_after(self._member, self.seq, patterns.check(items), PAGE_ENTRIES)
        if items is not self.items:
            return  # to be read again with those that came meanwhile
        self.seq = stretch.seq
        for change in stretch.changes:
            await self._send(change.encoded)
