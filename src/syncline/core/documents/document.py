"""A document: the fold of one item's ops, a pure function of the entries.

Any order of arrival that keeps causes before effects, and any repetition, leads to the same state. What is here is the
state and how to read it; what each op does is ``fold``, how a state is written down is ``snapshots``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from msgspec import UNSET

from syncline.core.documents import names
from syncline.core.documents.fold import Fold, Observer
from syncline.core.documents.names import MAP
from syncline.core.documents.objects import (
    CLASSES,
    CounterObject,
    List,
    Map,
    Object,
    Ref,
    SetObject,
    Slot,
    Standing,
    TextObject,
    Top,
    in_order_of_rank,
    is_same,
    winner,
)
from syncline.core.documents.policies import MERGE, SERVER_WINS, contradicts
from syncline.core.documents.sequence import Events
from syncline.core.documents.values import in_order, mark_map
from syncline.core.events import Event
from syncline.core.limits import MAX_DEPTH


class Document:
    """The state of one item. Reading it costs what is read; folding an event costs its ops."""

    def __init__(self, item: str, events: Events | None = None) -> None:
        self.item = item
        self.clock: dict[str, int] = {}
        """The last n of each node that has written here."""
        self.is_made = False
        """Whether any op has had effect."""
        self.deletes: set[str] = set()
        """The deletes that stand, by name."""
        self.overruled: set[str] = set()
        """The events without effect, by id."""
        self.events = events or Events()
        self.top = Top("", None, self.events)
        self.objects: dict[str, Object] = {}
        self.make(MAP, names.ROOT, (self.top, ""))

    # Folding

    def has_seen(self, event: Event) -> bool:
        """Whether an event was folded already, as far as its n tells: with its author it only rises on an item."""
        return event.n <= self.clock.get(event.node, 0)

    def fold(
        self, event: Event, *, policy: str = MERGE, observer: Observer | None = None, is_next: bool = False
    ) -> bool:
        """Folds one event; whether the document shows something else now. An event that was folded does nothing.

        ``is_next``: it is the next entry of its log, which holds it once; so it counts, even if later ones of its node
        came first (with a gift, say, of somebody who had only these).
        """
        if not is_next and self.has_seen(event):
            return False
        self.clock[event.node] = max(event.n, self.clock.get(event.node, 0))
        if event.ops is UNSET:
            return False
        sequence = event.changes
        is_overruled = self._is_overruled(event, sequence) or (
            policy == SERVER_WINS and contradicts(self, event.id, sequence)
        )
        if is_overruled:
            self.overruled.add(event.id)
        return self.run(event.id, sequence, has_effect=not is_overruled, observer=observer)

    def run(
        self,
        event: str,
        sequence: list[Any],
        *,
        has_effect: bool,
        observer: Observer | None = None,
        only: Collection[str] | None = None,
    ) -> bool:
        """Carries out the ops of an event, or, without effect, makes what others may name.

        ``only``: the objects that matter to whoever asks; the others are left as they are.
        """
        did_exist = self.exists
        self.is_made = self.is_made or (has_effect and bool(sequence))
        has_changed = Fold(self, event, has_effect=has_effect, observer=observer).run(sequence, only)
        return did_exist != self.exists or (did_exist and has_changed)

    def _is_overruled(self, event: Event, sequence: list[Any]) -> bool:
        """Whether an event changes what only an overruled event made."""
        if not self.overruled:
            return False
        return any(
            name is not None and names.full(name, event.id)[:36] in self.overruled
            for op in sequence
            if op is not None
            for name in (op.inside or None, getattr(op, "elem", None) or None)
        )

    def make(self, kind: str, name: str, birth: tuple[Object, Any] | None) -> Object:
        """The object of a name, made if it is new."""
        return self.objects.setdefault(name, CLASSES[kind](name, birth, self.events))

    def find(self, name: str) -> Object | None:
        """The object of a full name; children that are named by their place need not be made to be there."""
        found = self.objects.get(name)
        if found is not None:
            return found
        place = names.place_of(name)
        if place is None:
            kind = names.root_kind(name)
            return self.make(kind, name, (self.top, "")) if kind else None
        parent = self.find(place[0])
        if not isinstance(parent, Map) or parent.depth >= MAX_DEPTH:
            return None
        return self.make(place[2], name, (parent, place[1]))

    def place(self, name: str) -> int | None:
        """The place that a full name means in sequences; None if its event made none."""
        event, k = names.split(name)
        number = self.events.find(event)
        return None if number is None else number << 16 | k

    def name_of(self, place: int) -> str:
        """The full name of a place."""
        return names.make(*self.events.name(place))

    # Reading

    @property
    def exists(self) -> bool:
        """Whether there is a document to show."""
        return self.is_made and not self.deletes

    @property
    def root(self) -> Any:
        """What the document is: a ``Ref`` to its root object, or a scalar."""
        return self.top.shows("")

    def is_visible(self, target: Object) -> bool:
        """Whether an object shows in the document."""
        return not self.deletes and self.is_in_place(target)

    def is_in_place(self, target: Object) -> bool:
        """Whether an object shows, or would if the document were not deleted."""
        while target.birth is not None:
            parent, place = target.birth
            if not is_same(parent.shows(place), Ref(target.name)):
                return False
            target = parent
        return True

    def path(self, target: Object) -> list[Any]:
        """The keys and indexes that lead to a visible object."""
        steps: list[Any] = []
        while target.birth is not None and target.birth[0] is not self.top:
            parent, place = target.birth
            steps.append(parent.sequence.position(place.at) if isinstance(parent, List) else place)
            target = parent
        return steps[::-1]

    def value(self) -> Any:
        """The document as it travels, with marked kinds; None if there is none."""
        return self.show(self.root) if self.exists else None

    def plain(self) -> Any:
        """The document as JSON without marks; None if there is none."""
        return self.show(self.root, marked=False) if self.exists else None

    def show(self, value: Any, *, marked: bool = True) -> Any:
        """A value of a slot as it travels, or as JSON without marks."""
        if type(value) is not Ref:
            return value
        target = self.objects[value]
        if isinstance(target, Map):
            members = {key: self.show(winner(slot).value, marked=marked) for key, slot in target.slots.items()}
            return mark_map(members) if marked else members
        if isinstance(target, List):
            return [self.show(element.value, marked=marked) for element in target.visible()]
        content = _content(target)
        return {f"${target.kind}": content} if marked else content

    def conflicts(self) -> Iterator[Conflict]:
        """The slots that show in the document and hold more than one value: from the root down, keys in order."""
        if self.exists:
            yield from self._conflicts_in(self.top.slots.get("", (Standing("", "", self.root),)), [])

    def _conflicts_in(self, slot: Slot, path: list[Any]) -> Iterator[Conflict]:
        shown, *rest = in_order_of_rank(slot)
        lost = [put for put in rest if not is_same(put.value, shown.value)]
        if lost:
            yield Conflict(path, shown.name, [(put.name, self.show(put.value)) for put in lost])
        target = self.objects[shown.value] if type(shown.value) is Ref else None
        slots: Iterable[tuple[Any, Slot]] = ()
        if isinstance(target, Map):
            slots = in_order(target.slots)
        elif isinstance(target, List):
            slots = enumerate([element.puts for element in target.visible()])
        for step, inner in slots:
            yield from self._conflicts_in(inner, [*path, step])


class Conflict(NamedTuple):
    """A slot with several values: its path, the put that shows, and the others by name and value, best first."""

    path: list[Any]
    shown: str
    others: list[tuple[str, Any]]


def _content(target: Object) -> Any:
    if isinstance(target, TextObject):
        return target.sequence.visible()
    return (
        target.shown if isinstance(target, CounterObject) else target.shown() if isinstance(target, SetObject) else None
    )
