"""Putting rows into a log: in one statement if they are few, with COPY if they are many.

Both begin by moving the log's end from where it was taken to be; if it is elsewhere by now, nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from struct import Struct
from typing import Any, NamedTuple

from syncline.core.admission import NodeState
from syncline.core.log import Row
from syncline.stores.postgres.ends import MOVE, End, move_parameters

FEW = 64
"""Rows for which one statement is quicker than COPY, which takes a transaction and two waits more."""
PACKED = 1_000
"""Values and lengths that are sent at a time: some 200 rows."""
COLUMNS = "log, seq, at, id, n, digest, tail, item, node, entry"
STAYS = "SELECT 1 FROM logs WHERE key = %s AND name IS NOT NULL AND epoch = %s AND seq = %s AND tail = %s"
MOVE_WITH_NODES = f"""
    WITH moved AS ({MOVE} RETURNING key), written AS (
        INSERT INTO nodes (log, node, owner, n, own)
        SELECT key, writer.* FROM moved, unnest(%s::text[], %s::text[], %s::bigint[], %s::uuid[]) AS writer
        ON CONFLICT (log, node) DO UPDATE SET n = excluded.n, own = excluded.own
    )
"""
MOVE_AND_COPY = MOVE_WITH_NODES + "SELECT key FROM moved"
MOVE_AND_INSERT = (
    MOVE_WITH_NODES
    + f"""
    INSERT INTO entries ({COLUMNS}) SELECT key, entry.* FROM moved, unnest(
        %s::bigint[], %s::bigint[], %s::uuid[], %s::bigint[], %b::bytea[], %b::bytea[], %s::text[], %s::text[],
        %b::bytea[]
    ) AS entry
    """
)
COPY = f"COPY entries ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
BEGIN_COPY, END_COPY = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
"""What surrounds the rows in PostgreSQL's binary format, in which each value stands after its length."""


class Draft(NamedTuple):
    """Rows that are to be stored, if the log still ends at ``before``; ``times`` are theirs, in milliseconds."""

    before: End
    after: End
    rows: Sequence[Row]
    times: Sequence[int]
    writers: Mapping[str, NodeState]

    @property
    def is_small(self) -> bool:
        """Whether one statement stores it."""
        return len(self.rows) <= FEW


def store(cursor: Any, key: int, draft: Draft) -> bool:
    """Stores a draft; False if the log has moved on. Unless the draft is small, a transaction has to surround it."""
    writers = draft.writers
    states = writers.values()
    parameters = (
        *move_parameters(key, draft.before, draft.after),
        list(writers),
        [state.user for state in states],
        _array(state.n for state in states),
        _array(state.own for state in states),
    )
    if draft.before.head == draft.after.head:
        return bool(cursor.execute(STAYS, (key, *draft.before.head[:3])).fetchone())
    if draft.is_small:
        cursor.execute(MOVE_AND_INSERT, (*parameters, *_columns(draft)))
        return bool(cursor.rowcount == len(draft.rows))
    if cursor.execute(MOVE_AND_COPY, parameters).fetchone() is None:
        return False
    with cursor.copy(COPY) as copy:
        for part in _packed(key, draft):
            copy.write(part)
    return True


def _columns(draft: Draft) -> tuple[Any, ...]:
    events = [row.event for row in draft.rows]
    return (
        _array(row.seq for row in draft.rows),
        _array(draft.times),
        _array(event.id for event in events),
        _array(event.n for event in events),
        [event.digest for event in events],
        [row.tail for row in draft.rows],
        [event.item for event in events],
        [event.node for event in events],
        [row.encoded for row in draft.rows],
    )


def _array(values: Iterable[int] | Iterable[str]) -> str:
    """Numbers or ids as a literal of an array."""
    return "{" + ",".join(map(str, values)) + "}"


_FIXED = Struct(">hiqiqiqi16siqi32si8s")
_LENGTH = Struct(">i")


def _packed(key: int, draft: Draft) -> Iterator[bytes]:
    """Rows in the binary format of COPY, in parts: while one is packed, the database stores the one before."""
    fixed, length = _FIXED.pack, _LENGTH.pack
    parts = [BEGIN_COPY]
    for at, (seq, tail, event, encoded) in zip(draft.times, draft.rows, strict=True):
        node = event.node
        parts += (
            fixed(10, 8, key, 8, seq, 8, at, 16, event.key, 8, event.clock[node], 32, event.digest, 8, tail),
            length(len(event.item)) + event.item.encode(),
            length(len(node)) + node.encode(),
            length(len(encoded)),
            encoded,
        )
        if len(parts) >= PACKED:
            yield b"".join(parts)
            parts.clear()
    yield b"".join((*parts, END_COPY))
