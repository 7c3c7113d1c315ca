"""The network: lines that lose, repeat and delay what is sent, and break without telling the other end.

Within a line each direction keeps its order, as TCP does, but for the pages of a subscription, which overtake answers
and are overtaken: a program reads both in tasks of their own. Between lines there is no order at all, and what a
replica sent before its line broke may still arrive, long after it has connected anew.
"""

from __future__ import annotations

from collections import deque


class Line:
    """One connection: three queues of encoded messages."""

    def __init__(self, phone, peer):
        self.phone = phone
        """Whose line this is; None when that end has gone."""
        self.peer = peer
        """The server's end; None when that has gone."""
        self.up: deque[bytes] = deque()
        self.answers: deque[bytes] = deque()
        self.pages: deque[bytes] = deque()

    @property
    def waiting(self):
        """The queues from which something can be delivered."""
        up = [self.up] if self.up and self.peer else []
        return up + [queue for queue in (self.answers, self.pages) if queue and self.phone]

    @property
    def is_dead(self):
        return not self.waiting and (self.phone is None or self.peer is None)

    def leave(self, *, loses: bool):
        """The replica has gone; what it sent may be lost with it."""
        self.phone = None
        self.answers.clear()
        self.pages.clear()
        if loses:
            self.up.clear()
