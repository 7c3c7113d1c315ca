"""Statements for several databases, as psycopg takes them."""

import pytest

from syncline.stores.postgres.dialect import NeutralCursor, written
from tests.postgres import new_database


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT a FROM t WHERE b = ? AND c > ?", "SELECT a FROM t WHERE b = %s AND c > %s"),
        ("SELECT :one, (:two_more)", "SELECT %(one)s, (%(two_more)s)"),
        ("SELECT '?', ':one', 'it''s 5 %', ?", "SELECT '?', ':one', 'it''s 5 %%', %s"),
        ("SELECT 5 % 3", "SELECT 5 %% 3"),
    ],
)
def test_parameters(statement, expected):
    assert written(statement) == expected


@pytest.fixture
def cursor():
    database = pytest.importorskip("syncline.stores.postgres.database")
    opened = database.PostgresDatabase(new_database(), database.Schema("some", ["CREATE TABLE kept (n INT, t TEXT)"]))
    with opened.at_once() as raw:
        yield NeutralCursor(raw)
    opened.close()


def test_rows(cursor):
    cursor.executemany("INSERT INTO kept VALUES (?, ?)", [(n, f"{n}%?:n") for n in range(3)])
    assert cursor.execute("SELECT t FROM kept WHERE n = :n AND t LIKE '%:n'", {"n": 1}).get == "1%?:n"
    assert cursor.execute("SELECT t FROM kept WHERE n = ?", (7,)).get is None
    assert cursor.execute("SELECT n FROM kept ORDER BY n").fetchone() == (0,)
    assert cursor.fetchall() == [(1,), (2,)]
    assert [n for (n,) in cursor.execute("SELECT n FROM kept ORDER BY n DESC")] == [2, 1, 0]


def test_a_nul_which_it_cannot_keep(cursor):
    cursor.execute("INSERT INTO kept VALUES (:n, :t)", {"n": 1, "t": "a\0b"})
    assert cursor.execute("SELECT t FROM kept WHERE t = ?", ("a\0b",)).get == "a\ufffdb"
