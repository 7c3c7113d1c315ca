"""What stays of ops whose values are erased: their shape, so that whatever names it still finds it.

Objects, keys, ``over`` and the number of elements stay, values go: a scalar becomes null, a character U+FFFD, a
counter's sum 0. An ``add`` to a set and a ``discard`` lose the member they mean; what they took away stays taken away
by its names, as a ``discard`` without a value, which nobody else may write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncline.core.documents.names import COUNTER, LIST, MAP, SET, TEXT
from syncline.core.documents.values import mark_map, open_value

REPLACEMENT = "�"
"""Stands for each character that is gone (the replacement character of Unicode)."""


def erased(ops: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ops that were admitted, without their values. Erasing twice changes nothing."""
    return [_op(op) for op in ops]


def _op(op: dict[str, Any]) -> dict[str, Any]:
    kind = op["op"]
    if kind in ("add", "discard"):
        return {"op": "discard", "over": op.get("over", []), **_kept(op, "in")}
    if kind == "inc":
        return {**op, "by": 0}
    if kind == "put" and "value" in op:
        return {**op, "value": value(op["value"])}
    if kind == "insert":
        return {**op, **{name: _ELEMENTS[name](op[name]) for name in _ELEMENTS.keys() & op.keys()}}
    return op


def _kept(op: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: op[name] for name in names if name in op}


def value(found: Any) -> Any:
    """A value as it travels, without what it says: the same objects, keys and elements."""
    kind, content = open_value(found)
    if kind is None:
        return None
    return _VALUES[kind](content)


_ELEMENTS: dict[str, Any] = {
    "text": lambda text: REPLACEMENT * len(text),
    "values": lambda values: [value(each) for each in values],
}
_VALUES: dict[str, Any] = {
    MAP: lambda content: mark_map({key: value(member) for key, member in content.items()}),
    LIST: _ELEMENTS["values"],
    TEXT: lambda text: {"$text": REPLACEMENT * len(text)},
    COUNTER: lambda total: {"$counter": 0},
    SET: lambda members: {"$set": []},
}
