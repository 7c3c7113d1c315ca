"""Values as they travel: JSON in which mergeable kinds are marked by one key that begins with ``$``.

A text is ``{"$text": "…"}``, a counter ``{"$counter": 0}``, a set ``{"$set": […]}``, and a plain map one of whose keys
begins with ``$`` is ``{"$map": {…}}``. Programs write ``Text``, ``Counter`` and ``ORSet`` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from syncline.core import canonical
from syncline.core.documents.names import COUNTER, LIST, MAP, SET, TEXT
from syncline.core.limits import MAX_KEY_LENGTH, MAX_SAFE_INTEGER
from syncline.errors import BadOp

MARKS = {"$map": MAP, "$text": TEXT, "$counter": COUNTER, "$set": SET}
SCALARS = (str, int, float, bool, type(None))


class Text:
    """A text that several people may edit at once."""

    __slots__ = ("text",)

    def __init__(self, text: str = "") -> None:
        self.text = str(text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Text({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return self.text == str(other) if isinstance(other, Text | str) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


class Counter:
    """A number that several people may add to at once: a whole number within ±(2^53−1)."""

    __slots__ = ("value",)

    def __init__(self, value: int = 0) -> None:
        self.value = int(value)

    def __int__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"Counter({self.value})"

    def __eq__(self, other: object) -> bool:
        return self.value == int(other) if isinstance(other, Counter | int) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


class ORSet:
    """A set of plain JSON values that several people may add to and take from at once (observed-remove set)."""

    __slots__ = ("_members",)

    def __init__(self, members: Iterable[Any] = ()) -> None:
        self._members = {canonical.encode(member): member for member in members}

    def __iter__(self) -> Iterator[Any]:
        return iter([self._members[key] for key in sorted(self._members)])

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, member: Any) -> bool:
        return canonical.encode(member) in self._members

    def __repr__(self) -> str:
        return f"ORSet({list(self)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ORSet | set | frozenset | list | tuple):
            return NotImplemented
        return self._members.keys() == {canonical.encode(member) for member in other}

    __hash__ = None  # type: ignore[assignment]


def to_wire(value: Any) -> Any:
    """A program's value as it travels. What is no JSON is refused later, when the event is encoded."""
    match value:
        case Text():
            return {"$text": value.text}
        case Counter():
            return {"$counter": value.value}
        case ORSet() | set() | frozenset():
            return {"$set": list(ORSet(value))}
        case Mapping():
            return mark_map({key: to_wire(member) for key, member in value.items()})
        case list() | tuple():
            return [to_wire(member) for member in value]
    return value


def from_wire(value: Any) -> Any:
    """What travels as a program's value, with ``Text``, ``Counter`` and ``ORSet``. Raises BadOp."""
    kind, content = open_value(value)
    if kind == MAP:
        return {key: from_wire(member) for key, member in content.items()}
    if kind == LIST:
        return [from_wire(member) for member in content]
    return {TEXT: Text, COUNTER: Counter, SET: ORSet}[kind](content) if kind else content


def to_plain(value: Any) -> Any:
    """What travels as JSON without marks: a text is a string, a counter a number, a set a list. Raises BadOp."""
    kind, content = open_value(value)
    if kind == MAP:
        return {key: to_plain(member) for key, member in content.items()}
    return [to_plain(member) for member in content] if kind == LIST else content


def mark_map(members: dict[str, Any]) -> dict[str, Any]:
    """A map as it travels."""
    return {"$map": members} if any(key[:1] == "$" for key in members if isinstance(key, str)) else members


def open_value(value: Any) -> tuple[str | None, Any]:
    """The kind of a value that travels (None: a scalar), and what is inside its mark. Raises BadOp."""
    if type(value) is dict:
        return _open_dict(value)
    return (LIST, value) if isinstance(value, list) else (None, value)


def _open_dict(value: dict[str, Any]) -> tuple[str, Any]:
    marks = [key for key in value if key[:1] == "$"]
    if not marks:
        return MAP, value
    kind = MARKS.get(marks[0])
    if kind is None or len(value) > 1:
        raise BadOp(f'A map with the key {marks[0][:40]!r} travels as {{"$map": …}}.')
    content = value[marks[0]]
    if not _FITS[kind](content):
        raise BadOp(f"{marks[0]}: this does not hold {'a whole number' if kind == COUNTER else 'what it should'}.")
    return kind, content


def is_count(value: Any) -> bool:
    """Whether a value may be added to a counter: a whole number within ±(2^53−1)."""
    return type(value) is int and -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER


_FITS: dict[str, Callable[[Any], bool]] = {
    MAP: lambda content: isinstance(content, dict),
    TEXT: lambda content: isinstance(content, str),
    COUNTER: is_count,
    SET: lambda content: isinstance(content, list),
}


def check(value: Any) -> None:
    """Raises BadOp unless every key and every mark inside a value is well formed."""
    if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        raise BadOp("The keys of a map are strings.")
    kind, content = open_value(value)
    if kind == MAP:
        if any(len(key) > MAX_KEY_LENGTH for key in content):
            raise BadOp(f"A key has at most {MAX_KEY_LENGTH} characters.")
        for member in content.values():
            check(member)
    elif kind == LIST:
        for member in content:
            check(member)


def in_order(members: dict[str, Any]) -> list[tuple[str, Any]]:
    """The members of a map in canonical order: by the UTF-16 form of their keys (RFC 8785)."""
    if all(map(str.isascii, members)):
        return sorted(members.items())
    return sorted(members.items(), key=lambda member: member[0].encode("utf-16-be"))


def names_in(value: Any) -> int:
    """How many names a value takes: one for each object and each element in it."""
    if not isinstance(value, dict | list):
        return 0
    kind, content = open_value(value)
    if kind == MAP:
        return 1 + sum(names_in(member) for member in content.values())
    if kind == LIST:
        return 1 + sum(1 + names_in(member) for member in content)
    return 1 + len(content) if kind == TEXT else 1


def depth_of(value: Any) -> int:
    """How many objects nest in a value."""
    if not isinstance(value, dict | list):
        return 0
    kind, content = open_value(value)
    inner = content.values() if kind == MAP else content if kind == LIST else ()
    return 1 + max(map(depth_of, inner), default=0)
