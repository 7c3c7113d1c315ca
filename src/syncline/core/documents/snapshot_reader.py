"""Reading a snapshot, without trust: what contradicts itself raises. The form is described in ``snapshots``."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from syncline.core import canonical
from syncline.core.documents import names
from syncline.core.documents.columns import Ids, Runs, Text, require
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
    winner,
)
from syncline.core.documents.sequence import GONE, ORIGINAL, Events, Sequence, State
from syncline.core.limits import MAX_DEPTH, MAX_SAFE_INTEGER
from syncline.errors import StoreDamaged


class Snapshot(Struct, array_like=True, forbid_unknown_fields=True):
    """The outer form of a snapshot."""

    version: int
    clock: dict[str, int]
    is_made: bool
    ids: Ids
    deletes: list[tuple[int, int]]
    overruled: list[int]
    top: list[list[Any]]
    made: list[tuple[int, int, str, int | str | None, Any, Any]]
    placed: dict[str, Any]
    texts: list[Text]


class Reader:
    """Reads one document. Raises StoreDamaged, or whatever comes of nonsense."""

    def __init__(self, item: str, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._document = Document(item, Events(snapshot.ids.read()))
        self._count = len(snapshot.ids.ms)
        self._made: list[Object] = []
        self._refs: list[tuple[Object, Any, Ref]] = []
        self._texts = list(enumerate(snapshot.texts))[::-1]

    def read(self) -> Document:
        """The document."""
        snapshot, document = self._snapshot, self._document
        document.clock, document.is_made = snapshot.clock, snapshot.is_made
        require(all(0 < n <= MAX_SAFE_INTEGER for n in snapshot.clock.values()), "the clock")
        document.deletes = {self._name(*name) for name in snapshot.deletes}
        document.overruled = {self._event(number) for number in snapshot.overruled}
        placed = self._make()
        if snapshot.top:
            document.top.slots[""] = self._slot(snapshot.top, "", document.top, "")
        contents = [row[5] for row in snapshot.made]
        for target, content in zip([*self._made, *placed], [*contents, *snapshot.placed.values()], strict=True):
            self._fill(target, content)
        self._join()
        require(not self._texts, "every text belongs somewhere")
        return document

    def _event(self, number: int) -> str:
        require(0 <= number < self._count, "an event has a number")
        return self._document.events.id(number)

    def _name(self, event: int, k: int) -> str:
        require(type(event) is type(k) is int and 0 <= k < 100_000, "a name is two numbers")
        return names.make(self._event(event), k)

    # Objects

    def _make(self) -> list[Object]:
        """Makes all objects; those that were named by their place are the answer."""
        last = (0, -1)
        for event, k, kind, above, where, _ in self._snapshot.made:
            parent = self._parent(above)
            place = self._name(*where) if isinstance(parent, List) else where
            require(type(place) is str and (parent is not self._document.top or not place), "an object has a slot")
            name = self._name(event, k)
            require(kind in names.KINDS and last < (event, k) and k < names.MAX_NAMES, "objects stand in order")
            last = event, k
            self._made.append(self._document.make(kind, name, (parent, place)))
            require(self._made[-1].depth <= MAX_DEPTH, "objects nest")
        return [self._find(name) for name in self._snapshot.placed]

    def _parent(self, above: int | str | None) -> Map | List:
        if above is None:
            return self._document.top
        parent = self._find(above) if isinstance(above, str) else self._made[above]
        if not isinstance(parent, Map | List) or (isinstance(above, int) and above < 0):
            raise StoreDamaged("The snapshot is damaged: an object is nowhere.")
        return parent

    def _find(self, name: str) -> Object:
        """An object that is named by its place."""
        require(names.OBJECT.fullmatch(name) and name.count("/") <= MAX_DEPTH, "objects have names")
        found = self._document.find(name)
        if found is None or (names.maker(name) is not None and "/" not in name):
            raise StoreDamaged("The snapshot is damaged: an object is nowhere.")
        return found

    def _join(self) -> None:
        """Ties objects in lists to their elements; then every object must be where it was made."""
        for target in self._made:
            parent, place = target.birth or (None, "")
            if isinstance(parent, List):
                target.birth = parent, parent.elements[self._document.place(place) or 0]
        for target, place, ref in self._refs:
            require(self._document.objects[ref].birth == (target, place), "an object shows in the slot of its birth")

    # Contents

    def _fill(self, target: Any, content: Any) -> None:
        if isinstance(target, Map):
            for key, slot in content.items():
                target.set(key, self._slot(slot, target.name, target, key))
        elif isinstance(target, List):
            self._fill_list(target, *content)
        elif isinstance(target, TextObject):
            number, text = self._texts.pop()
            require(content == number, "texts stand in order")
            self._fill_text(target, text)
        elif isinstance(target, CounterObject):
            self._fill_counter(target, *content)
        else:
            for key, adds in content.items():
                self._fill_member(target, key.encode(), adds)

    def _slot(self, puts: list[list[Any]], own: str, target: Object, place: Any) -> Slot:
        require(puts, "a slot holds something")
        return tuple([self._put(own, target, place, *put) for put in puts])

    def _put(self, own: str, target: Object, place: Any, value: Any, *name: int) -> Standing:
        if type(value) is list:
            value = Ref(self._made[value[0]].name if type(value[0]) is int else self._find(value[0]).name)
            self._refs.append((target, place, value))
        return self._standing(own, _scalar(value), *name)

    def _standing(self, own: str, value: Any, *name: int) -> Standing:
        if not name:
            require(own, "a put has a name")
            return Standing(own, own, value)
        put = self._name(*name[:2])
        return Standing(put, self._name(*name[2:]) if len(name) > 2 else put, value)

    def _fill_member(self, target: SetObject, key: bytes, adds: list[list[int]]) -> None:
        value = canonical.decode(key, max_depth=MAX_DEPTH)
        require(canonical.encode(value) == key and adds, "members are canonical")
        target.members[key] = tuple([self._standing(target.name, value, *add) for add in adds])

    def _fill_counter(self, target: CounterObject, plain: int | str, once: dict[str, list[int]]) -> None:
        target.plain = int(plain)
        require(plain in (target.plain, str(target.plain)), "a counter holds a whole number")
        for key, (event, k, by) in once.items():
            require(type(by) is int, "a counter holds whole numbers")
            target.once[key] = self._name(event, k), by

    def _fill_text(self, target: TextObject, text: Text) -> None:
        others = [frozenset([self._name(*name) if name else "" for name in state]) for state in text.states]
        runs = text.runs.read(text.characters, [ORIGINAL, GONE, *others], self._count)
        target.lay_out(runs)

    def _fill_list(self, target: List, columns: Any, entries: list[Any]) -> None:
        runs = list(msgspec.convert(columns, Runs).read(tuple(entries), [ORIGINAL, GONE], self._count))
        places = [first + offset * stride for first, stride, content, _ in runs for offset in range(len(content))]
        for place, entry in zip(places, entries, strict=True):
            if type(entry) is not int:
                target.elements[place] = self._element(target, place, places, *entry)
        elements = [
            target.elements[place if type(entry) is not int else places[entry]]
            for place, entry in zip(places, entries, strict=True)
        ]
        at = 0
        lines: list[tuple[int, int, tuple[Any, ...], State]] = []
        for first, stride, content, state in runs:
            lines.append((first, stride, tuple(elements[at : at + len(content)]), state))
            at += len(content)
        target.sequence = Sequence.of(self._document.events, (), lines)
        self._check_list(target)

    def _element(self, target: List, place: int, places: list[int], puts: Any, homes: Any = None) -> Element:
        own = self._document.name_of(place)
        element = Element(place, own)
        if homes is not None:
            element.homes = tuple([self._standing(own, places[home[0]], *home[1:]) for home in homes])
            element.at = winner(element.homes).value
        element.puts = self._slot(puts, own, target, element) if puts else ()
        return element

    def _check_list(self, target: List) -> None:
        for place, element, is_visible in target.sequence:
            shows = element.at == place and bool(element.puts)
            require(shows == is_visible, "an element shows where it stands")
        for element in target.elements.values():
            for home in element.homes:
                require(target.sequence.content(home.value)[0] is element, "an element stands in a place of its own")


def _scalar(value: Any) -> Any:
    """A scalar as canonical JSON reads it: what is integral and beyond ±(2^53−1) is a double."""
    require(type(value) is not dict, "a slot holds scalars and objects")
    return float(value) if type(value) is int and abs(value) > MAX_SAFE_INTEGER else value
