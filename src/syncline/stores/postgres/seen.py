"""What a server has seen of a log, up to an end that it knows: much of what an append asks for is among it.

What others append is caught up with before anything here is believed. Not thread-safe: whoever owns it holds a lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from syncline.core import stamps
from syncline.core.access.state import ACL_ITEM, USER_PREFIX, Access
from syncline.core.admission import Known, NodeState
from syncline.core.documents.dependencies import Held, Stub
from syncline.core.events import Entry, Event
from syncline.core.quotas import Quotas, Room
from syncline.stores.postgres import item_index
from syncline.stores.postgres.ends import End
from syncline.stores.postgres.writing import Draft
from syncline.stores.recent import Recent

REMEMBERED = 10_000

KNOWN = "SELECT uuid_send(id), seq, digest FROM entries WHERE log = %s AND id = ANY(%s::uuid[])"
FIND = "SELECT uuid_send(id), item, entry FROM entries WHERE log = %s AND id = ANY(%s::uuid[])"
FIND_NODES = "SELECT node, owner, n, own FROM nodes WHERE log = %s AND node = ANY(%s)"
IS_THERE = "SELECT 1 FROM entries WHERE log = %s AND seq = %s AND tail = %s"
RULES = f"""
    (SELECT seq, entry FROM entries WHERE {item_index.OF_ITEM} ORDER BY item, seq)
    UNION ALL
    (SELECT seq, entry FROM entries WHERE log = %s AND item > %s AND item < %s AND seq > %s ORDER BY item, seq)
    ORDER BY seq
"""


class Seen:
    """A log's nodes, items and latest events, as far as they were asked for."""

    def __init__(self, key: int, end: End) -> None:
        self._key, self._end = key, end
        self._nodes: dict[str, NodeState] = {}
        self._items: set[str] | None = None
        self._recent = Recent()
        self._idle_rules = (0, 0)
        """Between these seqs, events that could make rules make none."""

    def catch_up(self, cursor: Any, end: End) -> None:
        """From now on the log ends here."""
        before, self._end = self._end.head, end
        if before == end.head:
            return
        self._nodes.clear()
        if before.seq and not cursor.execute(IS_THERE, (self._key, before.seq, before.tail)).fetchone():
            self._items, self._recent = None, Recent()  # the database was put back: it does not go on from there
            self._idle_rules = (0, 0)
        elif self._items is not None:
            self._items |= item_index.items_between(cursor, self._key, before.seq, end.head.seq)

    def note(self, draft: Draft) -> None:
        """A draft was stored."""
        self._end = draft.after
        self._nodes |= draft.writers
        if self._items is not None:
            self._items.update(row.event.item for row in draft.rows if row.event.item[0] != ".")
        self._recent.add(row.event for row in draft.rows if row.event.ops is not UNSET)

    def known(self, cursor: Any, events: Sequence[Event]) -> Known:
        """Which of these events the log holds. Those that are later than all that it holds are not looked for."""
        ids = [event.id for event in events if event.id <= self._end.last_id]
        if not ids:
            return {}
        rows = cursor.execute(KNOWN, (self._key, array(ids)), binary=True)
        return {id: (seq, digest) for id, seq, digest in rows}

    def held(self, cursor: Any, ids: set[str]) -> Mapping[str, Held]:
        """The events of these ids that the log holds, and stubs of those whose content is gone."""
        recent = self._recent.find(ids)
        read: dict[str, Held] = {}
        if missing := ids - recent.keys():
            rows = cursor.execute(FIND, (self._key, array(missing)), binary=True)
            for id, item, entry in rows:
                read[stamps.from_key(id)] = Entry.read(entry).event if entry else Stub(item)
        self._recent.add(each for each in read.values() if isinstance(each, Event))
        return {**recent, **read}

    def nodes(self, cursor: Any, names: Collection[str]) -> dict[str, NodeState]:
        """The state of each of these nodes that the log knows."""
        if len(self._nodes) > REMEMBERED:
            self._nodes.clear()
        if missing := [name for name in names if name not in self._nodes]:
            self._nodes |= find_nodes(cursor, self._key, missing)
        return {name: self._nodes[name] for name in names if name in self._nodes}

    def room(self, cursor: Any, quotas: Quotas) -> Room:
        """What quotas leave."""
        if not quotas.items:
            self._items = None
        elif self._items is None:
            self._items = item_index.ordinary_items(cursor, self._key)
        return Room(quotas, events=self._end.head.seq, bytes=self._end.bytes, items=self._items or ())

    def access(self, cursor: Any, access: Access) -> Access:
        """An access with the rules that came after it."""
        since, rules = access.seq, self._end.rules
        if since >= rules or (since, rules) == self._idle_rules:
            return access
        literal = self._key, ACL_ITEM, since, ACL_ITEM, item_index.FOREVER
        prefix = self._key, *item_index.range_of(USER_PREFIX + "*"), since
        rows = cursor.execute(RULES, (*literal, *prefix), binary=True)
        newer = access.after([Entry.read(entry) for _, entry in rows if entry])
        if newer is access:
            self._idle_rules = since, rules
        return newer


def find_nodes(cursor: Any, key: int, names: Sequence[str]) -> dict[str, NodeState]:
    """The states of nodes, as the log knows them."""
    rows = cursor.execute(FIND_NODES, (key, list(names)))
    return {node: NodeState(owner, n, str(own)) for node, owner, n, own in rows}


def array(ids: Iterable[str]) -> str:
    """Ids as a literal of an array."""
    return "{" + ",".join(ids) + "}"
