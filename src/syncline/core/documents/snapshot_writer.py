"""Writing a snapshot: what of a document is kept, in which order. The form is described in ``snapshots``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from syncline.core import canonical
from syncline.core.documents import names
from syncline.core.documents.columns import VERSION, Ids, Runs, Text, known_states, mentioned
from syncline.core.documents.document import Document
from syncline.core.documents.objects import (
    CounterObject,
    Element,
    List,
    Map,
    Object,
    Ref,
    SetObject,
    Slot,
    Standing,
    TextObject,
)
from syncline.core.documents.sequence import Sequence
from syncline.core.limits import MAX_SAFE_INTEGER


class Writer:
    """Writes one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        kept = list(filter(is_kept, document.objects.values()))
        self._made = sorted(filter(_is_by_event, kept), key=lambda each: names.rank(each.name))
        self._placed = sorted([each for each in kept if not _is_by_event(each)], key=lambda each: _utf16(each.name))
        self._rows = {each.name: row for row, each in enumerate(self._made)}
        self._ids = sorted(set(_ids(document, kept)))
        self._index = {id: index for index, id in enumerate(self._ids)}
        self._ranks = [self._index.get(id, -1) for id in document.events.ids]
        self._texts: list[bytes] = []

    def write(self) -> bytes:
        """The canonical bytes."""
        document = self._document
        rest = [
            sorted(self._name(name) for name in document.deletes),
            sorted(self._index[id] for id in document.overruled),
            self._slot(document.top.slots.get("", ()), ""),
            [self._row(each) for each in self._made],
            {each.name: self._content(each) for each in self._placed},
        ]
        ids = msgspec.json.encode(Ids.of(self._ids))
        head = canonical.encode([VERSION, document.clock, document.is_made])
        texts = b"[" + b",".join(self._texts) + b"]"
        return b",".join([head[:-1], ids, canonical.encode(rest)[1:-1], texts]) + b"]"

    def _name(self, name: str) -> list[int]:
        event, k = names.split(name)
        return [self._index[event], k]

    def _row(self, target: Object) -> list[Any]:
        parent, place = target.birth or (self._document.top, "")
        above = None if parent is self._document.top else self._rows.get(parent.name, parent.name)
        where = self._name(self._document.name_of(place.place)) if isinstance(place, Element) else place
        return [*self._name(target.name), target.kind, above, where, self._content(target)]

    def _content(self, target: Any) -> Any:
        if isinstance(target, Map):
            return {key: self._slot(slot, target.name) for key, slot in target.slots.items()}
        if isinstance(target, List):
            return self._list(target)
        if isinstance(target, TextObject):
            return self._text(target)
        if isinstance(target, CounterObject):
            once = {key: [*self._name(name), by] for key, (name, by) in target.once.items()}
            return [target.plain if abs(target.plain) <= MAX_SAFE_INTEGER else str(target.plain), once]
        members: dict[bytes, Slot] = target.members
        return {key.decode(): [put[1:] for put in self._slot(slot, target.name)] for key, slot in members.items()}

    def _slot(self, slot: Slot, own: str) -> list[list[Any]]:
        if len(slot) == 1:
            return [self._put(slot[0], own)]
        return [self._put(put, own) for put in sorted(slot, key=lambda put: names.rank(put.name))]

    def _put(self, put: Standing, own: str) -> list[Any]:
        value = [self._rows.get(put.value, put.value)] if type(put.value) is Ref else put.value
        if put.origin != put.name:
            return [value, *self._name(put.name), *self._name(put.origin)]
        return [value] if put.name == own else [value, *self._name(put.name)]

    def _text(self, target: TextObject) -> int:
        states, parts = known_states(), []
        runs = list(target.sequence.runs(self._ranks))
        columns = Runs.of(runs, states)
        parts = [content for _, _, content, _ in runs]
        others = [sorted([] if not name else self._name(name) for name in state) for state in [*states][2:]]
        self._texts.append(msgspec.json.encode(Text(columns, "".join(parts), others)))
        return len(self._texts) - 1

    def _list(self, target: List) -> list[Any]:
        runs = list(target.sequence.runs(self._ranks))
        places = [(place, element) for place, element, _ in target.sequence]
        indexes = {place: index for index, (place, _) in enumerate(places)}
        entries = [
            self._element(element, indexes) if element.place == place else indexes[element.place]
            for place, element in places
        ]
        return [msgspec.to_builtins(Runs.of(runs, known_states())), entries]

    def _element(self, element: Element, indexes: dict[int, int]) -> list[Any]:
        own = self._document.name_of(element.place)
        puts = self._slot(element.puts, own)
        if len(element.homes) == 1 and element.homes[0].name == own:
            return [puts]
        homes = tuple([home._replace(value=indexes[home.value]) for home in element.homes])
        return [puts, self._slot(homes, own)]


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be")


def is_kept(target: Object) -> bool:
    """Whether an object has to be remembered: one that is named by its place and holds nothing may be made anew."""
    return _is_by_event(target) or _holds_anything(target)


def _is_by_event(target: Object) -> bool:
    """Whether an object was made by an event, rather than named by its place."""
    return names.maker(target.name) is not None and "/" not in target.name


def _holds_anything(target: Any) -> bool:
    """Whether an object holds what must be kept."""
    if isinstance(target, Map):
        return bool(target.slots)
    if isinstance(target, List | TextObject):
        return any(True for _ in target.sequence)
    if isinstance(target, CounterObject):
        return bool(target.plain or target.once)
    return bool(target.members)


def _ids(document: Document, kept: list[Object]) -> Iterator[str]:
    """The ids of all events that a snapshot names."""
    yield from document.overruled
    for name in document.deletes:
        yield name[:36]
    for target in [document.top, *kept]:
        if _is_by_event(target):
            yield target.name[:36]
        if isinstance(target, CounterObject):
            yield from [name[:36] for name, _ in target.once.values()]
            continue
        for slot in _slots(target):
            for put in slot:
                yield put.name[:36]
                yield put.origin[:36]
        if isinstance(target, List | TextObject):
            yield from _ids_of_sequence(document.events.ids, target.sequence)


def _ids_of_sequence(ids: list[str], sequence: Sequence[Any]) -> Iterator[str]:
    events, states = mentioned(sequence.runs(list(range(len(ids)))))
    yield from [ids[number] for number in events]
    yield from [name[:36] for state in states for name in state if name]


def _slots(target: Any) -> Iterator[Slot]:
    if isinstance(target, Map):
        yield from target.slots.values()
    elif isinstance(target, SetObject):
        yield from target.members.values()
    elif isinstance(target, List):
        for element in target.elements.values():
            yield element.puts
            yield element.homes
