"""What an event made, and which slots its ops write: known from the event alone, without folding anything.

The walk is the fold's: k counts one for each op, element and nested object, depth first, keys in canonical order. What
became of all this in a document is left to the fold; whether an event may name it is decided in ``dependencies``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import UNSET

from syncline.core import canonical
from syncline.core.documents import names, ops, values
from syncline.core.documents.names import LIST, MAP, SET, TEXT
from syncline.core.documents.objects import Ref
from syncline.core.events import Event

Slot = tuple[Any, ...]
"""What an op writes, with full names:
``("key", object, key)``, ``("top",)``, ``("elements", reach)``, ``("place", element)``, ``("member", object, bytes)``
or ``("document",)``; ``()`` for an op that only makes elements, or adds to a counter."""

Reach = dict[str, list[tuple[int, int]]]
"""Elements: for each event the k from which and below which there are some, ascending and apart."""


class Step(NamedTuple):
    """An op, its object, the slot it writes, and what it put there: a scalar, a ``Ref``, or UNSET for nothing."""

    op: ops.AnyOp
    inside: str
    slot: Slot
    value: Any


class Nested(NamedTuple):
    """An object inside a value, and what its slots held at first: by key, or by a member's canonical bytes."""

    name: str
    kind: str
    slots: dict[Any, Any]


class Element(NamedTuple):
    """An element of a list or a character of a text, and what was inserted there."""

    name: str
    inside: str
    value: Any


class Run(NamedTuple):
    """Elements of one object whose names follow on one another, from k ``first`` on."""

    first: int
    inside: str
    content: Any

    @property
    def stop(self) -> int:
        """The k after the last."""
        return self.first + len(self.content)


Thing = Step | Nested | Element
_first = attrgetter("first")


class Made:
    """Everything one event made, by k."""

    def __init__(self, event: str, sequence: Iterable[ops.AnyOp]) -> None:
        self.event = event
        self._k = 0
        self._things: dict[int, Step | Nested] = {}
        self._runs: list[Run] = []
        for op in sequence:
            self._step(op)
        self._runs.sort(key=_first)

    def at(self, k: int) -> Thing | None:
        """What the event made at k; None if it made nothing there."""
        thing = self._things.get(k)
        if thing is not None:
            return thing
        run = self.run(k)
        return Element(names.make(self.event, k), run.inside, run.content[k - run.first]) if run else None

    def run(self, k: int) -> Run | None:
        """The elements around the one at k; None if there is no element."""
        place = bisect_right(self._runs, k, key=_first) - 1
        return self._runs[place] if place >= 0 and k < self._runs[place].stop else None

    def _next(self) -> int:
        self._k += 1
        return self._k - 1

    def _step(self, op: ops.AnyOp) -> None:
        k, inside = self._next(), names.full(op.inside, self.event)
        value: Any = UNSET
        if isinstance(op, ops.Put):
            value = self._held(op.value) if op.object is UNSET else Ref(names.full(op.object, self.event))
        elif isinstance(op, ops.Ensure):
            value = Ref(names.root(op.kind) if op.key is UNSET else names.child(inside, op.key, op.kind))
        elif isinstance(op, ops.Insert):
            self._insert(inside, op.values if op.text is UNSET else op.text)
        self._things[k] = Step(op, inside, slot_of(op, self.event), value)

    def _held(self, value: Any) -> Any:
        """A value as a slot holds it; the objects in it are made."""
        if type(value) is not dict and type(value) is not list:
            return value
        kind, content = values.open_value(value)
        k = self._next()
        name = names.make(self.event, k)
        slots: dict[Any, Any] = {}
        if kind == MAP:
            slots = {key: self._held(member) for key, member in values.in_order(content)}
        elif kind == SET:
            slots = {canonical.encode(member): member for member in content}
        elif kind in (LIST, TEXT):
            self._insert(name, content)
        self._things[k] = Nested(name, kind or MAP, slots)
        return Ref(name)

    def _insert(self, inside: str, content: Any) -> None:
        if isinstance(content, str):
            self._runs.append(Run(self._k, inside, content))
            self._k += len(content)
            return
        run = Run(self._k, inside, [])
        for value in content:
            if self._k != run.stop:  # an object has taken the names between
                run = Run(self._k, inside, [])
            if not run.content:
                self._runs.append(run)
            self._next()
            run.content.append(self._held(value))


def made_by(event: Event) -> Made | None:
    """What an event made, kept with it; None if it has ops that do not read, which nobody here has admitted."""
    if "made" not in event.__dict__:
        sequence = [op for op in event.changes if op is not None]
        event.__dict__["made"] = Made(event.id, sequence) if len(sequence) == len(event.changes) else None
    made: Made | None = event.__dict__["made"]
    return made


# Slots


def slot_of(op: ops.AnyOp, event: str) -> Slot:
    """The slot an op of an event writes."""
    return _SLOTS[type(op)](op, event)


def _slot_by_key(op: Any, event: str) -> Slot:
    if op.key is not UNSET:
        return "key", names.full(op.inside, event), op.key
    if getattr(op, "elem", UNSET) is not UNSET:
        return "elements", _reach([op.elem], event)
    elems = getattr(op, "elems", UNSET)
    return ("top",) if elems is UNSET else ("elements", _reach(elems, event))


def _slot_by_member(op: Any, event: str) -> Slot:
    member = b"" if op.value is UNSET else canonical.encode(op.value)
    return "member", names.full(op.inside, event), member


_SLOTS: dict[type, Callable[[Any, str], Slot]] = {
    **dict.fromkeys([ops.Put, ops.Del, ops.Ensure], _slot_by_key),
    **dict.fromkeys([ops.Add, ops.Discard], _slot_by_member),
    **dict.fromkeys([ops.Delete, ops.Restore], lambda op, event: ("document",)),
    **dict.fromkeys([ops.Insert, ops.Inc], lambda op, event: ()),
    ops.Move: lambda op, event: ("place", names.full(op.elem, event)),
}


def _reach(elems: Iterable[str], event: str) -> Reach:
    reach: Reach = {}
    for maker, first, count in sorted(names.stretch_of(elem, event) for elem in elems):
        spans, stop = reach.setdefault(maker, []), first + count
        if spans and first <= spans[-1][1]:
            first, last = spans.pop()
            stop = max(stop, last)
        spans.append((first, stop))
    return reach


def writes(thing: Thing, slot: Slot) -> bool:
    """Whether something that an event made put into a slot, or emptied it."""
    if isinstance(thing, Nested):
        return slot[0] in ("key", "member") and slot[1] == thing.name and slot[2] in thing.slots
    if isinstance(thing, Element):
        return slot == ("place", thing.name) or (slot[0] == "elements" and _meet(_reach([thing.name], ""), slot[1]))
    if slot[0] == "elements" and thing.slot[:1] == ("elements",):
        return _meet(thing.slot[1], slot[1])
    return thing.slot == slot


def _meet(one: Reach, other: Reach) -> bool:
    """Whether two reaches have an element in common."""
    return any(_overlap(one[maker], other[maker]) for maker in one.keys() & other.keys())


def _overlap(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> bool:
    few, many = sorted((one, other), key=len)
    for first, stop in few:
        place = bisect_left(many, (stop,)) - 1  # the last that begins before this one ends
        if place >= 0 and many[place][1] > first:
            return True
    return False


def put_by(thing: Thing, slot: Slot) -> Any:
    """What something that wrote a slot put there: a scalar, a ``Ref``, or UNSET for nothing."""
    return thing.slots[slot[2]] if isinstance(thing, Nested) else thing.value
