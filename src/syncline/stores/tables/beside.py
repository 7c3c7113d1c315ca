"""What tables keep beside entries, compared with what these say: columns, the look-up by id, the index by item."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from syncline.stores.reading import KEPT_BESIDE, Damage, Fact
from syncline.stores.tables.database import array
from syncline.stores.tables.item_index import INDEXED

COLUMNS = "id, item, (SELECT nodes.node FROM nodes WHERE ref = entries.node), n, digest"
ROWS = "SELECT seq, {columns} FROM entries WHERE seq IN carray(?)"
WITH_TIME = ROWS.format(columns=f"at, {COLUMNS}")
WITHOUT_TIME = ROWS.format(columns=f"NULL, {COLUMNS}")
BY_ID = "SELECT id, seq FROM entries WHERE id IN carray(?)"
RUN_OF = "SELECT min(run) FROM item_runs WHERE run >= ?"
IN_RUN = "SELECT count(*) FROM item_index WHERE run = ? AND item = ? AND seq = ?"
COUNTED = "SELECT count(*) FROM item_index"
COUNTED_ENTRIES = "SELECT count(*) FROM entries WHERE seq <= ?"
INTEGRITY = "PRAGMA integrity_check(100)"


def rows(cursor: Any, facts: Sequence[Fact], statement: str) -> Iterator[Damage]:
    """Columns that differ, and ids by which the entry is not found."""
    kept = {row[0]: row[1:] for row in cursor.execute(statement, (array(fact.seq for fact in facts),))}
    by_id = dict(cursor.execute(BY_ID, (array(fact.key for fact in facts),)))
    for fact in facts:
        for name, column, said in zip(KEPT_BESIDE, kept.get(fact.seq, (None,) * 6), fact[1:], strict=True):
            if column != said and not (column is None and name == "time" and statement == WITHOUT_TIME):
                yield Damage(fact.seq, f"the {name} kept beside the entry is not the entry's")
        if by_id.get(fact.key) != fact.seq:
            yield Damage(fact.seq, "by its id it is not found")


def index(cursor: Any, facts: Sequence[Fact]) -> Iterator[Damage]:
    """Entries that the index by item does not lead to, as far as it goes."""
    reach = cursor.execute(INDEXED).get or 0
    run = 0
    for fact in facts:
        if fact.seq > reach:
            break
        if fact.seq > run:
            run = cursor.execute(RUN_OF, (fact.seq,)).get
        if not cursor.execute(IN_RUN, (run, fact.item, fact.seq)).get:
            yield Damage(fact.seq, f"the index by item does not find it under {fact.item}")


def miscounted(cursor: Any) -> list[str]:
    """Whether the index by item has as much as there is."""
    reach = cursor.execute(INDEXED).get or 0
    counted, entries = cursor.execute(COUNTED).get, cursor.execute(COUNTED_ENTRIES, (reach,)).get
    return [] if counted == entries else [f"the index by item has {counted} places for {entries} entries"]


def broken(cursor: Any) -> list[str]:
    """What SQLite finds wrong with its file, page by page."""
    found = [line for (line,) in cursor.execute(INTEGRITY)]
    return [] if found == ["ok"] else found
