"""The bodies of this dialect: a document is of one declared type, and ops are of that type.

Values in them are plain JSON, in which nothing is a mark. Stamps in nanoseconds are read digit by digit, because no
double holds them; all other numbers are those of the log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from syncline.core import canonical
from syncline.core.batch import ENVELOPE_DEPTH
from syncline.core.documents.names import COUNTER, LIST, MAP, SET, TEXT
from syncline.core.documents.values import is_count
from syncline.core.limits import MAX_DEPTH, MAX_META_LENGTH, MAX_PATCH_OPERATIONS, MAX_SAFE_INTEGER
from syncline.errors import BadOp, BadRequest

LWW = "lww"
KINDS = {"orset": SET, "counter": COUNTER, "list": LIST, "text": TEXT, "map": MAP}
"""The kind of root that a document of a type has. One of type ``lww`` is a register, and has none."""
TYPES = {kind: type for type, kind in KINDS.items()}
STAMP = "ts_unix_ns"

Type = Literal["lww", "orset", "counter", "list", "text", "map"]
Index = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]
Nanoseconds = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Tag = Annotated[str, Meta(min_length=1, max_length=MAX_META_LENGTH)]


class TypedValue(Struct, forbid_unknown_fields=True):
    """The body of a ``PUT``: what the document is to be."""

    type: Type
    value: Any


class TypedOps(Struct, forbid_unknown_fields=True):
    """The body of a ``POST``: ops by somebody who had seen the document up to the seq ``since``; none: as it is."""

    type: Type
    ops: list[dict[str, Any]]
    since: Index | None = None


class TypedState(Struct, omit_defaults=True):
    """The answer: the seq of the document's last entry, and the document as plain JSON."""

    version: int
    snapshot: Any = None
    deleted: bool = False


class Op(Struct, forbid_unknown_fields=True, tag_field="type"):
    """Base of the ops that say what they do in ``type``."""


class Add(Op, tag="add"):
    """Adds to a set. The same tag is the same add, and what was removed of it stays so."""

    elem: Any
    tag: Tag | None = None


class Remove(Op, tag="remove"):
    """Takes from a set the add with this tag, or those that were seen."""

    elem: Any
    tag: Tag | None = None


class Write(Struct, forbid_unknown_fields=True):
    """Writes a register; the stamp 0 is the server's time."""

    set: Any
    ts_unix_ns: Nanoseconds = 0


class Count(Struct, forbid_unknown_fields=True):
    """Adds to a counter, or takes from it; those with the same tag count once."""

    inc: int | UnsetType = UNSET
    dec: int | UnsetType = UNSET
    tag: Tag | None = None

    @property
    def by(self) -> int:
        """What is added."""
        return (self.inc or 0) - (self.dec or 0)


class Insert(Op, tag="insert"):
    """Inserts a value into a list, before an index."""

    index: Index
    value: Any


class Set(Op, tag="set"):
    """Puts a value in the place of an element of a list."""

    index: Index
    value: Any


class Delete(Op, tag="delete"):
    """Deletes elements of a list, or characters of a text."""

    index: Index
    count: Annotated[int, Meta(ge=1, le=MAX_SAFE_INTEGER)] = 1


class Move(Op, tag="move"):
    """Moves an element of a list, so that it has the index ``to`` afterwards."""

    source: Index = msgspec.field(name="from")
    to: Index


class InsertText(Op, tag="insert"):
    """Inserts characters into a text, before an index."""

    index: Index
    text: str


class SetKey(Op, tag="set"):
    """Puts a value under a key of a map."""

    key: str
    value: Any


class DeleteKey(Op, tag="delete"):
    """Deletes a key of a map."""

    key: str


AnyOp = Add | Remove | Write | Count | Insert | Set | Delete | Move | InsertText | SetKey | DeleteKey
OPS: dict[str, Any] = {
    "lww": Write,
    "orset": Add | Remove,
    "counter": Count,
    "list": Insert | Set | Delete | Move,
    "text": InsertText | Delete,
    "map": SetKey | DeleteKey,
}
FITS: dict[str, Callable[[Any], bool]] = {
    "lww": lambda value: True,
    "orset": lambda value: isinstance(value, list),
    "counter": is_count,
    "list": lambda value: isinstance(value, list),
    "text": lambda value: isinstance(value, str),
    "map": lambda value: isinstance(value, dict),
}


class _HasType(Struct):
    type: Raw


class _IsTyped(Struct, forbid_unknown_fields=True):
    type: Type
    value: Raw


Body = TypeVar("Body", TypedValue, TypedOps)


def read_value(body: bytes) -> TypedValue | None:
    """The body of a ``PUT``; None if it is not just a known type and a value. Raises BadRequest, and what JSON does."""
    if not _reads(body, _IsTyped):
        return None
    given = _message(body, TypedValue)
    given.value = _settled(given.value)
    if not FITS[given.type](given.value):
        raise BadRequest(f"value: no {given.type} begins with this.")
    return given


def read_ops(body: bytes) -> tuple[TypedOps, list[AnyOp]] | None:
    """The body of a ``POST`` and its ops; None if it has no type. Raises BadRequest, BadOp, and what JSON does."""
    if not _reads(body, _HasType):
        return None
    given = _message(body, TypedOps)
    if len(given.ops) > MAX_PATCH_OPERATIONS:
        raise BadRequest(f"ops: {len(given.ops)} are more than {MAX_PATCH_OPERATIONS}.")
    return given, [_read_op(OPS[given.type], op, index) for index, op in enumerate(given.ops)]


def _reads(body: bytes, kind: type) -> bool:
    try:
        msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _message(body: bytes, kind: type[Body]) -> Body:
    value = canonical.decode(body, max_depth=MAX_DEPTH + ENVELOPE_DEPTH, is_exact=True)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"No {kind.__name__}: {error}") from None


def _read_op(kind: Any, op: dict[str, Any], index: int) -> AnyOp:
    try:
        exact = {STAMP: op[STAMP]} if STAMP in op else {}
        settled = _settled({name: member for name, member in op.items() if name not in exact})
        found: AnyOp = msgspec.convert({**settled, **exact}, kind)
    except msgspec.ValidationError as error:
        raise BadOp(f"ops[{index}]: {error}", index=index) from None
    if isinstance(found, Count) and ((found.inc is UNSET) == (found.dec is UNSET) or not is_count(found.by)):
        raise BadOp(f"ops[{index}]: either inc or dec, a whole number within ±(2^53−1).", index=index)
    return found


def _settled(value: Any) -> Any:
    """A value with the numbers of the log. Raises NumberOutOfRange."""
    return canonical.decode(canonical.encode(value), max_depth=MAX_DEPTH + ENVELOPE_DEPTH)
