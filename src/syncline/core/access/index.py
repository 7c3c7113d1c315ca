"""A map from patterns to values that is asked by what matches: the base of rules and of views.

A pattern is a literal, ``*``, or a prefix with one trailing ``*``. Values of equally long patterns share a table, so
whatever the number of patterns, a look-up goes through as many tables as there are lengths up to the name's, the most
specific first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

LITERAL = 1_000_000
"""A literal's rank: longer than every name, so that ``name[:LITERAL]`` is the name."""


MANY = 16
"""So many tables that it pays not to look into those of prefixes longer than the name."""


def key_of(pattern: str) -> tuple[int, str]:
    """How specific a pattern is, and what a name begins with (up to this length) that it matches."""
    return (len(pattern) - 1, pattern[:-1]) if pattern.endswith("*") else (LITERAL, pattern)


def specificity(pattern: str) -> tuple[int, str]:
    """A sort key: the most specific pattern first, equally specific ones by name."""
    return -key_of(pattern)[0], pattern


class PatternMap(Generic[T]):
    """An immutable map; ``put`` makes another, which shares the tables without a change."""

    __slots__ = ("_tables",)

    def __init__(self, values: Mapping[str, T] | None = None) -> None:
        self._tables: tuple[tuple[int, dict[str, T]], ...] = ()
        if values:
            self._tables = self._changed(values)

    def __len__(self) -> int:
        return sum(len(table) for _, table in self._tables)

    def get(self, pattern: str) -> T | None:
        """The value at a pattern itself."""
        rank, key = key_of(pattern)
        return next((table.get(key) for each, table in self._tables if each == rank), None)

    def items(self) -> Iterator[tuple[str, T]]:
        """Every pattern and its value, the most specific first."""
        for rank, table in self._tables:
            for key, value in table.items():
                yield (key if rank == LITERAL else key + "*"), value

    def matching(self, name: str, *, wide: bool, above: int = -1, below: int = LITERAL + 1) -> Iterator[tuple[int, T]]:
        """Rank and value of each pattern that matches, the most specific first; ``*`` matches if ``wide``."""
        for rank, table in self._tables if len(self._tables) < MANY else self._tables_up_to(len(name)):
            if rank <= above or (rank == 0 and not wide):
                return
            if rank < below and (value := table.get(name[:rank])) is not None:
                yield rank, value

    def covering(self, pattern: str, *, itself: bool = False) -> Iterator[T]:
        """The values of the patterns that match all that this one matches, the most specific first."""
        rank, name = key_of(pattern)
        found = self.matching(name, wide=not pattern.startswith("."), below=rank + itself)
        return (value for _, value in found)

    def put(self, changes: Mapping[str, T | None]) -> PatternMap[T]:
        """The map with other values at these patterns; None removes."""
        changed: PatternMap[T] = PatternMap()
        changed._tables = self._changed(changes)
        return changed

    def _tables_up_to(self, length: int) -> tuple[tuple[int, dict[str, T]], ...]:
        """The tables of literals, and of prefixes that are not longer."""
        literals = bisect_right(self._tables, -LITERAL, key=_narrowness)
        return self._tables[:literals] + self._tables[bisect_left(self._tables, -length, literals, key=_narrowness) :]

    def _changed(self, changes: Mapping[str, T | None]) -> tuple[tuple[int, dict[str, T]], ...]:
        tables, copied = dict(self._tables), set()
        for pattern, value in changes.items():
            rank, key = key_of(pattern)
            if rank not in copied:
                tables[rank] = dict(tables.get(rank, ()))
                copied.add(rank)
            if value is None:
                tables[rank].pop(key, None)
            else:
                tables[rank][key] = value
        return tuple((rank, tables[rank]) for rank in sorted(tables, reverse=True) if tables[rank])


def _narrowness(table: tuple[int, object]) -> int:
    return -table[0]


def widest(patterns: Iterable[str]) -> tuple[str, ...]:
    """The patterns without those that another covers, sorted."""
    index = PatternMap(dict.fromkeys(patterns, True))
    return tuple(sorted(pattern for pattern, _ in index.items() if next(index.covering(pattern), None) is None))
