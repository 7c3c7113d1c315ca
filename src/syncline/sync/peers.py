"""Peers: two replicas that sync with no server between them. One asks, the other answers; then both hold the same.

Neither has authority: no seq goes between them, and what one gives is *heard* by the other, on top of its entries. This
is the end that asks; ``replica_peer`` answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from syncline.core.events import Entry, Event
from syncline.core.limits import MAX_FETCH_IDS
from syncline.core.lots import lots
from syncline.core.messages import Ack, Fetch, Found, Give, Merkle, Tree, Welcome
from syncline.core.peering import NO_EPOCH, Peering, Share, batches, events_of
from syncline.errors import BadRequest, EpochChanged, SynclineError
from syncline.replica import Replica
from syncline.sync.options import SyncOptions
from syncline.transports import Transport

__all__ = ["Agreed", "agree", "check_epochs"]

MAX_BEGINNINGS = 4
"""How often one comparison begins: at both horizons, and again if one of them moves meanwhile."""

_Sorted = tuple[list[Event], list[SynclineError]]


class Agreed(NamedTuple):
    """What it took until two replicas held the same."""

    given: int
    heard: int
    errors: list[SynclineError]
    """Why single events did not go over."""


async def agree(replica: Replica, transport: Transport, peer: Welcome, options: SyncOptions) -> Agreed:
    """Compares with a peer that was greeted, fetches what this replica lacks, and gives what the peer lacks.

    Raises EpochChanged if both know logs that are not the same, and BadRequest for answers that make no sense.
    """
    check_epochs(replica.epoch, peer.epoch)
    peering, beginnings = _begun(replica, options, replica.horizon), 1
    given, heard, errors = 0, 0, list[SynclineError]()
    while (step := peering.next()) is not None:
        if isinstance(step, Share):
            count, refusals = await _give(replica, transport, step.ids, options)
            given += count
        else:
            answer = await _ask(transport, step)
            if isinstance(answer, Tree) and answer.seq > peering.since:  # what is in its bases, nobody need give it
                peering, beginnings = _begun(replica, options, answer.seq), beginnings + 1
                if beginnings > MAX_BEGINNINGS:
                    raise BadRequest("merkle: what the peer compares begins later each time.")
                continue
            entries = peering.receive(answer)
            count, refusals = _hear(replica, entries, peer.epoch, options)
            heard += count
        errors += refusals
    return Agreed(given, heard, errors)


def _begun(replica: Replica, options: SyncOptions, since: int) -> Peering:
    """Begins to compare. Of entries, only those after ``since`` are: the later of both horizons."""
    tree, read = replica.tree(options.items, since)
    wants = {"fetch": not options.push_only, "give": not options.pull_only}
    return Peering(tree, read, items=tuple(options.items), since=since, **wants)


async def _ask(transport: Transport, step: Merkle | Fetch) -> Tree | Found:
    return await (transport.ask(step, Tree) if isinstance(step, Merkle) else transport.ask(step, Found))


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
    for lot in lots(ids, MAX_FETCH_IDS):
        for batch in batches(replica.give(lot, options.filter)):
            ack = await transport.ask(Give.of(replica.epoch or NO_EPOCH, batch), Ack)
            given += len(batch) - len(ack.errors)
            errors += ack.errors
    return given, errors


def _sorted_out(entries: Sequence[Entry]) -> _Sorted:
    """The events among them, and what is wrong with the others."""
    read = events_of(entries)
    errors: list[SynclineError] = [each for each in read if not isinstance(each, Event)]
    return [each for each in read if isinstance(each, Event)], errors


def check_epochs(mine: str | None, theirs: str | None) -> None:
    """Raises EpochChanged if two replicas know logs that are not the same."""
    if mine and theirs and mine != theirs:
        raise EpochChanged("The two replicas are of different logs; nothing was exchanged. A person has to decide.")
