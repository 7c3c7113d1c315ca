"""Peers: two replicas that sync with no server between them. One asks, the other answers; then both hold the same.

Neither has authority: no seq goes between them, and what one gives is *heard* by the other, on top of its entries.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from hmac import compare_digest
from typing import NamedTuple

import msgspec
from msgspec import Raw

from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_FETCH_IDS, MAX_PAGE_BYTES
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
    decode_request,
    encode,
    ref_of,
)
from syncline.core.peering import NO_EPOCH, Peering, Share, batches, events_of
from syncline.core.summaries import nodes_of, summaries_of
from syncline.errors import (
    BadRequest,
    EpochChanged,
    HelloRequired,
    NodeConflict,
    SynclineError,
    Unauthorized,
    UnsupportedProtocol,
    from_wire,
)
from syncline.replica import Replica, wall_clock_ms
from syncline.sync.options import SyncOptions
from syncline.transports import Transport

__all__ = ["Agreed", "ReplicaPeer", "agree"]

HINT = encode(Page(entries=[], cursor=""))
"""What a peer says whenever it has something new: come and compare."""

_entries = msgspec.json.Decoder(list[Entry])
_events = tuple[list[Event], list[SynclineError]]


class Agreed(NamedTuple):
    """What it took until two replicas held the same."""

    given: int
    heard: int
    errors: list[SynclineError]
    """Why single events did not go over."""


# Who asks


async def agree(replica: Replica, transport: Transport, peer: Welcome, options: SyncOptions) -> Agreed:
    """Compares with a peer that was greeted, fetches what this replica lacks, and gives what the peer lacks.

    Raises EpochChanged if both know logs that are not the same.
    """
    _check_epochs(replica.epoch, peer.epoch)
    tree, read = replica.tree(options.items)
    wants = {"fetch": not options.push_only, "give": not options.pull_only}
    peering = Peering(tree, read, items=tuple(options.items), **wants)
    given, heard, errors = 0, 0, list[SynclineError]()
    while (step := peering.next()) is not None:
        if isinstance(step, Share):
            count, refusals = await _give(replica, transport, step.ids, options)
            given += count
        else:
            kind = Tree if isinstance(step, Merkle) else Found
            entries = peering.receive(await transport.ask(step, kind))
            count, refusals = _hear(replica, entries, peer.epoch, options)
            heard += count
        errors += refusals
    return Agreed(given, heard, errors)


def _hear(
    replica: Replica, entries: Sequence[Entry], epoch: str, options: SyncOptions
) -> tuple[int, list[SynclineError]]:
    events, errors = _sorted_out(entries)
    chosen = list(filter(options.filter, events)) if options.filter else events
    hearing = replica.hear(chosen, epoch or None)
    return len(hearing.news), [*errors, *hearing.left.values()]


async def _give(
    replica: Replica, transport: Transport, ids: Sequence[str], options: SyncOptions
) -> tuple[int, list[SynclineError]]:
    """Gives events in order of their ids; how many the peer took that it lacked, and why it did not take others."""
    given, errors = 0, list[SynclineError]()
    for start in range(0, len(ids), MAX_FETCH_IDS):
        chosen = replica.give(ids[start : start + MAX_FETCH_IDS], options.filter)
        for batch in batches(chosen):
            entries = Raw(b"[" + b",".join(entry.encoded for entry in batch) + b"]")
            ack = await transport.ask(Give(epoch=replica.epoch or NO_EPOCH, entries=entries), Ack)
            refusals = [from_wire(result.error) for result in ack.results if result.error is not None]
            given += len(batch) - len(refusals)
            errors += refusals
    return given, errors


def _sorted_out(entries: Sequence[Entry]) -> _events:
    """The events among them, and what is wrong with the others."""
    read = events_of(entries)
    errors: list[SynclineError] = [each for each in read if not isinstance(each, Event)]
    return [each for each in read if isinstance(each, Event)], errors


def _check_epochs(mine: str | None, theirs: str | None) -> None:
    if mine and theirs and mine != theirs:
        raise EpochChanged("The two replicas are of different logs; nothing was exchanged. A person has to decide.")


# Who answers


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
        self._is_open = is_open

    def admit(self, token: str | None) -> None:
        """Raises Unauthorized unless this is the token that a peer has to show."""
        if self._token is not None and not compare_digest((token or "").encode(), self._token.encode()):
            raise Unauthorized("This replica is shared with those who show its token.")

    async def answer(self, request: bytes) -> bytes:
        """The encoded answer to one encoded request."""
        try:
            return encode(self._answer(decode_request(request)))
        except SynclineError as error:
            return encode(ErrorMessage.of(error, ref_of(request)))

    async def follow(self, live: Live) -> AsyncIterator[bytes]:
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

    def _answer(self, message: Message) -> Message:
        if isinstance(message, Hello):
            return self._welcome(message)
        if not self._is_open:
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
        raise BadRequest(
            "This is a replica, which answers what peers ask; it keeps no log for others."
        )

    def _welcome(self, hello: Hello) -> Welcome:
        if hello.protocol != PROTOCOL:
            raise UnsupportedProtocol(f"This replica speaks protocol {PROTOCOL}, not {hello.protocol}.")
        self.admit(hello.token)
        self._tell_apart(hello.node)
        self._is_open = True
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
        tree, read = self._replica.tree(message.items)
        found = tree.describe(nodes_of(message.summaries), read)
        return Tree(ref=message.ref, seq=0, root=tree.root.hex(), count=tree.count, summaries=summaries_of(found))

    def _find(self, message: Fetch) -> Found:
        found = {entry.event.id: entry for entry in self._replica.give(message.ids)}
        entries = [found[id] for id in dict.fromkeys(message.ids) if id in found]
        first = next(batches(entries, MAX_PAGE_BYTES), [])
        return Found(ref=message.ref, entries=first, more=len(first) < len(entries))

    def _hear(self, message: Give) -> Ack:
        epoch = None if message.epoch == NO_EPOCH else message.epoch
        _check_epochs(self._replica.epoch, epoch)
        try:
            entries = _entries.decode(bytes(message.entries))
        except msgspec.MsgspecError as error:
            raise BadRequest(f"give: these are no entries: {error}") from None
        read = events_of(entries)
        left = self._replica.hear([each for each in read if isinstance(each, Event)], epoch).left
        return Ack(ref=message.ref, results=[_result(each, left) for each in read], head=0)


def _result(read: Event | SynclineError, left: dict[str, SynclineError]) -> Result:
    """What became of an event that was given: no error, or why it is not kept."""
    error = left.get(read.id) if isinstance(read, Event) else read
    id = read.id if isinstance(read, Event) else read.details.get("id")
    return Result(id=id, error=None if error is None else error.to_wire())
