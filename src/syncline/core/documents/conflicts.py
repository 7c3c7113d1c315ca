"""What people of one document do not agree on: slots with several values, and edits that have no effect.

An edit has none if the space's policy overruled it, or if it did not know that the document had been deleted. It is not
lost: it is told here, with its author, so that somebody can do it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import UNSET, Struct, field

from syncline.core.documents import names, ops
from syncline.core.documents.document import Conflict, Document
from syncline.core.documents.objects import Element, Ref, is_same
from syncline.core.documents.policies import LAST_WRITE_WINS, MANUAL
from syncline.core.documents.snapshot_writer import is_kept
from syncline.core.events import Event


class Ineffective(Struct, frozen=True):
    """An edit without effect: its event's id, and whose it is. ``user`` is None while the author does not know it."""

    id: str
    user: str | None
    node: str
    action: str

    @classmethod
    def of(cls, event: Event) -> Ineffective:
        """What there is to say of an event."""
        return cls(event.id, None if event.user is UNSET else event.user, event.node, event.action)


class Conflicts(Struct, frozen=True, kw_only=True):
    """The conflicts of a document; false if there are none."""

    values: list[Conflict] = field(default_factory=list)
    """Slots that hold several values; none under ``last_write_wins``."""
    overruled: list[Ineffective] = field(default_factory=list)
    """Edits that the policy overruled."""
    unseen: list[Ineffective] = field(default_factory=list)
    """Edits of what was removed meanwhile, or while the document is deleted, where neither had seen the other."""
    is_marked: bool = False
    """Whether somebody has to decide, because the policy is ``manual``: by writing over all values of a slot."""

    def __bool__(self) -> bool:
        return bool(self.values or self.overruled or self.unseen)


def conflicts_of(document: Document, events: Iterable[Event], policy: str) -> Conflicts:
    """The conflicts of a document that folded these events, under the policy in force now."""
    values = [] if policy == LAST_WRITE_WINS else list(document.conflicts())
    listed = list(events) if document.overruled or _hides_anything(document) else []
    return Conflicts(
        values=values,
        overruled=[Ineffective.of(event) for event in listed if event.id in document.overruled],
        unseen=[Ineffective.of(event) for event in _Hidden(document, listed).unseen()],
        is_marked=policy == MANUAL and bool(values),
    )


def _hides_anything(document: Document) -> bool:
    return bool(document.deletes) or not all(map(document.is_in_place, filter(is_kept, document.objects.values())))


class _Hidden:
    """What does not show because somebody removed what it is in, and who did."""

    def __init__(self, document: Document, events: Iterable[Event]) -> None:
        self._document = document
        self._events = [event for event in events if event.changes and event.id not in document.overruled]
        deletes = {name[:36] for name in document.deletes}
        self._deletions = [event for event in self._events if event.id in deletes]
        self._writers: dict[tuple[str, Any], list[Event]] = {}
        for event in self._events:
            for place in _written(document, event):
                self._writers.setdefault(place, []).append(event)

    def unseen(self) -> list[Event]:
        """The edits that do not show, made by people who had not seen why, and whom the removal had not seen."""
        return [event for event in self._events if self._is_unseen(event)]

    def _is_unseen(self, event: Event) -> bool:
        reasons = [self._deletions] if self._deletions and event not in self._deletions else []
        reasons += [self._removals(names.full(op.inside, event.id)) for op in event.changes if op is not None]
        return any(all(_are_apart(event, each) for each in removals) for removals in reasons if removals)

    def _removals(self, name: str) -> list[Event]:
        """The events that wrote the slot in which an object, or one it is in, no longer shows."""
        target = self._document.objects.get(name)
        if target is not None and not is_kept(target):  # a snapshot would not know of it
            return []
        while target is not None and target.birth is not None:
            parent, place = target.birth
            if not is_same(parent.shows(place), Ref(target.name)):
                made = names.maker(target.name)
                writers = self._writers.get((parent.name, place.place if isinstance(place, Element) else place), [])
                return [event for event in writers if event.id != made]
            target = parent
        return []


def _written(document: Document, event: Event) -> Iterator[tuple[str, Any]]:
    """The slots of maps and elements in which an event put or removed something: object, and key or place."""
    for op in event.changes:
        if isinstance(op, ops.Put | ops.Del):
            inside, elem = names.full(op.inside, event.id), getattr(op, "elem", UNSET)
            if op.key is not UNSET:
                yield inside, op.key
            stretches: Any = op.elems if op.elems is not UNSET else [] if elem is UNSET else [elem]
            for stretch in stretches:
                maker, first, count = names.stretch_of(stretch, event.id)
                place = document.place(names.make(maker, first))
                yield from ((inside, each) for each in range(place, place + count)) if place is not None else ()


def _are_apart(one: Event, other: Event) -> bool:
    """Whether neither had seen the other."""
    return one.clock.get(other.node, 0) < other.n and other.clock.get(one.node, 0) < one.n
