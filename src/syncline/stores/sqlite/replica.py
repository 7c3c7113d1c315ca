"""A replica's data in one SQLite file: its entries, the outbox of what no server has answered yet, and its state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec
from msgspec.structs import replace

from syncline.core import stamps
from syncline.core.bases import Base
from syncline.core.events import Entry, Event
from syncline.core.stamps import NIL_ID
from syncline.errors import SynclineError
from syncline.stores import (
    EVERYTHING,
    OF_OTHERS,
    ON_ITS_WAY,
    Change,
    Outboxed,
    ReplicaState,
    are_late,
    is_on_its_way,
)
from syncline.stores.digests import Digested
from syncline.stores.sqlite import replica_bases
from syncline.stores.sqlite.examined import examine
from syncline.stores.sqlite.sealed import seal, seal_row, unseal
from syncline.stores.tables import digests, item_index
from syncline.stores.tables.database import Database, Schema, array, insert

SCHEMA = Schema(
    "replica",
    0x53594E32,
    [
        """
        CREATE TABLE entries (
            seq INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            id BLOB NOT NULL UNIQUE,
            item TEXT NOT NULL,
            node INTEGER NOT NULL REFERENCES nodes (ref),
            n INTEGER NOT NULL,
            digest BLOB,
            entry BLOB
        );
        CREATE TABLE nodes (ref INTEGER PRIMARY KEY, node TEXT NOT NULL UNIQUE);
        CREATE TABLE outbox (
            id BLOB PRIMARY KEY,
            item TEXT NOT NULL,
            status TEXT NOT NULL,
            seq INTEGER,
            error TEXT,
            event BLOB NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX outbox_by_status ON outbox (status, id);
        CREATE INDEX outbox_by_item ON outbox (item, id);
        CREATE TABLE state (state TEXT NOT NULL);
        """
        + item_index.TABLES,
        """
        CREATE TABLE sealed (
            id BLOB PRIMARY KEY,
            item TEXT NOT NULL,
            status TEXT NOT NULL,
            event BLOB NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO sealed SELECT id, item, status, seal(status, seq, error, event) FROM outbox;
        DROP TABLE outbox;
        ALTER TABLE sealed RENAME TO outbox;
        CREATE INDEX outbox_by_status ON outbox (status, id);
        CREATE INDEX outbox_by_item ON outbox (item, id);
        """,
        "UPDATE entries SET digest = digest_of(entry) WHERE digest IS NULL AND entry IS NOT NULL",
        replica_bases.TABLES,
    ],
    {"seal": seal_row, "digest_of": lambda entry: Entry.read(entry).event.digest},
)


def _quoted(statuses: Sequence[str]) -> str:
    return ", ".join(f"'{status}'" for status in statuses)


KEEP = "INSERT OR REPLACE INTO entries (seq, at, id, item, node, n, digest, entry)"
TAKE_OUT = "DELETE FROM outbox WHERE id IN carray(?) RETURNING id, status"
PUT = "INSERT INTO outbox"
OUTBOX = "SELECT event FROM outbox WHERE id > ?1 AND {condition} ORDER BY id LIMIT ?"
OF_ITEMS = "SELECT id FROM outbox WHERE item IN carray(?) AND id > ?1"
OF_PREFIX = "SELECT id FROM outbox WHERE item >= ? AND item < ? AND id > ?1"
FIND = "SELECT entry FROM entries WHERE id IN carray(?)"
FIND_LOCAL = "SELECT event FROM outbox WHERE id IN carray(?) AND +status <> 'refused'"
HELD = "SELECT id FROM entries WHERE id IN carray(?1) UNION SELECT id FROM outbox WHERE id IN carray(?1)"
KNOWN = "SELECT id FROM outbox WHERE id IN carray(?)"
HELD_AS = "SELECT seq, entry FROM entries WHERE id IN carray(?)"
REF = "INSERT INTO nodes (node) VALUES (?) ON CONFLICT (node) DO UPDATE SET node = node RETURNING ref"
ABOVE = "SELECT entry FROM entries WHERE seq > ? ORDER BY seq"
LOAD = "SELECT seq, entry FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"
ENTRIES = "SELECT entry FROM entries WHERE seq IN carray(?) ORDER BY seq"
FORGET = "DELETE FROM entries WHERE seq IN carray(?)"
FORGET_NODES = "DELETE FROM nodes WHERE ref NOT IN (SELECT node FROM entries)"
OTHERS = f"SELECT event FROM outbox WHERE item IN carray(?) AND +status IN ({_quoted(OF_OTHERS)})"
LAST_LOCAL = f"SELECT id FROM outbox WHERE item = ? AND +status IN ({_quoted(ON_ITS_WAY)}) ORDER BY id DESC LIMIT 1"
ON_THEIR_WAY = (
    f"SELECT event FROM outbox WHERE id >= ? AND id <= ? AND +status IN ({_quoted(ON_ITS_WAY)}) ORDER BY id LIMIT ?"
)
LAST = "SELECT max(seq) FROM entries"
KEEP_STATE = "UPDATE state SET state = ?"

CHUNK = 1_000


class SqliteReplicaStore:
    """One replica's data; see ``ReplicaStore``. ``node`` is used when the file is made, and ignored after that.

    ``read_only`` looks at a file that another program may have open; ``state`` stays as it was at the opening.
    """

    def __init__(
        self, path: Path | str, node: str, *, read_only: bool = False, index_run: int = item_index.RUN
    ) -> None:
        """``index_run``: the index by item is extended by at least so many entries at a time."""
        self._lock, self._index_run = Lock(), index_run
        self._db = Database(Path(path), SCHEMA, read_only=read_only, checked=True, examine=examine)
        with self._db.reading() if read_only else self._db.writing() as cursor:
            state = cursor.execute("SELECT state FROM state").get
            if state is None:
                state = msgspec.json.encode(ReplicaState(node=node)).decode()
                cursor.execute("INSERT INTO state VALUES (?)", (state,))
            self._indexed = item_index.indexed(cursor)
        self._state = msgspec.json.decode(state, type=ReplicaState)
        if self._state.traces and not read_only:
            self._scrub()

    @property
    def is_proven(self) -> bool:
        """Whether the file is known to be whole; not if it is only looked at while another program has it open."""
        return self._db.is_proven

    def commit(self, change: Change) -> Mapping[str, int]:
        """See ``ReplicaStore.commit``."""
        moved: Counter[str] = Counter()
        with self._lock:
            try:
                reach, state = self._carry_out(change, moved)
            except Exception:
                self._read_state()  # a commit that failed may have been carried out after all
                raise
            self._indexed, self._state = reach, state
            if state.traces and not change.more:
                self._scrub()
        return moved

    def _scrub(self) -> None:
        """Leaves no byte of what was deleted. If that fails (the disk is full, say), the next commit tries again."""
        state = replace(self._state, traces=False)
        with suppress(SynclineError):
            if self._db.scrub():
                with self._db.writing() as cursor:
                    cursor.execute(KEEP_STATE, (msgspec.json.encode(state).decode(),))
                self._state = state

    def _read_state(self) -> None:
        with suppress(Exception), self._db.reading() as cursor:
            self._state = msgspec.json.decode(cursor.execute("SELECT state FROM state").get, type=ReplicaState)
            self._indexed = item_index.indexed(cursor)

    def _carry_out(self, change: Change, moved: Counter[str]) -> tuple[int, ReplicaState]:
        with self._db.writing() as cursor:
            reach, rewrites = self._indexed, change.rewind is not None
            traces = self._state.traces or _leaves_traces(cursor, change)
            if change.rewind is not None:
                reach = _rewind(cursor, change.rewind, self._state.epoch, moved)
            if change.forget:
                forgets, reach = _forget(cursor, change.forget, self._state.user, reach, moved)
                rewrites |= forgets
            if change.part is not None:
                rewrites |= replica_bases.take(cursor, change.part)
            if change.bases:
                replica_bases.put(cursor, change.bases)
                rewrites = True
            if change.entries:
                rewrites |= _are_late(cursor, change.entries, self._state.seq)
                reach = _keep(cursor, change.entries, reach, moved, self._index_run)
            rewrites |= bool(_take_out(cursor, [stamps.key(id) for id in change.drop], moved))
            rewrites |= _come_between(cursor, [each.event for each in change.outbox if each.status == "heard"])
            rewrites |= _put(cursor, change.outbox, moved)
            rewritten = self._state.rewritten + rewrites
            state = replace(change.state or self._state, rewritten=rewritten, traces=traces)
            if change.state is not None or rewrites or traces:
                cursor.execute(KEEP_STATE, (msgspec.json.encode(state).decode(),))
        return reach, state

    def state(self) -> ReplicaState:
        """See ``ReplicaStore.state``."""
        self._db.check_open()
        return self._state

    def load(self, since: int = 0, *, items: Sequence[str] = (), limit: int | None = None) -> Iterator[Entry]:
        """See ``ReplicaStore.load``. Reads in chunks, so that a slow reader holds nothing."""
        more = True
        while more and (limit is None or limit > 0):
            wanted = CHUNK if limit is None else min(limit, CHUNK)
            found, since, more = self._chunk(since, items, wanted)
            yield from found
            limit = None if limit is None else limit - len(found)

    def _chunk(self, since: int, items: Sequence[str], limit: int) -> tuple[list[Entry], int, bool]:
        with self._db.reading() as cursor:
            if not items:
                rows = cursor.execute(LOAD, (since, limit)).fetchall()
                return [Entry.read(entry) for _, entry in rows], rows[-1][0] if rows else since, len(rows) == limit
            last = cursor.execute(LAST).get or 0
            seqs, end = item_index.find(cursor, items, since, limit, self._indexed, last)
            rows = cursor.execute(ENTRIES, (array(seqs),)) if seqs else ()
            return [Entry.read(entry) for (entry,) in rows], end, end < last

    def bases(self, items: Sequence[str] = ()) -> Iterator[Base]:
        """See ``ReplicaStore.bases``. Reads in chunks, so that a slow reader holds nothing."""
        self._db.check_open()
        return replica_bases.load(self._query, items)

    def _query(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        with self._db.reading() as cursor:
            found: list[Any] = cursor.execute(statement, values).fetchall()
            return found

    def outbox(
        self, *statuses: str, items: Sequence[str] = (), after: str = NIL_ID, limit: int | None = None
    ) -> list[Outboxed]:
        """See ``ReplicaStore.outbox``."""
        condition, values = _condition(statuses, items)
        values = [stamps.key(after), *values, -1 if limit is None else limit]
        with self._db.reading() as cursor:
            return [unseal(event) for (event,) in cursor.execute(OUTBOX.format(condition=condition), values)]

    def digests(self, since: int, limit: int) -> list[Digested]:
        """See ``ReplicaStore.digests``."""
        with self._db.reading() as cursor:
            return digests.after(cursor, since, limit)

    def digests_by_id(self, low: bytes, high: bytes, limit: int, *, local: bool = False) -> list[Digested]:
        """See ``ReplicaStore.digests_by_id``."""
        with self._db.reading() as cursor:
            found = digests.by_id(cursor, low, high, limit)
            waiting = [event for (event,) in cursor.execute(ON_THEIR_WAY, (low, high, limit))] if local else []
        events = [unseal(event).event for event in waiting]
        found += [Digested(0, event.key, event.digest, event.item) for event in events]
        return sorted(found, key=lambda each: each.key)[:limit]

    def find(self, ids: Iterable[str]) -> list[Entry]:
        """See ``ReplicaStore.find``."""
        keys = [stamps.key(id) for id in ids]
        if not keys:
            return []
        with self._db.reading() as cursor:
            found = [Entry.read(entry) for (entry,) in cursor.execute(FIND, (array(keys),))]
            found += [unseal(event).loose for (event,) in cursor.execute(FIND_LOCAL, (array(keys),))]
        return sorted(found, key=lambda entry: entry.event.id)

    def holds(self, ids: Iterable[str]) -> set[str]:
        """See ``ReplicaStore.holds``."""
        keys = [stamps.key(id) for id in ids]
        if not keys:
            return set()
        with self._db.reading() as cursor:
            return {stamps.from_key(key) for (key,) in cursor.execute(HELD, (array(keys),))}

    def close(self) -> None:
        """See ``ReplicaStore.close``."""
        self._db.close()


def _condition(statuses: Sequence[str], items: Sequence[str]) -> tuple[str, list[Any]]:
    """What an event of the outbox is asked for, and the parameters of that."""
    if not items:
        return f"status IN ({', '.join('?' * len(statuses))})" if statuses else "true", list(statuses)
    literals = [pattern for pattern in items if not pattern.endswith("*")]
    prefixes = [pattern[:-1] for pattern in items if pattern.endswith("*")]
    parts = [OF_ITEMS] * bool(literals) + [OF_PREFIX] * len(prefixes)
    bounds = [bound for prefix in prefixes for bound in (prefix, prefix + "\x7f")]
    values = [*([array(literals)] if literals else []), *bounds, *statuses]
    # The plus keeps SQLite from going through all events of a status instead.
    status = f" AND +status IN ({', '.join('?' * len(statuses))})" if statuses else ""
    return f"id IN ({' UNION ALL '.join(parts)}){status}", values


def _leaves_traces(cursor: Any, change: Change) -> bool:
    """Whether something that is held goes for good: forgotten, replaced by its erased form, or by bases."""
    if change.part is not None and change.part.is_last:
        return bool(change.drop) or replica_bases.has_any(cursor) or cursor.execute(LAST).get is not None
    erased = [entry.event.key for entry in change.entries if entry.event.is_erased]
    is_held = erased and cursor.execute(HELD, (array(erased),)).fetchone() is not None
    items = [base.item for base in change.bases]
    return bool(change.forget or is_held or (items and replica_bases.has_any(cursor, items)))


def _are_late(cursor: Any, entries: Sequence[Entry], seq: int) -> bool:
    erased = [entry.event.key for entry in entries if entry.event.is_erased]
    if erased and cursor.execute(KNOWN, (array(erased),)).fetchone() is not None:
        return True  # what was said is not, any more
    held = dict(cursor.execute(HELD_AS, (array(entry.event.key for entry in entries),)).fetchall())
    return are_late(entries, held, max(seq, cursor.execute(LAST).get or 0))


def _keep(cursor: Any, entries: Sequence[Entry], reach: int, moved: Counter[str], run: int) -> int:
    """Stores entries, settles the outbox, and brings the index along; the seq up to which that then reaches."""
    events = [entry.event for entry in entries]
    refs = {node: cursor.execute(REF, (node,)).get for node in {event.node for event in events}}
    _take_out(cursor, [event.key for event in events], moved)
    rows = [
        (entry.seq, entry.at, event.key, event.item, refs[event.node], event.n, event.digest, entry.encoded)
        for entry, event in zip(entries, events, strict=True)
    ]
    insert(cursor, KEEP, rows)
    late = [(item, seq, node, n) for seq, _, _, item, node, n, *_ in rows if seq <= reach]
    item_index.add_late(cursor, late)
    return item_index.extend(cursor, reach, cursor.execute(LAST).get, run)


def _forget(cursor: Any, items: Sequence[str], user: str | None, reach: int, moved: Counter[str]) -> tuple[bool, int]:
    """Deletes the entries of items, and others' local events; whether there were any, and how far the index reaches."""
    if EVERYTHING in items:
        had_any = replica_bases.forget_all(cursor) or cursor.execute(LAST).get is not None
        cursor.execute("DELETE FROM entries")
        cursor.execute("DELETE FROM nodes")
        return had_any, item_index.rewind(cursor, 0)
    local = (unseal(sealed).event for (sealed,) in cursor.execute(OTHERS, (array(items),)))
    had_any = bool(_take_out(cursor, [event.key for event in local if event.user != user], moved))
    had_any |= replica_bases.forget(cursor, items)
    for item in items:
        had_any |= _forget_item(cursor, item, reach)
    cursor.execute(FORGET_NODES)
    return had_any, reach


def _forget_item(cursor: Any, item: str, reach: int) -> bool:
    last = cursor.execute(LAST).get or 0
    seqs, end = [], 0
    while end < last:
        found, end = item_index.find(cursor, [item], end, CHUNK, reach, last)
        seqs += found
    if seqs:
        cursor.execute(FORGET, (array(seqs),))
        item_index.forget(cursor, item)
    return bool(seqs)


def _take_out(cursor: Any, keys: Sequence[bytes], moved: Counter[str]) -> dict[bytes, str]:
    """Takes events out of the outbox; the status each of them had."""
    taken = dict(cursor.execute(TAKE_OUT, (array(keys),)).fetchall()) if keys else {}
    moved.subtract(taken.values())
    return taken


def _come_between(cursor: Any, events: Sequence[Event]) -> bool:
    """Whether new events stand before others of their items that are on their way."""
    known = {key for (key,) in cursor.execute(KNOWN, (array(event.key for event in events),))} if events else set()
    first: dict[str, bytes] = {}
    for event in events:
        if event.key not in known:
            first[event.item] = min(event.key, first.get(event.item, event.key))
    lasts = ((key, cursor.execute(LAST_LOCAL, (item,)).get) for item, key in first.items())
    return any(last is not None and last > key for key, last in lasts)


def _put(cursor: Any, outbox: Sequence[Outboxed], moved: Counter[str]) -> bool:
    """Puts events into the outbox; whether any that was there is or is not on its way any more."""
    before = _take_out(cursor, [each.event.key for each in outbox], moved)
    insert(cursor, PUT, list(map(_outbox_row, outbox)))
    moved.update(each.status for each in outbox)
    return any(is_on_its_way(before.get(each.event.key, each.status)) != is_on_its_way(each.status) for each in outbox)


def _rewind(cursor: Any, seq: int, epoch: str | None, moved: Counter[str]) -> int:
    gone = [Entry.read(entry) for (entry,) in cursor.execute(ABOVE, (seq,)).fetchall()]
    _put(cursor, [Outboxed.lost(each, epoch) for each in gone], moved)
    cursor.execute("DELETE FROM entries WHERE seq > ?", (seq,))
    return item_index.rewind(cursor, seq)


def _outbox_row(outboxed: Outboxed) -> tuple[bytes, str, str, bytes]:
    return outboxed.event.key, outboxed.event.item, outboxed.status, seal(outboxed)
