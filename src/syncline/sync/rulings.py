"""Rulings: a resolver is asked about a conflict, and its answer is checked before anything follows from it.

Whatever a resolver does, no event is lost: each local one stands, or is in the refused inbox with the reason.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from syncline.core.events import Event
from syncline.errors import ResolverFailed, Withdrawn, from_wire
from syncline.replica import Conflict, Draft, Refused, Verdict
from syncline.sync.resolvers import Answer, ConflictResolver, ask, last_ids

log = logging.getLogger("syncline.sync")

Check = Callable[[Draft, Sequence[Event]], None]
"""Raises if a draft could not be recorded after these events."""

Ask = Callable[[ConflictResolver, Sequence[Event], Sequence[Event]], Awaitable[Answer]]
"""The answer of a resolver about local and remote events."""


class Ruling(NamedTuple):
    """A verdict; and why it had to be made without the resolver, if that failed."""

    verdict: Verdict
    error: ResolverFailed | None = None


def both_stand(conflict: Conflict) -> Ruling:
    """Nobody is asked: the local events are pushed as they are."""
    return Ruling(Verdict(_ids(conflict.local)))


def failed(conflict: Conflict, reason: str) -> Ruling:
    """The local events go to the refused inbox, because the resolver did not decide."""
    error = ResolverFailed(reason, remote=last_ids(conflict.remote))
    return Ruling(Verdict(_ids(conflict.local), {event.id: error.to_wire() for event in conflict.local}), error)


async def ask_about(conflict: Conflict, resolver: ConflictResolver, check: Check, ask: Ask = ask) -> Ruling:
    """What a resolver decides. It gets copies, so that whatever it does to them changes nothing."""
    name = type(resolver).__name__
    try:
        answer = await ask(resolver, _copies(conflict.local), _copies(conflict.remote))
        return Ruling(_verdict(conflict, answer, check, name))
    except Exception as error:
        log.exception("the conflict resolver failed")
        return failed(conflict, f"The conflict resolver {name} failed on {conflict.item}: {error!r:.500}")


def _copies(events: Sequence[Event]) -> list[Event]:
    return [Event.read(event.body) for event in events]


def _ids(events: Sequence[Event]) -> frozenset[str]:
    return frozenset(event.id for event in events)


def _verdict(conflict: Conflict, answer: Answer, check: Check, name: str) -> Verdict:
    """What an answer means. Raises for anything that is not about this item and these events."""
    local = {event.id: event for event in conflict.local}
    known = {event.id: event for event in conflict.remote} | local
    stands: set[str] = set()
    refused: dict[str, Mapping[str, Any]] = {}
    drafts: list[Draft] = []
    for each in answer:
        match each:
            case Draft() if each.item == conflict.item:
                check(each, conflict.remote)
                drafts.append(each)
            case Event() if each == known.get(each.id):
                stands.add(each.id)
            case Refused() if each.event == local.get(each.event.id):
                refused[each.event.id] = _checked(each.error)
            case _:
                raise ValueError(f"{each!r:.200} is neither one of these events nor a draft of this item")
    if stands & refused.keys():
        raise ValueError("an event cannot both stand and be refused")
    withdrawn = Withdrawn(f"{name} let the concurrent events of others stand.", remote=last_ids(conflict.remote))
    left_out = {id: withdrawn.to_wire() for id in local.keys() - stands - refused.keys()}
    return Verdict(_ids(conflict.local), {**left_out, **refused}, drafts)


def _checked(error: Mapping[str, Any]) -> dict[str, Any]:
    """The error object, with all its members. Raises if it cannot be stored."""
    wire = from_wire(dict(error)).to_wire()
    msgspec.json.encode(wire)
    return wire
