"""The table of nodes of a log, with those that wrote lately in memory: each statement saved is a wait saved.

(A thread gives up the interpreter for every statement, and queues for it again behind all others.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from syncline.core.admission import NodeState
from syncline.stores.tables.database import array, insert

REMEMBERED = 10_000

TABLE = """
    CREATE TABLE nodes (
        ref INTEGER PRIMARY KEY,
        node TEXT NOT NULL UNIQUE,
        user TEXT NOT NULL,
        n INTEGER NOT NULL,
        own TEXT NOT NULL
    );
"""
FIND = "SELECT node, ref, user, n, own FROM nodes WHERE node IN carray(?)"
PUT = "INSERT INTO nodes"
PUT_AGAIN = "ON CONFLICT (ref) DO UPDATE SET n = excluded.n, own = excluded.own"
LAST_REF = "SELECT max(ref) FROM nodes"


def find(cursor: Any, names: Collection[str]) -> dict[str, tuple[int, NodeState]]:
    """The reference and the state of each of these nodes that the log knows."""
    if not names:
        return {}
    rows = cursor.execute(FIND, (array(names),))
    return {node: (ref, NodeState(user, n, own)) for node, ref, user, n, own in rows}


class Nodes:
    """The nodes as the one writer of a log sees them. Drop it when a transaction fails."""

    def __init__(self, cursor: Any) -> None:
        self._known: dict[str, tuple[int, NodeState]] = {}
        self._last_ref: int = cursor.execute(LAST_REF).get or 0

    def states(self, cursor: Any, names: Collection[str]) -> dict[str, NodeState]:
        """The state of each of these nodes that the log knows."""
        if len(self._known) > REMEMBERED:
            self._known.clear()
        self._known |= find(cursor, [name for name in names if name not in self._known])
        return {name: self._known[name][1] for name in names if name in self._known}

    def put(self, cursor: Any, states: Mapping[str, NodeState]) -> dict[str, int]:
        """Stores the states of nodes that were asked for before; the reference of each."""
        for node, state in states.items():
            ref = self._known[node][0] if node in self._known else self._last_ref + 1
            self._last_ref = max(self._last_ref, ref)
            self._known[node] = ref, state
        rows = [(self._known[node][0], node, state.user, state.n, state.own) for node, state in states.items()]
        insert(cursor, PUT, rows, PUT_AGAIN)
        return {node: self._known[node][0] for node in states}
