"""What a document is made of: objects, and slots that hold the puts no op has named.

A slot is a tuple of standing puts. The greatest origin wins and shows; the others are the slot's conflicts. An element
of a list has two slots: what it is, and where it stands; so concurrent moves neither double nor lose it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from syncline.core.documents.names import COUNTER, LIST, MAP, ROOT, SET, TEXT, rank
from syncline.core.documents.sequence import GONE, ORIGINAL, Events, Sequence, State
from syncline.core.limits import MAX_SAFE_INTEGER


class Ref(str):
    """A value that is an object: its full name."""

    __slots__ = ()


class Standing(NamedTuple):
    """A put that no op has named: its name, its origin (what it ranks by), and what it put."""

    name: str
    origin: str
    value: Any


Slot = tuple[Standing, ...]


def winner(slot: Slot) -> Standing:
    """The put of a slot that shows; the slot must not be empty."""
    return slot[0] if len(slot) == 1 else max(slot, key=_rank)


def _rank(put: Standing) -> tuple[tuple[str, int], tuple[str, int]]:
    return rank(put.origin), rank(put.name)


def shows_same(before: Slot, after: Slot) -> bool:
    """Whether a slot shows after a change what it showed before."""
    if not before or not after:
        return not before and not after
    return is_same(winner(before).value, winner(after).value)


def is_same(one: Any, other: Any) -> bool:
    """Whether two values of slots are the same: true is not 1, and an object is no text."""
    return bool(one == other) and isinstance(one, bool | Ref) == isinstance(other, bool | Ref)


def in_order_of_rank(slot: Slot) -> list[Standing]:
    """The puts of a slot, the one that shows first."""
    return sorted(slot, key=_rank, reverse=True) if len(slot) > 1 else list(slot)


def without(slot: Slot, over: Collection[str]) -> Slot:
    """A slot after an op that names these puts; the slot itself if none of them stands in it."""
    left = tuple([put for put in slot if put.name not in over]) if over else slot
    return left if len(left) < len(slot) else slot


class Object:
    """An object's name, its kind, and the slot of its birth (None: a root), the only place where it shows."""

    __slots__ = ("birth", "depth", "name")
    kind: str

    def __init__(self, name: str, birth: tuple[Object, Any] | None) -> None:
        self.name, self.birth = name, birth
        self.depth: int = birth[0].depth + 1 if birth else 0

    def shows(self, place: Any) -> Any:
        """What shows in a slot; None for nothing (and for null)."""
        return None


class Map(Object):
    """A map: a slot for each key. Slots are written by ``set``."""

    __slots__ = ("marks", "slots")
    kind = MAP

    def __init__(self, name: str, birth: tuple[Object, Any] | None, _events: Events) -> None:
        super().__init__(name, birth)
        self.slots: dict[str, Slot] = {}
        self.marks = 0
        """How many keys begin with ``$``: if any, it travels as ``{"$map": …}``."""

    def set(self, key: str, slot: Slot) -> None:
        """Gives a key its slot; an empty one is no slot."""
        if key[:1] == "$":
            self.marks += bool(slot) - (key in self.slots)
        if slot:
            self.slots[key] = slot
        else:
            self.slots.pop(key, None)

    def shows(self, place: str) -> Any:
        """What shows under a key."""
        slot = self.slots.get(place)
        return winner(slot).value if slot else None


class Top(Map):
    """The slot of the document itself, which shows the root map unless something was put there."""

    __slots__ = ()

    def shows(self, place: str) -> Any:
        """What the document is."""
        return super().shows(place) if self.slots else Ref(ROOT)


class Element:
    """An element of a list: its place, what it is, and where it stands (homes, whose values are places)."""

    __slots__ = ("at", "homes", "place", "puts")

    def __init__(self, place: int, name: str) -> None:
        self.place = self.at = place
        self.puts: Slot = ()
        self.homes: Slot = (Standing(name, name, place),)

    @property
    def value(self) -> Any:
        """What shows; only for elements that are there."""
        return winner(self.puts).value


