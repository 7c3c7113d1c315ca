"""Undo: the document as it would be without an event, and the ops that lead there.

What is undone is folded again without it, and only the slots it touched are compared; so undo leaves alone what others
changed since, and works for every kind. The difference is written with ``again``, which gives back a value with its old
rank, and with ``once``, so that undoing on two devices undoes once. Redo undoes the undo.

An event that is left out is still walked, because others may name its objects and elements. Whoever overwrote
one of its puts had seen what that put overwrote, and is taken to have overwritten that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from msgspec import UNSET

from syncline.core import canonical
from syncline.core.documents import names, ops
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.objects import (
    CounterObject,
    Element,
    List,
    Map,
    Object,
    Ref,
    SetObject,
    TextObject,
    is_same,
    winner,
)
from syncline.core.events import Event
from syncline.core.limits import MAX_SAFE_INTEGER


def fold_without(
    base: Document,
    later: Sequence[Event],
    left_out: Collection[str],
    overruled: Collection[str],
    *,
    about: Sequence[Event] = (),
) -> Document:
    """``base`` after the later events, as if some of them had no effect. What was overruled stays so.

    ``about``: the events whose slots matter, if not all do; objects they do not touch are left as they are.
    """
    only = _touched_objects(about, later) if about else None
    hidden: dict[str, set[str]] = {}
    for event in later:
        base.clock[event.node] = event.n
        sequence = [_seen_through(op, event.id, hidden) for op in event.changes if op is not None]
        is_left_out = event.id in left_out
        if is_left_out:
            hidden.update(_hidden(event.id, sequence))
        base.run(event.id, sequence, has_effect=not is_left_out and event.id not in overruled, only=only)
    return base


def _touched_objects(about: Sequence[Event], later: Sequence[Event]) -> set[str]:
    """The objects in which events changed something, and those whose changes made these."""
    ids = {event.id: event for event in later}
    found: set[str] = set()
    waiting = list(about)
    while waiting:
        event = waiting.pop()
        inside = {names.full(op.inside, event.id) for op in event.changes if op is not None}
        makers = {names.maker(name) or "" for name in inside - found} - {event.id}
        waiting += [ids[maker] for maker in makers if maker in ids]
        found |= inside
    return found


def _seen_through(op: ops.AnyOp, event: str, hidden: dict[str, set[str]]) -> Any:
    """An op whose ``over`` names, instead of puts that are left out, what those had overwritten."""
    over: Any = getattr(op, "over", UNSET)
    if over is UNSET or not hidden:
        return op
    named = [names.full(name, event) for name in over]
    if hidden.keys().isdisjoint(named):
        return op
    return _replace(op, over=sorted({seen for name in named for seen in hidden.get(name, {name})}, key=names.rank))


def _replace(op: Any, **members: Any) -> Any:
    changed = op.__copy__()
    for name, value in members.items():
        setattr(changed, name, value)
    return changed


def _hidden(event: str, sequence: Sequence[ops.AnyOp]) -> Iterator[tuple[str, set[str]]]:
    """What each put of an event stands for while the event is left out: what it overwrote, or put back."""
    k = 0
    for op in sequence:
        over: Any = getattr(op, "over", UNSET)
        again: Any = getattr(op, "again", UNSET)
        seen = {names.full(name, event) for name in (() if over is UNSET else over)}
        if again is not UNSET:
            seen.add(names.full(again, event))
        if isinstance(op, ops.Put) and op.elems is not UNSET:
            seen |= {names.make(maker, k) for maker, k in _members(op.elems, event)}
        yield names.make(event, k), seen
        k += ops.size(op)


def _members(elems: Iterable[str], event: str) -> Iterator[tuple[str, int]]:
    for elem in elems:
        maker, first, count = names.stretch_of(elem, event)
        yield from ((maker, k) for k in range(first, first + count))


class Difference:
    """Writes, slot by slot, the ops that make a document show what another one shows.

    Both know the same objects and elements, because one was folded from a part of the other's events.
    """

    def __init__(self, editor: Editor, target: Document, once: str | None = None) -> None:
        self._editor, self._now, self._target, self._once = editor, editor.document, target, once

    def touched(self, events: Iterable[Event]) -> None:
        """The slots that some events touched."""
        if self._now.exists and not self._target.is_made:
            self._editor.delete_document()
            return
        done: set[Any] = set()
        for event in events:
            for place in _places(self._now, event):
                if place not in done:
                    done.add(place)
                    self._compare(place)

    def whole(self) -> None:
        """Everything the target shows."""
        self._compare(("whole", "", ""))
        self._compare(("key", "^", ""))
        if type(self._target.root) is Ref:
            self._below(self._target.objects[self._target.root])

    def _below(self, wanted: Object) -> None:
        now = self._now.objects[wanted.name]
        inner: list[Any] = []
        if isinstance(wanted, Map) and isinstance(now, Map):
            for key in sorted({*now.slots, *wanted.slots}):
                self._compare(("key", now.name, key))
            inner = [winner(slot).value for slot in wanted.slots.values()]
        elif isinstance(wanted, List) and isinstance(now, List):
            for place in list(now.elements):
                self._compare(("element", now.name, self._now.name_of(place)))
            inner = [element.value for element in wanted.visible()]
        elif isinstance(now, TextObject):
            self._compare(("text", now.name, tuple(self._now.name_of(place) for place, _, _ in now.sequence)))
        elif isinstance(now, SetObject) and isinstance(wanted, SetObject):
            for member in sorted({*now.members, *wanted.members}):
                self._compare(("member", now.name, member))
        else:
            self._compare(("counter", now.name, ""))
        for value in inner:
            if type(value) is Ref:
                self._below(self._target.objects[value])

    def _compare(self, place: tuple[str, str, Any]) -> None:
        sort, name, within = place
        top = name == "^"
        now = self._now.top if top else self._now.find(name)
        wanted = self._target.top if top else self._target.find(name)
        if now is not None or sort == "whole":
            getattr(self, f"_{sort}")(now, wanted, within)

    def _whole(self, _now: Any, _wanted: Any, _within: Any) -> None:
        if self._now.deletes and not self._target.deletes:
            self._editor.restore_document()
        elif self._target.deletes and not self._now.deletes:
            self._editor.delete_document()

    def _key(self, now: Map, wanted: Map | None, key: str) -> None:
        before, after = now.slots.get(key), wanted.slots.get(key) if wanted else None
        if after is None:
            if before is not None:
                self._editor.clear(now, key)
            return
        shown = winner(after)
        if before is None or not is_same(winner(before).value, shown.value):
            self._editor.put_back(now, key, shown)

    def _element(self, now: List, wanted: List | None, name: str) -> None:
        element = _element(self._now, now, name)
        target = _element(self._target, wanted, name) if wanted else None
        if element is None:
            return
        if target is None or not target.puts:
            if element.puts:
                self._editor.remove_element(now, element)
            return
        shown = winner(target.puts)
        if not element.puts or not is_same(element.value, shown.value):
            self._editor.put_back_at(now, element, shown)
        home = winner(target.homes)
        if winner(element.homes).origin != home.origin:
            self._editor.move_back(now, element, home)

    def _text(self, now: TextObject, wanted: TextObject | None, characters: tuple[str, ...]) -> None:
        gone: list[int] = []
        back: list[int] = []
        for name in characters:
            place, target = self._now.place(name), self._target.place(name)
            if place is None or not now.sequence.holds(place):
                continue
            is_wanted = bool(wanted and target is not None and wanted.sequence.holds(target))
            is_wanted = is_wanted and bool(wanted and wanted.sequence.is_visible(target or 0))
            if is_wanted != now.sequence.is_visible(place):
                (back if is_wanted else gone).append(place)
        self._editor.remove_characters(now, gone)
        self._editor.put_back_characters(now, back)

    def _counter(self, now: CounterObject, wanted: CounterObject | None, _within: Any) -> None:
        difference, once = (wanted.total if wanted else 0) - now.total, self._once
        while difference:
            step = max(-MAX_SAFE_INTEGER, min(MAX_SAFE_INTEGER, difference))
            self._editor.increment(now, step, once)
            difference, once = difference - step, once and f"{once}+"

    def _member(self, now: SetObject, wanted: SetObject | None, member: bytes) -> None:
        slot = wanted.members.get(member) if wanted else None
        if slot and member not in now.members:
            self._editor.add(now, slot[0].value)
        elif not slot and member in now.members:
            self._editor.discard(now, now.members[member][0].value)


def _element(document: Document, target: List, name: str) -> Element | None:
    place = document.place(name)
    return None if place is None else target.elements.get(place)


def _places(document: Document, event: Event) -> Iterator[tuple[str, str, Any]]:
    """The slots an event's ops touched: sort, object, and which of its slots."""
    k = 0
    for op in event.changes:
        if op is not None:
            yield from _touched(document, event.id, op, k)
            k += ops.size(op)


