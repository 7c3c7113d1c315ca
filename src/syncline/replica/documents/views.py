"""Documents as plain Python: maps as mappings, lists as sequences, and kinds that several people edit at once.

A view knows an object by its name and looks it up whenever it is used, so it always shows the present state. Changing
it drafts ops through its ``Scope``: of a live document an event for each change, within ``edit`` one for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from syncline.core import canonical
from syncline.core.documents.assign import assign, change_members, rewrite, update
from syncline.core.documents.document import Document
from syncline.core.documents.edit import Editor
from syncline.core.documents.objects import CounterObject, List, Map, Object, Ref, SetObject, TextObject, winner
from syncline.core.documents.values import Counter, ORSet, Text, from_wire, to_plain, to_wire

T = TypeVar("T", bound=Object)
P = ParamSpec("P")
R = TypeVar("R")


class Scope(Protocol):
    """Where a view reads, and how it writes."""

    lock: AbstractContextManager[Any]
    """Held while something is read."""

    @property
    def document(self) -> Document:
        """The state."""

    def editing(self) -> AbstractContextManager[Editor]:
        """An editor on that state; the changes are recorded when the context ends."""


def locked(method: Callable[P, R]) -> Callable[P, R]:
    """A method that holds the lock of its scope: other threads bring events, and states are not made for two."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        view: Any = args[0]
        with view._scope.lock:
            return method(*args, **kwargs)

    return call


class View(Generic[T]):
    """One object of a document."""

    __slots__ = ("_name", "_scope")

    def __init__(self, scope: Scope, name: str) -> None:
        self._scope, self._name = scope, name

    @property
    def _object(self) -> T:
        return cast(T, self._scope.document.objects[self._name])

    @property
    @locked
    def plain(self) -> Any:
        """The content as plain JSON."""
        return self._scope.document.show(Ref(self._name), marked=False)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.plain!r})"


class MapView(View[Map], MutableMapping[str, Any]):
    """A map. Assigning puts a value over what is there; kinds are written as ``Text``, ``Counter`` and ``ORSet``."""

    __slots__ = ()

    @locked
    def __getitem__(self, key: str) -> Any:
        return view_of(self._scope, winner(self._object.slots[key]).value)

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(value, View) and self._object.shows(key) == value._name:
            return  # what ``doc["n"] += 1`` assigns after it has counted
        with self._scope.editing() as editor:
            editor.put(self._object, key, to_wire(unwrapped(value)))

    def __delitem__(self, key: str) -> None:
        with self._scope.editing() as editor:
            editor.delete(self._object, key)

    @locked
    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._object.slots))

    @locked
    def __len__(self) -> int:
        return len(self._object.slots)

    @locked
    def __contains__(self, key: object) -> bool:
        return key in self._object.slots

    def __eq__(self, other: object) -> bool:
        return bool(self.plain == unwrapped_plain(other)) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def update(self, members: Any = (), /, **more: Any) -> None:
        """Changes some keys, doing the least: what is alike stays, a text is spliced, a counter counted on."""
        with self._scope.editing() as editor:
            for key, value in dict(members, **more).items():
                assign(editor, self._object, key, to_wire(unwrapped(value)))

    def replace(self, members: Mapping[str, Any]) -> None:
        """Makes the map show these members and no others, doing the least."""
        with self._scope.editing() as editor:
            update(editor, self._object, {key: to_wire(unwrapped(value)) for key, value in members.items()})

    def ensure(self, key: str, kind: str) -> Any:
        """The child of this kind (``map``, ``list``, ``text``, ``counter`` or ``set``) under a key, made if need be.

        Replicas that make it apart make the same one, so that what each puts into it merges.
        """
        with self._scope.editing() as editor:
            name = editor.ensure(self._object, key, kind).name
        return view_of(self._scope, Ref(name))


