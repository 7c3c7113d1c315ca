"""Dependencies: whatever an op names is of the same item, comes before the op, and is held.

An authority asks this of every event before it takes it, without folding anything: which object, element or put a name
means is known from the event that made it. So a fold finds what ops name, and finds it of the right kind. ``:k`` names
what the event itself made before; everything else is named with the event that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, NamedTuple

from msgspec import UNSET

from syncline.core.documents import names, ops
from syncline.core.documents.made import Element, Made, Nested, Slot, Step, Thing, made_by, put_by, slot_of, writes
from syncline.core.documents.names import COUNTER, LIST, MAP, SET, TEXT
from syncline.core.documents.objects import Ref
from syncline.core.events import Event
from syncline.errors import BadOp, EventError, MissingDependency


class Stub(NamedTuple):
    """What is left of an event that is held without its content: its item."""

    item: str


Held = Event | Stub
Find = Callable[[str], Held | None]
"""The event of an id, if it is held."""


def names_of(event: Event) -> set[str]:
    """The ids of the other events that an event needs."""
    if event.ops is UNSET:
        return set()
    return {name[:36] for op in event.changes if op is not None for name in _names_in(op) if name[:1] not in _NEAR}


def check(event: Event, find: Find) -> None:
    """Raises BadOp or MissingDependency unless all that an event names may be named."""
    if event.ops is UNSET:
        return
    if event.is_erased:
        _check_held(event, find)
        return
    judge = None
    for place, op in enumerate(event.changes):
        if op is not None and not _is_ordinary(event, op, find):
            judge = judge or _Judge(event, find)
            judge.judge(place, op)


def _check_held(event: Event, find: Find) -> None:
    """Of an erased event it is not known any more what it named, but that it was judged when it said something."""
    for id in sorted(names_of(event)):
        if find(id) is None:
            raise MissingDependency(f"{id} is not held. Push it first.", name=id)


def _is_ordinary(event: Event, op: ops.AnyOp, find: Find) -> bool:
    """Whether an op is sure to be good: it puts a key of the root over what single puts of other events put there."""
    if type(op) is not ops.Put or op.key is UNSET or op.inside or op.again is not UNSET:
        return False
    for name in () if op.over is UNSET else op.over:
        held = find(name[:36]) if name[36:] == ":0" and name < event.id else None
        first = held.changes[:1] if type(held) is Event and held.item == event.item else ()
        if not (first and type(first[0]) is ops.Put and first[0].key == op.key and not first[0].inside):
            return False
    return True


def refusal(event: Event, find: Find) -> EventError | None:
    """Why an event may not be taken, if it names what it may not."""
    try:
        check(event, find)
    except EventError as error:
        return error
    return None


_NEAR = frozenset({"", "/", ":"})
"""How a name begins that rests on no other event."""
_SINGLE = ("inside", "elem", "after", "again", "object")
_MANY = ("elems", "over")
_SINGLE_IN = {kind: [each for each in _SINGLE if each in kind.__struct_fields__] for kind in ops.AnyOp.__args__}
_MANY_IN = {kind: [each for each in _MANY if each in kind.__struct_fields__] for kind in ops.AnyOp.__args__}


def _names_in(op: ops.AnyOp) -> Iterator[str]:
    for field in _SINGLE_IN[type(op)]:
        name = getattr(op, field)
        if name is not UNSET:
            yield name
    for field in _MANY_IN[type(op)]:
        several = getattr(op, field)
        if several is not UNSET:
            yield from several


class _Judge:
    """One event's ops, in order. A thing that is None cannot be known, and fits."""

    def __init__(self, event: Event, find: Find) -> None:
        self._event, self._id, self._find = event, event.id, find
        self._place = 0
        self._starts: list[int] = []
        self._others: dict[str, Made | None] = {}

    def judge(self, place: int, op: ops.AnyOp) -> None:
        """Raises BadOp or MissingDependency, with the op's ``index``."""
        self._place = place
        try:
            _CHECKS[type(op)](self, op)
        except EventError as error:
            raise type(error)(f"ops[{place}]: {error.message}", index=place, **error.details) from None

    # What each op needs

    def _put(self, op: ops.Put) -> None:
        if op.elems is not UNSET:
            self._object(op.inside, TEXT)
            self._elements(op.elems, op.inside)
        elif op.elem is not UNSET:
            self._object(op.inside, LIST)
            self._element(op.elem, op.inside)
        else:
            self._object(op.inside, MAP)
        self._slot(op)

    def _del(self, op: ops.Del) -> None:
        if op.elems is not UNSET:
            self._object(op.inside, TEXT, LIST)
            self._elements(op.elems, op.inside)
        else:
            self._object(op.inside, MAP)
        self._slot(op)

    def _ensure(self, op: ops.Ensure) -> None:
        self._object(op.inside, MAP)
        self._slot(op)

    def _insert(self, op: ops.Insert) -> None:
        self._object(op.inside, TEXT if op.values is UNSET else LIST)
        self._after(op.after, op.inside)

    def _move(self, op: ops.Move) -> None:
        self._object(op.inside, LIST)
        self._element(op.elem, op.inside)
        self._after(op.after, op.inside)
        self._slot(op)

    def _inc(self, op: ops.Inc) -> None:
        self._object(op.inside, COUNTER)

    def _member(self, op: ops.Add | ops.Discard) -> None:
        self._object(op.inside, SET)
        self._slot(op)

    def _delete(self, op: ops.Delete) -> None:
        """Names nothing."""

    # Objects and elements

    def _object(self, name: str, *kinds: str) -> None:
        kind = self._kind(name) if name else MAP
        if kind is not None and kind not in kinds:
            raise _bad(name, f"is no {' or '.join(kinds)}")

    def _kind(self, name: str) -> str | None:
        """The kind of an object; children that are named by their place are there wherever their parent is a map."""
        first, *steps = name.split("/")
        kind = names.root_kind(first) or self._kind_made(first)
        for step in steps:
            _require(kind is None or kind == MAP, name, "lies in no map")
            kind = step.rpartition(":")[2]
        return kind

    def _kind_made(self, name: str) -> str | None:
        thing = self._thing(name)
        _require(thing is None or isinstance(thing, Nested), name, "is no object")
        return thing.kind if isinstance(thing, Nested) else None

    def _element(self, name: str, inside: str) -> None:
        thing = self._thing(name)
        is_there = isinstance(thing, Element) and thing.inside == self._full(inside)
        _require(thing is None or is_there, name, "is no element there")

    def _elements(self, elems: list[str], inside: str) -> None:
        inside = self._full(inside)
        for elem in elems:
            first, _, count = elem.partition("+")
            made, k = self._made(first)
            run = made.run(k) if made else None
            is_there = run is not None and run.inside == inside and k + int(count or 1) <= run.stop
            _require(made is None or is_there, elem, "names no elements there")

    def _after(self, name: Any, inside: str) -> None:
        if name is UNSET:
            return
        thing = self._thing(name)
        if isinstance(thing, Step) and isinstance(thing.op, ops.Move) and thing.op.again is UNSET:
            _require(thing.inside == self._full(inside), name, "moved an element elsewhere")
        else:
            self._element(name, inside)

    # Slots

    def _slot(self, op: ops.Put | ops.Del | ops.Ensure | ops.Move | ops.Add | ops.Discard | ops.Restore) -> None:
        """``over`` and ``again`` name what wrote the same slot."""
        again: Any = getattr(op, "again", UNSET)
        if again is UNSET and op.over is UNSET:
            return
        slot = slot_of(op, self._id)
        for name in () if op.over is UNSET else dict.fromkeys(op.over):
            thing = self._thing(name)
            _require(thing is None or writes(thing, slot), name, "did not write there")
        if again is not UNSET:
            self._again(op, again, slot)

    def _again(self, op: Any, name: str, slot: Slot) -> None:
        """An earlier put, and itself none that put something back: so nothing gains rank by being undone."""
        thing = self._thing(name)
        given = self._given(op)
        if thing is None:
            return
        _require(writes(thing, slot) and not _is_again(thing), name, "did not put anything there")
        if not isinstance(op, ops.Move):
            put = put_by(thing, slot)
            _require(type(put) is type(given) and put == given, name, "put something else there")

    def _given(self, op: Any) -> Any:
        if isinstance(op, ops.Move) or op.object is UNSET:
            return getattr(op, "value", UNSET)
        self._kind(op.object)
        return Ref(self._full(op.object))

    # Names

    def _full(self, name: str) -> str:
        return names.full(name, self._id)

    def _thing(self, name: str) -> Thing | None:
        """What a name means; None if its event is held without content."""
        made, k = self._made(name)
        if made is None:
            return None
        thing = made.at(k)
        _require(thing is not None, name, "was not made")
        return thing

    def _made(self, name: str) -> tuple[Made | None, int]:
        """What the event of a name made, if that is known, and the k."""
        if name[0] == ":":
            return self._own(name)
        maker, k = name[:36], int(name[37:])
        if maker not in self._others:
            self._others[maker] = self._other(maker, name)
        return self._others[maker], k

    def _own(self, name: str) -> tuple[Made | None, int]:
        k = int(name[1:])
        if not self._starts:
            self._starts = [0, *accumulate(ops.size(op) if op else 0 for op in self._event.changes)]
        _require(k < self._starts[self._place], name, "is not made before")
        return made_by(self._event), k

    def _other(self, maker: str, name: str) -> Made | None:
        _require(maker != self._id, name, "is its own event's: write it without the id")
        _require(maker < self._id, name, "comes later")
        held = self._find(maker)
        if held is None:
            raise MissingDependency(f"{name} is not held. Push the event that made it first.", name=name)
        _require(held.item == self._event.item, name, "is of another item")
        # What an erased event made is not known any more. Who names it has seen it, so it is believed.
        return made_by(held) if isinstance(held, Event) else None


def _is_again(thing: Thing) -> bool:
    return isinstance(thing, Step) and getattr(thing.op, "again", UNSET) is not UNSET


def _require(condition: bool, name: str, what: str) -> None:  # noqa: FBT001
    if not condition:
        raise _bad(name, what)


def _bad(name: str, what: str) -> BadOp:
    return BadOp(f"{name[:80]!r} {what}.")


_CHECKS: dict[type, Callable[[Any, Any], None]] = {
    ops.Put: _Judge._put,
    ops.Del: _Judge._del,
    ops.Ensure: _Judge._ensure,
    ops.Insert: _Judge._insert,
    ops.Move: _Judge._move,
    ops.Inc: _Judge._inc,
    ops.Add: _Judge._member,
    ops.Discard: _Judge._member,
    ops.Delete: _Judge._delete,
    ops.Restore: _Judge._slot,
}
