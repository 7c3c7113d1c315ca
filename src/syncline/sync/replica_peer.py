"""The end of a conversation that answers for a replica, as a server does for its log; ``peers`` asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from hmac import compare_digest

import msgspec

from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.messages import (
    PROTOCOL,
    Ack,
    Auth,
    Authenticated,
    ErrorMessage,
    Fetch,
    Found,
    Give,
    Hello,
    Live,
    Merkle,
    Message,
    Page,
    Ping,
    Pong,
    Result,
    Tree,
    Welcome,
    encode,
)
from syncline.core.peering import NO_EPOCH, batches, events_of
from syncline.core.requests import decode_request, ref_of
from syncline.core.summaries import nodes_of, summaries_of
from syncline.errors import (
    BadRequest,
    HelloRequired,
    NodeConflict,
    SynclineError,
    Unauthorized,
    UnsupportedProtocol,
    from_wire,
)
from syncline.replica import Replica, wall_clock_ms
from syncline.sync.peers import check_epochs

__all__ = ["ReplicaPeer"]

HINT = encode(Page(entries=[], cursor=""))
"""What a peer says whenever it has something new: come and compare."""

_entries = msgspec.json.Decoder(list[Entry])


class ReplicaPeer:
    """The end of a conversation that answers for a replica: what a ``MemoryTransport`` talks to, say."""

    def __init__(
        self,
        replica: Replica,
        *,
        token: str | None = None,
        is_open: bool = False,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        """``token``: what a peer has to show; None: nothing. ``is_open``: whether it was greeted and let in before."""
        self._replica, self._token, self._now_ms = replica, token, now_ms
        self.is_open = is_open
        """Whether who asks has said hello, and was let in."""

    def admit(self, token: str | None) -> None:
        """Raises Unauthorized unless this is the token that a peer has to show."""
        if self._token is not None and not compare_digest((token or "").encode(), self._token.encode()):
            raise Unauthorized("This replica is shared with those who show its token.")

    async def answer(self, request: bytes) -> bytes:
        """The encoded answer to one encoded request."""
        return encode(self.answer_to(request))

    def answer_to(self, request: bytes) -> Message:
        """The same, not encoded."""
        try:
            return self.reply(decode_request(request))
        except SynclineError as error:
            return ErrorMessage.of(error, ref_of(request))

    async def follow(self, live: Live) -> AsyncGenerator[bytes, None]:
        """A hint at once, and whenever the replica has something new. ``live`` may say anything: all is compared."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        unwatch = self._replica.watch_events(lambda _: loop.call_soon_threadsafe(news.set))
        try:
            while True:
                yield HINT
                await news.wait()
                news.clear()
        finally:
            unwatch()

    def reply(self, message: Message) -> Message:
        """The answer to a request. Raises what it fails with."""
        if isinstance(message, Hello):
            return self._welcome(message)
        if not self.is_open:
            raise HelloRequired("The first message of a session is hello.")
        match message:
            case Merkle():
                return self._compare(message)
            case Fetch():
                return self._find(message)
            case Give():
                return self._hear(message)
            case Auth():
                self.admit(message.token)
                return Authenticated(ref=message.ref, user=self._replica.user or "", time=self._now_ms())
            case Ping():
                return Pong(ref=message.ref)
        raise BadRequest("This is a replica, which answers what peers ask; it keeps no log for others.")

    def _welcome(self, hello: Hello) -> Welcome:
        if hello.protocol != PROTOCOL:
            raise UnsupportedProtocol(f"This replica speaks protocol {PROTOCOL}, not {hello.protocol}.")
        self.admit(hello.token)
        self._tell_apart(hello.node)
        self.is_open = True
        user, epoch = self._replica.user or "", self._replica.epoch or ""
        return Welcome(epoch=epoch, head=0, time=self._now_ms(), user=user, peer=True)

    def _tell_apart(self, node: str) -> None:
        """Two replicas of one node id are copies of one file. Raises NodeConflict if only a server can part them."""
        if node != self._replica.node:
            return
        if self._replica.user is not None:
            raise NodeConflict("Both replicas are copies of one file: let both sync with their server first.")
        self._replica.leave_node()

    def _compare(self, message: Merkle) -> Tree:
        horizon = self._replica.horizon
        tree, read = self._replica.tree(message.items, max(message.since, horizon))
        found = tree.describe(nodes_of(message.summaries), read)
        return Tree(ref=message.ref, seq=horizon, root=tree.root.hex(), count=tree.count, summaries=summaries_of(found))

    def _find(self, message: Fetch) -> Found:
        found = {entry.event.id: entry for entry in self._replica.give(message.ids)}
        entries = [found[id] for id in dict.fromkeys(message.ids) if id in found]
        first = next(batches(entries, MAX_PAGE_BYTES), [])
        return Found(ref=message.ref, entries=first, more=len(first) < len(entries))

    def _hear(self, message: Give) -> Ack:
        epoch = None if message.epoch == NO_EPOCH else message.epoch
        check_epochs(self._replica.epoch, epoch)
        try:
            entries = _entries.decode(bytes(message.entries))
        except msgspec.MsgspecError as error:
            raise BadRequest(f"give: these are no entries: {error}") from None
        read = events_of(entries)
        left = self._replica.hear([each for each in read if isinstance(each, Event)], epoch).left
        refused = {each.event.id: from_wire(dict(each.error)) for each in self._replica.refused()}
        return Ack(ref=message.ref, results=[_result(each, {**refused, **left}) for each in read], head=0)


def _result(read: Event | SynclineError, left: Mapping[str, SynclineError]) -> Result:
    """What became of an event that was given: no error, or why it is not kept."""
    error = left.get(read.id) if isinstance(read, Event) else read
    id = read.id if isinstance(read, Event) else read.details.get("id")
    return Result(id=id, error=None if error is None else error.to_wire())
