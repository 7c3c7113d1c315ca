"""What events changed, as JSON Patch (RFC 6902): from the slots that changed, never by comparing whole documents.

A ``Recorder`` observes the fold and remembers, of each slot and object that is touched, what it was. What was not
touched is as it is now, so the document before can be shown as well as the one after. At the end it goes down from the
root to what was touched and still stands where it stood, and says what is different there; so values are written as
they are in the end, nothing is said twice, and what happens in hidden objects is never met.

The cost is that of what was touched, with the steps down to it and the values that came and went. Two kinds cost their
size: RFC 6902 replaces a string as a whole, and an index into a set's members takes their order. Left out: elements of
a list that took the place of equal ones count as a change, because only whole lists would tell.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from syncline.core import patches
from syncline.core.documents.document import Document
from syncline.core.documents.journal import NOWHERE, Journal, Step
from syncline.core.documents.names import ROOT
from syncline.core.documents.objects import Element, List, Map, Object, Ref, SetObject, Slot, winner
from syncline.core.documents.values import mark_map
from syncline.core.limits import MAX_PATCH_OPERATIONS, MAX_POINTER_LENGTH
from syncline.core.pointers import escape

ABSENT: Any = object()
"""The value of a slot that shows nothing."""

SAME: Any = object()
"""Stands for the old value of a slot that did not change itself; something inside it did."""


class Change(NamedTuple):
    """What became of a document: ``forward`` and ``reverse`` are patches of its value on the wire.

    Of a document that came, or came back, ``forward`` is its whole value and ``reverse`` None; of one that was deleted
    it is the other way round.
    """

    kind: Literal["create", "update", "delete"]
    forward: Any
    reverse: Any


class Recorder:
    """Observes the fold of one or more events on a document, which it has to see from the beginning."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._did_exist = document.exists
        self._places: dict[Object, dict[Any, Any]] = {}
        """The places in which something changed, and what they showed."""
        self._contents: dict[Object, Any] = {}
        """What texts, counters and sets held."""
        self._journals: dict[List, Journal] = {}
        self._touched: set[Object] = set()
        """What changed, and all that is around it."""
        self._steps: list[tuple[dict[str, Any], dict[str, Any]]] = []
        """Operations, each with its inverse."""

    # What the fold tells

    def before(self, target: Object) -> None:
        """A text, counter or set is about to change."""
        if target not in self._contents:
            self._touch(target)
            self._contents[target] = (
                dict(target.members)
                if isinstance(target, SetObject)
                else self._document.show(Ref(target.name), marked=False)
            )

    def slot(self, target: Map, key: str, before: Slot, after: Slot) -> None:
        """A key's slot has changed."""
        self._note(target, key, self._value(target, before))

    def element(self, target: List, element: Element, before: tuple[int, Any] | None) -> None:
        """An element has changed."""
        at, was = before or (NOWHERE, ABSENT)
        now, _ = target.index(element) or (NOWHERE, ABSENT)
        self._note(target, element, was)
        if at != now:
            self._journals.setdefault(target, Journal(target)).add(Step(element, at, now))

    def _note(self, target: Object, place: Any, was: Any) -> None:
        self._touch(target)
        places = self._places.setdefault(target, {})
        if places.get(place, SAME) is SAME:
            places[place] = was

    def _touch(self, target: Object) -> None:
        while target not in self._touched:
            self._touched.add(target)
            if target.birth:
                target, place = target.birth
                self._places.setdefault(target, {}).setdefault(place, SAME)

    # What was, and what is

    def _was(self, target: Map | List, place: Any) -> Any:
        was = self._places.get(target, {}).get(place, SAME)
        return self._is(target, place) if was is SAME else was

    def _is(self, target: Map | List, place: Any) -> Any:
        return self._value(target, place.puts if isinstance(target, List) else target.slots.get(place, ()))

    def _value(self, target: Map | List, slot: Slot) -> Any:
        if slot:
            return winner(slot).value
        return Ref(ROOT) if target is self._document.top else ABSENT

    def _show_before(self, value: Any) -> Any:
        """A value as it would have been on the wire."""
        target = self._document.objects[value] if type(value) is Ref else None
        if target not in self._touched:
            return self._document.show(value)
        if isinstance(target, Map):
            was = {key: self._was(target, key) for key in {**target.slots, **self._places[target]}}
            return mark_map({key: self._show_before(value) for key, value in was.items() if value is not ABSENT})
        if isinstance(target, List):
            journal = self._journals.get(target)
            elements = journal.before() if journal else target.visible()
            return [self._show_before(self._was(target, element)) for element in elements]
        content = self._contents[target]
        if isinstance(target, SetObject):
            content = [content[key][0].value for key in sorted(content)]
        return {f"${target.kind}": content}

    # What is different

    def change(self) -> Change | None:
        """What became of the document since this recorder was made; None if it shows what it showed."""
        top, exists = self._document.top, self._document.exists
        was = self._was(top, "")
        if not exists or not self._did_exist:
            if exists:
                return Change("create", self._document.value(), None)
            return Change("delete", None, self._show_before(was)) if self._did_exist else None
        self._steps = []
        self._compare(was, self._is(top, ""), "")
        if not self._steps:
            return None
        return Change("update", [step for step, _ in self._steps], [inverse for _, inverse in reversed(self._steps)])

    def _compare(self, was: Any, now: Any, path: str) -> None:
        if was is ABSENT or now is ABSENT:
            if now is not ABSENT:
                self._steps.append(_addition(path, self._document.show(now)))
            elif was is not ABSENT:
                self._steps.append(_addition(path, self._show_before(was))[::-1])
        elif type(was) is Ref and type(now) is Ref and was == now:
            self._compare_inside(now, path)
        else:
            self._replace(path, self._show_before(was), self._document.show(now))

    def _replace(self, path: str, was: Any, now: Any) -> None:
        if not patches.equal(was, now):
            new, old = ({"op": "replace", "path": path, "value": value} for value in (now, was))
            self._steps.append((new, old))

    def _compare_inside(self, ref: Ref, path: str) -> None:
        """Says what changed in an object; replaces it as a whole if that were not a patch that ``apply`` takes."""
        target = self._document.objects[ref]
        if target not in self._touched:
            return
        start = len(self._steps)
        if isinstance(target, Map):
            is_whole = not self._compare_keys(target, path)
        elif isinstance(target, List):
            is_whole = not self._compare_elements(target, path)
        else:
            is_whole = not self._compare_content(target, path)
        if is_whole or not _is_fit(self._steps[start:]):
            del self._steps[start:]
            self._replace(path, self._show_before(ref), self._document.show(ref))

    def _compare_keys(self, target: Map, path: str) -> bool:
        """False if the map's own mark came or went, which changes the path to all that is inside."""
        places = self._places[target]
        marks = target.marks - sum(
            (key in target.slots) - (was is not ABSENT)
            for key, was in places.items()
            if key[:1] == "$" and was is not SAME
        )
        if bool(marks) != bool(target.marks):
            return False
        if marks:
            path += "/$map"
        for key in places:
            self._compare(self._was(target, key), self._is(target, key), f"{path}/{escape(key)}")
        return True

    def _compare_elements(self, target: List, path: str) -> bool:
        """False if too much came, went and moved to be told one by one."""
        journal = self._journals.get(target, Journal(target))
        if journal.is_over:
            return False
        for element, at, now in journal.steps:
            if at == NOWHERE:
                self._steps.append(_addition(f"{path}/{now}", self._document.show(self._is(target, element))))
            elif now == NOWHERE:
                self._steps.append(_addition(f"{path}/{at}", self._show_before(self._was(target, element)))[::-1])
            else:
                self._steps.append((_move(f"{path}/{at}", f"{path}/{now}"), _move(f"{path}/{now}", f"{path}/{at}")))
        for element in self._places[target]:
            was, now = self._was(target, element), self._is(target, element)
            if was is not ABSENT and now is not ABSENT:
                self._compare(was, now, f"{path}/{target.sequence.position(element.at)}")
        return True

    def _compare_content(self, target: Object, path: str) -> bool:
        path, was = f"{path}/${target.kind}", self._contents[target]
        if not isinstance(target, SetObject):
            self._replace(path, was, self._document.show(Ref(target.name), marked=False))
            return True
        keys = sorted(was)
        for key in sorted(was.keys() - target.members.keys()):
            index = bisect_left(keys, key)
            self._steps.append(_addition(f"{path}/{index}", was[keys.pop(index)][0].value)[::-1])
        for key in sorted(target.members.keys() - was.keys()):
            index = bisect_left(keys, key)
            keys.insert(index, key)
            self._steps.append(_addition(f"{path}/{index}", target.members[key][0].value))
        return True


def _addition(path: str, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The operation that adds a value, and its inverse."""
    return {"op": "add", "path": path, "value": value}, {"op": "remove", "path": path}


def _move(source: str, path: str) -> dict[str, Any]:
    return {"op": "move", "from": source, "path": path}


def _is_fit(steps: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> bool:
    """Whether ``apply`` takes these operations."""
    return len(steps) <= MAX_PATCH_OPERATIONS and all(
        len(operation["path"]) <= MAX_POINTER_LENGTH for step in steps for operation in step
    )
