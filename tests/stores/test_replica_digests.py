"""Replicas' files from before they kept digests get those of the entries they have."""

from contextlib import closing
from hashlib import sha256

import apsw
import pytest

from syncline.core.events import Entry
from syncline.core.merkle import span
from syncline.stores import Change
from syncline.stores.sqlite import SqliteReplicaStore
from syncline.testing import Author
from syncline.testing.seeded import START_MS

COUNT = 2_000


@pytest.fixture
def entries():
    return [Entry.of(seq, START_MS, "r" * 24, event) for seq, event in enumerate(Author().events(COUNT), 1)]


def test_an_old_file_gets_the_digests_of_its_entries(tmp_path, entries):
    path = tmp_path / "old.db"
    with closing(SqliteReplicaStore(path, "node")) as store:
        store.commit(Change(entries=entries))
    as_it_was(path)
    with closing(SqliteReplicaStore(path, "node")) as store:
        found = store.digests(0, COUNT + 1)
        assert [each.digest for each in found] == [sha256(entry.event.body).digest() for entry in entries]
        assert sorted(found, key=lambda each: each.key) == store.digests_by_id(*span(""), COUNT + 1)


def as_it_was(path):
    """The file of the first version, which had entries without digests."""
    path.with_name(path.name + ".sums").unlink()
    with closing(apsw.Connection(str(path))) as old:
        later = old.execute("SELECT name FROM sqlite_schema WHERE name LIKE '%base%' AND type = 'table'").fetchall()
        for (name,) in later:
            old.execute(f"DROP TABLE {name}")
        old.execute(
            """
            UPDATE entries SET digest = NULL;
            DROP TABLE outbox;
            CREATE TABLE outbox (
                id BLOB PRIMARY KEY, item TEXT NOT NULL, status TEXT NOT NULL, seq INTEGER, error TEXT,
                event BLOB NOT NULL
            ) WITHOUT ROWID;
            PRAGMA user_version = 1;
            """
        )
        assert old.execute("SELECT count(*) FROM entries WHERE digest IS NULL").get == COUNT
