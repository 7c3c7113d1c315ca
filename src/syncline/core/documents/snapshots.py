"""Snapshots: the state of a document as bytes, from which folding goes on as if it had never stopped.

    [version, clock, is made, ids, deletes, overruled, top, made, placed, texts]

``encode`` depends on the state alone: the order of arrival, repetitions, how runs are split and loading in between do
not show. The form is canonical JSON (RFC 8785), so a browser can read and write it. ``pack`` compresses it to be
stored and sent; its bytes depend on the compressor and are not canonical.

Events are numbered by their ids, ascending; a name is an event and k, two numbers. The objects that events made stand
in ``made`` in order of their names: event, k, kind, parent (its number there, its name if it is named by its place,
or null: the document), slot (a key, or the name of an element), content. Those that are named by their place stand in
``placed`` by their names, unless they are empty: whether anybody looked at one does not show. Contents:

    map      {key: slot}
    list     [runs, entries]; an entry is [slot], or [slot, slot of homes] for an element that was moved; and for a
             place to which an element was moved it is the index of the entry of that element
    text     its number in ``texts``, [runs, characters, other states]; a state is a list of names, [] for the insertion
    counter  [sum, {once: [event, k, by]}]; what is beyond ±(2^53−1) is a string
    set      {canonical form of a member: its adds}; an add is a name, or [] for what the set was made with

A slot is a list of puts in order of their names: [value] for what its map or element was made with, [value, name], or
[value, name, origin] with the numbers of names in line. A value that is an object is [its number in ``made``] or [its
name].
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from syncline.core import canonical
from syncline.core.documents import names
from syncline.core.documents.columns import Ids, Runs, known_states, mentioned, require
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
from syncline.core.documents.sequence import GONE, ORIGINAL, Sequence, State
from syncline.core.limits import MAX_DEPTH, MAX_SAFE_INTEGER, MAX_SNAPSHOT_BYTES
from syncline.errors import NewerSchema, StoreDamaged, SynclineError, TooLarge

VERSION = 1

_VERSION = re.compile(rb"\[([1-9][0-9]{0,8})[,\]]")
_BROKEN = (AttributeError, LookupError, RecursionError, TypeError, ValueError, SynclineError, msgspec.MsgspecError)


class _Text(Struct, array_like=True, forbid_unknown_fields=True):
    runs: Runs
    characters: str
    states: list[list[list[int]]]


class _Snapshot(Struct, array_like=True, forbid_unknown_fields=True):
    version: int
    clock: dict[str, int]
    is_made: bool
    ids: Ids
    deletes: list[tuple[int, int]]
    overruled: list[int]
    top: list[list[Any]]
    made: list[tuple[int, int, str, int | str | None, Any, Any]]
    placed: dict[str, Any]
    texts: list[_Text]


def encode(document: Document) -> bytes:
    """The canonical bytes of a document's state."""
    return _Writer(document).write()


def decode(item: str, data: bytes) -> Document:
    """The document of a snapshot. Raises NewerSchema if a newer version wrote it, StoreDamaged if it is damaged."""
    version = _VERSION.match(data)
    require(version, "it does not begin with a version")
    if version and int(version[1]) > VERSION:
        raise NewerSchema(f"The snapshot has version {int(version[1])}; this Syncline knows {VERSION}.")
    try:
        return _Reader(item, msgspec.json.decode(data, type=_Snapshot)).read()
    except StoreDamaged:
        raise
    except _BROKEN as error:
        raise StoreDamaged(f"The snapshot is damaged: {error}") from None


def pack(data: bytes) -> bytes:
    """A snapshot compressed (zlib, RFC 1950). Raises TooLarge for what ``unpack`` would not take."""
    if len(data) > MAX_SNAPSHOT_BYTES:
        raise TooLarge(f"The snapshot of a document has at most {MAX_SNAPSHOT_BYTES} bytes.")
    return zlib.compress(data, 9)


def unpack(data: bytes) -> bytes:
    """What ``pack`` compressed. Raises TooLarge before it takes more memory than allowed, or StoreDamaged."""
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(data, MAX_SNAPSHOT_BYTES + 1)
    except zlib.error as error:
        raise StoreDamaged(f"The packed snapshot is damaged: {error}") from None
    if len(unpacked) > MAX_SNAPSHOT_BYTES:
        raise TooLarge(f"The snapshot of a document has at most {MAX_SNAPSHOT_BYTES} bytes.")
    require(stream.eof and not stream.unused_data, "it is packed as one stream")
    return unpacked


# Writing


class _Writer:
    def __init__(self, document: Document) -> None:
        self._document = document
        kept = [each for each in document.objects.values() if _is_by_event(each) or _holds_anything(each)]
        self._made = sorted(filter(_is_by_event, kept), key=lambda each: names.rank(each.name))
        self._placed = sorted([each for each in kept if not _is_by_event(each)], key=lambda each: _utf16(each.name))
        self._rows = {each.name: row for row, each in enumerate(self._made)}
        self._ids = sorted(set(_ids(document, kept)))
        self._index = {id: index for index, id in enumerate(self._ids)}
        self._ranks = [self._index.get(id, -1) for id in document.events.ids]
        self._texts: list[bytes] = []

    def write(self) -> bytes:
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
        self._texts.append(msgspec.json.encode(_Text(columns, "".join(parts), others)))
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


# Reading


class _Reader:
    def __init__(self, item: str, snapshot: _Snapshot) -> None:
        self._snapshot = snapshot
        self._document = Document(item)
        self._ids = snapshot.ids.read()
        self._made: list[Object] = []
        self._refs: list[tuple[Object, Any, Ref]] = []
        self._texts = list(enumerate(snapshot.texts))[::-1]

    def read(self) -> Document:
        snapshot, document = self._snapshot, self._document
        for id in self._ids:
            document.events.index(id)
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
        require(0 <= number < len(self._ids), "an event has a number")
        return self._ids[number]

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
        if found is None or _is_by_event(found):
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

    def _fill_text(self, target: TextObject, text: _Text) -> None:
        others = [frozenset([self._name(*name) if name else "" for name in state]) for state in text.states]
        runs = text.runs.read(text.characters, [ORIGINAL, GONE, *others], len(self._ids))
        target.sequence = Sequence.of(self._document.events, "", runs)

    def _fill_list(self, target: List, columns: Any, entries: list[Any]) -> None:
        runs = list(msgspec.convert(columns, Runs).read(tuple(entries), [ORIGINAL, GONE], len(self._ids)))
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