class List(Object):
    """A list: elements in a sequence of places, each of which shows its element if that stands there."""

    __slots__ = ("elements", "sequence")
    kind = LIST

    def __init__(self, name: str, birth: tuple[Object, Any] | None, events: Events) -> None:
        super().__init__(name, birth)
        self.sequence: Sequence[tuple[Any, ...]] = Sequence(events, ())
        self.elements: dict[int, Element] = {}
        """By the place of their insertion."""

    def shows(self, place: Element) -> Any:
        """What an element shows."""
        return place.value if place.puts else None

    def visible(self) -> tuple[Element, ...]:
        """The elements that are there, in order."""
        return self.sequence.visible()

    def index(self, element: Element) -> tuple[int, Any] | None:
        """Where an element is and what it shows; None if it is not there."""
        return (self.sequence.position(element.at), element.value) if element.puts else None

    def set(self, element: Element, homes: Slot, puts: Slot) -> None:
        """Gives an element its slots, and shows it where it stands now."""
        home = winner(homes).value if homes else element.at
        if element.at != home or bool(puts) != bool(element.puts):
            self.sequence.change(element.at, 1, _hide)
            if puts:
                self.sequence.change(home, 1, _show)
        element.at, element.homes, element.puts = home, homes, puts


def _hide(_state: frozenset[str]) -> frozenset[str]:
    return GONE


def _show(_state: frozenset[str]) -> frozenset[str]:
    return ORIGINAL


class TextObject(Object):
    """A text: its characters in a sequence, which is built of a snapshot's runs when it is looked at."""

    __slots__ = ("_events", "_runs", "_sequence")
    kind = TEXT

    def __init__(self, name: str, birth: tuple[Object, Any] | None, events: Events) -> None:
        super().__init__(name, birth)
        self._events = events
        self._sequence: Sequence[str] | None = None
        self._runs: Iterable[tuple[int, int, str, State]] = ()

    @property
    def sequence(self) -> Sequence[str]:
        """The characters, deleted ones included."""
        if self._sequence is None:
            self._sequence, self._runs = Sequence.of(self._events, "", self._runs), ()
        return self._sequence

    def lay_out(self, runs: Iterable[tuple[int, int, str, State]]) -> None:
        """The runs of which the text is made, before anybody has looked at it."""
        self._runs = runs


class CounterObject(Object):
    """A counter: the exact sum of what was added; of additions with equal ``once`` the least name counts."""

    __slots__ = ("once", "plain")
    kind = COUNTER

    def __init__(self, name: str, birth: tuple[Object, Any] | None, _events: Events) -> None:
        super().__init__(name, birth)
        self.plain = 0
        self.once: dict[str, tuple[str, int]] = {}

    @property
    def total(self) -> int:
        """The exact sum, however large."""
        return self.plain + sum(by for _, by in self.once.values())

    @property
    def shown(self) -> int:
        """The sum within ±(2^53−1)."""
        return max(-MAX_SAFE_INTEGER, min(MAX_SAFE_INTEGER, self.total))


class SetObject(Object):
    """A set: for each member, by its canonical bytes, the adds that stand (whose values are the member)."""

    __slots__ = ("members",)
    kind = SET

    def __init__(self, name: str, birth: tuple[Object, Any] | None, _events: Events) -> None:
        super().__init__(name, birth)
        self.members: dict[bytes, Slot] = {}

    def shown(self) -> list[Any]:
        """The members in the order of their canonical bytes."""
        return [self.members[key][0].value for key in sorted(self.members)]


CLASSES: dict[str, Callable[[str, tuple[Object, Any] | None, Events], Object]] = {
    MAP: Map,
    LIST: List,
    TEXT: TextObject,
    COUNTER: CounterObject,
    SET: SetObject,
}
