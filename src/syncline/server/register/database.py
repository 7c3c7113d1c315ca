"""What the register needs of a database, so that the same statements run in a SQLite file and in PostgreSQL.

They are written in what both understand: ``?`` and ``:name`` for parameters (in one statement one of them), ``CAST``
where a parameter alone would have no type, and ``"user"`` in quotes, which is a function otherwise. Times and truth
values are integers, except where a comparison is asked for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from syncline.core.lots import lots

Parameters = Sequence[Any] | Mapping[str, Any]

IN_ONE = 200
"""Values of which one statement asks; see ``listed``."""
PLACES = ", ".join("?" * IN_ONE)
"""For ``IN (…)``: statements with always the same text are prepared once."""


class Cursor(Protocol):
    """Runs statements in a transaction, and gives the rows of the last one as tuples."""

    def execute(self, sql: str, parameters: Parameters = ..., /) -> Cursor:
        """Runs a statement; its rows are read from what is returned."""

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Any:
        """Runs a statement once for each row of parameters."""

    def __iter__(self) -> Iterator[Any]: ...

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """The rows that are left."""

    @property
    def get(self) -> Any:
        """The value of the first row's only column; None if there is no row."""


class Database(Protocol):
    """Where the register's tables are. Every method may be called from any thread."""

    @property
    def is_remote(self) -> bool:
        """Whether each statement is a journey over a network, and other servers write here, too."""

    def writing(self, *, durable: bool = ..., alone: bool = ...) -> AbstractContextManager[Cursor]:
        """A transaction, committed when the block ends and undone if it raises.

        Those that are ``alone`` come one after the other, whichever server begins them: what one has read stands until
        it ends. Others must consist of statements that are right by themselves. What is not ``durable`` may be lost in
        a power cut, and does not wait for the disk.
        """

    def reading(self) -> AbstractContextManager[Cursor]:
        """A view of what is committed."""

    def holding(self, name: str) -> AbstractContextManager[bool]:
        """Whether nobody else holds what is so named; if so, nobody else does for as long as the block lasts."""

    def foreign_version(self) -> int:
        """A number that changes when another program has written what those who hold something from here must hear:

        that credentials ended, that a space was changed, or that there are acts for the logs.
        """

    def close(self) -> None:
        """Lets go of the database. Closing twice does nothing."""


def listed(values: Iterable[str]) -> Iterator[list[str]]:
    """Values in lots for ``PLACES``, the last one filled up with empty texts."""
    for lot in lots(values, IN_ONE):
        yield lot + [""] * (IN_ONE - len(lot))
