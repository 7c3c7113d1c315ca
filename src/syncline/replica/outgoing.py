"""What a replica may push now, of its own pending events and of those it heard from peers; and what it gives back.

A pending event may build on one that was heard, and a server that does not hold that one yet would refuse it. So it
waits until the other is in the log, and with it whatever comes after it on the same item (a node's n only rises there)
and the rest of its transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from syncline.core.events import Event
from syncline.core.gifts import Offer, in_order
from syncline.replica.foresight import may_pass_on
from syncline.replica.horizon import in_bases
from syncline.replica.naming import named_by
from syncline.stores import Change, ReplicaState, ReplicaStore

__all__ = ["Heard", "NOTHING_HEARD", "Waiting", "outgoing"]


class Heard(NamedTuple):
    """What was heard and has no entry yet: the events that this user may push, and of all others the ids and items."""

    ours: list[Event]
    theirs: dict[str, str]

    @classmethod
    def of(cls, events: Iterable[Event], state: ReplicaState) -> Heard:
        """Of these events, by the rules known last."""
        ours, theirs = list[Event](), dict[str, str]()
        for event in events:
            if may_pass_on(state, event):
                ours.append(event)
            else:
                theirs[event.id] = event.item
        return cls(ours, theirs)

    def after(self, change: Change) -> Heard:
        """The same without what a change settles."""
        settled = _settled(change, "heard")
        theirs = {id: item for id, item in self.theirs.items() if id not in settled}
        return Heard([event for event in self.ours if event.id not in settled], theirs)


NOTHING_HEARD = Heard([], {})


class Waiting:
    """What waits at a replica beside its own pending events, read once while it only shrinks."""

    def __init__(self, store: ReplicaStore) -> None:
        self._store = store
        self._offers: list[Offer] | None = None
        self._heard: Heard | None = None
        self._heard_for: Any = None

    def heard(self) -> Heard:
        """What was heard; read when it grows, or when other rules are known."""
        state = self._store.state()
        known = state.user, state.rules, state.actions, state.items
        if self._heard is None or self._heard_for != known:
            events = (each.event for each in self._store.outbox("heard"))
            self._heard, self._heard_for = Heard.of(events, state), known
        return self._heard

    def offers(self) -> list[Offer]:
        """What the log has lost, in the order in which it is to be given back."""
        if self._offers is None:
            orphans = self._store.outbox("orphan")
            offers = (Offer(each.event, each.voucher) for each in orphans if each.voucher is not None)
            self._offers = in_order(offers)
        return self._offers

    def doubtful(self) -> list[Event]:
        """The pending events that the log may have up to the horizon: no entry will come and tell."""
        pending = [each.event for each in self._store.outbox("pending") if each.seq is None]
        return in_bases(self._store, pending)

    def note(self, change: Change, moved: Mapping[str, int]) -> None:
        """A change was committed; ``moved``: how many more events (or fewer, below 0) have each status."""
        if moved.get("heard"):
            only_shrank = moved["heard"] < 0 and not change.forget
            self._heard = self._heard.after(change) if self._heard is not None and only_shrank else None
        if moved.get("orphan"):
            self._offers = None if moved["orphan"] > 0 or change.forget else _without(self._offers, change)


def _without(offers: list[Offer] | None, change: Change) -> list[Offer] | None:
    """Offers without those that a change settles."""
    settled = _settled(change, "orphan")
    return None if offers is None else [offer for offer in offers if offer.event.id not in settled]


def _settled(change: Change, status: str) -> set[str]:
    """The ids of events that have another status after a change, or are gone."""
    others = (each.event.id for each in change.outbox if each.status != status)
    return {*change.drop, *(entry.event.id for entry in change.entries), *others}


def outgoing(pending: Sequence[Event], heard: Heard) -> list[Event]:
    """What may be pushed of all that waits, in order of ids, in which whatever is named comes first."""
    candidates = sorted([*pending, *heard.ours], key=attrgetter("id")) if heard.ours else list(pending)
    if not heard.theirs:
        return candidates
    items = set(heard.theirs.values())  # what an event names is of its item
    waiting = {event.id for event in candidates if event.item in items and named_by(event) & heard.theirs.keys()}
    while more := _held_with(candidates, waiting) - waiting:
        waiting |= more
    return [event for event in candidates if event.id not in waiting]


def _held_with(candidates: Sequence[Event], waiting: set[str]) -> set[str]:
    """What waits because others do: what comes after them on their items, and the rest of their transactions."""
    first: dict[str, str] = {}
    for event in candidates:
        if event.id in waiting:
            first.setdefault(event.item, event.id)
    groups = {event.tx for event in candidates if event.tx and event.id in waiting}
    return {event.id for event in candidates if event.tx in groups or event.id >= first.get(event.item, "~")}
