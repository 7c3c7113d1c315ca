"""What a replica can say early of what its server would refuse."""

import msgspec
import pytest

from syncline.core.access.rules import DEFAULTS, Rule
from syncline.core.effects import Apply, Greet, Settle
from syncline.core.messages import Page, Welcome
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


def test_what_credentials_are_limited_to(replica):
    greet(replica, *DEFAULTS, actions=("put", ".read"), items=("sensor.*",))
    assert [replica.may("sensor.door", action) for action in ("put", ".read", "create")] == [True, True, False]
    assert replica.may("task.milk", "put") is False
    bad = replica.record("task.milk", "put")
    assert replica.doomed() == [bad]
    greet(replica, items=("sensor.*",))  # of a server that tells no rules, or to the administrator
    assert (replica.may("sensor.door", "create"), replica.may("task.milk", "create")) == (None, False)
    greet(replica, *DEFAULTS)
    assert replica.doomed() == []


def test_what_a_key_for_writing_alone_wrote_is_let_go_of(replica):
    """Its entry never comes, and is not waited for."""
    greet(replica, *DEFAULTS, actions=("put",))
    event = replica.record("sensor.door", "put")
    replica.perform(Settle([(event, 1)]))
    replica.keep_acks()
    assert [each.status for each in replica._store.outbox()] == ["acked"]
    replica.perform(Apply(Page(entries=[], cursor="c", more=False), ()))
    assert replica._store.outbox() == []


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
    for later in ("rules", "actions", "items", "forgotten", "traces"):
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
