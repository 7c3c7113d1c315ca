"""Users and keys: what is valid, what no longer, and a register of the version before."""

import hashlib

import apsw
import pytest

from syncline.errors import BadRequest, SpaceDeleted, Unauthorized, UnknownUser, UserExists
from syncline.server.auth.identity import Identity
from syncline.server.register.file import RegisterFile
from syncline.server.register.keys import Keys
from syncline.server.registry import Registry
from tests.server.auth.conftest import DAY, MINUTE

VERSION_1 = """
    CREATE TABLE secrets (name TEXT PRIMARY KEY, secret BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE keys (
        id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL, user TEXT NOT NULL, created INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE spaces (name TEXT PRIMARY KEY, created INTEGER NOT NULL, deleted INTEGER) WITHOUT ROWID;
    PRAGMA application_id = 0x53594E30; PRAGMA user_version = 1;
"""
KEYS_OF_VERSION_1 = [
    ("aa", "sk_root", "first", ".root", 5),
    ("bb", "sk_a", "laptop", "alice", 7),
    ("cc", "sk_b", "phone", "alice", 6),
]


@pytest.fixture
def old_register(tmp_path):
    path = tmp_path / "old.db"
    connection = apsw.Connection(str(path))
    connection.execute(VERSION_1)
    for id, key, *rest in KEYS_OF_VERSION_1:
        connection.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?)", (id, hashlib.sha256(key.encode()).digest(), *rest)
        )
    connection.execute("INSERT INTO secrets VALUES ('cursors', x'0102')")
    connection.execute("INSERT INTO spaces VALUES ('default', 5, NULL), ('gone', 5, 6)")
    connection.close()
    return path


def test_a_register_of_the_version_before(old_register, clock):
    registry = Registry(RegisterFile(old_register), clock)
    assert registry.api_keys.identify("sk_root") == Identity(".root", None, "key:aa")
    assert registry.api_keys.identify("sk_a") == Identity("alice", "default", "key:bb")
    assert [key.id for key in registry.api_keys.all()] == ["aa", "cc", "bb"]
    assert [(user.name, user.created) for user in registry.users.of_space("default")] == [("alice", 6)]
    assert registry.users.find("anywhere", ".root") is not None
    assert (registry.secret("cursors"), registry.spaces()) == (b"\x01\x02", ["default"])
    registry.close()
    RegisterFile(old_register).close()


def test_a_key_is_its_users_and_of_one_space(registry):
    alices = registry.create_key("laptop", "alice", "home", actions=["task.*"], items=["a", "b*"])
    found = registry.api_keys.identify(alices)
    assert (found.user, found.space, found.actions, found.items) == ("alice", "home", ("task.*",), ("a", "b*"))
    assert found.belongs_to("home")
    assert not found.belongs_to("default")
    assert registry.api_keys.identify(registry.create_key("first", ".root", "home")).belongs_to("default")


def test_the_key_itself_is_not_in_the_file(registry, tmp_path):
    key = registry.create_key("laptop", "alice")
    with registry.database.reading() as cursor:
        assert key not in str(cursor.execute("SELECT * FROM keys").fetchall())
    registry.close()
    assert not [file for file in tmp_path.iterdir() if key.encode() in file.read_bytes()]
    assert len(key) == 3 + 43


def test_a_revoked_key_stays_in_the_register_and_is_not_valid(registry, clock):
    key = registry.create_key("laptop", "alice")
    (listed,) = registry.keys()
    assert registry.revoke_key(listed.id)
    assert not registry.revoke_key(listed.id)
    assert registry.keys() == []
    assert [again.revoked for again in registry.api_keys.all(revoked=True)] == [clock()]
    assert not registry.api_keys.is_valid(listed.id)
    with pytest.raises(Unauthorized):
        registry.user_of(key)


