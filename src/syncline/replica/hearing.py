"""Hearing: what a replica keeps of what a peer gives it, on top of its entries and until a server's word settles it.

A peer has no authority: it numbers nothing, and what it gives is an event and not an entry. Who syncs two replicas
decides that each may have what the other holds, so no rule is checked; but what no server could ever take is not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from syncline.core import stamps
from syncline.core.events import Event
from syncline.errors import ClockDrift, Forbidden, SynclineError
from syncline.replica.horizon import in_bases
from syncline.stores import Change, Outboxed, ReplicaState, ReplicaStore

__all__ = ["Hearing", "hearing", "is_between_peers"]


class Hearing(NamedTuple):
    """What hearing some events means, before it is done."""

    change: Change
    news: list[Event]
    """The events that are new here, in order of their ids."""
    left: Mapping[str, SynclineError]
    """The events that are not kept, by id, and why."""
    is_strange: bool
    """Whether one of them is of this node, which never made it: its file was copied, or is an older copy of itself."""


def is_between_peers(item: str) -> bool:
    """Whether events of an item go between peers: those of the system are a server's to tell."""
    return not item.startswith(".")


def hearing(store: ReplicaStore, events: Sequence[Event], epoch: str | None, now_ms: int) -> Hearing:
    """What to do about events that a peer gives, which were checked as events. ``epoch``: of the log it knows."""
    state = store.state()
    left = {event.id: error for event in events if (error := _objection(event, now_ms + state.skew_ms))}
    good = sorted((event for event in events if event.id not in left), key=lambda event: event.id)
    held = store.holds([event.id for event in good]) | {event.id for event in in_bases(store, good)}
    news = [event for event in good if event.id not in held]
    named = _named(store, [event for event in good if event.id in held and event.user is not UNSET])
    is_strange = any(event.node == state.node and event.id > state.forgotten for event in news)
    outbox = [Outboxed(event, "heard") for event in (*news, *named)]
    return Hearing(Change(outbox=outbox, state=_after(state, news, epoch)), news, left, is_strange)


def _objection(event: Event, now_ms: int) -> SynclineError | None:
    """Why an event is left with the peer."""
    if not is_between_peers(event.item):
        return Forbidden("Events of the system come from a server alone.", id=event.id)
    if event.is_erased:
        return Forbidden("That an event was erased is a server's to tell.", id=event.id)
    if event.id >= stamps.drift_limit(now_ms):
        return ClockDrift("The event is of a time that is not yet, by the clock here.", id=event.id, time=now_ms)
    return None


def _named(store: ReplicaStore, events: Iterable[Event]) -> list[Event]:
    """Those that were heard before their author knew its user, and are the same otherwise."""
    given = {event.id: event for event in events}
    items = sorted({event.item for event in given.values()})
    heard = store.outbox("heard", items=items) if items else []
    return [
        given[old.id]
        for old in (each.event for each in heard)
        if old.id in given and old.user is UNSET and old.with_user(str(given[old.id].user)).body == given[old.id].body
    ]


def _after(state: ReplicaState, news: Sequence[Event], epoch: str | None) -> ReplicaState | None:
    """The state after them: later ids are greater, and what was heard of one log is not mixed with another's."""
    if not news:
        return None
    return replace(state, stamp=max(state.stamp, news[-1].id), epoch=state.epoch or epoch)