class ListView(View[List], MutableSequence[Any]):
    """A list whose elements keep their identity: inserted, moved and removed at once by several people."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    @locked
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [view_of(self._scope, element.value) for element in self._object.visible()[index]]
        return view_of(self._scope, self._object.sequence.content_at(self._place(index)).value)

    def __setitem__(self, index: Any, value: Any) -> None:
        with self._scope.editing() as editor:
            if isinstance(index, slice):
                start, stop, _ = _stretch(index, len(self))
                editor.remove(self._object, start, stop - start)
                editor.insert(self._object, start, [to_wire(unwrapped(each)) for each in value])
            else:
                editor.put_at(self._object, self._place(index), to_wire(unwrapped(value)))

    def __delitem__(self, index: int | slice) -> None:
        start, stop = (
            (self._place(index), self._place(index) + 1) if isinstance(index, int) else _stretch(index, len(self))[:2]
        )
        if stop > start:
            with self._scope.editing() as editor:
                editor.remove(self._object, start, stop - start)

    @locked
    def __len__(self) -> int:
        return len(self._object.sequence)

    def __eq__(self, other: object) -> bool:
        return (
            bool(self.plain == unwrapped_plain(list(other)))
            if isinstance(other, list | tuple | ListView)
            else NotImplemented
        )

    __hash__ = None  # type: ignore[assignment]

    def insert(self, index: int, value: Any) -> None:
        """Inserts a value before an index."""
        self.insert_all(index, [value])

    def insert_all(self, index: int, values: Iterable[Any]) -> None:
        """Inserts several values before an index."""
        start = _stretch(slice(index, index), len(self))[0]
        with self._scope.editing() as editor:
            editor.insert(self._object, start, [to_wire(unwrapped(value)) for value in values])

    def extend(self, values: Iterable[Any]) -> None:
        """Appends several values."""
        self.insert_all(len(self), values)

    def move(self, index: int, to: int) -> None:
        """Moves an element, so that it has the index ``to`` afterwards; two who move it apart do not double it."""
        with self._scope.editing() as editor:
            editor.move(self._object, self._place(index), self._place(to))

    def clear(self) -> None:
        """Removes all elements."""
        del self[:]

    def _place(self, index: int) -> int:
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"There are {len(self)} elements.")
        return place


def _stretch(index: slice, length: int) -> tuple[int, int, int]:
    start, stop, step = index.indices(length)
    if step != 1:
        raise ValueError("A slice of a list has no step.")
    return start, max(start, stop), step


class TextView(View[TextObject]):
    """A text, by code points."""

    __slots__ = ()

    @locked
    def __str__(self) -> str:
        return self._object.sequence.visible()

    @locked
    def __len__(self) -> int:
        return len(self._object.sequence)

    def __getitem__(self, index: int | slice) -> str:
        return str(self)[index]

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, str | Text | TextView) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def insert(self, position: int, text: str) -> None:
        """Inserts before a position."""
        self.splice(position, 0, text)

    def append(self, text: str) -> None:
        """Inserts at the end."""
        self.splice(len(self), 0, text)

    def delete(self, position: int, count: int = 1) -> None:
        """Deletes characters."""
        self.splice(position, count)

    def splice(self, position: int, deleted: int = 0, inserted: str = "") -> None:
        """Deletes characters after a position and inserts others there. Raises IndexError."""
        with self._scope.editing() as editor:
            editor.splice(self._object, position, deleted, inserted)

    def replace(self, text: str) -> None:
        """Makes the text read so; what is alike at both ends stays."""
        with self._scope.editing() as editor:
            rewrite(editor, self._object, text)


class CounterView(View[CounterObject]):
    """A counter."""

    __slots__ = ()

    @locked
    def __int__(self) -> int:
        return self._object.shown

    __index__ = __int__

    @property
    @locked
    def value(self) -> int:
        """The sum, within ±(2^53−1)."""
        return self._object.shown

    def __eq__(self, other: object) -> bool:
        return self.value == int(other) if isinstance(other, int | Counter | CounterView) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def increment(self, by: int = 1) -> None:
        """Adds to it."""
        with self._scope.editing() as editor:
            editor.increment(self._object, by)

    def decrement(self, by: int = 1) -> None:
        """Takes from it."""
        self.increment(-by)

    def __iadd__(self, by: int) -> CounterView:
        self.increment(by)
        return self

    def __isub__(self, by: int) -> CounterView:
        self.increment(-by)
        return self


class SetView(View[SetObject]):
    """A set of plain JSON values."""

    __slots__ = ()

    @locked
    def __iter__(self) -> Iterator[Any]:
        return iter(self._object.shown())

    @locked
    def __len__(self) -> int:
        return len(self._object.members)

    @locked
    def __contains__(self, member: Any) -> bool:
        return canonical.encode(member) in self._object.members

    def __eq__(self, other: object) -> bool:
        return ORSet(self) == other if isinstance(other, ORSet | set | frozenset | list | tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def add(self, member: Any) -> None:
        """Adds a value; one that is there is added again, and so outlives a removal that has not seen this."""
        with self._scope.editing() as editor:
            editor.add(self._object, member)

    def discard(self, member: Any) -> None:
        """Takes a value out, if it is there."""
        if member in self:
            with self._scope.editing() as editor:
                editor.discard(self._object, member)

    def remove(self, member: Any) -> None:
        """Takes a value out. Raises KeyError if it is not there."""
        if member not in self:
            raise KeyError(member)
        self.discard(member)

    def replace(self, members: Iterable[Any]) -> None:
        """Makes the set have these members."""
        with self._scope.editing() as editor:
            change_members(editor, self._object, list(members))


VIEWS: dict[type, Any] = {
    Map: MapView,
    List: ListView,
    TextObject: TextView,
    CounterObject: CounterView,
    SetObject: SetView,
}


def view_of(scope: Scope, value: Any) -> Any:
    """A value of a slot for a program: a scalar as it is, an object as its view."""
    return VIEWS[type(scope.document.objects[value])](scope, str(value)) if type(value) is Ref else value


def unwrapped(value: Any) -> Any:
    """A value that may hold views, as a fresh value: assigning a view makes a copy."""
    if isinstance(value, View):
        return _kinds(value)
    if isinstance(value, Mapping):
        return {key: unwrapped(member) for key, member in value.items()}
    return [unwrapped(member) for member in value] if isinstance(value, list | tuple) else value


def _kinds(view: View[Any]) -> Any:
    return from_wire(view._scope.document.show(Ref(view._name)))


def unwrapped_plain(value: Any) -> Any:
    """A value as plain JSON, to compare with."""
    return to_plain(to_wire(unwrapped(value)))
