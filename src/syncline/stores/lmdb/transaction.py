"""A transaction of LMDB in which tables go by their names: what the other modules read and write with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from syncline.errors import StoreDamaged


class Transaction:
    """Reads, and in a writing one writes, until whoever opened it ends it."""

    def __init__(self, txn: Any, tables: dict[str, Any]) -> None:
        self._txn, self._tables = txn, tables

    def get(self, table: str, key: bytes) -> bytes | None:
        """The value of a key."""
        found: bytes | None = self._txn.get(key, db=self._tables[table])
        return found

    def get_many(self, table: str, keys: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
        """Those of these keys that there are, in the order asked for, with their values."""
        found: list[tuple[bytes, bytes]] = self._cursor(table).getmulti(keys)
        return found

    def last(self, table: str) -> tuple[bytes, bytes] | None:
        """The greatest key with its value."""
        cursor = self._cursor(table)
        return cursor.item() if cursor.last() else None

    def count(self, table: str) -> int:
        """How many keys there are."""
        return int(self._txn.stat(self._tables[table])["entries"])

    def keys(self, table: str, first: bytes = b"") -> Iterator[bytes]:
        """The keys from one on, in their order."""
        cursor = self._cursor(table)
        is_there = cursor.set_range(first) if first else cursor.first()
        return cursor.iternext(values=False) if is_there else iter(())

    def values(self, table: str, first: bytes) -> Iterator[bytes]:
        """The values of the keys from one on, in the order of the keys."""
        cursor = self._cursor(table)
        return cursor.iternext(keys=False) if cursor.set_range(first) else iter(())

    def rows(self, table: str, first: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The keys from one on, in their order, with their values."""
        cursor = self._cursor(table)
        is_there = cursor.set_range(first) if first else cursor.first()
        return cursor.iternext() if is_there else iter(())

    def rows_before(self, table: str, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The keys before one, backwards, with their values."""
        cursor = self._cursor(table)
        is_there = cursor.prev() if cursor.set_range(end) else cursor.last()
        return cursor.iterprev() if is_there else iter(())

    def put(self, table: str, key: bytes, value: bytes) -> None:
        """Sets a value."""
        self._txn.put(key, value, db=self._tables[table])

    def put_many(self, table: str, rows: Iterable[tuple[bytes, bytes]], *, at_end: bool = False) -> None:
        """Sets values; ``at_end``: the keys are in order and beyond all there are, which is quicker.

        Raises StoreDamaged if they are not.
        """
        given, stored = self._cursor(table).putmulti(rows, append=at_end)
        if stored != given:
            raise StoreDamaged(f"The log is damaged: {table} has keys beyond its end.")

    def delete(self, table: str, key: bytes) -> None:
        """Takes a key out."""
        self._txn.delete(key, db=self._tables[table])

    def clear(self, table: str) -> None:
        """Takes everything out."""
        self._txn.drop(self._tables[table], delete=False)

    def _cursor(self, table: str) -> Any:
        return self._txn.cursor(self._tables[table])
