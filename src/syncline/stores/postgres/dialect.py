"""Statements that are written for several databases, as psycopg takes them: see ``server.register.database``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

PART = re.compile(r"'[^']*'|\?|:([a-z_]+)|%")
"""What is written otherwise: texts are looked over, so that what looks like a parameter there stays."""
NO_NUL = "\N{REPLACEMENT CHARACTER}"
"""PostgreSQL keeps no text with a NUL."""


class NeutralCursor:
    """A cursor of psycopg that takes ``?`` and ``:name`` for parameters, and has ``get``."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), /) -> NeutralCursor:
        """Runs a statement; its rows are read from what is returned."""
        self._cursor.execute(written(sql), _storable(parameters))
        return self

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Runs a statement once for each row of parameters."""
        self._cursor.executemany(written(sql), map(_storable, rows))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)

    def fetchone(self) -> Any:
        """The next row, or None."""
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        rows: list[Any] = self._cursor.fetchall()
        return rows

    @property
    def get(self) -> Any:
        """The value of the first row's only column; None if there is no row."""
        row = self._cursor.fetchone()
        return None if row is None else row[0]


@cache
def written(sql: str) -> str:
    """The statement as psycopg takes it."""
    return PART.sub(_part, sql)


def _part(found: re.Match[str]) -> str:
    text = found[0]
    if text == "?":
        return "%s"
    if text.startswith(":"):
        return f"%({found[1]})s"
    return text.replace("%", "%%")


def _storable(parameters: Sequence[Any] | Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
    if isinstance(parameters, Mapping):
        return {name: _value(value) for name, value in parameters.items()}
    return tuple(map(_value, parameters))


def _value(value: Any) -> Any:
    return value.replace("\0", NO_NUL) if isinstance(value, str) and "\0" in value else value
