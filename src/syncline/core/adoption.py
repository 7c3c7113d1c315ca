"""Adoption: entries of another log, taken over as they are, with their seqs, times and receipts.

Nothing is judged, since that log has done so; but what is taken over must continue this log and lead to the tail that
the other names, so that nothing damaged or out of order is ever stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import le

import msgspec
from msgspec import UNSET

from syncline.core.admission import NodeState
from syncline.core.events import Entry, Event
from syncline.core.log import Head, Row, chain
from syncline.errors import CursorReset, EpochChanged, StoreDamaged, SynclineError


def adopt(head: Head, entries: Sequence[Entry], then: Head) -> tuple[Head, list[Row]]:
    """A log after entries of another one, which lead there to the epoch, seq and tail of ``then``; a row for each.

    An empty log takes the other's epoch, too. Raises EpochChanged, CursorReset if the entries do not continue this log,
    or StoreDamaged.
    """
    if head.seq and head.epoch != then.epoch:
        raise EpochChanged("The entries are of another log than this one.")
    seqs = [entry.seq for entry in entries]
    if seqs != list(range(head.seq + 1, then.seq + 1)):
        raise CursorReset(f"The entries do not go on where this log ends, at seq {head.seq}.")
    times = [head.at, *(entry.at for entry in entries)]
    events = _events(entries)
    tails = chain(head.tail, [event.digest for event in events])
    if not all(map(le, times, times[1:])) or [head.tail, *tails][-1] != then.tail:
        raise StoreDamaged(f"The entries after seq {head.seq} do not lead to the tail of seq {then.seq}.")
    rows = [Row(*row) for row in zip(seqs, tails, events, (entry.encoded for entry in entries), strict=True)]
    return Head(then.epoch, then.seq, then.tail, times[-1]), rows


def _events(entries: Sequence[Entry]) -> list[Event]:
    """Their events, which are looked at as far as a store has to."""
    try:
        events = [entry.event for entry in entries]
        for event in events:
            _ = event.n, event.key
    except (ValueError, KeyError, msgspec.MsgspecError, SynclineError) as error:
        raise StoreDamaged(f"An entry does not hold an event: {error}") from error
    return events


def nodes_after(known: Mapping[str, NodeState], events: Sequence[Event]) -> dict[str, NodeState]:
    """What a log knows, after these events, of the nodes that made them."""
    states: dict[str, NodeState] = {}
    for event in events:
        user = "" if event.user is UNSET else event.user
        state = states.get(event.node) or known.get(event.node) or NodeState(user, 0, "")
        states[event.node] = NodeState(state.user, max(state.n, event.n), max(state.own, event.id))
    return states
