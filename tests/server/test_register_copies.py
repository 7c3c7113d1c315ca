"""Copies of the register: all that lasts goes from any database into any other, and only into an empty one."""

from contextlib import closing

import pytest

from syncline.errors import NewerSchema, StoreDamaged, StoreLocked
from syncline.server.auth.identity import ROOT
from syncline.server.register import copying
from syncline.server.registry import open_registry
from syncline.testing.seeded import START_MS
from tests import postgres

COLUMNS = "SELECT name FROM pragma_table_info(?)"
NAMES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"


@pytest.fixture
def register(tmp_path):
    """Opens registers of one kind, each new."""
    opened = []

    def open(kind):
        data = tmp_path / f"{len(opened)}"
        data.mkdir()
        store = postgres.new_database() if kind == "postgresql" else ""
        opened.append(open_registry(data, store, lambda: START_MS))
        return opened[-1]

    yield open
    for each in opened:
        each.close()


def filled(registry):
    registry.create_space("home")
    registry.create_space("gone")
    registry.delete_space("gone")
    registry.users.create("home", "ann")
    registry.users.set_password("home", "ann", "$argon2id$…")
    key = registry.create_key("laptop", ROOT)
    registry.secret("receipts")
    with registry.database.writing() as cursor:
        cursor.execute("INSERT INTO erasures (space, payload) VALUES (?, ?)", ("home", '{"events":["one"]}'))
    return key


@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_a_register_goes_from_any_database_into_any_other(register, source, target):
    one, other = register(source), register(target)
    key = filled(one)
    text = copying.dump(one.database)
    copying.load(other.database, text)
    assert sorted(copying.dump(other.database).splitlines()) == sorted(text.splitlines())
    assert other.user_of(key) == ROOT
    assert (one.secret("receipts"), one.spaces()) == (other.secret("receipts"), other.spaces())
    assert list(copying.erasures(text)) == [("home", {"events": ["one"]})]
    assert copying.spaces(text) == {"home"}


def test_every_table_is_in_a_copy_or_left_out_on_purpose(register):
    registry = register("sqlite")
    with registry.database.reading() as cursor:
        tables = {
            name: [row[0] for row in cursor.execute(COLUMNS, (name,))] for (name,) in cursor.execute(NAMES).fetchall()
        }
    assert tables.keys() == copying.TABLES.keys() | copying.LEFT_OUT
    for name, columns in copying.TABLES.items():
        numbered = {"id"} if name in copying.NUMBERED else set()
        assert set(tables[name]) - numbered == set(columns.split()), name


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_was_put_there_before_is_no_other_register(register, kind):
    """A restore that was killed is said again; a key that was revoked since does not come back so."""
    one, other = register(kind), register(kind)
    filled(one)
    text = copying.dump(one.database)
    copying.load(other.database, text)
    other.create_space("work")
    copying.load(other.database, text)
    assert (other.spaces(), len(other.keys())) == (["home", "work"], 1)
    other.revoke_key(other.keys()[0].id)
    with pytest.raises(StoreLocked):
        copying.load(other.database, text)


def test_a_register_that_is_in_use_is_left_as_it_is(register):
    one, other = register("sqlite"), register("sqlite")
    filled(one)
    other.create_space("work")
    with pytest.raises(StoreLocked):
        copying.load(other.database, copying.dump(one.database))
    assert other.spaces() == ["work"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b'{"register":{"format":2}}\n', NewerSchema),
        (b'{"register":{"format":1}}\n{"table":"moods","row":{}}\n', NewerSchema),
        (b'{"register":{"format":1}}\n{"table":"spaces","row":{"mood":1}}\n', NewerSchema),
        (b'{"register":{"format":1}}\n{"table":', StoreDamaged),
    ],
)
def test_what_is_no_copy_is_not_loaded(register, text, error):
    with closing(register("sqlite")) as registry, pytest.raises(error):
        copying.load(registry.database, text)