def test_a_key_expires(registry, clock):
    key = registry.create_key("ci", "alice", expires_ms=clock() + DAY)
    clock.pass_(DAY - 1)
    assert registry.api_keys.identify(key).expires_ms == clock() + 1
    clock.pass_(1)
    with pytest.raises(Unauthorized):
        registry.user_of(key)
    with pytest.raises(BadRequest):
        registry.create_key("ci", "alice", expires_ms=clock())


@pytest.mark.parametrize("key", ["", "sk_", "sk_" + "x" * 43, "\x00", "ü", "\ud83d"])
def test_nobodys_key(registry, key):
    with pytest.raises(Unauthorized):
        registry.user_of(key)


def test_the_last_use_is_written_once_a_minute(registry, clock):
    registry.create_key("laptop", "alice")
    (key,) = registry.keys()
    assert not registry.api_keys.note_use(key.id)
    clock.pass_(MINUTE)
    assert registry.api_keys.note_use(key.id)
    assert not registry.api_keys.note_use(key.id)
    elsewhere = Keys(registry.database, clock)
    assert (registry.api_keys.find(key.id).used, elsewhere.find(key.id).used) == (clock(), None)
    registry.api_keys.write_uses()
    assert elsewhere.find(key.id).used == clock()


def test_what_a_suspended_user_holds_is_not_valid_until_resumed(registry):
    key = registry.create_key("laptop", "alice", "home")
    registry.users.suspend("home", "alice")
    with pytest.raises(Unauthorized):
        registry.user_of(key)
    registry.users.resume("home", "alice")
    assert registry.user_of(key) == "alice"


def test_what_a_removed_user_held_is_gone_for_ever_and_the_name_with_it(registry):
    key = registry.create_key("laptop", "alice", "home")
    registry.users.set_password("home", "alice", "hash")
    registry.users.remove("home", "alice")
    assert registry.users.password("home", "alice") is None
    assert registry.users.of_space("home") == []
    with pytest.raises(Unauthorized):
        registry.user_of(key)
    with pytest.raises(UserExists):
        registry.users.create("home", "alice")
    for use in (
        lambda: registry.create_key("laptop", "alice", "home"),
        lambda: registry.users.resume("home", "alice"),
        lambda: registry.users.remove("home", "alice"),
        lambda: registry.users.set_password("home", "alice", "hash"),
        lambda: registry.users.suspend("home", "nobody"),
    ):
        with pytest.raises(UnknownUser):
            use()


def test_users_of_two_spaces_may_have_one_name(registry):
    registry.users.create("a", "alice")
    registry.users.create("b", "alice")
    registry.users.suspend("a", "alice")
    assert registry.users.is_barred("a", "alice")
    assert not registry.users.is_barred("b", "alice")


@pytest.mark.parametrize("name", ["", ".resolver", "anyone", "x" * 257, "a\nb", "\ud83d"])
def test_names_that_are_no_users(registry, name):
    with pytest.raises(BadRequest):
        registry.users.create("home", name)
    with pytest.raises(BadRequest):
        registry.create_key("laptop", name)


@pytest.mark.parametrize("patterns", [[""], ["a"] * 101])
def test_scopes_that_are_none(registry, patterns):
    with pytest.raises(BadRequest):
        registry.create_key("laptop", "alice", items=patterns)


def test_root_can_be_neither_suspended_nor_removed(registry):
    registry.create_key("first", ".root")
    for bar in (registry.users.suspend, registry.users.remove):
        with pytest.raises(BadRequest):
            bar("home", ".root")


def test_the_codes():
    assert (UnknownUser.code, UserExists.code) == ("unknown_user", "user_exists")


def test_who_was_refused_does_not_hold_the_view_of_those_who_read_next(registry):
    registry.create_space("old")
    registry.delete_space("old")
    with pytest.raises(SpaceDeleted) as refused:
        registry.space_table.state("old")
    registry.create_space("new")
    assert registry.spaces() == ["new"]
    assert refused.value.message  # what it came from is still at hand
