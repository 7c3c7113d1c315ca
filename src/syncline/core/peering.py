"""Peering: how two sets of events become one, as a state machine without I/O.

One end compares its Merkle tree with the other's, fetches what it lacks and gives what the other lacks:

    peering = Peering(tree, read)
    while (step := peering.next()) is not None:
        Merkle or Fetch: peering.receive(the other end's answer), which says what to keep
        Share: give these events, as many in a message as it may carry

A set may change meanwhile: what comes to it is found the next time. Of two events with one id that differ both go, and
each end decides what stands there; a server decides it for both (``yields``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from syncline.core.batch import decode_events
from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_BODY_BYTES, MAX_FETCH_IDS, MAX_PUSH_EVENTS
from syncline.core.merkle import Read, Tree, Walk
from syncline.core.messages import Fetch, Found, Merkle
from syncline.core.messages import Tree as TreeMessage
from syncline.core.summaries import nodes_of, summaries_of
from syncline.errors import BadRequest, EventError

NO_EPOCH = "0" * 32
"""The epoch that a replica gives under which knows of no log yet."""
ENVELOPE_BYTES = 256
"""More than what surrounds an event in a message, or a message."""


class Share(NamedTuple):
    """Give these events to the other end, in this order; the ids are theirs."""

    ids: list[str]


class Peering:
    """One course of comparing, fetching and giving.

    ``fetch``, ``give``: whether it does that, too. ``items``, ``since``: what the tree is of. ``yields``: of two events
    with one id the other end's stands.
    """

    def __init__(
        self,
        tree: Tree,
        read: Read,
        *,
        items: tuple[str, ...] = (),
        since: int = 0,
        fetch: bool = True,
        give: bool = True,
        yields: bool = False,
    ) -> None:
        self.is_equal = False
        """Whether nothing differed."""
        self.seq = 0
        """What the other end said last: a server its head, a peer its horizon."""
        self._yields = yields
        self._walk = Walk(tree, read)
        self.since = since
        self._items = items
        self._fetches, self._gives = fetch, give
        self._fetching: list[str] | None = None
        self._asked: list[str] = []
        self._has_offered = False

    def next(self) -> Merkle | Fetch | Share | None:
        """The next step; None when both hold the same, as far as they may."""
        if self._fetching is None:
            if questions := self._walk.questions():
                return Merkle(items=self._items, since=self.since, summaries=summaries_of(questions))
            self._fetching = sorted(self.lacking) if self._fetches else []
            self.is_equal = not self.lacking and not self.lacked
        if self._fetching:
            self._asked = self._fetching[:MAX_FETCH_IDS]
            return Fetch(ids=self._asked)
        if self._gives and not self._has_offered:
            self._has_offered = True
            return Share(sorted(self.lacked)) if self.lacked else None
        return None

    @property
    def lacking(self) -> set[str]:
        """The ids that this end lacks, or holds with another digest."""
        return self._walk.theirs_only | self._walk.differing

    @property
    def lacked(self) -> set[str]:
        """The ids that the other end lacks, or holds with another digest, unless that stands."""
        return self._walk.mine_only if self._yields else self._walk.mine_only | self._walk.differing

    def receive(self, answer: TreeMessage | Found) -> Sequence[Entry]:
        """Takes the answer to the last step; what there is to keep. Raises BadRequest for what nobody asked for."""
        if isinstance(answer, TreeMessage):
            self.seq = answer.seq
            self._walk.take(nodes_of(answer.summaries))
            return []
        return self._take(answer)

    def _take(self, found: Found) -> Sequence[Entry]:
        """Goes on after the last entry that came, or after all that were asked for."""
        places = {id: place for place, id in enumerate(self._asked)}
        came = [places.get(entry.event.id, -1) for entry in found.entries]
        if -1 in came or (found.more and not came):
            raise BadRequest("found: nobody asked for these entries.")
        done = max(came) + 1 if found.more else len(self._asked)
        self._fetching = (self._fetching or [])[done:]
        return found.entries


def events_of(entries: Sequence[Entry]) -> list[Event | EventError]:
    """The events that a peer gives, looked at as a server looks at a push. Raises TooManyEvents, or BadJson."""
    return decode_events(b"[" + b",".join(bytes(entry.raw) for entry in entries) + b"]")


def batches(entries: Sequence[Entry], max_bytes: int = MAX_BODY_BYTES - ENVELOPE_BYTES) -> Iterator[list[Entry]]:
    """The entries in order, as many together as one ``give`` may carry."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        length = len(entry.raw) + ENVELOPE_BYTES
        if batch and (size + length > max_bytes or len(batch) == MAX_PUSH_EVENTS):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += length
    if batch:
        yield batch
