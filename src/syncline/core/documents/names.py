"""Names: what ops call objects, elements and puts.

Everything an event makes is named ``<event>:<k>``, where k counts through the event: one for each op, element and
nested object, depth first, keys in canonical order. Inside its own event a name is written ``:<k>``. Names compare by
event id, then by k. Children that several replicas may make apart are named by their place, ``<parent>/<key>:<kind>``,
so that they are the same child; the root map is the empty name, a root of another kind is ``:<kind>``.
"""

from __future__ import annotations

import re

from syncline.core.limits import MAX_DEPTH

MAP, LIST, TEXT, COUNTER, SET = "map", "list", "text", "counter", "set"
KINDS = frozenset({MAP, LIST, TEXT, COUNTER, SET})
ROOT = ""
MAX_NAMES = 65_536
"""An event of 64 KiB has fewer names than this, as each costs a byte."""

_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_K = r"(?:0|[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_CHILD = rf"/(?:[^~/]|~[01])*:(?:{'|'.join(sorted(KINDS))})"
_BELOW = rf"(?:{_CHILD}){{0,{MAX_DEPTH - 1}}}"
NAME = re.compile(rf"(?:{_ID})?:{_K}")
STRETCH = re.compile(rf"(?:{_ID})?:{_K}(?:\+[1-9][0-9]{{0,4}})?")
OBJECT = re.compile(rf"(?:(?:{_ID})?:{_K}|:(?:{'|'.join(sorted(KINDS - {MAP}))})){_BELOW}|{_BELOW}", re.DOTALL)


def make(event: str, k: int) -> str:
    """The full name of what an event made."""
    return f"{event}:{k}"


def full(name: str, event: str) -> str:
    """A name as it reads outside its own event."""
    return event + name if name[:1] == ":" and name[1:2].isdigit() else name


def short(name: str, event: str) -> str:
    """A full name as it is written inside ``event``."""
    return name.removeprefix(event)


def split(name: str) -> tuple[str, int]:
    """The event and the k of a full name."""
    return name[:36], int(name[37:])


def rank(name: str) -> tuple[str, int]:
    """What full names are compared by."""
    return name[:36], int(name[37:])


def maker(object: str) -> str | None:
    """The id of the event on whose making a full object name rests; None if it rests on the root."""
    return object[:36] if object[:1] not in ("", "/", ":") else None


def child(parent: str, key: str, kind: str) -> str:
    """The name of the child that every replica would give this place."""
    return f"{parent}/{key.replace('~', '~0').replace('/', '~1')}:{kind}"


def place_of(object: str) -> tuple[str, str, str] | None:
    """The parent, key and kind in a name that was made by ``child``; None for other names."""
    parent, slash, rest = object.rpartition("/")
    if not slash:
        return None
    key, _, kind = rest.rpartition(":")
    return parent, key.replace("~1", "/").replace("~0", "~"), kind


def root(kind: str) -> str:
    """The name of the root of a kind."""
    return ROOT if kind == MAP else f":{kind}"


def root_kind(object: str) -> str | None:
    """The kind of a root, by its name; None for other names."""
    return MAP if object == ROOT else object[1:] if object[1:] in KINDS and object[0] == ":" else None


def stretch(first: str, count: int) -> str:
    """``count`` names in a row, from ``first`` on."""
    return first if count == 1 else f"{first}+{count}"


def stretch_of(text: str, event: str) -> tuple[str, int, int]:
    """The event, the first k and the length of a stretch, written inside ``event``."""
    name, _, count = text.partition("+")
    return (*split(full(name, event)), int(count or 1))
