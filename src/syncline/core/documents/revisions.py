"""Revisions: the visible changes of a document, numbered, each with the patch that leads there and the one back.

An entry makes a revision when the document shows something else after it; neighbouring entries of one node and one
``meta.group`` make one revision together. ``replay`` folds a document's entries and tells its revisions, ``blame``
tells which event put what shows in a place. What changed is found by ``recorder``; which entries a document has, and
where revisions are kept, is left to others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Literal, NamedTuple

from msgspec import UNSET, Struct

from syncline.core.documents.document import Document
from syncline.core.documents.names import split
from syncline.core.documents.objects import CounterObject, List, Map, Ref, SetObject, Slot, TextObject, winner
from syncline.core.documents.policies import MERGE
from syncline.core.documents.recorder import Change, Recorder
from syncline.core.events import Entry, Event
from syncline.core.stamps import Stamp


class Revision(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One visible change of a document, by one event or a group of them (``ids``).

    ``seq`` and ``at`` are those of the last entry. While that is pending, ``seq`` is None and ``at`` its author's time.
    ``user`` is None while the author does not know it, ``action`` that of the first event, ``undoes`` what an undo or
    redo is about. For ``kind``, ``forward`` and ``reverse`` see ``Change``.
    """

    number: int
    seq: int | None
    at: int
    ids: list[str]
    user: str | None
    node: str
    action: str
    kind: Literal["create", "update", "delete"]
    forward: Any
    reverse: Any
    undoes: str | None = None


def merge_always(seq: int | None) -> str:
    """The policy of a space that has set none."""
    return MERGE


def record(document: Document, event: Event, *, policy: str = MERGE) -> Change | None:
    """Folds one event; what it changed in what the document shows, None if nothing."""
    recorder = Recorder(document)
    document.fold(event, policy=policy, observer=recorder)
    return recorder.change()


def replay(
    document: Document,
    entries: Iterable[Entry | Event],
    first_number: int = 1,
    policy: Callable[[int | None], str] = merge_always,
) -> Iterator[Revision]:
    """Folds entries of a document, and pending events after them; its revisions, from ``first_number`` on.

    ``policy`` tells the conflict policy in force at a seq (None: for pending events). If a document is folded in parts,
    a group must not be cut in two.
    """
    for _, members in groupby(entries, _group):
        group = list(members)
        recorder = Recorder(document)
        for member in group:
            document.fold(_event(member), policy=policy(_seq(member)), observer=recorder)
        change = recorder.change()
        if change:
            yield _revision(first_number, group, change)
            first_number += 1


def _revision(number: int, group: Sequence[Entry | Event], change: Change) -> Revision:
    events = [_event(member) for member in group]
    first, last = events[0], group[-1]
    return Revision(
        number=number,
        seq=_seq(last),
        at=last.at if isinstance(last, Entry) else Stamp.parse(last.id).ms,
        ids=[event.id for event in events],
        user=None if first.user is UNSET else first.user,
        node=first.node,
        action=first.action,
        kind=change.kind,
        forward=change.forward,
        reverse=change.reverse,
        undoes=next((undone for event in events if (undone := _meta(event, "undoes"))), None),
    )


def _event(member: Entry | Event) -> Event:
    return member.event if isinstance(member, Entry) else member


def _seq(member: Entry | Event) -> int | None:
    return member.seq if isinstance(member, Entry) else None


def _meta(event: Event, name: str) -> str | None:
    return None if event.meta is UNSET else event.meta.get(name)


def _group(member: Entry | Event) -> tuple[Any, ...]:
    """What neighbours of one revision have in common."""
    event = _event(member)
    group = _meta(event, "group")
    return (group, event.user, event.node) if group else (event.id,)


# Blame


class Blame(NamedTuple):
    """The event (its id) that put what shows; of a text ``length`` characters from ``start`` on, of a set a member."""

    event: str
    start: int = 0
    length: int = 1


def blame(document: Document, path: Sequence[str | int]) -> list[Blame]:
    """Who put what shows at a path of keys and indexes. Raises KeyError or IndexError if nothing does.

    An undo or redo that puts a value back is not to blame for it; who first put it is.

    - For a text: its characters, in runs of one event. For a set: each member, in the order in which they show.
    - For a counter: the event that made it, and undos and redos that count. Which others added to it is not kept.
    - Otherwise one event: for a map or list, the one that made it. None for a root that exists without being made.
    """
    if not document.exists:
        raise KeyError(document.item)
    slot, value = document.top.slots.get("", ()), document.root
    for step in path:
        slot = _slot(document.objects[value] if type(value) is Ref else None, step)
        value = winner(slot).value
    target = document.objects[value] if type(value) is Ref else None
    if isinstance(target, TextObject):
        return _blame_characters(document, target)
    if isinstance(target, SetObject):
        return [Blame(_origin(target.members[key]), at) for at, key in enumerate(sorted(target.members))]
    events = {_origin(slot)} if slot else set()
    if isinstance(target, CounterObject):
        events |= {split(name)[0] for name, _ in target.once.values()}
    return [Blame(event) for event in sorted(events)]


def _slot(target: Any, step: str | int) -> Slot:
    if isinstance(target, Map) and isinstance(step, str):
        return target.slots[step]
    if isinstance(target, List) and isinstance(step, int):
        puts: Slot = target.sequence.content_at(step).puts
        return puts
    if isinstance(target, SetObject) and isinstance(step, int):
        return target.members[sorted(target.members)[step]]
    raise KeyError(step)


def _origin(slot: Slot) -> str:
    return split(winner(slot).origin)[0]


def _blame_characters(document: Document, target: TextObject) -> list[Blame]:
    runs: list[Blame] = []
    start = 0
    for place, length in target.sequence.places(0, len(target.sequence)):
        event, _ = document.events.name(place)
        if runs and runs[-1].event == event:
            runs[-1] = Blame(event, runs[-1].start, runs[-1].length + length)
        else:
            runs.append(Blame(event, start, length))
        start += length
    return runs


__all__ = ["Blame", "Change", "Recorder", "Revision", "blame", "merge_always", "record", "replay"]
