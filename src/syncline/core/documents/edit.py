"""Editing: what a person wants, as ops against the state they see.

An ``Editor`` drafts the ops of one event and carries each out at once, so that the next one sees it. It names in
``over`` whatever stands in the slots it writes. What it is asked is about objects and positions; paths, patches and
proxies are built on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from msgspec import UNSET

from syncline.core import canonical
from syncline.core.documents import names, ops, values
from syncline.core.documents.document import Document
from syncline.core.documents.fold import OWN, Fold, Observer
from syncline.core.documents.names import MAP
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
    is_same,
)
from syncline.core.documents.sequence import ORIGINAL
from syncline.core.limits import MAX_DEPTH
from syncline.errors import BadOp, EventTooLarge, TooDeep


class Editor:
    """One event in the making. Positions that are not there raise IndexError, keys KeyError, odd values BadOp."""

    def __init__(self, document: Document, event: str, *, observer: Observer | None = None) -> None:
        """``event``: the id the event will have, greater than all the document has seen."""
        self.document, self.event = document, event
        self._did_exist = document.exists
        self.ops: list[ops.AnyOp] = []
        self._fold = Fold(document, event, observer=observer)
        self._typed: int | None = None
        """The place of the last character that the last op inserted."""
        self._erased: tuple[TextObject, int, int] | None = None
        """Where the last op deleted its last stretch: text, first place, count."""

    def wire(self) -> list[dict[str, Any]]:
        """The ops as they travel."""
        return [ops.write(op) for op in self.ops]

    @property
    def has_changed(self) -> bool:
        """Whether the document shows something else than before this event."""
        exists = self.document.exists
        return exists != self._did_exist or (exists and self._fold.has_changed)

    # Maps

    def put(self, target: Map, key: str, value: Any) -> None:
        """Puts a value (as it travels) under a key, over all that stands there. Raises BadOp or TooDeep."""
        self._check(target, value)
        self._do(ops.Put(inside=self._short(target), key=key, value=value, over=self._over(target.slots.get(key))))

    def delete(self, target: Map, key: str) -> None:
        """Empties a key."""
        self._do(ops.Del(inside=self._short(target), key=key, over=self._over(target.slots[key])))

    def ensure(self, target: Map, key: str, kind: str) -> Object:
        """The child that is the same wherever it is made under this key, which shows it."""
        name = names.child(target.name, key, kind)
        found = self.document.find(name)
        if found is None:
            raise TooDeep(f"Documents nest at most {MAX_DEPTH} deep.")
        if not is_same(target.shows(key), Ref(name)):
            over = self._over(target.slots.get(key))
            self._do(ops.Ensure(inside=self._short(target), key=key, kind=kind, over=over))
        return found

    def put_root(self, value: Any) -> None:
        """Makes the document a value."""
        self._check(self.document.top, value)
        self._do(ops.Put(value=value, over=self._over(self.document.top.slots.get(""))))

    def ensure_root(self, kind: str) -> Object:
        """Makes the document a root of this kind, the same wherever it is made."""
        if not is_same(self.document.root, Ref(names.root(kind))):
            self._do(ops.Ensure(kind=kind, over=self._over(self.document.top.slots.get(""))))
        return self.document.objects[names.root(kind)]

    # Lists

    def insert(self, target: List, index: int, inserted: Sequence[Any]) -> None:
        """Inserts values before an index."""
        for value in inserted:
            self._check(target, value)
        after = target.sequence.before(index)
        self._do(ops.Insert(inside=self._short(target), after=self._place(after), values=list(inserted)))

    def put_at(self, target: List, index: int, value: Any) -> None:
        """Puts a value in the place of an element."""
        self._check(target, value)
        element = target.sequence.content_at(index)
        elem = self._place(element.place)
        over = self._over(tuple(put for put in element.puts if put.name != self.document.name_of(element.place)))
        self._do(ops.Put(inside=self._short(target), elem=elem, value=value, over=over))

    def remove(self, target: List, index: int, count: int = 1) -> None:
        """Removes elements."""
        elements = target.sequence.visible(index, index + count)
        if len(elements) < count:
            raise IndexError(f"There are {len(target.sequence)} elements.")
        own = {self.document.name_of(element.place) for element in elements}
        over = self._over(tuple(put for element in elements for put in element.puts if put.name not in own))
        elems = self._stretches([element.place for element in elements])
        self._do(ops.Del(inside=self._short(target), elems=elems, over=over))

    def move(self, target: List, index: int, to: int) -> None:
        """Moves an element, so that it has the index ``to`` afterwards."""
        element = target.sequence.content_at(index)
        target.sequence.content_at(to)
        after = target.sequence.before(to if to <= index else to + 1)
        name = self.document.name_of(element.place)
        over = self._over(tuple(home for home in element.homes if home.name != name))
        elem = self._place(element.place)
        self._do(ops.Move(inside=self._short(target), elem=elem, after=self._place(after), over=over))

    # Texts

    def splice(self, target: TextObject, position: int, deleted: int = 0, inserted: str = "") -> None:
        """Deletes code points after a position, and inserts others there."""
        if not 0 <= position <= position + deleted <= len(target.sequence):
            raise IndexError(f"The text has {len(target.sequence)} characters.")
        if deleted:
            self._delete_characters(target, position, deleted)
        if inserted:
            self._insert_characters(target, position, inserted)

    def _delete_characters(self, target: TextObject, position: int, count: int) -> None:
        if target.sequence.states_at(position, count) != {ORIGINAL}:
            stretches = target.sequence.places(position, count)
            self.remove_characters(target, [each for place, many in stretches for each in range(place, place + many)])
            return
        for place, many in self._fold.delete_at(target, position, count):
            self._note_erased(target, place, many)

    def _note_erased(self, target: TextObject, place: int, count: int) -> None:
        """Deleting goes on in the last op, if that deleted here, and in its last stretch, forwards or backwards."""
        last, first, length = self._erased or (None, 0, 0)
        if last is not target:
            self._append(ops.Del(inside=self._short(target), elems=[]))
            self._fold.k += 1
        elems = cast(ops.Del, self.ops[-1]).elems
        if last is target and place in (first + length, first - count):
            elems.pop()  # type: ignore[union-attr]
            place, count = min(place, first), count + length
        elems.append(names.stretch(self._place(place), count))  # type: ignore[union-attr]
        self._erased = target, place, count

    def _insert_characters(self, target: TextObject, position: int, text: str) -> None:
        """Typing goes on in the last op, if that inserted the character before."""
        self._check_room(len(text))
        if self._typed is not None and self._fold.type_at(target, position, self._typed + 1, text):
            cast(ops.Insert, self.ops[-1]).text += text  # type: ignore[operator]
            self._typed += len(text)
            return
        after = target.sequence.before(position)
        if after is not None and after == self._typed:
            cast(ops.Insert, self.ops[-1]).text += text  # type: ignore[operator]
        else:
            self._append(ops.Insert(inside=self._short(target), after=self._place(after), text=text))
            self._fold.k += 1
        self._typed = self._fold.insert_at(target, position, text)

    # Counters and sets

    def increment(self, target: CounterObject, by: int, once: str | None = None) -> None:
        """Adds to a counter. Raises BadOp unless ``by`` is a whole number within ±(2^53−1)."""
        if not values.is_count(by):
            raise BadOp("A counter takes whole numbers within ±(2^53−1).")
        self._do(ops.Inc(inside=self._short(target), by=by, once=UNSET if once is None else once))

    def add(self, target: SetObject, member: Any) -> None:
        """Adds a plain JSON value to a set; one that is there is added again, and so outlives a concurrent discard."""
        over = self._over(target.members.get(canonical.encode(member)))
        self._do(ops.Add(inside=self._short(target), value=member, over=over))

    def discard(self, target: SetObject, member: Any) -> None:
        """Takes a value from a set, as far as it was seen to be there."""
        slot = target.members.get(canonical.encode(member))
        if slot:
            over = self._over(slot)
            self._do(ops.Discard(inside=self._short(target), value=member, over=[] if over is UNSET else over))

    # The whole document

    def delete_document(self) -> None:
        """Deletes the document; its content stays underneath."""
        self._do(ops.Delete())

    def create_document(self) -> None:
        """Makes the document exist, unless some op did: as an empty map nothing else may have to be said of it."""
        if not self.document.is_made:
            self._do(ops.Ensure(kind=MAP))

    def restore_document(self) -> None:
        """Ends the deletes that stand."""
        over = [names.short(name, self.event) for name in sorted(self.document.deletes, key=names.rank)]
        if over:
            self._do(ops.Restore(over=over))

    # Back to what was there before: see ``undo``

    def clear(self, target: Map, key: str) -> None:
        """Empties a key, or the slot of the document itself."""
        self._do(ops.Del(**self._where(target, key), over=self._over(target.slots[key])))

    def put_back(self, target: Map, key: str, put: Standing) -> None:
        """Puts what an earlier put of this slot had put there, with its rank."""
        self._do(ops.Put(**self._where(target, key), **self._again(put), over=self._over(target.slots.get(key))))

    def put_back_at(self, target: List, element: Element, put: Standing) -> None:
        """The same for an element of a list."""
        over, elem = self._over(element.puts), self._place(element.place)
        self._do(ops.Put(inside=self._short(target), elem=elem, **self._again(put), over=over))

    def move_back(self, target: List, element: Element, home: Standing) -> None:
        """Moves an element to where an earlier insertion or move put it."""
        elem, again = self._place(element.place), names.short(home.origin, self.event)
        self._do(ops.Move(inside=self._short(target), elem=elem, again=again, over=self._over(element.homes)))

    def remove_element(self, target: List, element: Element) -> None:
        """Removes an element, wherever it is."""
        elems = [self._place(element.place)]
        self._do(ops.Del(inside=self._short(target), elems=elems, over=self._over(element.puts)))

    def remove_characters(self, target: TextObject, places: Sequence[int]) -> None:
        """Removes characters, wherever they are."""
        if places:
            over = {name for place in places for name in target.sequence.state_of(place)} - {OWN}
            named = [names.short(name, self.event) for name in sorted(over, key=names.rank)] if over else UNSET
            self._do(ops.Del(inside=self._short(target), elems=self._stretches(places), over=named))

    def put_back_characters(self, target: TextObject, places: Sequence[int]) -> None:
        """Puts characters back where they were."""
        if places:
            self._do(ops.Put(inside=self._short(target), elems=self._stretches(places)))

    def _where(self, target: Map, key: str) -> dict[str, Any]:
        return {} if target is self.document.top else {"inside": self._short(target), "key": key}

    def _again(self, put: Standing) -> dict[str, Any]:
        what = {"object": names.short(put.value, self.event)} if type(put.value) is Ref else {"value": put.value}
        return {**what, "again": names.short(put.origin, self.event)}

    # Drafting

    def do(self, op: ops.AnyOp) -> None:
        """Takes an op that was made elsewhere, against this very state."""
        self._do(op)

    def _check_room(self, count: int) -> None:
        if self._fold.k + count >= names.MAX_NAMES - 1:
            raise EventTooLarge(f"One event makes fewer than {names.MAX_NAMES} characters, elements and objects.")

    def _do(self, op: ops.AnyOp) -> None:
        self._check_room(ops.size(op))
        self._append(op)
        self._fold.do(op)

    def _append(self, op: ops.AnyOp) -> None:
        self.document.is_made = True
        self.ops.append(op)
        self._typed = self._erased = None

    def _check(self, target: Object, value: Any) -> None:
        if not isinstance(value, dict | list):
            return
        values.check(value)
        if target.depth + values.depth_of(value) > MAX_DEPTH:
            raise TooDeep(f"Documents nest at most {MAX_DEPTH} deep.")

    def _short(self, target: Object) -> str:
        return names.short(target.name, self.event)

    def _place(self, place: int | None) -> Any:
        return UNSET if place is None else names.short(self.document.name_of(place), self.event)

    def _over(self, slot: Slot | None) -> Any:
        return [names.short(put.name, self.event) for put in slot] if slot else UNSET

    def _stretches(self, places: Sequence[int]) -> list[str]:
        found: list[list[int]] = []
        for place in places:
            if found and found[-1][0] + found[-1][1] == place:
                found[-1][1] += 1
            else:
                found.append([place, 1])
        return [names.stretch(self._place(first), count) for first, count in found]
