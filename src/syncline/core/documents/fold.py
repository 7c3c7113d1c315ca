"""The fold: what each op does to a document. Total: an op that does not fit does nothing.

``Fold`` is one event's walk through its ops; it counts the names the event makes. An event that is overruled takes the
same walk without effect: its objects and elements are made, as anchors for whoever names them, but nothing
is put. Whoever wants to know what changed passes an ``Observer``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import UNSET

from syncline.core import canonical
from syncline.core.documents import names, ops, values
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
    shows_same,
    without,
)
from syncline.core.documents.sequence import GONE, ORIGINAL
from syncline.core.limits import MAX_DEPTH

if TYPE_CHECKING:
    from syncline.core.documents.document import Document

OWN = ""
"""Stands for the insertion itself in the state of a text's character."""


class Observer(Protocol):
    """Hears of what changes, while it changes; of objects whether they show or not."""

    def before(self, target: Object) -> None:
        """A text, counter or set is about to change."""

    def slot(self, target: Map, key: str, before: Slot, after: Slot) -> None:
        """A key's slot has changed."""

    def element(self, target: List, element: Element, before: tuple[int, Any] | None) -> None:
        """An element has changed; ``before`` is the index and the value it had, None if it was not there."""


class Fold:
    """One event's ops on a document."""

    def __init__(
        self, document: Document, event: str, *, has_effect: bool = True, observer: Observer | None = None
    ) -> None:
        self.event, self.k, self.has_changed = event, 0, False
        self._document, self._has_effect, self._observer = document, has_effect, observer

    def run(self, sequence: Sequence[ops.AnyOp | None], only: Collection[str] | None = None) -> bool:
        """Carries out all ops, or those on some objects and on the document itself.

        Whether the document shows something else now, or would if it were not deleted.
        """
        for op in sequence:
            if op is None:
                continue
            if only is None or isinstance(op, ops.Delete | ops.Restore) or self._full(op.inside) in only:
                self.do(op)
            else:
                self.k += ops.size(op)
        return self.has_changed

    def do(self, op: ops.AnyOp) -> None:
        """Carries out one op."""
        k = self.k
        self.k += ops.size(op)
        _DO[type(op)](self, op, names.make(self.event, k), k)

    # Slots of a map, and of the document itself

    def _put(self, op: ops.Put, name: str, k: int) -> None:
        if op.elems is not UNSET:
            self._put_back(op, name)
            return
        if op.elem is not UNSET:
            self._put_element(op, name, k)
            return
        target, key = self._place(op)
        put = self._standing(op, name, k, target, key) if target else None
        if target and put:
            self._set_key(target, key, op.over, put)

    def _place(self, op: ops.Put | ops.Del | ops.Ensure) -> tuple[Map | None, str]:
        """Whose slot an op means; without a key the document's own."""
        if op.key is UNSET:
            return self._document.top, ""
        target = self._document.find(self._full(op.inside))
        return target if isinstance(target, Map) else None, op.key

    def _standing(self, op: ops.Put, name: str, k: int, target: Object, place: Any) -> Standing | None:
        """The put an op makes, with the objects in its value; None if it does not fit."""
        origin = name if op.again is UNSET else self._full(op.again)
        if op.object is not UNSET:
            old = self._document.find(self._full(op.object))
            return Standing(name, origin, Ref(old.name)) if old and old.birth == (target, place) else None
        value = op.value
        if type(value) is dict or type(value) is list:
            if target.depth + values.depth_of(value) > MAX_DEPTH:
                return None
            value, _ = self._make(value, k + 1, target, place)
        return Standing(name, origin, value)

    def _del(self, op: ops.Del, name: str, k: int) -> None:
        if op.elems is not UNSET:
            self._del_elements(op, op.elems)
            return
        target, key = self._place(op)
        if target:
            self._set_key(target, key, op.over, None)

    def _ensure(self, op: ops.Ensure, name: str, k: int) -> None:
        target, key = self._place(op)
        if target:
            top = target is self._document.top
            child = self._document.find(names.root(op.kind) if top else names.child(target.name, key, op.kind))
            if child:
                self._set_key(target, key, op.over, Standing(name, name, Ref(child.name)))

    def _set_key(self, target: Map, key: str, over: Any, put: Standing | None) -> None:
        if not self._has_effect:
            return
        before = target.slots.get(key, ())
        after = without(before, self._names(over))
        if put is not None:
            after = (*after, put)
        if after is before:
            return
        target.set(key, after)
        if not shows_same(before, after):
            self._note(target)
        if self._observer is not None:
            self._observer.slot(target, key, before, after)

    # Lists

    def _insert(self, op: ops.Insert, name: str, k: int) -> None:
        target = self._document.find(self._full(op.inside))
        after = None if op.after is UNSET else self._document.place(self._full(op.after))
        if op.after is not UNSET and after is None:
            return
        if isinstance(target, TextObject) and op.text is not UNSET:
            self._insert_text(target, after, k + 1, op.text)
        elif isinstance(target, List) and op.values is not UNSET:
            self._insert_values(target, after, k + 1, op.values)

    def _insert_values(self, target: List, after: int | None, k: int, inserted: Sequence[Any]) -> None:
        if target.depth + max(map(values.depth_of, inserted), default=0) > MAX_DEPTH:
            return
        if after is not None and not target.sequence.holds(after):
            return
        for value in inserted:
            name = names.make(self.event, k)
            element = Element(self._document.events.index(self.event) << 16 | k, name)
            target.sequence.insert(after, element.place, (element,), GONE)
            target.elements[element.place] = element
            after = element.place
            value, k = self._make(value, k + 1, target, element)
            self._set_element(target, element, element.homes, (Standing(name, name, value),))

    def _put_element(self, op: ops.Put, name: str, k: int) -> None:
        target, element = self._element(op.inside, op.elem)
        if target and element and (put := self._standing(op, name, k, target, element)):
            self._set_element(target, element, element.homes, (*self._less(element.puts, element, op.over), put))

    def _del_elements(self, op: ops.Del, elems: Sequence[str]) -> None:
        target = self._document.find(self._full(op.inside))
        if isinstance(target, TextObject):
            gone = {OWN, *self._names(op.over)}
            self._set_characters(target, elems, lambda state: state - gone)
        elif isinstance(target, List):
            for place in self._places(elems):
                element = target.elements.get(place)
                if element and element.puts:
                    self._set_element(target, element, element.homes, self._less(element.puts, element, op.over))

    def _move(self, op: ops.Move, name: str, k: int) -> None:
        target, element = self._element(op.inside, op.elem)
        if not target or not element:
            return
        if op.again is UNSET:
            origin, place = name, self._document.events.index(self.event) << 16 | k
            after = None if op.after is UNSET else self._document.place(self._full(op.after))
            if op.after is not UNSET and (after is None or not target.sequence.holds(after)):
                return
            target.sequence.insert(after, place, (element,), GONE)
        else:
            origin = self._full(op.again)
            old = self._document.place(origin)
            if old is None or not target.sequence.holds(old) or target.sequence.content(old)[0] is not element:
                return
            place = old
        homes = (*self._less(element.homes, element, op.over), Standing(name, origin, place))
        self._set_element(target, element, homes, element.puts)

    def _less(self, slot: Slot, element: Element, over: Any) -> Slot:
        """A slot of an element without the puts an op names; whoever names the element has seen its insertion."""
        return without(slot, {self._document.name_of(element.place), *self._names(over)})

    def _set_element(self, target: List, element: Element, homes: Slot, puts: Slot) -> None:
        if not self._has_effect or (homes == element.homes and puts == element.puts):
            return
        before = target.index(element) if self._observer is not None else None
        stood, was = element.at, element.puts
        target.set(element, homes, puts)
        if not shows_same(was, puts) or (puts and element.at != stood):
            self._note(target)
        if self._observer is not None:
            self._observer.element(target, element, before)

    def _element(self, inside: str, elem: Any) -> tuple[List | None, Element | None]:
        target = self._document.find(self._full(inside))
        place = self._document.place(self._full(elem))
        if not isinstance(target, List) or place is None:
            return None, None
        return target, target.elements.get(place)

    # Texts

    def _insert_text(self, target: TextObject, after: int | None, k: int, text: str) -> None:
        if not text:
            return
        self._before(target)
        place = self._document.events.index(self.event) << 16 | k
        if target.sequence.insert(after, place, text, ORIGINAL if self._has_effect else GONE) and self._has_effect:
            self._note(target)

    def insert_at(self, target: TextObject, position: int, text: str) -> int:
        """Inserts characters at a position, as their author sees it; the place of the last. Their op is counted."""
        self._before(target)
        place = self._document.events.index(self.event) << 16 | self.k
        self.k += len(text)
        target.sequence.insert_at(position, place, text)
        self._note(target)
        return place + len(text) - 1

    def type_at(self, target: TextObject, position: int, place: int, text: str) -> bool:
        """The same right after the characters that came last; False, and nothing done, if they are not there."""
        self._before(target)
        if not target.sequence.type_at(position, place, text):
            return False
        self.k += len(text)
        self._note(target)
        return True

    def delete_at(self, target: TextObject, position: int, count: int) -> list[tuple[int, int]]:
        """Deletes characters after a position, where nothing but insertions stands; which. Their op is counted."""
        self._before(target)
        deleted = target.sequence.delete_at(position, count)
        self._note(target)
        return deleted

    def _put_back(self, op: ops.Put, name: str) -> None:
        target = self._document.find(self._full(op.inside))
        if isinstance(target, TextObject):
            gone = self._names(op.over)
            self._set_characters(target, op.elems, lambda state: (state - gone) | {name})

    def _set_characters(self, target: TextObject, elems: Any, change: Any) -> None:
        if not self._has_effect:
            return
        self._before(target)
        for elem in elems:
            event, k, count = names.stretch_of(elem, self.event)
            number = self._document.events.find(event)
            changes = target.sequence.change(number << 16 | k, count, change) if number is not None else ()
            if any(each.was_visible != each.is_visible for each in changes):
                self._note(target)

    # Counters and sets

    def _inc(self, op: ops.Inc, name: str, k: int) -> None:
        target = self._document.find(self._full(op.inside))
        if not isinstance(target, CounterObject) or not self._has_effect:
            return
        self._before(target)
        shown = target.shown
        if op.once is UNSET:
            target.plain += op.by
        else:
            standing = target.once.get(op.once, (name, op.by))
            target.once[op.once] = min(standing, (name, op.by), key=lambda each: names.rank(each[0]))
        if target.shown != shown:
            self._note(target)

    def _add(self, op: ops.Add, name: str, k: int) -> None:
        self._set_member(op, Standing(name, name, op.value))

    def _discard(self, op: ops.Discard, name: str, k: int) -> None:
        if op.value is UNSET:
            self._discard_named(op)
        else:
            self._set_member(op, None)

    def _set_member(self, op: ops.Add | ops.Discard, put: Standing | None) -> None:
        target = self._document.find(self._full(op.inside))
        if not isinstance(target, SetObject) or not self._has_effect:
            return
        self._before(target)
        key = canonical.encode(op.value)
        before = target.members.pop(key, ())
        slot = without(before, self._names(op.over))
        after = (*slot, put) if put is not None else slot
        if after:
            target.members[key] = after
        if bool(before) != bool(after):
            self._note(target)

    def _discard_named(self, op: ops.Discard) -> None:
        """What is left of an add or a discard whose member was erased."""
        target, gone = self._document.find(self._full(op.inside)), self._names(op.over)
        if not isinstance(target, SetObject) or not self._has_effect or not gone:
            return
        self._before(target)
        for key, before in list(target.members.items()):
            after = without(before, gone)
            if after:
                target.members[key] = after
            else:
                del target.members[key]
                self._note(target)

    # The whole document

    def _delete(self, op: ops.Delete, name: str, k: int) -> None:
        if self._has_effect:
            self._document.deletes.add(name)

    def _restore(self, op: ops.Restore, name: str, k: int) -> None:
        if self._has_effect:
            self._document.deletes.difference_update(self._names(op.over))

    # Making objects

    def _make(self, value: Any, k: int, parent: Object, place: Any) -> tuple[Any, int]:
        """A value as a slot holds it, and the next k; objects in it are made, in the order in which they are named."""
        if type(value) is not dict and type(value) is not list:
            return value, k
        kind, content = values.open_value(value)
        made = self._document.make(kind or MAP, names.make(self.event, k), (parent, place))
        return Ref(made.name), self._fill(made, content, k + 1)

    def _fill(self, made: Object, content: Any, k: int) -> int:
        name = made.name
        if isinstance(made, Map):
            for key, member in values.in_order(content):
                value, k = self._make(member, k, made, key)
                made.set(key, (Standing(name, name, value),))
        elif isinstance(made, List):
            self._insert_values(made, None, k, content)
            k += sum(1 + values.names_in(value) for value in content)
        elif isinstance(made, TextObject):
            self._insert_text(made, None, k, content)
            k += len(content)
        elif isinstance(made, CounterObject):
            made.plain = content
        else:
            assert isinstance(made, SetObject)
            made.members = {canonical.encode(member): (Standing(name, name, member),) for member in content}
        return k

    # Names

    def _full(self, name: str) -> str:
        return names.full(name, self.event)

    def _names(self, over: Any) -> set[str]:
        return set() if over is UNSET else {names.full(name, self.event) for name in over}

    def _places(self, elems: Sequence[str]) -> Iterator[int]:
        for elem in elems:
            event, k, count = names.stretch_of(elem, self.event)
            number = self._document.events.find(event)
            if number is not None:
                yield from range(number << 16 | k, (number << 16 | k) + count)

    def _before(self, target: Object) -> None:
        if self._observer is not None:
            self._observer.before(target)

    def _note(self, target: Object) -> None:
        if self._has_effect and not self.has_changed:
            self.has_changed = self._document.is_in_place(target)


_DO: dict[type, Callable[[Fold, Any, str, int], None]] = {
    ops.Put: Fold._put,
    ops.Del: Fold._del,
    ops.Ensure: Fold._ensure,
    ops.Insert: Fold._insert,
    ops.Move: Fold._move,
    ops.Inc: Fold._inc,
    ops.Add: Fold._add,
    ops.Discard: Fold._discard,
    ops.Delete: Fold._delete,
    ops.Restore: Fold._restore,
}
