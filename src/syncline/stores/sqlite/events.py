"""A space's log in one SQLite file.

An entry is stored as the bytes in which it is sent, so reading is copying. The index by item lives in a table of its
own that is filled in sorted runs of some thousand entries, because keeping it current row by row
costs four times a push; entries after the last run are found by a scan. A stub (what stays when content is erased)
is a row whose ``entry`` is NULL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

from syncline.core.admission import Ledger, NodeState, Submission
from syncline.core.limits import MAX_PAGE_BYTES
from syncline.core.log import NO_TAIL, Head, Receipts, Row, extend
from syncline.stores import Appended, Slice
from syncline.stores.sqlite import item_index
from syncline.stores.sqlite.database import Database, Schema, array, insert

SCHEMA = Schema(
    "space",
    0x53594E31,
    [
        """
        CREATE TABLE entries (
            seq INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            id BLOB NOT NULL UNIQUE,
            item TEXT NOT NULL,
            node INTEGER NOT NULL REFERENCES nodes (ref),
            n INTEGER NOT NULL,
            digest BLOB NOT NULL,
            tail BLOB NOT NULL,
            entry BLOB
        );
        CREATE TABLE nodes (
            ref INTEGER PRIMARY KEY,
            node TEXT NOT NULL UNIQUE,
            user TEXT NOT NULL,
            n INTEGER NOT NULL,
            own TEXT NOT NULL
        );
        CREATE TABLE log (epoch TEXT NOT NULL);
        """
        + item_index.TABLES
    ],
)

BEGIN_LOG = "INSERT INTO log SELECT ? WHERE NOT EXISTS (SELECT * FROM log)"
KNOWN = "SELECT id, seq, digest FROM entries WHERE id IN carray(?)"
LAST = "SELECT seq, tail, at FROM entries ORDER BY seq DESC LIMIT 1"
TAIL = "SELECT tail FROM entries WHERE seq = ?"
NODE = "SELECT ref, user, n, own FROM nodes WHERE node = ?"
PUT_NODE = """
    INSERT INTO nodes (node, user, n, own) VALUES (?, ?, ?, ?)
    ON CONFLICT (node) DO UPDATE SET n = excluded.n, own = excluded.own RETURNING ref
"""
SLICE = "SELECT seq, entry FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"
SLICE_OF_SEQS = "SELECT seq, entry FROM entries WHERE seq IN carray(?) ORDER BY seq"

CHUNK = 128


class SqliteEventStore:
    """One space's log; see ``EventStore``."""

    def __init__(self, path: Path | str, receipts: Receipts) -> None:
        self._receipts = receipts
        self._lock = Lock()
        self._db = Database(Path(path), SCHEMA, checkpoint_apart=True)
        with self._db.writing() as cursor:
            cursor.execute(BEGIN_LOG, (uuid4().hex,))
            self._head, self._indexed = _read_head(cursor), item_index.indexed(cursor)

    def append(self, submissions: Sequence[Submission], *, now_ms: int) -> Appended:
        """See ``EventStore.append``."""
        with self._lock:
            try:
                appended, indexed = self._append(submissions, now_ms)
            except Exception:
                self._read_ends()  # a commit that failed may have been carried out after all
                raise
            self._head, self._indexed = appended.head, indexed
        return appended

    def _read_ends(self) -> None:
        with suppress(Exception), self._db.reading() as cursor:
            self._head, self._indexed = _read_head(cursor), item_index.indexed(cursor)

    def _append(self, submissions: Sequence[Submission], now_ms: int) -> tuple[Appended, int]:
        events = [event for submission in submissions for event in submission.good]
        with self._db.writing() as cursor:
            ledger = Ledger(
                self._head,
                known={id: (seq, digest) for id, seq, digest in cursor.execute(KNOWN, (array(e.key for e in events),))}
                if events
                else {},
                nodes=_nodes(cursor, {event.node for event in events}),
                last_n=lambda item, node: item_index.last_n(cursor, item, node, self._indexed),
                now_ms=now_ms,
            )
            outcomes = [ledger.submit(submission) for submission in submissions]
            head, rows = extend(self._head, ledger.accepted, now_ms, self._receipts)
            _insert(cursor, rows, head.at, ledger.nodes)
            indexed = item_index.extend(cursor, self._indexed, head.seq)
        return Appended(outcomes, rows, head), indexed

    def slice(
        self, since: int = 0, *, items: Sequence[str] = (), limit: int = 1_000, max_bytes: int = MAX_PAGE_BYTES
    ) -> Slice:
        """See ``EventStore.slice``."""
        head = self._head.seq
        with self._db.reading() as cursor:
            if items:
                seqs, end = item_index.find(cursor, items, since, limit, self._indexed, head)
                rows = cursor.execute(SLICE_OF_SEQS, (array(seqs),)) if seqs else iter(())
            else:
                rows, end = cursor.execute(SLICE, (since, limit)), None
            found, last, complete = _take(rows, limit, max_bytes)
            seq = end if complete and end is not None else last or since
            return Slice(b",".join(found), len(found), seq, _tail(cursor, seq), seq < head)

    def head(self) -> Head:
        """See ``EventStore.head``."""
        self._db.check_open()
        return self._head

    def tail(self, seq: int) -> bytes | None:
        """See ``EventStore.tail``."""
        with self._db.reading() as cursor:
            return NO_TAIL if seq == 0 else cursor.execute(TAIL, (seq,)).get

    def node(self, node: str) -> NodeState | None:
        """See ``EventStore.node``."""
        with self._db.reading() as cursor:
            return _nodes(cursor, {node}).get(node)

    def close(self) -> None:
        """See ``EventStore.close``."""
        self._db.close()

    @property
    def wants_checkpoint(self) -> bool:
        """Whether ``checkpoint`` has something to do."""
        return self._db.wants_checkpoint

    def checkpoint(self) -> None:
        """Moves pages from the WAL into the file, beside the writer."""
        self._db.checkpoint()


def _read_head(cursor: Any) -> Head:
    epoch = cursor.execute("SELECT epoch FROM log").get
    seq, tail, at = cursor.execute(LAST).get or (0, NO_TAIL, 0)
    return Head(epoch, seq, tail, at)


def _nodes(cursor: Any, names: set[str]) -> dict[str, NodeState]:
    found = {}
    for name in names:
        for _, user, n, own in cursor.execute(NODE, (name,)):
            found[name] = NodeState(user, n, own)
    return found


def _insert(cursor: Any, rows: Sequence[Row], at: int, nodes: dict[str, NodeState]) -> None:
    refs = {node: cursor.execute(PUT_NODE, (node, *nodes[node])).get for node in {row.event.node for row in rows}}
    insert(
        cursor,
        "INSERT INTO entries",
        [
            (seq, at, event.key, event.item, refs[event.node], event.clock[event.node], event.digest, tail, encoded)
            for seq, tail, event, encoded in rows
        ],
    )


def _take(rows: Iterator[tuple[int, bytes]], limit: int, max_bytes: int) -> tuple[list[bytes], int, bool]:
    """Encoded entries up to the limits (at least one), the seq of the last, and whether no row was left out."""
    found: list[bytes] = []
    size = last = 0
    while chunk := list(islice(rows, CHUNK)):
        for seq, entry in chunk:
            size += len(entry) + 1 if entry else 0
            if len(found) == limit or (found and size > max_bytes):
                return found, last, False
            if entry is not None:
                found.append(entry)
            last = seq
    return found, last, True


def _tail(cursor: Any, seq: int) -> bytes:
    return NO_TAIL if seq == 0 else cursor.execute(TAIL, (seq,)).get
