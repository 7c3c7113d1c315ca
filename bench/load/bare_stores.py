"""The limits of the stores: the rows that a log consists of, put in and read with nothing around it.

The rows are those that Syncline stores for the same events, made before the clock starts; nothing is judged, numbered
or hashed while it runs. Every batch is durable before the next.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import apsw
import lmdb
import psycopg

from bench.events import Author
from bench.load.stores import BATCH, RECEIPTS, SLICE, Task, rate, repeated, submission
from syncline.core.log import Row
from syncline.stores.memory import MemoryEventStore
from syncline.stores.postgres.schema import TABLES


class Bare(Protocol):
    """Rows on a disk."""

    def prepare(self, rows: Sequence[Row]) -> Any:
        """A batch as `append` wants it; before the clock starts."""
        ...

    def append(self, batch: Any) -> None: ...

    def read(self) -> int:
        """How many rows there were, read in slices."""
        ...


class Apsw:
    """A table with one unique id; WAL, `synchronous=FULL`."""

    def __init__(self, place: str) -> None:
        self.connection = apsw.Connection(f"{place}/rows.db")
        self.connection.execute(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE entry (seq INTEGER PRIMARY KEY, id BLOB UNIQUE, item TEXT, node TEXT, tail BLOB, body BLOB)"
        ).fetchall()

    def prepare(self, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        return [(seq, event.key, event.item, event.node, tail, body) for seq, tail, event, body in rows]

    def append(self, batch: list[tuple[Any, ...]]) -> None:
        with self.connection:
            self.connection.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", batch)

    def read(self) -> int:
        query = "SELECT body FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"
        since = 0
        while bodies := self.connection.execute(query, (since, SLICE)).fetchall():
            since += len(bodies)
        return since


Pairs = list[tuple[bytes, bytes]]


class Lmdb:
    """Entries by seq, and seqs by id."""

    def __init__(self, place: str) -> None:
        self.environment = lmdb.open(place, map_size=1 << 32, max_dbs=2)
        self.entries, self.ids = (self.environment.open_db(name) for name in (b"entries", b"ids"))

    def prepare(self, rows: Sequence[Row]) -> tuple[Pairs, Pairs]:
        keys = [row.seq.to_bytes(8, "big") for row in rows]
        ids = sorted((row.event.key, key) for row, key in zip(rows, keys, strict=True))
        return [(key, row.encoded) for row, key in zip(rows, keys, strict=True)], ids

    def append(self, batch: tuple[Pairs, Pairs]) -> None:
        entries, ids = batch
        with self.environment.begin(write=True) as transaction:
            transaction.cursor(self.entries).putmulti(entries, append=True)
            transaction.cursor(self.ids).putmulti(ids)

    def read(self) -> int:
        with self.environment.begin() as transaction:
            return sum(1 for _ in transaction.cursor(self.entries))


class Lines:
    """A file of lines, and fsync."""

    def __init__(self, place: str) -> None:
        self.path = Path(place) / "lines"
        self.file = self.path.open("ab", buffering=0)

    def prepare(self, rows: Sequence[Row]) -> bytes:
        return b"".join(row.encoded + b"\n" for row in rows)

    def append(self, batch: bytes) -> None:
        self.file.write(batch)
        os.fsync(self.file.fileno())

    def read(self) -> int:
        with self.path.open("rb") as file:
            return sum(1 for _ in file)


COLUMNS = "(log, seq, at, id, n, digest, tail, item, node, entry)"


class Insert:
    """The columns and indexes of Syncline's own table; one INSERT for a batch, with an array for each column."""

    statement = (
        f"INSERT INTO entries {COLUMNS} SELECT 1, * FROM unnest(%b::bigint[], %b::bigint[], %s::uuid[], %b::bigint[], "
        "%b::bytea[], %b::bytea[], %b::text[], %b::text[], %b::bytea[])"
    )

    def __init__(self, place: str) -> None:
        self.connection = psycopg.connect(place, autocommit=True)
        self.connection.execute(TABLES)

    def prepare(self, rows: Sequence[Row]) -> list[Any]:
        events = [row.event for row in rows]
        return [
            [row.seq for row in rows],
            [0] * len(rows),
            "{" + ",".join(event.id for event in events) + "}",
            [event.n for event in events],
            [event.digest for event in events],
            [row.tail for row in rows],
            [event.item for event in events],
            [event.node for event in events],
            [row.encoded for row in rows],
        ]

    def append(self, batch: list[Any]) -> None:
        self.connection.execute(self.statement, batch, prepare=True)

    def read(self) -> int:
        query = "SELECT entry FROM entries WHERE log = 1 AND seq > %s ORDER BY seq LIMIT %s"
        since = 0
        while bodies := self.connection.execute(query, (since, SLICE), binary=True).fetchall():
            since += len(bodies)
        return since


class Copy(Insert):
    """The same with COPY, of bytes in PostgreSQL's binary format."""

    def prepare(self, rows: Sequence[Row]) -> Any:
        return b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"".join(map(packed, rows)) + b"\xff\xff"

    def append(self, batch: bytes) -> None:
        with self.connection.cursor().copy(f"COPY entries {COLUMNS} FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(batch)


class CopyOfRowsAlone(Copy):
    """The same without the indexes by id and by item."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.connection.execute("DROP INDEX entries_by_item; ALTER TABLE entries DROP CONSTRAINT entries_log_id_key")


def packed(row: Row) -> bytes:
    seq, tail, event, body = row
    numbers = [number.to_bytes(8, "big") for number in (1, seq, 0, event.n)]
    texts = event.item.encode(), event.node.encode()
    fields = [*numbers[:3], event.key, numbers[3], event.digest, tail, *texts, body]
    return b"\0\n" + b"".join(len(field).to_bytes(4, "big") + field for field in fields)


KINDS: dict[str, Callable[[str], Bare]] = {
    "apsw": Apsw,
    "lmdb": Lmdb,
    "lines": Lines,
    "insert": Insert,
    "copy": Copy,
    "copy of rows alone": CopyOfRowsAlone,
}


def measure(task: Task) -> dict[str, float]:
    if task.place.startswith("/"):
        Path(task.place).mkdir(parents=True)
    bare = KINDS[task.store](task.place)
    log = rows_of(task)
    batches, singles = ([bare.prepare(next(log)) for _ in range(count)] for count in (task.batches, task.singles))
    gc.disable()
    per_second = rate(bare.append, batches, task.seconds)
    events = bare.read()
    read_seconds = repeated(bare.read)
    return {
        "append": per_second * BATCH,
        "read": events / read_seconds,
        "single": rate(bare.append, singles, task.seconds),
    }


def rows_of(task: Task) -> Iterator[list[Row]]:
    """The rows of the batches, then of the single events."""
    author, store = Author(), MemoryEventStore(bytes(16).hex(), RECEIPTS)
    for size in [BATCH] * task.batches + [1] * task.singles:
        yield store.append([submission(author, size)], now_ms=time.time_ns() // 1_000_000).rows


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))
