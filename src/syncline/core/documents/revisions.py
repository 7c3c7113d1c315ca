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


class Placed(NamedTuple):
    """An event and where it is: its seq and the log's time of it, or zeros while it is pending."""

    event: Event
    seq: int = 0
    at: int = 0

    @classmethod
    def of(cls, entry: Entry) -> Placed:
        """Where an entry is."""
        return cls(entry.event, entry.seq, entry.at)


def fold_placed(document: Document, placed: Placed, policy: str, observer: Recorder | None = None) -> bool:
    """Folds an event where it is: each entry counts, and a pending event unless it was folded before."""
    return document.fold(placed.event, policy=policy, observer=observer, is_next=placed.seq > 0)


def replay(
    document: Document,
    events: Iterable[Placed],
    first_number: int = 1,
    policy: Callable[[int | None], str] = merge_always,
    *,
    group: str | None = None,
) -> Iterator[Revision]:
    """Folds the events of a document, pending ones last; its revisions, from ``first_number`` on.

    ``policy`` tells the conflict policy in force at a seq (None: for pending events). ``group`` is that of the last
    revision of a document that was folded before, as ``group_of`` tells it: what goes on with it is no revision of its
    own, and is not told.
    """
    for _, members in groupby(events, _group):
        together = list(members)
        recorder = Recorder(document)
        shows = [fold_placed(document, each, policy(each.seq or None), recorder) for each in together]
        goes_on, group = group is not None and group_of(together[0].event) == group, None
        if any(shows) and not goes_on:  # even if it is what showed before the event or the group
            yield _revision(first_number, together, recorder.change() or Change("update", [], []))
            first_number += 1


def _revision(number: int, group: Sequence[Placed], change: Change) -> Revision:
    events = [each.event for each in group]
    first, last = events[0], group[-1]
    return Revision(
        number=number,
        seq=last.seq or None,
        at=last.at if last.seq else Stamp.parse(last.event.id).ms,
        ids=[event.id for event in events],
        user=None if first.user is UNSET else first.user,
        node=first.node,
        action=first.action,
        kind=change.kind,
        forward=change.forward,
        reverse=change.reverse,
        undoes=next((undone for event in events if (undone := _meta(event, "undoes"))), None),
    )


def _meta(event: Event, name: str) -> str | None:
    return None if event.meta is UNSET else event.meta.get(name)


def group_of(event: Event) -> str | None:
    """The group of an event, told apart from others' groups; None if it is in none."""
    group = _meta(event, "group")
    return f"{event.node}/{group}" if group else None


def _group(placed: Placed) -> tuple[Any, ...]:
    """What neighbours of one revision have in common: not the user, which an erased one does not tell."""
    group = group_of(placed.event)
    return (group, None) if group else (None, placed.event.id)


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


__all__ = ["Blame", "Change", "Placed", "Recorder", "Revision", "blame", "group_of", "merge_always", "record", "replay"]
