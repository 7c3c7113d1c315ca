"""What a replica can say early of what its server would refuse."""

import msgspec
import pytest

from syncline.core.access.rules import DEFAULTS, Rule
from syncline.core.messages import Welcome
from syncline.core.session import Greet
from syncline.replica import Replica
from syncline.replica.foresight import doomed
from syncline.stores.memory import MemoryReplicaStore
from syncline.stores.sqlite import SqliteReplicaStore


@pytest.fixture
def replica(tmp_path):
    return Replica(SqliteReplicaStore(tmp_path / "r.db", "me"))


def greet(replica, *rules, user="ann", **more):
    told = list(rules) if rules else None
    replica.perform(Greet(Welcome(epoch="e", head=0, time=0, user=user, rules=told, **more)))


def test_nothing_is_known_before_a_server_tells_its_rules(replica):
    event = replica.record("diary.1", "write")
    assert replica.may("diary.1", "write") is None
    greet(replica)
    assert replica.may("diary.1", "write") is None
    assert (replica.doomed(), replica.pending()) == ([], [event.with_user("ann")])


def test_the_rules_known_last_are_a_hint(replica):
    greet(replica, *DEFAULTS, Rule("ann", "diary.*", "*", "deny", 1, "a"), Rule("ann", "diary.1", ".read", "allow"))
    assert replica.may("diary.1", "write") is False
    assert replica.may("diary.1", ".read") is True
    assert replica.may("task.milk", "write") is True
    assert replica.may(".acl", ".acl.addRule") is False
    good, bad = replica.record("task.milk", "write"), replica.record("diary.1", "write")
    assert replica.doomed() == [bad]
    assert replica.pending() == [good, bad]  # they are pushed, all the same
    greet(replica, *DEFAULTS)
    assert replica.doomed() == []


def test_they_are_there_after_a_restart(replica, tmp_path):
    greet(replica, Rule("*", "*", ".read", "allow"))
    bad = replica.record("a", "write")
    replica.close()
    again = Replica(SqliteReplicaStore(tmp_path / "r.db", "me"))
    assert (again.may("a", ".read"), again.may("a", "write"), again.doomed()) == (True, False, [bad])
    greet(again)
    assert again.may("a", ".read") is None
    again.close()


def test_a_file_of_before_there_were_rules_opens(tmp_path, replica):
    greet(replica, *DEFAULTS)
    store = replica._store
    state = msgspec.to_builtins(store.state())
    for later in ("rules", "forgotten", "traces"):
        del state[later]
    with store._db.writing() as cursor:
        cursor.execute("UPDATE state SET state = ?", (msgspec.json.encode(state).decode(),))
    replica.close()
    again = SqliteReplicaStore(tmp_path / "r.db", "me")
    assert (again.state().rules, again.state().user, again.state().traces) == (None, "ann", False)
    again.close()


def test_the_administrator_may_do_all():
    replica = Replica(MemoryReplicaStore("me"))
    greet(replica, Rule("*", "*", "*", "deny"), user=".root")
    assert replica.may(".acl", ".acl.addRule")
    assert doomed(replica._store.state(), [replica.record("a", "write")]) == []
