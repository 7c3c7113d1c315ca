"""Looks through a replica's file that has no checksums yet: whether its rows read, and say of each other what is so.

What the B-trees are like, SQLite has looked at before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from syncline.core import stamps
from syncline.core.events import Entry
from syncline.errors import StoreDamaged
from syncline.stores import ReplicaState
from syncline.stores.sqlite.sealed import unseal
from syncline.stores.tables import item_index

ENTRIES = "SELECT seq, at, id, item, (SELECT node FROM nodes WHERE ref = entries.node), n, digest, entry FROM entries"
OUTBOX = "SELECT id, item, status, event FROM outbox"


def examine(cursor: Any) -> None:
    """Raises StoreDamaged if the rows contradict each other. The index by item is dropped: it grows again."""
    try:
        state = cursor.execute("SELECT state FROM state").get
        if state is not None:
            msgspec.json.decode(state, type=ReplicaState)
        _examine_entries(cursor.execute(ENTRIES))
        _examine_outbox(cursor.execute(OUTBOX))
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
        raise StoreDamaged(f"What is in the file does not read: {error}") from error
    item_index.rewind(cursor, 0)


def _examine_entries(rows: Iterable[tuple[Any, ...]]) -> None:
    for *columns, encoded in rows:
        if encoded is None:  # what was erased left its place
            continue
        entry = Entry.read(encoded)
        event = entry.event
        if columns != [entry.seq, entry.at, event.key, event.item, event.node, event.n, event.digest]:
            raise StoreDamaged(f"The entry at seq {columns[0]} is not what its row says.")


def _examine_outbox(rows: Iterable[tuple[Any, ...]]) -> None:
    for key, item, status, sealed in rows:
        outboxed = unseal(sealed)
        if (key, item, status) != (outboxed.event.key, outboxed.event.item, outboxed.status):
            raise StoreDamaged(f"The local event {stamps.from_key(key)} is not what its row says.")
