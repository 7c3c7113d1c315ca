"""Queries: which documents are asked for, and in which order, by the plain JSON they show.

    Query.of("task.*", where={"done": False, "priority": (">=", 2), "tags": ("has", "shop")}, order_by="-due")

A *path* leads through maps: ``owner.name``, or a JSON Pointer (``/owner/name``) for keys with dots. Under it stands a
value or, for a comparison, a tuple: ``=`` ``!=`` ``<`` ``<=`` ``>`` ``>=``, ``in`` with several values, ``has`` for a
member of a list or set, ``begins`` for the beginning of a string; ``(">=", 2, "<", 5)`` are two at once. All conditions
hold. Values are compared by kind: true is not 1, and only numbers or strings are less than their like. What is not
there counts as null. In order come null, false, true, numbers, strings (by code points), then lists and maps (by their
canonical form).

What this module says is what a query means. Indexes make it fast; see ``stores.documents``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any, NamedTuple

import msgspec

from syncline.core import canonical, patterns, pointers, words
from syncline.core.documents.values import to_plain, to_wire
from syncline.errors import BadPatch, BadRequest, SynclineError

NULL, FALSE, TRUE, NUMBER, STRING, LIST, MAP = range(7)

ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
OPERATORS = ("=", "!=", *ORDERED, "in", "has", "begins")
MAX_TERMS = 1_000
"""How many values one comparison may name."""

Path = tuple[str, ...]


def read(body: bytes) -> Any:
    """The plain value of a canonical form that this program wrote."""
    if canonical.has_long_digits(body):  # msgspec would read a large double as an int
        return canonical.decode(body, max_depth=len(body))
    return msgspec.json.decode(body)


class Term(NamedTuple):
    """A value as it is compared: its kind, and within that kind what it comes to."""

    kind: int
    key: Any


def term(value: Any) -> Term:
    """How a plain JSON value is compared."""
    match value:
        case None:
            return Term(NULL, 0)
        case bool():
            return Term(TRUE if value else FALSE, 0)
        case int() | float():
            return Term(NUMBER, value if abs(value) < 2**53 else float(value))
        case str():
            return Term(STRING, value)
    return Term(MAP if isinstance(value, dict) else LIST, canonical.encode(value).decode())


def parse_path(text: str) -> Path:
    """The keys of a path. Raises BadRequest."""
    _check(text)
    if not text.startswith("/"):
        return tuple(text.split(".")) if text else ()
    try:
        return pointers.parse(text)
    except BadPatch as error:
        raise BadRequest(f"A path is like owner.name or /owner/name: {error.message}") from None


def _check(value: Any) -> None:
    try:
        canonical.encode(value)
    except SynclineError as error:
        raise BadRequest(f"A query compares JSON values: {error.message}") from None


def find(value: Any, path: Path) -> Any:
    """What stands at a path; None if nothing does."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


class Condition(NamedTuple):
    """A comparison of what stands at a path. ``=`` is ``in`` with one term, ``!=`` is ``not in``."""

    path: Path
    operator: str
    terms: tuple[Term, ...]

    def holds(self, value: Any) -> bool:
        """Whether it holds for a document."""
        found = find(value, self.path)
        if self.operator == "has":
            return isinstance(found, list) and self.terms[0] in map(term, found)
        mine, first = term(found), self.terms[0] if self.terms else None
        if self.operator in ("in", "not in"):
            return (mine in self.terms) == (self.operator == "in")
        if first is None or mine.kind != first.kind:
            return False
        if self.operator == "begins":
            return bool(mine.key.startswith(first.key))
        return ORDERED[self.operator](mine.key, first.key)


class Order(NamedTuple):
    """What to sort by."""

    path: Path
    descends: bool


class Query(NamedTuple):
    """What is asked for: documents whose item fits the pattern and that fulfil every condition and the search."""

    pattern: str
    conditions: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None
    search: words.Search | None = None

    @classmethod
    def of(
        cls,
        pattern: str = "*",
        *,
        where: Mapping[str, Any] | None = None,
        order_by: str | Sequence[str] = (),
        limit: int | None = None,
        text: str = "",
    ) -> Query:
        """The query a program or a person means. Raises BadRequest."""
        patterns.check([pattern])
        if limit is not None and (type(limit) is not int or limit < 0):
            raise BadRequest("limit: this is a number of documents.")
        asked = (where or {}).items()
        conditions = tuple(each for path, value in asked for each in _conditions(parse_path(path), value))
        by = [order_by] if isinstance(order_by, str) else order_by
        order = tuple(Order(parse_path(each.removeprefix("-")), each.startswith("-")) for each in by if each)
        return cls(pattern, conditions, order, limit, words.parse(text))

    def holds(self, value: Any) -> bool:
        """Whether a document fulfils the conditions and the search."""
        if not all(condition.holds(value) for condition in self.conditions):
            return False
        return self.search is None or self.search.holds([words.words(each) for each in words.strings(value)])

    def answer(self, documents: Iterable[tuple[str, Any]]) -> list[str]:
        """The items of those documents (item and plain value) that are asked for, in order."""
        is_asked = patterns.matcher([self.pattern])
        found = sorted((item, value) for item, value in documents if is_asked(item) and self.holds(value))
        for path, descends in reversed(self.order):
            found.sort(key=lambda each: term(find(each[1], path)), reverse=descends)
        return [item for item, _ in found[: self.limit]]


def _conditions(path: Path, asked: Any) -> list[Condition]:
    if not isinstance(asked, tuple):
        return [_condition(path, "=", asked)]
    if not asked or len(asked) % 2:
        raise BadRequest('where: a comparison is a tuple such as (">=", 2) or (">=", 2, "<", 5).')
    return [_condition(path, operator, operand) for operator, operand in zip(asked[::2], asked[1::2], strict=True)]


def _operand(value: Any) -> Term:
    plain = to_plain(to_wire(value))
    _check(plain)
    return term(plain)


def _condition(path: Path, operator: Any, operand: Any) -> Condition:
    if operator not in OPERATORS:
        raise BadRequest(f"where: {str(operator)[:20]!r} is none of {', '.join(OPERATORS)}.")
    if operator == "in":
        if len(operand) > MAX_TERMS:
            raise BadRequest(f"where: one comparison names at most {MAX_TERMS} values.")
        return Condition(path, "in", tuple(map(_operand, operand)))
    only = _operand(operand)
    if operator in ("=", "!="):
        return Condition(path, "in" if operator == "=" else "not in", (only,))
    if operator == "begins" and only.kind != STRING:
        raise BadRequest("where: what a string begins with is a string.")
    if operator in ORDERED and only.kind not in (NUMBER, STRING):
        raise BadRequest(f"where: {operator} compares numbers or strings.")
    return Condition(path, operator, (only,))
