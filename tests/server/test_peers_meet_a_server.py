"""Replicas that knew each other before they know a server: who brings what there, under its rules."""

import asyncio
from contextlib import closing

import pytest

import syncline
from syncline import SyncManager
from syncline.sync import ReplicaPeer
from syncline.transports.memory import MemoryTransport
from tests.server.running import ServerProcess
from tests.server.tenants import administer, key


@pytest.fixture
def serve(tmp_path):
    """Starts a server in a data directory of this name."""
    servers = []

    def start(name):
        servers.append(ServerProcess(tmp_path / name))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(serve):
    return serve("data")


@pytest.fixture
def replicas(tmp_path, server):
    """Of ann, bob and cy, each with a key of the server."""
    opened = {
        name: syncline.open(tmp_path / f"{name}.db", server=server.url, token=key(server, "default", name))
        for name in ("ann", "bob", "cy")
    }
    yield opened
    for each in opened.values():
        each.close()


def meet(one, other):
    result = asyncio.run(SyncManager(one, MemoryTransport(ReplicaPeer(other))).sync())
    assert result.ok, result
    return result


def allow(server, user, item, action):
    rule = {"user": user, "item": item, "action": action, "type": "allow"}
    assert administer(server, "POST", "/v1/spaces/default/acl", rule).status == 201


def log(server):
    """Who wrote what, in the order of the log."""
    page = server.request("GET", "/v1/spaces/default/pull?limit=1000", headers=server.bearer()).json
    return [(entry["event"]["user"], entry["event"].get("payload")) for entry in page["entries"] if _is_ours(entry)]


def _is_ours(entry):
    return entry["event"]["item"][0] != "."


def settled(replica):
    return replica.status.pending == replica.status.refused == replica.status.unvouched == len(replica.heard()) == 0


def test_authors_push_their_own(server, replicas):
    ann, bob = replicas["ann"], replicas["bob"]
    for replica in (ann, bob):
        assert replica.sync().ok  # they know who they are
    ann.record("x", "put", "a")
    meet(ann, bob)
    bob.record("x", "put", "b")
    meet(ann, bob)
    assert (bob.sync().ok, log(server)) == (True, [("bob", "b")])
    assert ann.sync().ok
    assert bob.sync().ok
    assert log(server) == [("bob", "b"), ("ann", "a")]
    assert settled(ann)
    assert settled(bob)


def test_what_builds_on_something_heard_waits_for_its_author(server, replicas):
    ann, bob = replicas["ann"], replicas["bob"]
    assert ann.sync().ok
    assert bob.sync().ok
    ann.create("milk", {"title": "Milk"})
    meet(ann, bob)
    bob.document("milk")["title"] = "Oats"
    bob.create("bread", {"title": "Bread"})
    result = bob.sync()
    assert (result.ok, result.pushed, bob.status.pending, bob.status.refused) == (True, 1, 1, 0)
    assert ann.sync().ok
    assert bob.sync().ok
    assert ann.sync().ok
    assert settled(ann)
    assert settled(bob)
    assert ann.document("milk").plain == bob.document("milk").plain == {"title": "Oats"}
    assert [user for user, _ in log(server)] == ["bob", "ann", "bob"]


def test_who_may_give_brings_what_others_wrote(server, replicas, tmp_path):
    ann, bob, cy = (replicas[name] for name in ("ann", "bob", "cy"))
    for replica in (ann, bob, cy):
        assert replica.sync().ok
    bob.create("task.milk", {"title": "Milk"})
    bob.record("note", "put", "n")
    meet(bob, cy)
    cy.document("task.milk")["title"] = "Oats"
    meet(cy, ann)
    assert (ann.sync().ok, log(server)) == (True, [])  # nobody has allowed it
    allow(server, "ann", "task.*", ".give")
    assert ann.sync().ok
    assert [user for user, _ in log(server)] == ["bob", "cy"]
    assert [event.item for event in ann.heard()] == ["note"]
    for replica in (bob, cy, ann):
        assert replica.sync().ok
        assert settled(replica)
    assert [user for user, _ in log(server)] == ["bob", "cy", "bob"]
    assert ann.document("task.milk").plain == {"title": "Oats"}


def test_a_users_other_device_brings_what_it_heard(server, replicas, tmp_path):
    with closing(
        syncline.open(tmp_path / "tablet.db", server=server.url, token=key(server, "default", "ann"))
    ) as tablet:
        ann = replicas["ann"]
        assert ann.sync().ok
        assert tablet.sync().ok
        ann.record("x", "put", "from the phone")
        meet(ann, tablet)
        assert tablet.sync().ok
        assert log(server) == [("ann", "from the phone")]
        assert settled(tablet)
        assert ann.sync().ok
        assert settled(ann)


def test_what_was_heard_of_a_log_does_not_go_into_another(serve, server, replicas, tmp_path):
    ann, other = replicas["ann"], serve("other")
    ann.record("x", "put", "a")
    assert ann.sync().ok
    with closing(syncline.open(tmp_path / "new.db", server=other.url, token=key(other, "default", "dan"))) as new:
        meet(ann, new)
        assert new.sync().failure.code == "epoch_changed"
        assert [event.payload for event in new.heard()] == ["a"]