def _touched(document: Document, event: str, op: ops.AnyOp, k: int) -> Iterator[tuple[str, str, Any]]:
    inside = names.full(op.inside, event)
    match op:
        case ops.Delete() | ops.Restore():
            yield "whole", "", ""
        case ops.Put(elem=str() as elem) | ops.Move(elem=elem):
            yield "element", inside, names.full(elem, event)
        case ops.Put(elems=list() as elems) | ops.Del(elems=list() as elems):
            yield from _touched_elements(document, inside, [names.make(*each) for each in _members(elems, event)])
        case ops.Insert():
            made = range(k + 1, k + ops.size(op))
            yield from _touched_elements(document, inside, [names.make(event, each) for each in made])
        case ops.Put() | ops.Del() | ops.Ensure():
            yield "key", "^" if op.key is UNSET else inside, "" if op.key is UNSET else op.key
        case ops.Inc():
            yield "counter", inside, ""
        case _ if op.value is not UNSET:  # otherwise its member was erased, and nothing knows what it was
            yield "member", inside, canonical.encode(op.value)


def _touched_elements(document: Document, inside: str, elements: list[str]) -> Iterator[tuple[str, str, Any]]:
    if isinstance(document.find(inside), TextObject):
        yield "text", inside, tuple(elements)
    else:
        yield from (("element", inside, name) for name in elements)
