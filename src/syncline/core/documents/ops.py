"""Ops: one change each inside an event, as they travel.

An op overwrites exactly what it names in ``over``, and its author names what it saw. The shapes here are those of
``spec/DOCUMENTS.md``; ``check`` is strict for whoever admits events, ``read`` is total for whoever folds them: an op
that does not read becomes None, does nothing and takes no name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from syncline.core.documents import names, values
from syncline.core.documents.names import KINDS, MAX_NAMES, NAME, OBJECT, STRETCH
from syncline.core.limits import MAX_KEY_LENGTH
from syncline.errors import BadOp


class Op(Struct, tag_field="op", tag=str.lower, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """``inside``: the object that changes, on the wire ``in``; the root map if absent."""

    inside: str = msgspec.field(name="in", default="")


class Put(Op):
    """Puts a value into a slot: of a map (``key``), of a list (``elem``), or of the document itself (neither).

    With ``again`` it puts back what that earlier put had put there, and ranks as that one; an object comes back by its
    name. With ``elems`` elements of a text are put back where they were.
    """

    key: str | UnsetType = UNSET
    elem: str | UnsetType = UNSET
    elems: list[str] | UnsetType = UNSET
    value: Any = UNSET
    object: str | UnsetType = UNSET
    again: str | UnsetType = UNSET
    over: list[str] | UnsetType = UNSET


class Del(Op):
    """Empties slots of what it names: of a map (``key``), of elements, or of the document itself (neither).

    Whoever names elements has seen their insertions, which need not stand in ``over``.
    """

    key: str | UnsetType = UNSET
    elems: list[str] | UnsetType = UNSET
    over: list[str] | UnsetType = UNSET


class Ensure(Op):
    """Makes a child that is the same wherever it is made; without ``key`` it is the root of another kind."""

    kind: str
    key: str | UnsetType = UNSET
    over: list[str] | UnsetType = UNSET


class Insert(Op):
    """Inserts values into a list or characters into a text, after an insertion or a move (absent: at the start)."""

    after: str | UnsetType = UNSET
    values: list[Any] | UnsetType = UNSET
    text: str | UnsetType = UNSET


class Move(Op):
    """Moves an element of a list after another; with ``again`` back to where an earlier insertion or move put it."""

    elem: str
    after: str | UnsetType = UNSET
    again: str | UnsetType = UNSET
    over: list[str] | UnsetType = UNSET


class Inc(Op):
    """Adds to a counter. Of those with equal ``once`` the one with the least name counts."""

    by: int
    once: str | UnsetType = UNSET


class Add(Op):
    """Adds a plain JSON value to a set."""

    value: Any
    over: list[str] | UnsetType = UNSET


class Discard(Op, kw_only=True):
    """Takes from a set the adds it names; without a value, which only erasing leaves, of whatever members they are."""

    value: Any = UNSET
    over: list[str]


class Delete(Op):
    """Deletes the whole document until somebody restores it."""


class Restore(Op):
    """Ends the deletes it names."""

    over: list[str]


AnyOp = Put | Del | Ensure | Insert | Move | Inc | Add | Discard | Delete | Restore


def read(ops: Sequence[Any]) -> list[AnyOp | None]:
    """The ops of an event that was admitted; what does not read is None."""
    try:
        found: list[AnyOp | None] = [*_convert(ops)]
    except msgspec.ValidationError:
        found = [_read_one(op) for op in ops]
    return [op if op is not None and _is_well_formed(op) else None for op in found]


class _All(Struct):
    """A type of its own, because msgspec prepares a struct once but a union at each use."""

    ops: list[AnyOp]


def _convert(ops: Sequence[Any]) -> list[AnyOp]:
    return msgspec.convert({"ops": ops}, _All).ops


def _read_one(op: Any) -> AnyOp | None:
    try:
        return _convert([op])[0]
    except msgspec.ValidationError:
        return None


def _is_well_formed(op: AnyOp) -> bool:
    try:
        _check(op)
    except BadOp:
        return False
    return True


def write(op: AnyOp) -> dict[str, Any]:
    """An op as it travels."""
    return msgspec.to_builtins(op)  # type: ignore[no-any-return]


def size(op: AnyOp) -> int:
    """How many names an op takes, its own included."""
    if isinstance(op, Put):
        return 1 + values.names_in(op.value)
    if isinstance(op, Insert):
        return 1 + (len(op.text) if isinstance(op.text, str) else _names_in_elements(op.values))
    return 1


def _names_in_elements(inserted: Any) -> int:
    return sum(1 + values.names_in(value) for value in inserted) if isinstance(inserted, list) else 0


def check(ops: Sequence[Any]) -> list[AnyOp]:
    """The ops of an event somebody sends. Raises BadOp for what no op looks like."""
    try:
        checked = _convert(ops)
        for op in checked:
            _check_whole(op)
    except (msgspec.ValidationError, BadOp):
        checked = [_check_one(op, place) for place, op in enumerate(ops)]  # finds the one that is to blame
    if sum(map(size, checked)) >= MAX_NAMES:
        raise BadOp(f"An event makes fewer than {MAX_NAMES} names.")
    return checked


def _check_one(op: Any, place: int) -> AnyOp:
    try:
        checked = _convert([op])[0]
        _check_whole(checked)
    except (msgspec.ValidationError, BadOp) as error:
        message = str(error).partition(" - at ")[0]
        raise BadOp(f"ops[{place}]: {message}", index=place) from None
    return checked


def _check_whole(op: AnyOp) -> None:
    _check(op)
    _require(not isinstance(op, Discard) or op.value is not UNSET, "Object missing required field `value`")


def _check(op: AnyOp) -> None:
    _require(OBJECT.fullmatch(op.inside) is not None, "in is not the name of an object")
    for name in named(op):
        _require(NAME.fullmatch(name) is not None, f"{name[:80]!r} is not a name")
    _CHECKS[type(op)](op)


def _require(condition: object, what: str) -> None:
    if not condition:
        raise BadOp(what + ".")


def _check_key(key: Any) -> None:
    _require(key is UNSET or len(key) <= MAX_KEY_LENGTH, f"a key has at most {MAX_KEY_LENGTH} characters")


def _check_put(op: Put) -> None:
    _check_key(op.key)
    places = [place for place in (op.key, op.elem, op.elems) if place is not UNSET]
    _require(len(places) <= 1, "one of key, elem and elems says where")
    _require(bool(places) or not op.inside, "key, elem or elems says where")
    if op.elems is not UNSET:
        _check_stretches(op.elems)
        _require(op.value is op.object is op.again is UNSET, "elems come back as they were inserted")
        return
    _require((op.value is UNSET) != (op.object is UNSET), "either value or object says what")
    if op.object is not UNSET:
        _require(op.again is not UNSET, "an object comes back with again")
        _require(OBJECT.fullmatch(op.object) is not None, "object is not the name of an object")
    elif op.again is not UNSET:
        _require(not isinstance(op.value, dict | list), "an object comes back by its name")
    else:
        values.check(op.value)


def _check_del(op: Del) -> None:
    _check_key(op.key)
    _require(op.key is UNSET or op.elems is UNSET, "one of key and elems says where")
    _require(op.elems is not UNSET or op.key is not UNSET or not op.inside, "key or elems says where")
    _require(op.elems is not UNSET or op.over is not UNSET, "over says what was seen")
    _check_stretches([] if op.elems is UNSET else op.elems)


def _check_stretches(elems: Sequence[str]) -> None:
    spans: list[tuple[str, int, int]] = []
    for elem in elems:
        _require(STRETCH.fullmatch(elem) is not None, f"{elem[:80]!r} names no elements")
        name, _, count = elem.partition("+")
        maker, _, first = name.rpartition(":")
        spans.append((maker, int(first), int(first) + int(count or 1)))
        _require(spans[-1][2] <= MAX_NAMES, f"{elem!r} names more than an event makes")
    for one, other in pairwise(sorted(spans)):
        _require(one[0] != other[0] or one[2] <= other[1], f"{other[0]}:{other[1]} is named twice")


def _check_ensure(op: Ensure) -> None:
    _check_key(op.key)
    _require(op.kind in KINDS, f"{op.kind[:40]!r} is no kind")
    _require(op.key is not UNSET or not op.inside, "key says where")


def _check_insert(op: Insert) -> None:
    _require((op.values is UNSET) != (op.text is UNSET), "either values or text says what")
    for value in () if op.values is UNSET else op.values:
        values.check(value)


def _check_move(op: Move) -> None:
    _require(op.after is UNSET or op.again is UNSET, "either after or again says where")


def _check_inc(op: Inc) -> None:
    _require(values.is_count(op.by), "by is a whole number within ±(2^53−1)")
    _require(op.once is UNSET or 0 < len(op.once) <= MAX_KEY_LENGTH, f"once has 1 to {MAX_KEY_LENGTH} characters")


def _check_document(op: Delete | Restore) -> None:
    _require(not op.inside, "the whole document is meant")


_CHECKS: dict[type, Any] = {
    Put: _check_put,
    Del: _check_del,
    Ensure: _check_ensure,
    Insert: _check_insert,
    Move: _check_move,
    Inc: _check_inc,
    Add: lambda op: None,
    Discard: lambda op: None,
    Delete: _check_document,
    Restore: _check_document,
}


def named(op: AnyOp) -> Iterator[str]:
    """The single names in an op, as they are written."""
    for member in ("elem", "after", "again"):
        name = getattr(op, member, UNSET)
        if name is not UNSET:
            yield name
    over = getattr(op, "over", UNSET)
    yield from () if over is UNSET else over


__all__ = [
    "Add", "AnyOp", "Del", "Delete", "Discard", "Ensure", "Inc", "Insert", "Move", "Op", "Put", "Restore",
    "check", "named", "names", "read", "size", "write",
]  # fmt: skip
