"""Conflicts: where pending events meet events of others that arrive; and what leaves together with a refused one."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from syncline.core.events import Event
from syncline.errors import TxRefused
from syncline.replica.drafts import Draft
from syncline.replica.naming import named_by
from syncline.stores import Outboxed


class Conflict(NamedTuple):
    """Events of one item, neither of them empty: each was made without knowing of some of the other side."""

    local: tuple[Event, ...]
    """The pending ones, in the order they were made."""
    remote: tuple[Event, ...]
    """Those of others, in the order of the log."""

    @property
    def item(self) -> str:
        """What the conflict is about."""
        return self.local[0].item


class Verdict(NamedTuple):
    """What was decided about a conflict; it takes effect together with the page that brings the conflict."""

    judged: frozenset[str] = frozenset()
    """Ids of the pending events it is about; what is not refused stands."""
    refused: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    """Those that go to the refused inbox: an error object for each id."""
    drafts: Sequence[Draft] = ()
    """What is recorded in their place, as somebody would who has seen all of it."""


def conflicts_of(
    arriving: Iterable[Event], pending: Iterable[Event], node: str, judged: Container[str] = ()
) -> list[Conflict]:
    """The conflicts of a node's pending events with events that arrive, but for those whose events are all judged."""
    arriving = tuple(arriving)
    settled = {event.id for event in arriving}  # a pending event may arrive itself: then the log has it
    remote = _by_item(event for event in arriving if event.node != node)
    local = _by_item(event for event in pending if event.item in remote and event.id not in settled)
    found = [_between(events, remote[item]) for item, events in local.items()]
    return [each for each in found if any(event.id not in judged for event in each.local)]


def _by_item(events: Iterable[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(event.item, []).append(event)
    return found


def _between(local: Sequence[Event], remote: Sequence[Event]) -> Conflict:
    return Conflict(
        tuple(mine for mine in local if any(are_concurrent(mine, theirs) for theirs in remote)),
        tuple(theirs for theirs in remote if any(are_concurrent(mine, theirs) for mine in local)),
    )


def are_concurrent(one: Event, other: Event) -> bool:
    """Whether neither author had seen the other's event of the same item.

    A clock holds its event's own counter, so one comparison for each side is enough (Mattern 1989).
    """
    return one.n > other.clock.get(one.node, 0) and other.n > one.clock.get(other.node, 0)


def withdrawals(refused: Mapping[str, Mapping[str, Any]], pending: Sequence[Event]) -> list[Outboxed]:
    """What goes to the refused inbox: these events, what names them, and what is of one transaction with them.

    No server would take an event without those it names, and of a transaction it takes all or nothing.
    """
    gone = {event.id: refused[event.id] for event in pending if event.id in refused}
    names = {event.id: named_by(event) for event in pending} if gone else {}
    while gone and (more := _following(gone, pending, names)):
        gone |= more
    return [Outboxed(event, "refused", None, gone[event.id]) for event in pending if event.id in gone]


def _following(
    gone: Mapping[str, Mapping[str, Any]], pending: Sequence[Event], names: Mapping[str, set[str]]
) -> dict[str, Mapping[str, Any]]:
    """What has to follow the events that are gone, and for which reason each."""
    found: dict[str, Mapping[str, Any]] = {}
    broken = {event.tx for event in pending if event.id in gone and event.tx}
    for event in pending:
        if event.id in gone:
            continue
        if named := names[event.id] & gone.keys():
            found[event.id] = gone[min(named)]
        elif event.tx in broken:
            found[event.id] = TxRefused("Another event of the same transaction was withdrawn.").to_wire()
    return found
